"""Adding a module is one folder in services/ and one table in a topology: on processes."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.commands import Tiny
from logos_client.token_file import read_token
from own_module import NAME, add_module, greeting
from own_topology import claim_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    """The tiny testnet with the module beside its own."""
    with tempfile.TemporaryDirectory(prefix="logos-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / "state").mkdir()
        monkeypatch.setenv("PYTHONPATH", str(add_module(folder)))
        one = Tiny(folder, folder / "state", claim_ports())
        ports = f"web = {one.ports.p2p}\n[modules.hello]\n[modules.{NAME}]\n"
        one.write(one.text.replace("[modules.hello]\n", ports))
        try:
            yield one
        finally:
            one.logos("down", "--topology", one.topology)
            one.remove()


async def test_a_module_that_was_just_added_runs_with_its_genesis(grown: Tiny) -> None:
    document = json.loads(grown.up("--output", "json").stdout)

    nodes = grown.layout.directory
    assert [node["modules"] for node in document["nodes"]] == [["hello", NAME]] * 2
    assert (nodes / "genesis" / NAME / "names").read_text(encoding="utf-8") == "node1 node2"
    secrets = {path.relative_to(nodes): path.read_text(encoding="utf-8") for path in held(nodes)}
    assert sorted(str(path) for path in secrets) == [
        f"{node}/genesis/{NAME}/secret" for node in ("node1", "node2")
    ]
    for node in document["nodes"]:
        own = secrets[Path(node["name"], "genesis", NAME, "secret")]
        bearer = read_token(grown.layout.operator_token)
        assert await greeting(node["kernel"], "Ada", bearer) == f"Ada meets {own}"
        told = grown.logos("ctl", "--address", node["kernel"], NAME, "Eve")
        assert told.stdout.decode() == f"Eve meets {own}\n", told.stderr


async def test_a_genesis_is_made_once_and_gone_with_the_testnet(grown: Tiny) -> None:
    grown.up()
    before = [path.read_bytes() for path in held(grown.layout.directory)]
    grown.logos("down", "--topology", grown.topology)
    grown.up()
    after = [path.read_bytes() for path in held(grown.layout.directory)]
    refused = grown.logos("up", "--topology", grown.topology, "--nodes", "3")
    grown.logos("down", "--topology", grown.topology, "--purge")

    assert len(before) == 2
    assert before == after
    assert refused.returncode == 5, refused.stderr
    assert b"was made for node1, node2, and not for node3" in refused.stderr
    assert b"(GENESIS_FAILED)" in refused.stderr
    assert not grown.layout.directory.exists()


def held(folder: Path) -> list[Path]:
    """Every file with a secret, wherever it lies."""
    return sorted(folder.rglob("secret"))
