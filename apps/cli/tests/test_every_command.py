"""What every command keeps: docs/operations.md, "Exit codes". A new command is found by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from answering_node import BEARER, answering
from chain_answers import ADDRESS, CHANNEL, CHECKPOINT, DRAFT, HASH, NOTE, PHRASE, WRITER
from delivery_answers import TOPIC
from logos_cli.logos import app as logos_app
from logos_cli.main import app as logosctl_app
from logos_cli.program import built, walk
from logos_client.private_files import write_private
from mix_answers import MIX
from storage_answers import CID

PATIENCE_S = 620
pytestmark = pytest.mark.timeout(PATIENCE_S + 40)  # the first test runs some thousand programs
MANIFEST = 'name = "own"\nversion = "0.1.0"\ncommand = ["own"]\n'
NOT_UTF8 = os.fsdecode(b"caf\xe9")
TEXT_OPTIONS = ("--node", "--address", "--testnet", "--output", "--timeout")
PUT_OPTIONS = ("--filename", "--mimetype")
OUTPUTS = {"closed": 5, "full": 5, "unread": 0}
"""Where stdout may go, and the exit code of a command that has something to print there."""

EVERY = [
    (program, path, command)
    for program, app in {"logos": logos_app, "logosctl": logosctl_app}.items()
    for path, command in walk(built(app))
    if path[:1] != ("ctl",) or len(path) == 1  # what is below is logosctl's
]
COMMANDS = [(program, path) for program, path, _ in EVERY]


def does_something(command: Any) -> bool:
    """Whether it is no mere group of commands."""
    return not hasattr(command, "commands") or command.invoke_without_command


LEAVES = [
    pytest.param(command, id=" ".join([program, *path]))
    for program, path, command in EVERY
    if does_something(command) and path
]
OF_A_NODE: dict[tuple[str, ...], list[str]] = {
    ("node", "list"): [],
    ("module", "list"): [],
    ("module", "logs"): ["storage"],
    ("module", "start"): ["storage"],
    ("module", "stop"): ["storage"],
    ("module", "restart"): ["storage"],
    ("module", "kill"): ["storage"],
    ("module", "reset"): ["storage"],
    ("module", "plan"): ["stop", "storage"],
    ("module", "exits"): ["storage"],
    ("module", "watch"): ["storage"],
    ("module", "new"): ["NEW"],
    ("module", "check"): ["DIR"],
    ("module", "stats"): ["storage"],
    ("settings", "get"): ["storage"],
    ("settings", "set"): ["storage", "quota_bytes=5"],
    ("settings", "watch"): ["storage"],
    ("top",): [],
    ("module", "show"): ["storage"],
    ("module", "install"): ["DIR"],
    ("module", "versions"): [],
    ("module", "load"): ["storage"],
    ("module", "unload"): ["storage"],
    ("module", "reload"): ["storage"],
    ("module", "upgrade"): ["storage", "0.2.0"],
    ("module", "upgrades"): [],
    ("module", "cancel"): ["ab"],
    ("storage", "put"): ["FILE"],
    ("storage", "get"): [CID, "-o", "OUT"],
    ("storage", "stat"): [CID],
    ("storage", "exists"): [CID],
    ("storage", "list"): [],
    ("storage", "delete"): [CID],
    ("storage", "space"): [],
    ("storage", "fetch"): [CID],
    ("storage", "fetches"): [],
    ("storage", "cancel"): [CID],
    ("peers",): [],
    ("discovery", "services"): [],
    ("discovery", "advertise"): ["/x"],
    ("discovery", "withdraw"): ["/x"],
    ("discovery", "lookup"): ["/x"],
    ("discovery", "registrar"): [],
    ("discovery", "table"): ["/x"],
    ("peers", "tag"): ["16Unear", "keep"],
    ("peers", "untag"): ["16Unear", "keep"],
    ("peers", "protect"): ["16Unear", "keep"],
    ("peers", "unprotect"): ["16Unear", "keep"],
    ("peers", "exchange"): ["16Unear"],
    ("mix", "ping"): [MIX],
    ("mix", "send"): [MIX, "FILE"],
    ("mix", "listen"): [],
    ("mix", "status"): [],
    ("mix", "pool"): [],
    ("mix", "profile"): ["laptop"],
    ("rln", "status"): [],
    ("rln", "register"): [],
    ("delivery", "send"): [TOPIC, "hello", "--no-wait"],
    ("delivery", "subscribe"): [TOPIC],
    ("delivery", "unsubscribe"): [TOPIC],
    ("delivery", "topics"): [],
    ("delivery", "history"): [TOPIC],
    ("delivery", "peers"): [],
    ("delivery", "health"): [],
    ("delivery", "sync"): ["16U"],
    ("delivery", "info"): [],
    ("delivery", "exchange"): ["16U"],
    ("delivery", "channel", "create"): ["room", TOPIC, "--sender", "ada"],
    ("delivery", "channel", "close"): ["room"],
    ("delivery", "channel", "list"): [],
    ("delivery", "channel", "send"): ["room", "hello", "--no-wait"],
    ("delivery", "channel", "listen"): ["room"],
    ("chain", "info"): [],
    ("chain", "blocks"): [],
    ("chain", "block"): ["8"],
    ("chain", "forks"): [],
    ("chain", "watch"): [],
    ("chain", "transaction"): [HASH],
    ("chain", "mempool"): [],
    ("chain", "note"): [NOTE],
    ("chain", "supply"): [],
    ("chain", "lead"): ["--on"],
    ("chain", "bootstrap"): [],
    ("chain", "declarations"): [],
    ("chain", "checkpoint", "export"): ["OUT"],
    ("chain", "checkpoint", "show"): ["CHECKPOINT"],
    ("wallet", "address"): [],
    ("wallet", "balance"): [],
    ("wallet", "notes"): [],
    ("wallet", "history"): [],
    ("wallet", "vouchers"): [],
    ("wallet", "watch"): [ADDRESS],
    ("wallet", "send"): [ADDRESS, "5", "--wait"],
    ("wallet", "faucet"): [ADDRESS],
    ("wallet", "claim"): [],
    ("wallet", "phrase"): [],
    ("wallet", "new"): ["--yes"],
    ("wallet", "restore"): ["--yes"],
    ("channel", "key"): ["KEY"],
    ("channel", "create"): ["hello", "--key", "KEY"],
    ("channel", "show"): [CHANNEL],
    ("channel", "inscribe"): [CHANNEL, "hello", "--key", "KEY"],
    ("channel", "follow"): [CHANNEL, "--count", "1"],
    ("channel", "config"): [CHANNEL, "--key", "KEY", "--timeframe", "5"],
    ("channel", "deposit"): [CHANNEL, "5"],
    ("channel", "withdraw"): [CHANNEL, NOTE, "--key", "KEY"],
    ("channel", "sign"): ["DRAFT", "--key", "KEY"],
    ("channel", "submit"): ["DRAFT"],
    ("channel", "abandon"): ["DRAFT"],
    ("channel", "checkpoint"): [CHANNEL, "--key", "KEY"],
    ("channel", "forget"): [CHANNEL, "--public", HASH, "--yes"],
    ("token", "issue"): ["ada", "--role", "viewer"],
    ("token", "list"): [],
    ("token", "revoke"): ["ada"],
    ("token", "show"): [],
    ("grant", "allow"): ["storage", "mixnet", "*"],
    ("grant", "refuse"): ["storage", "mixnet", "*"],
    ("grant", "list"): [],
    ("grant", "delete"): ["storage", "mixnet"],
    ("explain",): ["storage", "mixnet", "logos.network.v1.Streams/Open"],
    ("audit",): [],
    ("call",): ["storage", "greet", "1"],
    ("describe",): ["storage"],
    ("key", "rotate"): [],
    ("events", "publish"): ["operator/note", "hello"],
    ("events", "subscribe"): ["*"],
    ("events", "topics"): [],
    ("events", "replay"): ["operator/note"],
    ("events", "dead-letters"): [],
    ("events", "requeue"): ["top/work"],
}
"""Every command of logosctl, with the arguments that it needs."""

NOT_ASKING = {
    ("node", "list"),
    ("token", "show"),
    ("module", "new"),
    ("module", "check"),
    ("channel", "key"),
    ("channel", "sign"),
    ("chain", "checkpoint", "show"),
}
"""Commands that do well without the node that was named."""

Ended = dict[str, Any]
Key = tuple[str, ...]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a node answers."""
    with answering() as address:
        yield address


