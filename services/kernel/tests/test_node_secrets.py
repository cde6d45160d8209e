"""kernel.md 14.29: no secret of a node lies where anybody but its owner looks."""

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
from gates import BEARER
from kernel_process import made_node

from logos.kernel.v1 import capability_pb2, capability_pb2_grpc
from logos_kernel.operations.keyring import Keyring

pytestmark = pytest.mark.integration

MODULES = ("base", "top")


def _forms(secret: bytes) -> set[bytes]:
    """A secret as it might have been written."""
    encoded = {base64.b64encode(secret), base64.urlsafe_b64encode(secret)}
    plain = {secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode()}
    return {secret, *plain, *(text.rstrip(b"=") for text in encoded)}


def _environment(pid: int) -> bytes:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return command + Path(f"/proc/{pid}/environ").read_bytes()


async def test_secrets_are_in_their_files_alone() -> None:
    with made_node() as node:
        node.connect()
        node.add("top", requires=["base"], peer="base")
        node.add("base")
        node.write_profile()
        kernel = node.start(LOGOS_LOG_LEVEL="DEBUG")
        await node.until_ready()
        stub: Any = capability_pb2_grpc.CapabilityStub(node.channel)
        issue = capability_pb2.IssueOperatorTokenRequest(name="bob", role=capability_pb2.ROLE_ADMIN)
        bearer = (await stub.IssueOperatorToken(issue)).bearer
        await stub.RotateKey(capability_pb2.RotateKeyRequest())
        audit = stub.ReadAudit(capability_pb2.ReadAuditRequest())
        told = b"".join([one.SerializeToString() async for one in audit])
        master = node.state_dir / "master.key"
        master_key = master.read_bytes()
        keyring = Keyring(master_key, 1)
        processes = [kernel.pid, *(one.pid for one in (await node.status()).modules)]
        seen = {f"process {pid}": _environment(pid) for pid in processes}
        joins = {node.state_dir / "join" / f"{name}.secret" for name in MODULES}
        owned = {master, node.operator_token, *joins}
        files = [path for path in node.root.rglob("*") if path.is_file() and path not in owned]
        seen |= {str(path): path.read_bytes() for path in files} | {"audit": told}
        await node.channel.close()
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in {master, *joins}}

    secrets = [
        master_key,
        *(keyring.join_secret(name) for name in MODULES),
        *(keyring.own_key(name) for name in MODULES),
    ]
    bearers = [text.removeprefix("logos_").encode() for text in (BEARER, bearer)]
    found = [
        (place, form)
        for place, content in seen.items()
        for form in {*bearers, *(form for one in secrets for form in _forms(one))}
        if form in content
    ]
    assert found == []
    assert len(seen) > len(processes) + len(MODULES) + 1, "logs and the database are among them"
    assert set(modes.values()) == {0o600}
