"""MPL-4, MPL-17 to MPL-19: transactions and the ledger, as callers give and see them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from chain_ledger import ALICE, CHANNEL, KEYS, named, outputs_of, signed
from chain_rpc import Served, failure, pages, refused, retry_ms, served, told
from chain_world import FALSE

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_chain.core.mempool.errors import MempoolBusyError, MempoolFullError, MempoolRefusal
from logos_mantle.channels import ChannelInscribe
from logos_mantle.derivations import blake2b
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.notes import Note
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

MAX_U64 = 2**64 - 1
PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING
INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL
DROPPED = transaction_pb2.TRANSACTION_STAGE_DROPPED


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


async def submit(node: Served, made: SignedTransaction) -> bytes:
    answer = await node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=made.encoded))
    await node.settle()
    return bytes(answer.hash)


async def look_up(node: Served, identifier: bytes) -> pb.GetTransactionResponse:
    found = await node.chain.GetTransaction(pb.GetTransactionRequest(hash=identifier))
    assert isinstance(found, pb.GetTransactionResponse)
    return found


async def test_a_transaction_from_its_submission_until_it_is_final(node: Served) -> None:
    made = node.world.spend(0)
    assert await submit(node, made) == made.hash
    assert await submit(node, made) == made.hash  # one that waits already is no error

    found = await look_up(node, made.hash)
    assert (found.transaction.hash, found.transaction.raw) == (made.hash, made.encoded)
    assert found.status == transaction_pb2.TransactionStatus(stage=PENDING)

    block = await node.extend("with it", made)
    found = await look_up(node, made.hash)
    assert (found.status.stage, found.status.block) == (INCLUDED, block.id)
    assert (found.status.height, found.status.confirmations) == (1, 1)
    assert found.status.final_in_ms == 4000  # two more blocks of two slots
    assert found.transaction.raw == made.encoded

    await node.extend("second")
    await node.extend("third")
    found = await look_up(node, made.hash)
    assert (found.status.stage, found.status.confirmations) == (FINAL, 3)
    assert (found.status.block, found.status.final_in_ms) == (block.id, 0)
    assert found.transaction.raw == made.encoded


async def test_what_is_not_taken_says_why(node: Served) -> None:
    call, request = node.chain.SubmitTransaction, pb.SubmitTransactionRequest
    malformed = ("INVALID_ARGUMENT", "MALFORMED")
    one = node.world.spend(0)
    for raw in (b"", b"\xff" * 100, one.encoded + b"\0", bytes(MAX_BODY_BYTES + 1)):
        assert await refused(call(request(raw=raw))) == malformed
    false = node.world.spend(1, proofs=(ZkSignatureProof(FALSE),))
    assert await refused(call(request(raw=false.encoded))) == ("INVALID_ARGUMENT", "INVALID_PROOF")
    await submit(node, one)
    other = node.world.spend(0, "other")
    assert await refused(call(request(raw=other.encoded))) == ("FAILED_PRECONDITION", "CONFLICT")
    nothing = signed(Transfer((named("no note"),), (Note(1, ALICE),)))
    error = await failure(call(request(raw=nothing.encoded)))
    assert told(error) == ("FAILED_PRECONDITION", "TRANSACTION_REFUSED")
    assert "UNKNOWN_NOTE" in (error.details() or "")
    await node.extend("with it", one)
    included = ("ALREADY_EXISTS", "ALREADY_INCLUDED")
    assert await refused(call(request(raw=one.encoded))) == included


async def test_amounts_that_overflow_are_refused(node: Served) -> None:
    made = signed(Transfer((node.world.funds[0],), (Note(MAX_U64, ALICE), Note(MAX_U64, ALICE))))
    call = node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=made.encoded))
    assert await refused(call) == ("FAILED_PRECONDITION", "TRANSACTION_REFUSED")


@pytest.mark.parametrize(
    ("error", "status", "after_ms"),
    [
        (MempoolBusyError(MempoolRefusal.BUSY), ("UNAVAILABLE", "BUSY"), 1000),
        (
            MempoolFullError(MempoolRefusal.MEMPOOL_FULL),
            ("RESOURCE_EXHAUSTED", "MEMPOOL_FULL"),
            None,
        ),
    ],
)
async def test_a_mempool_without_room_says_when_to_come_again(
    node: Served,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: tuple[str, str],
    after_ms: int | None,
) -> None:
    async def full(_raw: bytes) -> bytes:
        raise error

    monkeypatch.setattr(node.rooms.mempool, "submit", full)
    found = await failure(node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=b"x")))
    assert (told(found), retry_ms(found)) == (status, after_ms)


async def test_a_transaction_that_is_unknown_or_has_no_hash_is_refused(node: Served) -> None:
    unknown = pb.GetTransactionRequest(hash=bytes(32))
    assert await refused(node.chain.GetTransaction(unknown)) == (
        "NOT_FOUND",
        "TRANSACTION_UNKNOWN",
    )
    invalid = ("INVALID_ARGUMENT", "INVALID_ID")
    short = pb.GetTransactionRequest(hash=bytes(31))
    assert await refused(node.chain.GetTransaction(short)) == invalid
    assert await refused(node.chain.GetNote(pb.GetNoteRequest(id=bytes(33)))) == invalid
    assert await refused(node.chain.GetChannel(pb.GetChannelRequest(id=b""))) == invalid


async def test_one_that_was_dropped_has_a_reason_and_no_content(node: Served) -> None:
    made, other = node.world.spend(0), node.world.spend(0, "other")
    await submit(node, made)
    await node.extend("with the other", other)
    found = await look_up(node, made.hash)
    assert (found.status.stage, found.status.block) == (DROPPED, b"")
    assert found.status.reason
    assert not found.HasField("transaction")


async def test_what_waits_is_listed_in_pages(node: Served) -> None:
    made = [node.world.spend(each) for each in range(23)]
    for each in made:
        await node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=each.encoded))
    await node.settle()
    for size, counts in ((0, [20, 3]), (23, [23]), (10, [10, 10, 3])):
        request = pb.ListMempoolRequest(page_size=size)
        found = await pages(node.chain.ListMempool, request, "transactions")
        assert [len(each) for each in found] == counts
        assert [each.hash for page in found for each in page] == [each.hash for each in made]
    beyond = await node.chain.ListMempool(pb.ListMempoolRequest(page_token="7" + "f" * 15))
    assert beyond == pb.ListMempoolResponse(total=23)
    info = await node.chain.GetInfo(pb.GetInfoRequest())
    size = sum(len(each.encoded) for each in made)
    assert (info.mempool_transactions, info.mempool_bytes) == (23, size)


# -- the ledger ------------------------------------------------------------------------------------


async def test_a_note_is_shown_with_its_path_until_it_is_spent(node: Served) -> None:
    wanted = node.world.funds[3]
    found = await node.chain.GetNote(pb.GetNoteRequest(id=wanted))
    assert (found.note.value, found.note.public_key) == (1_000_000, ALICE)
    assert (found.channel, found.declaration, found.place) == (b"", b"", 3)
    assert [len(each) for each in found.path] == [32] * 32
    assert found.block == node.world.root.id
    assert found.root == node.world.replayed(node.world.root.id).root

    made = node.world.spend(3)
    tip = await node.extend("spent", made)
    call = node.chain.GetNote(pb.GetNoteRequest(id=wanted))
    assert await refused(call) == ("NOT_FOUND", "NOTE_UNKNOWN")
    [transfer] = made.transaction.operations
    assert isinstance(transfer, Transfer)
    [new] = outputs_of(transfer)
    found = await node.chain.GetNote(pb.GetNoteRequest(id=new))
    assert (found.block, found.root) == (tip.id, node.world.replayed(tip.id).root)


async def test_a_channel_is_shown_once_it_was_written_to(node: Served) -> None:
    request = pb.GetChannelRequest(id=CHANNEL)
    assert await refused(node.chain.GetChannel(request)) == ("NOT_FOUND", "CHANNEL_UNKNOWN")
    inscribe = ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0])
    transfer = Transfer((node.world.funds[0],), (Note(900_000, ALICE),))
    made = signed(inscribe, transfer)
    tip = await node.extend("written", made)

    found = await node.chain.GetChannel(request)

    assert (list(found.keys), found.block) == ([KEYS[0]], tip.id)
    assert (found.tip_slot, found.sequencer) == (tip.header.slot, 0)
    [written, paid] = (await look_up(node, made.hash)).transaction.operations
    assert (written.kind, written.channel, written.inscription) == (
        "CHANNEL_INSCRIBE",
        CHANNEL,
        b"hello",
    )
    assert (paid.kind, paid.channel, paid.inscription) == ("TRANSFER", b"", b"")


async def test_all_tokens_are_accounted_for(node: Served) -> None:
    await node.take(*node.world.chain(node.world.root, "a", 5))
    found = await node.chain.GetSupply(pb.GetSupplyRequest())
    places = (found.free, found.locked, found.in_channels, found.pool, found.pending, found.burned)
    assert sum(places) == found.genesis + found.emitted
    assert found.genesis == sum(each.value for each in node.world.genesis.transfer.outputs)
    assert found.block == node.tip.id


async def test_bytes_of_chance_are_answered_by_stated_errors(node: Served) -> None:
    async def one(at: int) -> tuple[str, str]:
        raw = blake2b(at.to_bytes(4, "big")) * (at % 7)
        return await refused(node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=raw)))

    found = await asyncio.gather(*(one(each) for each in range(50)))
    assert set(found) == {("INVALID_ARGUMENT", "MALFORMED")}