def cases(address: str) -> dict[Key, dict[str, Any]]:
    """All commands that are run, by the name of the case."""
    return {
        key: {"program": words[0], "words": words[1:], "stdout": stdout, "stdin": PHRASE}
        for key, words, stdout in [*of_every_command(), *on_a_node(address), *wrong_text(address)]
    }


Case = tuple[Key, list[str], str]


def of_every_command() -> Iterator[Case]:
    for program, path in COMMANDS:
        for word in ("-h", "--version", "--no-such-option"):
            yield (program, *path, word), [program, *path, word], "pipe"
        for stdout in OUTPUTS:
            yield (program, *path, "-h", stdout), [program, *path, "-h"], stdout


def on_a_node(address: str) -> Iterator[Case]:
    for path, words in OF_A_NODE.items():
        for stdout in ("pipe", *OUTPUTS):
            named = [f"for-{stdout}" if word == "NEW" else word for word in words]
            command = [*path, *named]
            yield (*path, stdout), logosctl(address, *command, "--output", "json"), stdout
        yield (*path, "nobody"), logosctl("127.0.0.1:1", *path, *words), "pipe"
    for form in ("json", "table"):
        words = logosctl(address, "module", "watch", "storage", "--from", "7", "--output", form)
        yield ("watch", form), words, "pipe"
        words = logosctl(address, "events", "subscribe", "*", "--after", "0")
        words += ["--output", form]
        yield ("subscribe", form), words, "pipe"
    for stdout in OUTPUTS:
        yield ("content", stdout), logosctl(address, "storage", "get", CID), stdout
    for seconds in ("inf", "1e300", "nan", "0"):
        words = logosctl(address, "--timeout", seconds, "module", "list")
        yield ("--timeout", seconds), words, "pipe"


