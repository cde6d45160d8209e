"""The token of a testnet's operator: made by `up`, borne unasked, refused if it is another."""

import stat
import subprocess
from pathlib import Path

import pytest

from integration.commands import Tiny, program, surroundings
from logos_client.token_file import make_token_file, read_token

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def elsewhere(tiny: Tiny, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Asks the second node by its address, without the testnet's folder."""
    state = tiny.folder / "elsewhere"
    state.mkdir(exist_ok=True)
    address = f"127.0.0.1:{tiny.ports.front + 2}"
    return subprocess.run(
        program("ctl", "--address", address, "module", "list"),
        capture_output=True,
        env=surroundings(state) | variables,
        check=False,
        timeout=60,
    )


def test_all_nodes_accept_the_token_and_no_other(tiny: Tiny) -> None:
    tiny.up()
    path = tiny.layout.operator_token
    address = f"127.0.0.1:{tiny.ports.front + 2}"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for words in (("--node", "node1"), ("--node", "node2"), ("--address", address)):
        assert tiny.logos("ctl", *words, "module", "list").returncode == 0

    missing = elsewhere(tiny)
    assert missing.returncode == 6
    assert b"TOKEN_MISSING" in missing.stderr
    assert b"`docker compose exec node1-kernel logos-token`" in missing.stderr

    other = make_token_file(tiny.folder / "other")
    wrong = elsewhere(tiny, LOGOS_TOKEN=other)
    assert wrong.returncode == 6
    assert b"TOKEN_INVALID" in wrong.stderr
    assert other.encode() not in wrong.stderr

    assert elsewhere(tiny, LOGOS_TOKEN=str(read_token(path))).returncode == 0
    assert elsewhere(tiny, LOGOS_TOKEN_FILE=str(path)).returncode == 0


def test_the_token_outlives_a_stop_and_not_a_purge(tiny: Tiny) -> None:
    tiny.up()
    path: Path = tiny.layout.operator_token
    first = read_token(path)

    tiny.logos("down")
    assert read_token(path) == first
    tiny.up()
    assert read_token(path) == first
    tiny.logos("down", "--purge")
    assert not path.exists()
    tiny.up()
    assert read_token(path) not in {first, None}


def test_nodes_whose_token_was_removed_are_seen_and_started_anew(tiny: Tiny) -> None:
    tiny.up()
    before = {each.pid for each in tiny.processes() if each.name == "kernel"}
    tiny.layout.operator_token.unlink()

    status = tiny.logos("status")
    again = tiny.up()

    assert status.returncode == 3
    assert b"refused" in status.stdout
    assert f"node1: it refuses the token in {tiny.layout.operator_token}" in status.stderr.decode()
    assert b"node2: is restarted: it refuses the token" in again.stderr
    assert not before & {each.pid for each in tiny.processes() if each.name == "kernel"}
    assert tiny.logos("status").returncode == 0


def test_a_token_that_cannot_be_read_is_named_before_anything_starts(tiny: Tiny) -> None:
    tiny.layout.operator_token.mkdir(parents=True)

    refused = tiny.logos("up", "--topology", tiny.topology)

    assert refused.returncode == 5
    assert b"TOKEN_FILE_UNUSABLE" in refused.stderr
    assert str(tiny.layout.operator_token) in refused.stderr.decode()
    assert tiny.processes() == []
