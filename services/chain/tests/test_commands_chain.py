"""`logosctl chain`, `wallet` and `channel`, against a node that says what a test has it say."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from chain_commands import use_token
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from typer.testing import CliRunner, Result

from chain_answers import (
    ADDRESS,
    CHANNEL,
    CHECKPOINT,
    DECLARATION,
    HASH,
    PHRASE,
    WRITER,
    AdminAnswers,
    ChainAnswers,
    WalletAnswers,
)
from logos.chain.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    chain_pb2,
    chain_pb2_grpc,
    transaction_pb2,
    wallet_pb2_grpc,
)
from logos_cli.main import app
from logos_client.private_files import write_private

CLEAR = "\x1b[2J"
"""Clears the screen of a terminal that is sent it."""
PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING
INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
SAFE = transaction_pb2.TRANSACTION_STAGE_SAFE
FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL
DROPPED = transaction_pb2.TRANSACTION_STAGE_DROPPED


def status(stage: int, **fields: Any) -> transaction_pb2.TransactionStatus:
    """A status of a transaction."""
    wanted: Any = stage
    return transaction_pb2.TransactionStatus(stage=wanted, **fields)


class Scripted(ChainAnswers, WalletAnswers, AdminAnswers):
    """Answers with what a test has it say; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.statuses: list[transaction_pb2.TransactionStatus] = []
        self.info = chain_pb2.GetInfoResponse()
        self.is_poor = False
        self.checkpoint = CHECKPOINT

    def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        info = super().GetInfo(request, context)
        info.MergeFrom(self.info)
        return info

    def ListBlocks(self, request: Any, context: Any) -> Any:  # noqa: N802
        start = int(request.page_token or 0)
        self.asked.append(request.page_size)
        return chain_pb2.ListBlocksResponse(
            blocks=[self.block] * request.page_size,
            next_page_token=str(start + request.page_size),
        )

    def GetTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request.hash.hex())
        return chain_pb2.GetTransactionResponse(status=self.statuses[0])

    def WatchTransaction(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for each in self.statuses:
            yield chain_pb2.WatchTransactionResponse(status=each)

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return super().Send(request, context)

    def PrepareTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.is_poor:
            detail = any_pb2.Any()
            reason = "WALLET_FUNDS_INSUFFICIENT"
            detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
            code = code_pb2.FAILED_PRECONDITION
            refusal = status_pb2.Status(code=code, message="it has 0", details=[detail])
            context.abort_with_status(rpc_status.to_status(refusal))
        return super().PrepareTransaction(request, context)

    def ExportCheckpoint(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for at in range(0, len(self.checkpoint), 50):
            yield admin_pb2.ExportCheckpointResponse(chunk=self.checkpoint[at : at + 50])

    def StartOver(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return super().StartOver(request, context)

    def RestorePhrase(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request.phrase)
        return super().RestorePhrase(request, context)


class Node:
    """A node, and the command line towards it."""

    def __init__(self, address: str, chain: Scripted) -> None:
        self.chain = chain
        self.address = address

    def run(self, *words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, ["--address", self.address, *words], input=stdin)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    use_token(monkeypatch)
    chain, server = Scripted(), grpc.server(ThreadPoolExecutor(2))
    chain_pb2_grpc.add_ChainNodeServicer_to_server(chain, server)
    wallet_pb2_grpc.add_WalletServicer_to_server(chain, server)
    admin_pb2_grpc.add_ChainAdminServicer_to_server(chain, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Node(f"127.0.0.1:{port}", chain)
    server.stop(0).wait()


def test_info_says_where_the_chain_stands(node: Node) -> None:
    node.chain.info.MergeFrom(
        chain_pb2.GetInfoResponse(preset="dev", is_insecure=True, diverged_peers=1)
    )

    said = node.run("chain", "info").stdout

    assert "chain  some (dev) INSECURE: its secrets follow from a seed" in said
    assert "phase  online" in said
    assert "tip  block 8, 10 s ago" in said
    assert "final  block 7, 1 below the tip" in said
    assert r"it leads\x1b[2J; 0 of 0 won slots" in said
    assert "1 peer follows a chain that left this one too long ago" in said


def test_a_phase_of_a_newer_node_is_its_number(node: Node) -> None:
    newer: Any = 9
    node.chain.info.phase = newer

    assert "phase  9" in node.run("chain", "info").stdout


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (status(PENDING), "it waits for a block"),
        (status(INCLUDED, height=8, confirmations=1), "it is in block 8, 1 confirmation"),
        (
            status(INCLUDED, height=8, confirmations=2, final_in_ms=1500),
            "it is in block 8, 2 confirmations, final in about 2 s",
        ),
        (status(SAFE, height=8, confirmations=6), "it is safe in block 8, 6 confirmations"),
        (status(FINAL, height=8, confirmations=99), "it is final, in block 8"),
        (status(DROPPED, reason=f"SPENT_NOTE{CLEAR}"), r"it will not come: SPENT_NOTE\x1b[2J"),
        (status(9), "it is 9"),
    ],
)
def test_a_status_is_a_sentence(
    node: Node, told: transaction_pb2.TransactionStatus, said: str
) -> None:
    node.chain.statuses = [told]

    ended = node.run("chain", "transaction", HASH)

    assert (ended.exit_code, ended.stdout) == (0, f"{said}\n")


@pytest.mark.parametrize("text", [HASH, f"0x{HASH}", f"0X{HASH.upper()}"])
def test_an_id_may_begin_with_0x(node: Node, text: str) -> None:
    node.chain.statuses = [status(PENDING)]

    record = json.loads(node.run("chain", "transaction", text, "--output", "json").stdout)

    assert (record["hash"], record["stage"]) == (HASH, "PENDING")
    assert node.chain.asked == [HASH]


@pytest.mark.parametrize(
    "words",
    [
        ("chain", "transaction", HASH[:-1]),
        ("chain", "transaction", f"{HASH}00"),
        ("chain", "note", "zz" * 32),
        ("chain", "block", "-"),
        ("chain", "block", str(2**64)),
        ("chain", "watch", "--after", "12"),
        ("wallet", "watch", f"{HASH[:62]} 0"),
        ("wallet", "faucet", "me"),
        ("channel", "show", "c"),
        ("channel", "create", "--key", "KEY", "--id", "c"),
        ("channel", "create", "--key", "KEY", "--with", "c"),
    ],
    ids=" ".join,
)
def test_what_is_no_id_is_refused(node: Node, words: tuple[str, ...]) -> None:
    ended = node.run(*words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "64 hexadecimal digits" in " ".join(ended.stderr.replace("│", "").split())
    assert not Path("KEY").exists()


@pytest.mark.parametrize("amount", ["0", str(2**64), "-1", "1.5", "all"])
def test_an_amount_that_no_note_has_is_refused(node: Node, amount: str) -> None:
    ended = node.run("wallet", "send", "--", ADDRESS, amount)

    assert (ended.exit_code, ended.stdout, node.chain.asked) == (2, "", [])
    assert "AMOUNT" in ended.stderr.partition("Error")[2]


@pytest.mark.parametrize("amount", [1, 2**64 - 1])
def test_every_amount_of_a_note_is_sent(node: Node, amount: int) -> None:
    assert node.run("wallet", "send", ADDRESS, str(amount)).exit_code == 0

    [asked] = node.chain.asked
    assert [(one.value, one.public_key.hex()) for one in asked.outputs] == [(amount, ADDRESS)]


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (status(INCLUDED, height=8, confirmations=1), 0),
        (status(DROPPED, reason="CONFLICT"), 5),
        (status(PENDING), 3),
    ],
    ids=["included", "dropped", "told no more"],
)
def test_a_payment_is_followed_to_its_block(
    node: Node, last: transaction_pb2.TransactionStatus, code: int
) -> None:
    node.chain.statuses = [status(PENDING), last]

    table = node.run("wallet", "send", ADDRESS, "5", "--wait")
    document = node.run("wallet", "send", ADDRESS, "5", "--wait", "--output", "json")

    assert (table.exit_code, document.exit_code) == (code, code)
    assert HASH in table.stdout
    assert "it waits for a block" in table.stderr
    [record] = json.loads(document.stdout)
    assert record["hash"] == HASH
    assert record["stage"] == {0: "INCLUDED", 5: "DROPPED", 3: "PENDING"}[code]
    assert record["reason"] == last.reason
    assert ("FOLLOW_ENDED" in table.stderr) == (code == 3)


def test_blocks_are_asked_for_page_by_page_up_to_the_limit(node: Node) -> None:
    rows = json.loads(node.run("chain", "blocks", "--limit", "230", "--output", "json").stdout)

    assert len(rows) == 230
    assert node.chain.asked == [100, 100, 30]


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b" \n", "no words on stdin"),
        (b"caf\xe9", "are not UTF-8"),
        (b"x" * 4097, "over 4,096 bytes"),
    ],
)
def test_words_that_are_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: Node, stdin: bytes, said: str
) -> None:
    ended = restored(monkeypatch, tmp_path, node, stdin)

    assert (ended.exit_code, ended.stdout, node.chain.asked) == (2, "", [])
    assert said in ended.stderr


