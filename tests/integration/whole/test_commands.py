"""`logosctl` against a running testnet: what it prints, and how it ends."""

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

ABSENT = "zDvZRwzm5JgJH7RBLQ9Zx4w6rzTzPr4QNgyjZJxkjh9WHw3rLC2Z"


def test_a_file_is_put_on_one_node_and_got_from_another(logos: Command, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(sample(150_000, "command"))

    stored = logos("ctl", "--node", "node1", "storage", "put", str(source))
    cid = stored.stdout.decode().strip()
    fetched = logos("ctl", "--node", "node4", "storage", "get", cid, "-o", str(target))

    assert (stored.returncode, fetched.returncode) == (0, 0)
    assert target.read_bytes() == source.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_get_follows_a_link_and_keeps_the_mode_of_a_file(logos: Command, tmp_path: Path) -> None:
    source, target, link = tmp_path / "in", tmp_path / "out", tmp_path / "link"
    source.write_bytes(sample(150_000, "link"))
    target.touch(mode=0o600)
    link.symlink_to("out")

    stored = logos("ctl", "storage", "put", str(source))
    fetched = logos("ctl", "storage", "get", stored.stdout.decode().strip(), "-o", str(link))

    assert fetched.returncode == 0, fetched.stderr
    assert link.is_symlink()
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "link", "out"]


def test_stdin_and_stdout_are_files_too(logos: Command) -> None:
    content = sample(70_000, "pipe")

    stored = logos("ctl", "storage", "put", "-", given=content)
    fetched = logos("ctl", "storage", "get", stored.stdout.decode().strip())

    assert fetched.stdout == content


def test_a_file_is_stated_listed_and_deleted(logos: Command) -> None:
    stored = logos("ctl", "storage", "put", "-", "--filename", "x.bin", given=sample(5, "list"))
    cid = stored.stdout.decode().strip()

    stat = json.loads(logos("ctl", "--output", "json", "storage", "stat", cid).stdout)
    listed = json.loads(logos("ctl", "storage", "list", "--output", "json").stdout)
    assert (stat["size_bytes"], stat["filename"]) == (5, "x.bin")
    assert cid in {row["cid"] for row in listed}
    assert logos("ctl", "storage", "exists", cid).returncode == 0
    assert logos("ctl", "storage", "delete", cid).returncode == 0
    assert logos("ctl", "storage", "exists", cid).returncode == 4
    space = json.loads(logos("ctl", "--output", "json", "storage", "space").stdout)
    assert space["quota_bytes"] > space["used_bytes"]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("storage", "get", "nonsense"), 2, "CID_MALFORMED"),
        (("storage", "get", ABSENT, "--local"), 4, "INCOMPLETE_LOCAL"),
        (("storage", "stat", ABSENT), 4, "DATASET_UNKNOWN"),
        (("storage", "put", "/there/is/no/such/file"), 2, "No such file"),
        (("storage", "put", "-", "--filename", "caf\udce9"), 2, "not UTF-8"),
        (("storage", "get", ABSENT, "-o", "/there/is/no/folder/"), 2, "Is a directory"),
        (("--node", "node9", "peers"), 4, "NODE_UNKNOWN"),
        (("--address", "127.0.0.1:1", "peers"), 3, "no node answers"),
        (("module", "logs", "telepathy"), 4, "MODULE_NOT_FOUND"),
        (("storage", "bring"), 2, "No such command"),
    ],
    ids=str,
)
def test_failures_have_an_exit_code_and_a_reason(
    logos: Command, words: tuple[str, ...], code: int, reason: str
) -> None:
    ended = logos("ctl", *words)

    assert ended.returncode == code, ended.stderr
    assert reason in ended.stderr.decode()
    assert ended.stdout == b""


def test_a_cid_that_no_node_holds_ends_with_not_found(logos: Command, tmp_path: Path) -> None:
    ended = logos("ctl", "--node", "node2", "storage", "get", ABSENT, "-o", str(tmp_path / "out"))

    assert ended.returncode == 4
    assert "NO_PROVIDERS" in ended.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_nodes_modules_and_peers_are_listed(logos: Command) -> None:
    nodes = json.loads(logos("ctl", "--output", "json", "node", "list").stdout)
    modules = json.loads(logos("ctl", "--output", "json", "module", "list").stdout)
    peers = json.loads(logos("ctl", "--output", "json", "peers").stdout)

    assert [node["state"] for node in nodes] == ["ready"] * 5
    assert {module["module"]: module["state"] for module in modules} == {
        "mixnet": "ready",
        "storage": "ready",
        "delivery": "ready",
        "chain": "ready",
    }
    known = {node["peer_id"] for node in nodes}
    assert {peer["peer_id"] for peer in peers} <= known
    assert {peer["state"] for peer in peers} == {"connected"}


def test_a_module_is_restarted_stopped_and_started(logos: Command) -> None:
    def epoch() -> tuple[int, str]:
        rows = json.loads(logos("ctl", "--output", "json", "module", "list").stdout)
        storage = next(row for row in rows if row["module"] == "storage")
        return storage["epoch"], storage["desired"]

    before = epoch()[0]
    assert logos("ctl", "module", "restart", "storage").returncode == 0
    assert logos("up", "--topology", "unused").returncode == 2
    assert logos("ctl", "module", "stop", "storage").returncode == 0
    assert epoch()[1] == "stopped"
    assert logos("ctl", "module", "start", "storage").returncode == 0
    assert epoch() > (before, "")

    shown = json.loads(logos("ctl", "module", "show", "storage", "--output", "json").stdout)
    assert (shown["module"], shown["epoch"]) == ("storage", epoch()[0])
    assert {one["code"] for one in shown["exits"]} == {0}
    assert b"last line" in logos("ctl", "module", "show", "storage").stdout.lower()
    assert logos("ctl", "module", "show", "telepathy").returncode == 4


def test_logs_come_from_the_kernel_and_from_the_files(logos: Command) -> None:
    by_call = logos("ctl", "module", "logs", "mixnet").stdout.decode()
    by_file = logos("logs", "node1", "mixnet").stdout.decode()

    assert '"message": "ready"' in by_call
    assert "node1/mixnet | " in by_file
    assert logos("logs", "node1", "telepathy").returncode == 4
