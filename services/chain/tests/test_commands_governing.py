"""`logosctl channel`: keys, rules and notes of a channel, and what a node keeps of its writers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from chain_commands import ChannelCommands, use_token
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from chain_answers import CHANNEL, HASH, NOTE, PUBLIC, WRITER, ChainAnswers, SequencerAnswers
from logos.chain.v1 import chain_pb2_grpc, zone_pb2, zone_pb2_grpc
from logos_cli.main import app
from logos_client.private_files import write_private
from logos_zone_sdk.core.governing import Draft

OTHER = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
OTHER_PUBLIC = OTHER.public_key().public_bytes_raw()
STRANGER = "0f" * 32
OWNER = "0a" * 32


class Scripted(ChainAnswers, SequencerAnswers):
    """A channel of two keys; drafts what it is asked for, unless it is a swindler."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.threshold = self.transfer_threshold = 2
        self.is_swindler = False
        self.refuses = False

    def GetChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = super().GetChannel(request, context)
        found.keys.append(OTHER_PUBLIC)
        found.posting_timeout_slots = 9
        found.configuration_threshold = self.threshold
        found.transfer_threshold = self.transfer_threshold
        return found

    def SetConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        if self.is_swindler:
            request.keys.append(bytes(32))
        return zone_pb2.SetConfigResponse(draft=self._of_both(super().SetConfig(request, context)))

    def Withdraw(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return zone_pb2.WithdrawResponse(draft=self._of_both(super().Withdraw(request, context)))

    def SubmitSigned(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        if self.refuses:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "refused")
        return super().SubmitSigned(request, context)

    def Abandon(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return super().Abandon(request, context)

    def Deposit(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return super().Deposit(request, context)

    def Forget(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return super().Forget(request, context)

    def GetCheckpoint(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        found = super().GetCheckpoint(request, context)
        found.pending.add(number=0, size_bytes=5)
        return found

    def _of_both(self, response: Any) -> Any:
        response.draft.threshold = self.threshold
        response.draft.keys.append(OTHER_PUBLIC)
        return response.draft


class Node(ChannelCommands):
    """A node, and the command line towards it, in a folder with keys."""

    def __init__(self, address: str, chain: Scripted, folder: Path) -> None:
        super().__init__(address)
        self.chain = chain
        self.folder = folder

    def file(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Node]:
    use_token(monkeypatch)
    for name, private in (("own", WRITER), ("other", OTHER.private_bytes_raw())):
        write_private(tmp_path / name, private.hex().encode())
    write_private(tmp_path / "stranger", STRANGER.encode())
    chain, server = Scripted(), grpc.server(ThreadPoolExecutor(2))
    chain_pb2_grpc.add_ChainNodeServicer_to_server(chain, server)
    zone_pb2_grpc.add_ZoneSequencerServicer_to_server(chain, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Node(f"127.0.0.1:{port}", chain, tmp_path)
    server.stop(0).wait()


def signers(node: Node, *names: str) -> list[str]:
    return [word for name in names for word in ("--key", node.file(name))]


def test_what_is_named_changes_and_the_rest_stays(node: Node) -> None:
    """ZON-29."""
    added = "0c" * 32
    told = node.json(
        *("config", CHANNEL, "--with", added, "--without", PUBLIC.hex(), "--timeframe", "5"),
        *("--threshold", "1", *signers(node, "own", "other")),
    )

    request, submitted = node.chain.asked
    assert request == zone_pb2.SetConfigRequest(
        channel=bytes.fromhex(CHANNEL),
        keys=[OTHER_PUBLIC, bytes.fromhex(added)],
        posting_timeframe_slots=5,
        posting_timeout_slots=9,
        configuration_threshold=1,
        transfer_threshold=2,
    )
    assert {each.key for each in submitted.signatures} == {PUBLIC, OTHER_PUBLIC}
    assert told["keys"] == [OTHER_PUBLIC.hex(), added]
    assert (told["change"], told["timeframe_slots"], told["timeout_slots"]) == ("config", 5, 9)
    assert (told["fee"], told["missing"]) == (7, 0)


def test_a_draft_goes_from_one_holder_to_the_next(node: Node) -> None:
    """ZON-31, ZON-32."""
    file, copy = node.file("draft"), node.file("copy")
    told = node.run("withdraw", CHANNEL, NOTE, "--draft", file)
    assert told.exit_code == 0, told.output
    assert "ten minutes; signatures it lacks: 2" in told.stderr
    Path(copy).write_bytes(Path(file).read_bytes())

    node.address = "127.0.0.1:1"  # holders need no node
    shown = node.json("sign", file)
    assert (shown["change"], shown["notes"], shown["signed"]) == ("withdraw", [NOTE], [])
    signed = node.run("sign", file, *signers(node, "own"))
    assert "signatures it lacks: 1" in signed.stderr
    assert NOTE in signed.stdout
    assert node.json("sign", copy, *signers(node, "other"))["signed"] == [OTHER_PUBLIC.hex()]


def test_copies_of_a_draft_are_submitted_together(node: Node) -> None:
    """ZON-28, ZON-32."""
    file, copy = node.file("draft"), node.file("copy")
    node.json("withdraw", CHANNEL, NOTE, "--draft", file, *signers(node, "other"))
    Path(copy).write_bytes(Path(file).read_bytes())
    both = node.run("sign", copy, *signers(node, "own"))
    assert "channel submit" in both.stderr
    told = node.json("submit", file, copy)

    submitted = node.chain.asked[-1]
    draft = Draft.decode(Path(copy).read_bytes())
    assert submitted.transaction == draft.transaction.encoded
    assert {each.key: each.signature for each in submitted.signatures} == draft.signatures
    assert told["hash"] == draft.hash.hex()

    another = node.file("another")
    node.json("withdraw", CHANNEL, "0c" * 32, "--draft", another)
    refused = node.run("submit", file, another)
    assert (refused.exit_code, "ZONE_DRAFT_FOREIGN" in refused.stderr) == (5, True)


def test_another_draft_than_the_one_asked_for_is_not_signed(node: Node) -> None:
    """ZON-31."""
    node.chain.is_swindler = True
    file = node.file("draft")
    words = ("config", CHANNEL, "--timeframe", "5", *signers(node, "own", "other"))
    for more in ((), ("--draft", file)):
        told = node.run(*words, *more)
        assert (told.exit_code, "ZONE_DRAFT_FOREIGN" in told.stderr) == (5, True)
    assert not Path(file).exists()
    assert {type(each) for each in node.chain.asked} == {zone_pb2.SetConfigRequest}


def test_notes_are_not_reserved_for_a_draft_that_cannot_be_signed(node: Node) -> None:
    words = ("config", CHANNEL, "--timeframe", "5")
    few = node.run(*words, *signers(node, "own", "own"))
    assert (few.exit_code, "2 of the channel's keys" in few.stderr) == (2, True)
    assert node.run(*words).exit_code == 2
    stranger = node.run(*words, *signers(node, "own", "stranger"))
    assert (stranger.exit_code, "ZONE_KEY_NOT_ACCREDITED" in stranger.stderr) == (5, True)
    assert node.run(*words, "--without", STRANGER).exit_code == 2
    assert node.run(*words, "--draft", node.file("own")).exit_code == 2, "it would replace a key"
    assert Path(node.file("own")).read_bytes() == WRITER.hex().encode()
    assert not node.chain.asked


def test_each_change_has_a_threshold_of_its_own(node: Node) -> None:
    """ZON-28."""
    config = ("config", CHANNEL, "--timeframe", "5", *signers(node, "own"))
    withdraw = ("withdraw", CHANNEL, NOTE, *signers(node, "own"))
    node.chain.threshold, node.chain.transfer_threshold = 1, 2
    assert [node.run(*each).exit_code for each in (config, withdraw)] == [0, 2]
    node.chain.threshold, node.chain.transfer_threshold = 2, 1
    assert [node.run(*each).exit_code for each in (config, withdraw)] == [2, 0]


def test_a_table_says_in_a_line_what_was_submitted(node: Node) -> None:
    words = ("config", CHANNEL, "--timeframe", "5", *signers(node, "own", "other"))
    for more in ((), ("--wait",)):
        header, line = node.run(*words, *more).stdout.splitlines()
        assert header.split() == ["CHANGE", "CHANNEL", "HASH", "FEE"]
        assert line.split()[:2] == ["config", CHANNEL]


@pytest.mark.parametrize(
    "words",
    [
        ("config", CHANNEL),
        ("config", CHANNEL, "--threshold", "0"),
        ("config", CHANNEL, "--with", "12"),
        ("config", CHANNEL, "--timeframe", "5", "--draft", "new", "--wait"),
        ("withdraw", CHANNEL),
        ("withdraw", CHANNEL, "12"),
        ("withdraw", CHANNEL, NOTE, "--amount", "5"),
        ("withdraw", CHANNEL, NOTE, "--to", OWNER),
        ("deposit", CHANNEL, "0"),
        ("checkpoint", CHANNEL),
        ("checkpoint", CHANNEL, "--public", "12"),
        ("forget", CHANNEL, "--public", HASH),
        ("forget", CHANNEL, "--public", HASH, "--key", "own", "--yes"),
        ("sign", "missing"),
        ("sign", "missing", "--hash", "12"),
        ("submit", "missing"),
    ],
)
def test_wrong_words_are_wrong_usage(node: Node, words: tuple[str, ...]) -> None:
    assert node.run(*words).exit_code == 2
    assert not node.chain.asked


def test_a_file_that_is_no_draft_is_named(node: Node) -> None:
    told = node.run("sign", node.file("own"), *signers(node, "own"))
    assert (told.exit_code, "ZONE_DRAFT_MALFORMED" in told.stderr) == (2, True)
    assert node.file("own") in told.stderr


def test_a_signature_of_a_stranger_leaves_the_draft_as_it_was(node: Node) -> None:
    file = node.file("draft")
    node.json("withdraw", CHANNEL, NOTE, "--draft", file)
    before = Path(file).read_bytes()
    told = node.run("sign", file, *signers(node, "own", "stranger"))
    assert (told.exit_code, "ZONE_KEY_NOT_ACCREDITED" in told.stderr) == (5, True)
    assert Path(file).read_bytes() == before


def test_a_draft_is_signed_only_if_it_is_the_one_that_was_shown(node: Node) -> None:
    """ZON-31."""
    file, another = node.file("draft"), node.file("another")
    node.json("withdraw", CHANNEL, NOTE, "--draft", file)
    shown = node.json("sign", file)["hash"]
    node.json("withdraw", CHANNEL, "0c" * 32, "--draft", another)
    before = Path(another).read_bytes()
    told = node.run("sign", another, "--hash", shown, *signers(node, "own"))
    assert (told.exit_code, "ZONE_DRAFT_FOREIGN" in told.stderr) == (5, True)
    assert Path(another).read_bytes() == before
    assert node.json("sign", file, "--hash", shown, *signers(node, "own"))["missing"] == 1


def test_a_draft_is_given_up(node: Node) -> None:
    """ZON-33."""
    file = node.file("draft")
    told = node.json("withdraw", CHANNEL, NOTE, "--draft", file)
    assert node.json("abandon", file) == {"hash": told["hash"], "is_reserved": False}
    raw = Draft.decode(Path(file).read_bytes()).transaction.encoded
    assert node.chain.asked[-1] == zone_pb2.AbandonRequest(transaction=raw)


def test_a_draft_that_comes_to_nothing_is_given_up(node: Node) -> None:
    """ZON-33: the file cannot be written, or the node does not take it."""
    change = ("config", CHANNEL, "--timeframe", "5", *signers(node, "own", "other"))
    told = node.run(*change, "--draft", node.file("nowhere/draft"))
    assert told.exit_code
    assert isinstance(node.chain.asked[-1], zone_pb2.AbandonRequest)
    node.chain.refuses = True
    assert node.run(*change).exit_code == 5
    submitted, abandoned = node.chain.asked[-2:]
    assert isinstance(submitted, zone_pb2.SubmitSignedRequest)
    assert abandoned == zone_pb2.AbandonRequest(transaction=submitted.transaction)


def test_an_amount_is_paid_and_the_rest_stays(node: Node) -> None:
    """ZON-30: the scripted node leaves the output out, and is found out."""
    words = ("withdraw", CHANNEL, NOTE, "--amount", "3", "--to", "0c" * 32)
    told = node.run(*words, *signers(node, "own", "other"))
    [request] = node.chain.asked
    assert (request.output.value, request.output.public_key.hex()) == (3, "0c" * 32)
    assert (told.exit_code, "ZONE_DRAFT_FOREIGN" in told.stderr) == (5, True)


def test_a_deposit_is_of_the_node_s_wallet(node: Node) -> None:
    """ZON-27."""
    told = node.json("deposit", CHANNEL, "5", "--metadata", "for ada")
    assert (told["amount"], told["hash"]) == (5, HASH)
    wanted = zone_pb2.DepositRequest(channel=bytes.fromhex(CHANNEL), value=5, metadata=b"for ada")
    assert node.chain.asked == [wanted]


def test_what_is_submitted_is_waited_for(node: Node) -> None:
    node.chain.threshold = node.chain.transfer_threshold = 1
    for words in (
        ("deposit", CHANNEL, "5"),
        ("withdraw", CHANNEL, NOTE, *signers(node, "own")),
        ("config", CHANNEL, "--timeframe", "5", *signers(node, "own")),
    ):
        told = node.json(*words, "--wait")
        assert (told["stage"], told["height"]) == ("INCLUDED", 8), words
    file = node.file("draft")
    node.json("withdraw", CHANNEL, NOTE, "--draft", file, *signers(node, "own"))
    assert node.json("submit", file, "--wait")["stage"] == "INCLUDED"


def test_what_is_kept_is_shown_and_forgotten(node: Node) -> None:
    """ZON-25, ZON-26."""
    told = node.json("checkpoint", CHANNEL, *signers(node, "own"))
    assert (told["key"], told["next_number"]) == (PUBLIC.hex(), 1)
    assert (told["pending"], told["pending_bytes"], told["final_height"]) == ([0], 5, 8)
    lines = node.run("checkpoint", CHANNEL, "--public", PUBLIC.hex()).stdout.splitlines()
    assert "pending bytes  5" in [line.strip() for line in lines]

    assert node.json("forget", CHANNEL, "--public", HASH, "--yes")["is_kept"] is False
    last = zone_pb2.ForgetRequest(channel=bytes.fromhex(CHANNEL), key=bytes.fromhex(HASH))
    assert node.chain.asked[-1] == last


def test_a_channel_is_shown_with_its_thresholds(node: Node) -> None:
    told = node.json("show", CHANNEL)
    assert (told["configuration_threshold"], told["transfer_threshold"]) == (2, 2)
    node.chain.threshold, node.chain.transfer_threshold = 1, 65_535
    lines = [line.strip() for line in node.run("show", CHANNEL).stdout.splitlines()]
    assert "configuration threshold  1" in lines
    assert "transfer threshold  65535" in lines


def test_no_node_is_not_waited_for(tmp_path: Path) -> None:
    write_private(tmp_path / "key", WRITER.hex().encode())
    key = ("--key", str(tmp_path / "key"))
    for words in (
        ("config", CHANNEL, "--timeframe", "5", *key),
        ("withdraw", CHANNEL, NOTE, *key),
        ("deposit", CHANNEL, "5"),
        ("checkpoint", CHANNEL, *key),
        ("forget", CHANNEL, *key, "--yes"),
    ):
        told = CliRunner().invoke(app, ["--address", "127.0.0.1:1", "channel", *words])
        assert told.exit_code == 3, words
