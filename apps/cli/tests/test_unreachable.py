"""What commands say of nodes that they cannot connect to: real servers, with and without TLS."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import typer
from typer.testing import CliRunner

from certificates import make_certificate
from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_cli.console import Output
from logos_cli.exits import Exit
from logos_cli.main import app
from logos_cli.session import Session
from logos_client.token_file import new_bearer
from logos_module.tls import CertificateFiles
from logos_testnet.endpoints import Endpoints, NodeEndpoints, write_endpoints
from logos_testnet.layout import layout_of

Said = Callable[[str, Path | None], str]


class Kernel(kernel_pb2_grpc.KernelServicer):
    """Answers."""

    def GetInfo(self, request: Any, context: Any) -> kernel_pb2.GetInfoResponse:  # noqa: N802
        return kernel_pb2.GetInfoResponse(node="node1")


@contextmanager
def kernel(files: CertificateFiles | None = None) -> Iterator[str]:
    """A front door at a port of 127.0.0.1."""
    server = grpc.server(ThreadPoolExecutor(1))
    kernel_pb2_grpc.add_KernelServicer_to_server(Kernel(), server)
    if files is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def ask(node: str, ca_file: Path | None) -> str:
    session = Session(node, None, Output.TABLE, 60.0, None, ca_file)
    request = kernel_pb2.GetInfoRequest()
    return str(session.ask(lambda ch: kernel_pb2_grpc.KernelStub(ch).GetInfo, request).node)


@pytest.fixture
def said(state: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Asks a node that cannot be reached, and returns what the command says."""
    monkeypatch.setenv("LOGOS_TOKEN", new_bearer())

    def asked(node: str, ca_file: Path | None) -> str:
        with pytest.raises(typer.Exit) as ended:
            ask(node, ca_file)
        assert ended.value.exit_code == Exit.UNREACHABLE
        return capfd.readouterr().err

    return asked


def test_another_certificate_is_refused(said: Said, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "other").certificate

    with kernel(make_certificate(tmp_path)) as address:
        text = said(address, other)

    assert f"the certificate of {address} ({address}) is not accepted (self" in text
    assert "give the file that signs its certificate, by --ca-file or LOGOS_CA_FILE" in text
    assert "(CERTIFICATE_REFUSED)" in text


def test_an_expired_certificate_is_refused(said: Said, tmp_path: Path) -> None:
    old = make_certificate(tmp_path, until=2021)

    with kernel(old) as address:
        text = said(address, old.certificate)

    assert "is not accepted (certificate has expired)" in text


def test_a_certificate_of_another_address_is_refused(said: Said, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, address="10.0.0.1")

    with kernel(files) as address:
        text = said(address, files.certificate)
        assert ask(address.replace("127.0.0.1", "localhost"), files.certificate) == "node1"

    assert "is for other names: use one of those as the address (CERTIFICATE_REFUSED)" in text


def test_tls_is_not_served(said: Said, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)

    with kernel() as address:
        text = said(address, files.certificate)

    assert "has no TLS: give it a certificate, or omit --ca-file and LOGOS_CA_FILE" in text
    assert "(TLS_NOT_SERVED)" in text


def test_tls_is_expected(said: Said, tmp_path: Path) -> None:
    with kernel(make_certificate(tmp_path)) as address:
        text = said(address, None)

    assert "closes connections in clear text, as doors with TLS do: give the file that" in text
    assert "(TLS_EXPECTED)" in text


def test_nobody_answers(said: Said, tmp_path: Path) -> None:
    with kernel() as address:
        pass

    for ca_file in (None, make_certificate(tmp_path).certificate):
        assert f"no node answers at {address} ({address}); `./logos status`" in said(
            address, ca_file
        )


def test_a_ca_file_in_a_variable_is_for_addresses_alone(state: Path, tmp_path: Path) -> None:
    layout = layout_of(state, "small")
    layout.directory.mkdir(parents=True)
    layout.topology.touch()

    with kernel() as address:
        nodes = (NodeEndpoints("node1", address, (), "", ""),)
        write_endpoints(layout.endpoints, Endpoints("small", "processes", None, nodes))

        assert ask("node1", make_certificate(tmp_path).certificate) == "node1"


@pytest.mark.parametrize("words", [[], ["--node", "node2"]])
def test_a_ca_file_beside_the_name_of_a_node_is_refused(
    state: Path, tmp_path: Path, words: list[str]
) -> None:
    files = make_certificate(tmp_path)
    option = ["--ca-file", str(files.certificate)]

    ended = CliRunner().invoke(app, [*words, *option, "module", "list"])

    assert ended.exit_code == Exit.USAGE
    assert "nodes by name have no TLS" in ended.output
