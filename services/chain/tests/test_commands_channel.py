"""`logosctl channel`, against a node with a chain of the tests."""

import asyncio
import fcntl
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chain_commands import ChannelCommands, use_token
from typer.testing import CliRunner

from logos_cli.main import app
from zone_chain import key_of
from zone_node import FakeNode, server_of

CHANNEL = key_of("channel").hex()
OTHER = key_of("other").hex()


class Node(ChannelCommands):
    """A node that makes a block now and then, and the command line towards it."""

    def __init__(self) -> None:
        super().__init__("")
        self.fake = FakeNode(channel=bytes.fromhex(CHANNEL))
        self.begun = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.is_over = False

    def serve(self) -> None:
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        server, port = server_of(self.fake)
        await server.start()
        self.address = f"127.0.0.1:{port}"
        self.begun.set()
        while not self.is_over:
            await asyncio.sleep(0.05)
            await self.fake.grow()
        await server.stop(0)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    use_token(monkeypatch)
    found = Node()
    thread = threading.Thread(target=found.serve)
    thread.start()
    found.begun.wait()
    yield found
    found.is_over = True
    thread.join()


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def payloads(node: Node) -> list[bytes]:
    return [payload for _, payload in node.fake.chain.tip.payloads()]


def test_a_channel_is_made_written_to_and_followed(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = node.json("create", "hello", "--id", CHANNEL, "--key", str(key), "--wait")
    assert made["channel"] == CHANNEL
    assert key.stat().st_mode & 0o777 == 0o600
    for text in ("one", "two"):  # the second does not wait for a block with the first
        node.json("inscribe", CHANNEL, text, "--key", str(key))
    last = node.json("inscribe", CHANNEL, "three", "--key", str(key), "--wait")
    assert last["height"] > made["height"]
    assert payloads(node) == [b"hello", b"one", b"two", b"three"]

    told = node.run("follow", CHANNEL, "--from", "start", "--count", "4", "--output", "json")
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [each["text"] for each in rows] == ["hello", "one", "two", "three"]
    assert {each["state"] for each in rows} == {"final"}
    told = node.run("follow", CHANNEL, "--from", rows[1]["cursor"], "--count", "1")
    assert told.stdout.endswith("  two\n")

    shown = node.json("show", CHANNEL)
    assert shown["keys"] == [node.json("key", str(key))["key"]]
    assert shown["last_message"] == last["message"]


def test_messages_that_are_not_final_are_found_and_settled(node: Node, tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    node.json("create", "hello", "--id", CHANNEL, "--key", key, "--wait")
    told = node.run("follow", CHANNEL, "--from", "start", "--unfinal", "--count", "2")

    first, second = told.stdout.splitlines()
    assert first.endswith("hello  (not final)")
    assert second.endswith("is final")


def test_a_channel_of_several_begins_with_its_keys(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = node.run(
        *("create", "--id", CHANNEL, "--key", str(key), "--with", OTHER),
        *("--timeframe", "1000000", "--timeout", "0"),
    )
    assert made.exit_code == 0, made.output
    until(lambda: bool(node.fake.chain.tip.state.keys))
    own = node.json("key", str(key))["key"]
    assert node.json("show", CHANNEL)["keys"] == [own, OTHER]
    until(lambda: bool(node.fake.chain.final.state.keys))
    node.json("inscribe", CHANNEL, "one", "--key", str(key), "--wait")
    assert payloads(node) == [b"one"]


def test_a_wallet_without_funds_ends_it_and_the_message_goes_with_the_next(
    node: Node, tmp_path: Path
) -> None:
    key = str(tmp_path / "key")
    node.run("key", key)
    node.fake.is_poor = True
    told = node.run("inscribe", CHANNEL, "one", "--key", key)
    assert told.exit_code == 5
    assert "FUNDS_INSUFFICIENT" in told.stderr

    node.fake.is_poor = False
    node.json("inscribe", CHANNEL, "two", "--key", key, "--wait")
    assert payloads(node) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("ab" * 32, 0o644, "others may read it"),
        ("ab" * 31, 0o600, "not a key"),
        ("x" * 64, 0o600, "not a key"),
    ],
)
def test_files_that_are_no_private_keys_are_refused(
    node: Node, tmp_path: Path, content: str, mode: int, said: str
) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    key.chmod(mode)
    told = node.run("inscribe", CHANNEL, "text", "--key", str(key))

    assert told.exit_code == 2
    assert said in told.stderr
    assert content not in told.output


def test_a_key_is_for_one_command_at_a_time(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "key"
    node.run("key", str(key))
    with key.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        told = node.run("inscribe", CHANNEL, "text", "--key", str(key))
    assert told.exit_code == 5
    assert "another command writes with this key" in told.stderr


def test_wrong_words_are_wrong_usage(node: Node, tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    for words in (
        ("inscribe", CHANNEL, "text", "--key", key),  # no such file
        ("follow", "12"),
        ("follow", CHANNEL, "--from", "there"),
        ("create", "text", "--key", key, "--with", OTHER),
        ("create", "--key", key, "--with", "12"),
    ):
        assert node.run(*words).exit_code == 2, words
    assert node.run("show", OTHER).exit_code == 4


def test_no_node_is_not_waited_for(tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    runner = CliRunner()
    for words in (
        ("create", "--key", key),
        ("inscribe", CHANNEL, "text", "--key", key),
        ("follow", CHANNEL),
        ("show", CHANNEL),
    ):
        assert runner.invoke(app, ["--address", "127.0.0.1:1", "channel", *words]).exit_code == 3