def wrong_text(address: str) -> Iterator[Case]:
    for path, words in OF_A_NODE.items():
        for index, _ in enumerate(words):
            wrong = [*words[:index], NOT_UTF8, *words[index + 1 :]]
            yield (*path, str(index), NOT_UTF8), logosctl(address, *path, *wrong), "pipe"
    for option in TEXT_OPTIONS:
        yield (option, NOT_UTF8), ["logosctl", option, NOT_UTF8, "module", "list"], "pipe"
    for option in PUT_OPTIONS:
        words = logosctl(address, "storage", "put", "FILE", option, NOT_UTF8)
        yield (option, NOT_UTF8), words, "pipe"


def logosctl(address: str, *words: str) -> list[str]:
    return ["logosctl", "--address", address, *words]


@pytest.fixture(scope="module")
def ended(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Key, Ended]:
    """How each of the cases ended; half of them are run beside the other half."""
    every = list(cases(address).items())
    folders = [_checkout(tmp_path_factory.mktemp("checkout"), address) for _ in range(2)]
    halves = [every[at::2] for at in range(2)]
    found: dict[Key, Ended] = {}
    with ThreadPoolExecutor(2) as pool:
        for half, told in zip(halves, pool.map(_run, folders, halves), strict=True):
            found |= dict(zip([key for key, _ in half], told, strict=True))
    return found