def test_words_may_stand_in_several_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: Node
) -> None:
    words = PHRASE.replace(" ", "\n")

    assert restored(monkeypatch, tmp_path, node, f"{words}\n".encode()).exit_code == 0
    assert node.chain.asked == [words]


def test_a_closed_stdin_has_no_words(node: Node) -> None:
    program = "from logos_cli.entry import logosctl; logosctl()"
    words = ("--address", node.address, "wallet", "restore", "--yes")

    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-P", "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, node.chain.asked) == (5, "", [])
    assert "standard input: it is closed" in ended.stderr


def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: Node, stdin: bytes) -> Result:
    """Restores a wallet of what stands on stdin: a file, since the command reads a descriptor."""
    (tmp_path / "words").write_bytes(stdin)
    with (tmp_path / "words").open() as words:
        monkeypatch.setattr(
            "logos_commands.wallet.secrets.descriptors.standard", lambda *_: words.fileno()
        )
        return node.run("wallet", "restore", "--yes")


def test_a_wallet_is_not_replaced_without_yes(node: Node) -> None:
    for command in ("new", "restore"):
        ended = node.run("wallet", command)

        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "replaces the present wallet" in ended.stderr


def test_a_key_that_may_not_write_is_refused_at_once(node: Node, tmp_path: Path) -> None:
    ended = node.run("channel", "create", "hello", "--key", str(tmp_path / "new"), "--id", CHANNEL)

    assert (ended.exit_code, ended.stdout) == (5, "")
    assert "ZONE_KEY_NOT_ACCREDITED" in ended.stderr


