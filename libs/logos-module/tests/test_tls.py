"""Listeners with a certificate."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from certificates import make_certificate
from logos_client.channels import channel_to
from logos_module.server import Server
from logos_module.tls import CertificateFiles, CertificateUnusableError, credentials_of
from open_access import OpenAccess
from own_topology import claim_ports


@asynccontextmanager
async def served(files: CertificateFiles) -> AsyncIterator[str]:
    server, address = Server(OpenAccess()), f"127.0.0.1:{claim_ports().front + 1}"
    await server.start([address], credentials_of(files))
    await server.set_serving([""], serving=True)
    try:
        yield address
    finally:
        await server.stop(0)


async def asked(address: str, ca_file: Path | None) -> str:
    """Returns the health of a server, or the status of the call."""
    async with channel_to(address, ca_file=ca_file) as channel:
        stub: Any = HealthStub(channel)
        try:
            response = await stub.Check(health_pb2.HealthCheckRequest(), timeout=60)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


async def test_a_listener_with_a_certificate_talks_tls_alone(tmp_path: Path) -> None:
    files, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")

    async with served(files) as address:
        assert await asked(address, files.certificate) == "SERVING"
        assert "CERTIFICATE_VERIFY_FAILED" in await asked(address, other.certificate)
        assert (await asked(address, None)).startswith("UNAVAILABLE: failed to connect")


async def test_a_replaced_certificate_serves_the_next_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "logos_module.tls")
    used, later = make_certificate(tmp_path), make_certificate(tmp_path, "later")
    first = tmp_path / "first.pem"
    first.write_bytes(used.certificate.read_bytes())

    async with served(used) as address:
        used.certificate.write_bytes(later.certificate.read_bytes())
        assert await asked(address, first) == "SERVING"  # its key is still to come
        used.key.unlink()
        assert await asked(address, first) == "SERVING"
        assert await asked(address, first) == "SERVING"
        used.key.write_bytes(later.key.read_bytes())
        assert await asked(address, later.certificate) == "SERVING"
        assert "CERTIFICATE_VERIFY_FAILED" in await asked(address, first)

    kept = "the last certificate stays in use"
    assert [one.getMessage() for one in caplog.records] == [
        kept,
        kept,
        "certificate was replaced",
    ]
    assert f"{used.key}: is not the key of {used.certificate}" in str(caplog.records[0].__dict__)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    one, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    sealed = tmp_path / "sealed.key"
    key = load_pem_private_key(one.key.read_bytes(), None)
    password = BestAvailableEncryption(b"secret")
    sealed.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, password))

    for certificate, key_file, why in (
        (one.certificate, other.key, f"{other.key}: is not the key of {one.certificate}"),
        (one.certificate, sealed, f"{sealed}: has a password"),
        (one.certificate, one.certificate, f"{one.certificate}: no private key in PEM"),
        (one.key, one.key, f"{one.key}: no certificate in PEM"),
        (tmp_path / "none", one.key, f"{tmp_path / 'none'}: No such file or directory"),
        (tmp_path, one.key, f"{tmp_path}: Is a directory"),
    ):
        with pytest.raises(CertificateUnusableError) as refused:
            CertificateFiles(certificate, key_file).read()
        assert str(refused.value) == why
        assert refused.value.reason == "CERTIFICATE_UNUSABLE"