def _checkout(folder: Path, address: str) -> Path:
    """Makes a folder to run commands in, with a testnet of one node."""
    (folder / "FILE").write_bytes(b"x")
    (folder / "CHECKPOINT").write_bytes(CHECKPOINT)
    (folder / "DRAFT").write_bytes(DRAFT)
    write_private(folder / "KEY", WRITER.hex().encode())
    (folder / "DIR").mkdir()
    (folder / "DIR" / "module.toml").write_text(MANIFEST)
    endpoints = folder / "state" / "some" / "endpoints.json"
    endpoints.parent.mkdir(parents=True)
    node = {"name": "node1", "kernel": address, "modules": [], "peer_id": "", "p2p_address": ""}
    document = {"schema": 1, "testnet": "some", "runtime": "processes", "seed": None}
    endpoints.write_text(json.dumps({**document, "nodes": [node]}))
    return folder


def _run(folder: Path, half: list[tuple[Key, dict[str, Any]]]) -> list[Ended]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOGOS_")}
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).parent / "many_commands.py")],
        input=json.dumps([command for _, command in half]),
        stdout=subprocess.PIPE,
        env={
            **kept,
            "LOGOS_ROOT": str(folder),
            "LOGOS_STATE": str(folder / "state"),
            "LOGOS_TOKEN": BEARER,
        },
        cwd=folder,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    told: list[Ended] = json.loads(done.stdout)
    return told


def assert_ended_well(ended: Ended) -> None:
    """Checks that there is no traceback, and no output of Python's own exit."""
    assert "Traceback" not in ended["err"]
    assert "Exception ignored" not in ended["err"]


@pytest.mark.parametrize(("program", "path"), COMMANDS)
def test_help_and_version_are_everywhere(
    ended: dict[Key, Ended], program: str, path: tuple[str, ...]
) -> None:
    told = ended[program, *path, "-h"]
    assert (told["code"], told["err"]) == (0, "")
    assert "Usage:" in told["out"]
    version = ended[program, *path, "--version"]
    assert (version["code"], version["err"]) == (0, "")
    assert program in version["out"]


@pytest.mark.parametrize(
    ("program", "path"),
    [each for each in COMMANDS if each[1] != ("test",)],  # its options are pytest's
)
def test_an_unknown_option_is_wrong_usage(
    ended: dict[Key, Ended], program: str, path: tuple[str, ...]
) -> None:
    refused = ended[program, *path, "--no-such-option"]

    assert (refused["code"], refused["out"]) == (2, "")
    assert "--no-such-option" in refused["err"]


@pytest.mark.parametrize("stdout", OUTPUTS)
@pytest.mark.parametrize(("program", "path"), COMMANDS)
def test_help_that_cannot_be_printed_ends_as_documented(
    ended: dict[Key, Ended], program: str, path: tuple[str, ...], stdout: str
) -> None:
    assert_told(ended[program, *path, "-h", stdout], stdout)


@pytest.mark.parametrize("stdout", OUTPUTS)
@pytest.mark.parametrize("path", OF_A_NODE, ids=" ".join)
def test_data_that_cannot_be_printed_ends_as_documented(
    ended: dict[Key, Ended], path: tuple[str, ...], stdout: str
) -> None:
    assert_told(ended[*path, stdout], stdout)


@pytest.mark.parametrize("stdout", OUTPUTS)
def test_content_that_cannot_be_printed_ends_as_documented(
    ended: dict[Key, Ended], stdout: str
) -> None:
    told = ended["content", stdout]

    assert told["code"] == OUTPUTS[stdout]
    assert ("error: standard output: " in told["err"]) == (OUTPUTS[stdout] != 0)
    assert_ended_well(told)


def assert_told(told: Ended, stdout: str) -> None:
    words = {
        "closed": "error: stdout: it is closed",
        "full": "error: stdout: No space left on device",
        "unread": "",
    }[stdout]
    assert told["code"] == OUTPUTS[stdout]
    assert words in told["err"]
    assert ("error" in told["err"]) == bool(words)
    assert_ended_well(told)


@pytest.mark.parametrize("command", LEAVES)
def test_every_command_takes_output(command: Any) -> None:
    [output] = [param for param in command.params if param.name == "output"]

    assert output.opts == ["--output"]
    assert [str(choice) for choice in output.type_descriptor.choices] == ["table", "json"]