def test_a_message_that_nobody_pays_for_waits_for_the_next_one(node: Node, tmp_path: Path) -> None:
    words = ("hello", "--key", str(tmp_path / "KEY"), "--id", "0c" * 32)
    node.chain.is_poor = True

    ended = node.run("channel", "create", *words)

    assert (ended.exit_code, ended.stdout) == (5, "")
    assert "FUNDS_INSUFFICIENT; the message waits in" in ended.stderr
    assert "(ZONE_NOT_TAKEN)" in ended.stderr
    node.chain.is_poor = False
    assert node.run("channel", "create", *words).exit_code == 0


def test_a_key_file_that_others_may_read_is_refused(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "KEY"
    write_private(key, WRITER.hex().encode())
    key.chmod(0o640)

    ended = node.run("channel", "key", str(key))

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "ZONE_KEY_FILE" in ended.stderr


@pytest.mark.parametrize(
    "content", ["00" * 31, "é" * 32, "", None], ids=["short", "no digits", "empty", "folder"]
)
def test_a_file_that_is_no_key_is_refused(node: Node, tmp_path: Path, content: str | None) -> None:
    key = tmp_path / "KEY"
    if content is None:
        key.mkdir(mode=0o700)
    else:
        write_private(key, content.encode())

    ended = node.run("channel", "inscribe", CHANNEL, "hello", "--key", str(key))

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert str(key) in ended.stderr


def test_a_key_is_made_once(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "KEY"

    first, again = (node.run("channel", "key", str(key)).stdout for _ in range(2))

    assert (first, len(first)) == (again, 65)
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_channel_with_rules_is_followed_to_its_block(node: Node, tmp_path: Path) -> None:
    node.chain.statuses = [status(INCLUDED, height=8, confirmations=1)]
    words = ("--key", str(tmp_path / "KEY"), "--timeframe", "5", "--wait", "--output", "json")

    [record] = json.loads(node.run("channel", "create", *words).stdout)

    assert (len(record["channel"]), record["hash"], record["height"]) == (64, HASH, 8)


# -- checkpoints -----------------------------------------------------------------------------------


def test_a_checkpoint_is_exported_and_its_hash_is_told(node: Node, tmp_path: Path) -> None:
    """CKP-6."""
    file, name = tmp_path / "checkpoint", CHECKPOINT[-32:].hex()

    exported = node.run("chain", "checkpoint", "export", str(file), "--output", "json")
    shown = node.run("chain", "checkpoint", "show", str(file), "--output", "json")

    assert file.read_bytes() == CHECKPOINT
    assert json.loads(exported.stdout) == json.loads(shown.stdout)
    record = json.loads(shown.stdout)
    assert (record["hash"], record["height"], record["slot"]) == (name, 7, 140)
    assert record["size_bytes"] == len(CHECKPOINT)
    assert name in exported.stderr
    assert "trusts it: compare the hash" in exported.stderr
    said = node.run("chain", "checkpoint", "show", str(file)).stdout
    assert f"hash  {name}" in said
    assert "height  7" in said


def test_stdout_gets_the_checkpoint_itself(node: Node) -> None:
    program = "from logos_cli.main import app; app()"
    words = ["--address", node.address, "chain", "checkpoint", "export", "-"]

    ended = subprocess.run(
        [sys.executable, "-P", "-c", program, *words], capture_output=True, check=True
    )

    assert ended.stdout == CHECKPOINT
    assert CHECKPOINT[-32:].hex() in ended.stderr.decode()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (CHECKPOINT[:-1], "altered or cut off"),
        (CHECKPOINT[:60] + b"?" + CHECKPOINT[61:], "altered or cut off"),
        (CHECKPOINT + b"?", "altered or cut off"),
        (CHECKPOINT[:50], "ends too early"),
        (b"LOGOSCKP\2" + CHECKPOINT[9:], "a version that is not known"),
        (b"PNG", "no checkpoint"),
        (b"", "no checkpoint"),
    ],
    ids=["cut", "altered", "longer", "short", "version", "other", "empty"],
)
def test_a_checkpoint_that_is_not_whole_is_not_put_in_place(
    node: Node, tmp_path: Path, raw: bytes, said: str
) -> None:
    file, wrong = tmp_path / "checkpoint", tmp_path / "wrong"
    file.write_bytes(b"before")
    wrong.write_bytes(raw)
    node.chain.checkpoint = raw

    exported = node.run("chain", "checkpoint", "export", str(file))
    shown = node.run("chain", "checkpoint", "show", str(wrong))

    assert (exported.exit_code, shown.exit_code) == (5, 5)
    assert said in " ".join(exported.stderr.split())
    assert said in " ".join(shown.stderr.split())
    assert (exported.stdout, shown.stdout) == ("", "")
    assert file.read_bytes() == b"before"


