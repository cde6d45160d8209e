"""`./logos isolate` and `heal`, and a fetch from the command line meanwhile."""

import json
from pathlib import Path

import pytest

from integration.commands import Command
from logos_testnet.scenarios.files import sample

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("testnet"),
]


def test_an_isolated_node_is_shown_and_fetches_once_it_is_healed(
    logos: Command, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.write_bytes(sample(300_000, "isolated by command"))
    stored = logos("ctl", "--node", "node1", "storage", "put", str(source))
    cid = stored.stdout.decode().strip()

    isolated = logos("isolate", "node3", "--output", "json")
    shown = logos("status", "--output", "json")
    alone = logos("ctl", "--node", "node3", "storage", "fetch", cid, "--patience", "2")
    healed = logos("heal", "node3")

    assert json.loads(isolated.stdout) == {
        "testnet": "integration",
        "node": "node3",
        "isolated": True,
    }
    assert b"`./logos heal node3` ends it" in isolated.stderr
    assert shown.returncode == 3
    troubles = {row["node"]: row["trouble"] for row in json.loads(shown.stdout)}
    assert troubles == {**dict.fromkeys(troubles, ""), "node3": "it is isolated"}
    assert alone.returncode in {3, 4}
    assert b"NO_PROVIDERS" in alone.stderr or b"PROVIDERS_UNREACHABLE" in alone.stderr
    assert healed.returncode == 0
    kept = logos("ctl", "--node", "node3", "--output", "json", "storage", "fetch", cid)
    last = json.loads(kept.stdout.splitlines()[-1])
    assert (kept.returncode, last["state"], last["held_bytes"]) == (0, "DONE", 300_000)
    assert logos("ctl", "--node", "node3", "storage", "get", cid, "--local").returncode == 0
    listed = json.loads(
        logos("ctl", "--node", "node3", "--output", "json", "storage", "fetches").stdout
    )
    assert [one["state"] for one in listed if one["cid"] == cid] == ["DONE"]


def test_up_heals(logos: Command) -> None:
    assert logos("isolate", "node2").returncode == 0

    up = logos("up", "--testnet", "integration")

    assert up.returncode == 0
    assert b"node2: is healed: it is isolated" in up.stderr
    assert logos("status").returncode == 0


def test_a_node_that_is_none_is_refused(logos: Command) -> None:
    for verb in ("isolate", "heal"):
        refused = logos(verb, "node9")

        assert refused.returncode == 4
        assert b"no node node9" in refused.stderr


def test_links_say_what_they_have_carried(logos: Command) -> None:
    listed = logos("ctl", "--output", "json", "peers", "--connected", "--traffic")

    peers = json.loads(listed.stdout)
    assert peers
    assert all(peer["sent_bytes"] > 0 and peer["received_messages"] > 0 for peer in peers)
