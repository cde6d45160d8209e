"""Who may do what on a node: tokens, grants, the audit log and the signing key, by `logosctl`."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from integration.commands import Command
from logos_testnet.opening import Description, Places
from logos_testnet.scenarios.files import sample
from logos_testnet.testnet import Testnet
from own_topology import claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CARRY = "logos.network.v1.Streams/Carry"
LIST = "logos.storage.v1.Storage/List"
PUT = "logos.storage.v1.Storage/Put"

Ctl = Callable[..., CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def pair(places: Places) -> Iterator[Testnet]:
    """Two nodes of this file's own: their keys and grants are changed."""
    ports = claim_ports()
    text = (
        'schema = 1\nname = "access"\nnode_count = 2\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n[modules.mixnet]\n[modules.storage]\n"
    )
    with running(Description(text, "access.toml"), places, "processes") as opened:
        yield opened


@pytest.fixture
def ctl(pair: Testnet, logos: Command) -> Ctl:
    """Runs `logosctl` words on the first node, as the admin of the testnet."""

    def run(*words: str, node: str = "node1", token: Path | None = None) -> CompletedProcess[bytes]:
        chosen = ("--token-file", str(token)) if token else ()
        return logos("ctl", "--testnet", "access", "--node", node, *chosen, *words)

    return run


def done(ended: CompletedProcess[bytes]) -> str:
    """Returns what a command printed; it must have succeeded."""
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def audited(ctl: Ctl) -> list[dict[str, Any]]:
    """Returns the audit log, whose chain must hold."""
    return [json.loads(line) for line in done(ctl("audit", "--output", "json")).splitlines()]


def put(ctl: Ctl, folder: Path, seed: str, node: str = "node2") -> str:
    """Stores a file of its own, and returns its CID."""
    file = folder / seed
    file.write_bytes(sample(150_000, f"{folder}/{seed}"))
    return done(ctl("storage", "put", str(file), node=node)).strip()


@pytest.fixture
def viewer(ctl: Ctl, tmp_path: Path) -> Iterator[Path]:
    """The token of a viewer, in a file."""
    file = tmp_path / "viewer.token"
    done(ctl("token", "issue", "eve", "--role", "viewer", "--ttl", "1h", "--out", str(file)))
    yield file
    ctl("token", "revoke", "eve")


def test_a_viewer_may_look_and_change_nothing(ctl: Ctl, viewer: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert stat.S_IMODE(viewer.stat().st_mode) == 0o600

    done(ctl("storage", "list", token=viewer))
    done(ctl("module", "list", token=viewer))
    refused = ctl("storage", "put", str(tmp_path / "file"), token=viewer)
    curious = ctl("token", "list", token=viewer)

    for each in (refused, curious):
        assert (each.returncode, each.stdout) == (6, b"")
        assert b"ROLE_DENIED" in each.stderr
    assert ctl("explain", "role:viewer", "storage", LIST, token=viewer).returncode == 0
    denied = ctl("explain", "role:viewer", "storage", PUT, token=viewer)
    assert denied.returncode == 6
    assert b"this needs the role operator" in denied.stdout
    assert {
        (one["actor"], one["action"], one["subject"], one["outcome"]) for one in audited(ctl)
    } >= {
        ("operator:local", "token.issue", "eve", "OK"),
        ("operator:eve", "call", PUT, "ROLE_DENIED"),
    }


def test_a_revoked_token_is_refused_at_once(ctl: Ctl, viewer: Path) -> None:
    done(ctl("storage", "list", token=viewer))
    assert [one["name"] for one in json.loads(done(ctl("token", "list", "--output", "json")))] == [
        "eve"
    ]

    done(ctl("token", "revoke", "eve"))

    refused = ctl("storage", "list", token=viewer)
    assert refused.returncode == 6
    assert b"TOKEN_INVALID" in refused.stderr
    assert json.loads(done(ctl("token", "list", "--output", "json"))) == []
    again = ctl("token", "revoke", "eve")
    assert again.returncode == 4
    assert b"OPERATOR_NOT_FOUND" in again.stderr


def test_the_token_that_logosctl_bears_is_shown(ctl: Ctl, pair: Testnet, viewer: Path) -> None:
    assert done(ctl("token", "show")).strip() == pair.bearer
    assert done(ctl("token", "show", token=viewer)) == viewer.read_text(encoding="utf-8")


def test_a_refusal_holds_at_once_and_heals_when_it_is_deleted(ctl: Ctl, tmp_path: Path) -> None:
    first, second = put(ctl, tmp_path, "first"), put(ctl, tmp_path, "second")
    done(ctl("storage", "get", first, "-o", str(tmp_path / "got")))

    done(ctl("grant", "refuse", "storage", "mixnet", CARRY))
    refused = ctl("storage", "get", second, "-o", str(tmp_path / "second.got"))
    denied = ctl("explain", "storage", "mixnet", CARRY)

    assert refused.returncode == 5
    assert b"NETWORK_DENIED" in refused.stderr
    assert denied.returncode == 6
    assert b"local refused it" in denied.stdout
    [grant] = json.loads(done(ctl("grant", "list", "--output", "json")))
    assert (grant["kind"], grant["methods"], grant["by"]) == ("refusal", [CARRY], "local")

    done(ctl("grant", "delete", "storage", "mixnet", "--refusal"))

    done(ctl("storage", "get", second, "-o", str(tmp_path / "second.got")))
    assert (tmp_path / "second.got").read_bytes() == (tmp_path / "second").read_bytes()
    assert b"declares it" in ctl("explain", "storage", "mixnet", CARRY).stdout
    acts = [(one["action"], one["subject"]) for one in audited(ctl)]
    assert acts.index(("grant.refuse", "storage")) < acts.index(("refusal.delete", "storage"))


def test_everything_works_after_the_key_was_rotated(ctl: Ctl, viewer: Path, tmp_path: Path) -> None:
    keys = {json.loads(done(ctl("key", "rotate", "--output", "json")))["key_id"] for _ in range(2)}

    assert len(keys) == 2  # tokens of the key before the last are refused from now on
    cid = put(ctl, tmp_path, "after")
    done(ctl("storage", "get", cid, "-o", str(tmp_path / "got")))
    assert (tmp_path / "got").read_bytes() == (tmp_path / "after").read_bytes()
    done(ctl("storage", "list", token=viewer))
    assert [one["action"] for one in audited(ctl)].count("key.rotate") == 2