def test_info_says_with_which_checkpoint_the_chain_began(node: Node) -> None:
    assert "begun" not in node.run("chain", "info").stdout
    node.chain.info.MergeFrom(
        chain_pb2.GetInfoResponse(checkpoint_height=5, checkpoint_hash=bytes(32))
    )

    assert f"begun  with the checkpoint of block 5, {'00' * 32}" in node.run("chain", "info").stdout


# -- declarations ----------------------------------------------------------------------------------


def test_declarations_say_until_when_their_notes_are_locked(node: Node) -> None:
    """LED-40."""
    listed = node.run("chain", "declarations")
    [record] = json.loads(node.run("chain", "declarations", "--output", "json").stdout)
    one = json.loads(node.run("chain", "declarations", DECLARATION, "--output", "json").stdout)

    assert "WITHDRAWN" in listed.stdout
    assert "400" in listed.stdout
    assert one == [record]
    assert (record["id"], record["state"], record["serving"]) == (DECLARATION, "WITHDRAWN", False)
    assert (record["withdrawn_epoch"], record["unlock_slot"]) == (2, 400)
    assert record["active_epoch"] is None
    assert node.run("chain", "declarations", "me").exit_code == 2


def test_a_chain_is_given_up_only_with_a_word_more(node: Node) -> None:
    """CON-50."""
    refused = node.run("chain", "bootstrap", "--from-genesis")
    assert refused.exit_code == 2
    assert "drops final blocks" in refused.output
    assert node.chain.asked == []

    done = node.run("chain", "bootstrap", "--from-genesis", "--yes", "--output", "json")
    assert node.chain.asked == [admin_pb2.StartOverRequest()]
    [record] = json.loads(done.stdout)
    assert "the node ends" in record["starts_over"]

    done = node.run("chain", "bootstrap", "--output", "json")
    assert json.loads(done.stdout) == [{"phase": "PROLONGED"}]
    assert len(node.chain.asked) == 1