def test_each_command_of_logosctl_is_tried_on_a_node() -> None:
    found = {
        path
        for program, path, command in EVERY
        if program == "logosctl" and does_something(command) and path
    }
    assert found == OF_A_NODE.keys()


@pytest.mark.parametrize("path", OF_A_NODE, ids=" ".join)
def test_every_command_of_logosctl_prints_json(
    ended: dict[Key, Ended], path: tuple[str, ...]
) -> None:
    told = ended[*path, "pipe"]

    assert told["code"] == 0, told["err"]
    assert isinstance(json.loads(told["out"]), dict | list)


@pytest.mark.parametrize("path", sorted(OF_A_NODE.keys() - NOT_ASKING), ids=" ".join)
def test_commands_end_with_3_if_no_node_answers(
    ended: dict[Key, Ended], path: tuple[str, ...]
) -> None:
    told = ended[*path, "nobody"]

    assert (told["code"], told["out"]) == (3, "")
    assert "no node answers at 127.0.0.1:1" in told["err"]


WRONG_WORDS = [
    (*path, str(index))
    for path, words in OF_A_NODE.items()
    for index, word in enumerate(words)
    if word not in {"FILE", "OUT", "DIR", "KEY", "CHECKPOINT", "DRAFT"}  # names of files are bytes
]


@pytest.mark.parametrize(
    "place", [*WRONG_WORDS, *((each,) for each in (*TEXT_OPTIONS, *PUT_OPTIONS))]
)
def test_text_that_is_not_utf8_is_wrong_usage(ended: dict[Key, Ended], place: Key) -> None:
    told = ended[*place, NOT_UTF8]

    assert (told["code"], told["out"]) == (2, "")
    assert_ended_well(told)


def test_names_of_files_may_be_any_bytes(ended: dict[Key, Ended]) -> None:
    assert ended["storage", "get", "2", NOT_UTF8]["code"] == 0


@pytest.mark.parametrize(("seconds", "code"), [("inf", 0), ("1e300", 0), ("nan", 2), ("0", 2)])
def test_a_timeout_is_a_number_of_seconds_or_none(
    ended: dict[Key, Ended], seconds: str, code: int
) -> None:
    told = ended["--timeout", seconds]

    assert told["code"] == code, told["err"]
    assert_ended_well(told)


def test_changes_are_watched_one_a_line(ended: dict[Key, Ended]) -> None:
    """kernel.md 14.38: `watch` is valid NDJSON."""
    documents = [json.loads(line) for line in ended["watch", "json"]["out"].splitlines()]
    lines = ended["watch", "table"]["out"].splitlines()

    assert [one["revision"] for one in documents] == [7, 9], "those of the other are left out"
    assert documents[0] | {"node": "", "at": ""} == {
        "node": "",
        "revision": 7,
        "module": "storage",
        "epoch": 2,
        "from": "ready",
        "to": "backoff",
        "reason": "EXITED",
        "detail": "ended by signal 11\x1b[2J",
        "at": "",
    }
    assert len(lines) == 2
    assert lines[0].startswith("7  ")
    assert lines[0].endswith("  ready -> backoff  EXITED  ended by signal 11\\x1b[2J")


def test_events_are_printed_one_a_line(ended: dict[Key, Ended]) -> None:
    """kernel.md 14.38."""
    documents = [json.loads(line) for line in ended["subscribe", "json"]["out"].splitlines()]
    lines = ended["subscribe", "table"]["out"].splitlines()

    assert [one["kind"] for one in documents] == [*["event"] * 3, "gap", "source"]
    assert documents[0]["payload_base64"] == "Y2Fm6Q=="
    assert documents[1]["payload"] == "\x1b[2J"
    assert documents[2]["payload"] == "storage: ready -> backoff"
    assert documents[3] | {"node": ""} == {
        "node": "",
        "kind": "gap",
        "topic": "a/b",
        "from": None,
        "to": 4,
    }
    assert len(lines) == 5
    assert lines[1].endswith("  \\x1b[2J")
