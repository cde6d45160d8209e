"""WAL-8 to WAL-17: the wallet as its owner uses it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chain_ledger import ALICE, CHANNEL, KEYS, signed
from chain_rpc import FIRST, OWN, Served, failure, key_of, pages, refused, retry_ms, served, told
from chain_wallet import SHOP, WATCHED
from chain_world import TWO, until

from logos.chain.v1 import chain_pb2, events_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos_chain.core.mempool.errors import MempoolRefusal, submission_error
from logos_chain.rpc.events import paid_event
from logos_chain.rpc.wallet_values import place_to_token
from logos_mantle.channels import ChannelConfig, ChannelInscribe
from logos_mantle.notes import Note
from logos_mantle.operations import Operation, encode_operation
from logos_mantle.proofs import InscriptionProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

MAX_U64 = 2**64 - 1
NO_FIELD = b"\xff" * 32
ORDER = ("INVALID_ARGUMENT", "WALLET_ORDER_INVALID")
INVALID_ID = ("INVALID_ARGUMENT", "INVALID_ID")
PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING
INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


def note(value: int, key: bytes = SHOP) -> transaction_pb2.Note:
    return transaction_pb2.Note(value=value, public_key=key)


def payment(*notes: transaction_pb2.Note, **more: Any) -> pb.SendRequest:
    return pb.SendRequest(outputs=notes, **more)


async def balance(node: Served) -> pb.GetBalanceResponse:
    found = await node.wallet.GetBalance(pb.GetBalanceRequest())
    assert isinstance(found, pb.GetBalanceResponse)
    return found


# -- what there is ---------------------------------------------------------------------------------


async def test_addresses_are_of_the_wallet_and_each_is_another(node: Served) -> None:
    answers = [await node.wallet.NewAddress(pb.NewAddressRequest()) for _ in range(2)]
    keys = [each.public_key for each in answers]
    assert len(set(keys)) == 2
    assert set(keys) <= {key_of(FIRST.phrase, each) for each in range(20)}


async def test_sums_before_and_after_a_payment(node: Served) -> None:
    found = await balance(node)
    assert (found.confirmed, found.available, found.final) == (sum(OWN),) * 3
    assert (found.reserved, found.pending, found.height, found.scan_target_height) == (0, 0, 0, 0)

    paid = await node.wallet.Send(payment(note(1000), tip=7))
    found = await balance(node)
    assert found.confirmed == sum(OWN)
    assert found.available == found.confirmed - found.reserved
    assert found.pending == found.reserved - 1000 - paid.fee - paid.tip
    assert paid.fee > 0
    assert paid.tip >= 7

    await node.settle()
    await node.include("with it")
    found = await balance(node)
    assert found.confirmed == sum(OWN) - 1000 - paid.fee - paid.tip
    assert (found.reserved, found.pending, found.height) == (0, 0, 1)


async def test_a_thousand_notes_are_listed_the_largest_first(node: Served) -> None:
    made = [
        node.world.pay(
            at, *[Note(1000 * at + each + 1, key_of(FIRST.phrase)) for each in range(250)]
        )
        for at in range(4)
    ]
    await node.extend("many", *made)

    found = await pages(node.wallet.ListNotes, pb.ListNotesRequest(page_size=2**32 - 1), "notes")
    assert [len(each) for each in found] == [1000, 3]
    notes = [each for page in found for each in page]
    values = [each.note.value for each in notes]
    assert values == sorted(values, reverse=True)
    assert len({each.id for each in notes}) == 1003
    assert {each.since_height for each in notes} == {0, 1}
    small = await pages(node.wallet.ListNotes, pb.ListNotesRequest(), "notes")
    assert [len(each) for each in small] == [100] * 10 + [3]
    assert [each for page in small for each in page] == notes
    beyond = pb.ListNotesRequest(page_token="7" + "f" * 15)
    assert await node.wallet.ListNotes(beyond) == pb.ListNotesResponse()


async def test_the_history_has_what_waits_once_and_then_where_it_is(node: Served) -> None:
    for at in range(3):
        await node.extend(f"{at}", node.world.pay(at, Note(900_000, key_of(FIRST.phrase))))
    waits = await node.wallet.Send(payment(note(10)))
    await node.settle()
    await node.include("with it")
    await node.extend("after", node.world.pay(3, Note(900_000, key_of(FIRST.phrase))))
    second = await node.wallet.Send(payment(note(20)))

    for size in (1, 2, 100):
        request = pb.ListHistoryRequest(page_size=size)
        found = await pages(node.wallet.ListHistory, request, "entries")
        entries = [each for page in found for each in page]
        stages = [each.stage for each in entries]
        assert stages == [PENDING, INCLUDED, INCLUDED, FINAL, FINAL, FINAL, FINAL]
        assert [each.height for each in entries] == [0, 5, 4, 3, 2, 1, 0]
        assert entries[0].transaction == second.hash
        assert entries[0].spent - entries[0].received == 20 + second.fee + second.tip
        assert (entries[0].block, entries[0].HasField("time")) == (b"", False)
        assert entries[2].transaction == waits.hash
        assert entries[2].spent - entries[2].received == 10 + waits.fee + waits.tip
        assert len({each.transaction for each in entries}) == 7


@pytest.mark.parametrize(
    "token", ["x", "00", "0" * 23, "g" * 24, "F" * 24, "+" + "0" * 23, " " * 24, "\u0660" * 24]
)
async def test_a_forged_token_is_no_page(node: Served, token: str) -> None:
    invalid = ("INVALID_ARGUMENT", "INVALID_PAGE")
    notes, history = pb.ListNotesRequest, pb.ListHistoryRequest
    assert await refused(node.wallet.ListNotes(notes(page_token=token))) == invalid
    assert await refused(node.wallet.ListHistory(history(page_token=token))) == invalid


async def test_a_place_beyond_the_history_is_its_begin(node: Served) -> None:
    request = pb.ListHistoryRequest(page_token=place_to_token(MAX_U64, 2**32 - 1))
    found = await node.wallet.ListHistory(request)
    assert [each.height for each in found.entries] == [0]


async def test_a_watched_key_counts_apart(node: Served) -> None:
    await node.wallet.Watch(pb.WatchRequest(public_key=WATCHED))
    await node.wallet.Watch(pb.WatchRequest(public_key=WATCHED))
    await node.extend("to it", node.world.pay(0, Note(900_000, WATCHED)))
    found = await balance(node)
    assert (found.watched, found.confirmed) == (900_000, sum(OWN))
    watched = [
        each
        for each in (await node.wallet.ListNotes(pb.ListNotesRequest())).notes
        if each.is_watched
    ]
    assert [each.note.value for each in watched] == [900_000]
    for key, status in ((b"short", INVALID_ID), (NO_FIELD, ORDER)):
        assert await refused(node.wallet.Watch(pb.WatchRequest(public_key=key))) == status


# -- payments --------------------------------------------------------------------------------------


async def test_a_payment_of_one_key_is_made_once(node: Served) -> None:
    request = payment(note(1000), idempotency_key=b"k" * 64)
    one, two = await node.wallet.Send(request), await node.wallet.Send(request)
    assert one == two
    assert node.rooms.mempool.count == 1
    other = payment(note(1001), idempotency_key=b"k" * 64)
    assert await refused(node.wallet.Send(other)) == ("ALREADY_EXISTS", "WALLET_REQUEST_REUSED")
    long = payment(note(1000), idempotency_key=b"k" * 65)
    assert await refused(node.wallet.Send(long)) == ORDER


def marked(mark: str) -> dict[str, Any]:
    return {"metadata": [("event-mark", mark)]}


async def test_a_payment_is_told_of_once_a_block_has_it() -> None:  # WAL-33
    async with served() as node:
        request = payment(note(1000), idempotency_key=b"k")
        await node.wallet.Send(request, **marked("mine"))
        await node.wallet.Send(request, **marked("again"))
        await node.settle()
        assert node.node.paid == []
        await node.include("with it")
        await node.settle()
        assert node.node.paid == ["mine"]

        await node.wallet.Send(request, **marked("late"))
        await node.wallet.Send(payment(note(2000)))
        await node.include("with another")
        await node.settle()
        await node.extend("after")
        await node.settle()

    assert node.node.paid == ["mine", ""]


async def test_a_payment_that_was_dropped_is_not_told_of(node: Served) -> None:  # WAL-33
    sent = await node.wallet.Send(payment(note(1000)), **marked("mine"))
    node.rooms.wallet.give_up(sent.hash)
    await node.extend("after")
    await node.settle()
    assert sent.hash not in {each.hash for each in node.rooms.wallet.waiting()}

    assert node.node.paid == []


async def test_a_payment_whose_caller_has_left_is_told_of(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:  # WAL-33
    proof = node.node.prover.prove
    asked, left = asyncio.Event(), asyncio.Event()

    async def slow(*job: Any) -> bytes:
        asked.set()
        await left.wait()
        return await proof(*job)

    monkeypatch.setattr(node.rooms.wallet._submitter._prover, "_make", slow)
    call = node.wallet.Send(payment(note(1000), idempotency_key=b"k"), **marked("mine"))
    await asked.wait()
    call.cancel()
    await until(call.done)
    left.set()
    await until(lambda: node.rooms.mempool.count == 1)
    await node.include("with it")

    await until(lambda: node.node.paid == ["mine"])


async def test_a_payment_that_settled_between_two_looks_is_told_of(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:  # WAL-33
    await node.wallet.Send(payment(note(1000)), **marked("mine"))
    free, follow = asyncio.Event(), node.rooms.wallet._tracker.catch_up

    async def busy() -> None:
        await free.wait()
        await follow()

    monkeypatch.setattr(node.rooms.wallet._tracker, "catch_up", busy)
    way = [node.world.make(node.tip, "with it", node.rooms.mempool.waiting(0, 1000))]
    for at in range(TWO.security_blocks + 1):
        way.append(node.world.make(way[-1], f"after {at}"))
    for each in way:
        node.node.clock.ms = (each.header.slot + 1) * node.world.parameters.slot_ms
        assert await node.rooms.follow.take(each.encode(), "a") is None
    await until(lambda: not node.rooms.wallet.waiting())
    free.set()

    await until(lambda: node.node.paid == ["mine"])


async def test_a_payment_is_told_of_once_though_its_block_is_undone(
    node: Served,
) -> None:  # WAL-33
    request = payment(note(1000), idempotency_key=b"k")
    before = node.tip
    sent = await node.wallet.Send(request, **marked("mine"))
    await node.include("with it")
    await until(lambda: node.node.paid == ["mine"])
    other = node.world.make(before, "without it")
    await node.take(other, node.world.make(other, "without it too"))
    assert [each.hash for each in node.rooms.wallet.unincluded()] == [sent.hash]

    assert (await node.wallet.Send(request, **marked("again"))).hash == sent.hash
    await until(lambda: node.rooms.mempool.count == 1)
    await node.include("with it again")
    await node.extend("after")

    assert node.node.paid == ["mine"]


async def test_a_payment_that_a_look_through_the_chain_finds_is_told_of(
    node: Served,
) -> None:  # WAL-33
    await node.wallet.Send(payment(note(1000)), **marked("mine"))
    node.rooms.wallet._book.machine = None
    await node.include("with it")

    await until(lambda: node.node.paid == ["mine"])


def test_the_event_says_nothing_but_the_mark() -> None:  # WAL-33
    topic, payload = paid_event("mine")

    assert topic == "paid"
    assert events_pb2.PaidEvent.FromString(payload) == events_pb2.PaidEvent(mark="mine")
    assert [each.name for each in events_pb2.PaidEvent.DESCRIPTOR.fields] == ["mark"]


async def test_payments_that_cannot_be_say_why(node: Served) -> None:
    call = node.wallet.Send
    assert await refused(call(payment())) == ORDER
    assert await refused(call(payment(note(0)))) == ORDER
    assert await refused(call(payment(*[note(1)] * 256))) == ORDER
    assert await refused(call(payment(note(1, NO_FIELD)))) == ORDER
    for key in (b"", bytes(31), bytes(33)):
        assert await refused(call(payment(note(1, key)))) == INVALID_ID
    funds = ("FAILED_PRECONDITION", "WALLET_FUNDS_INSUFFICIENT")
    assert await refused(call(payment(note(sum(OWN))))) == funds
    assert await refused(call(payment(note(MAX_U64)))) == funds
    assert await refused(call(payment(note(1), tip=MAX_U64))) == funds
    over = ("INVALID_ARGUMENT", "MANTLE_AMOUNT_OVERFLOW")
    assert await refused(call(payment(note(MAX_U64), note(MAX_U64)))) == over
    assert (await balance(node)).reserved == 0


async def test_a_payment_that_the_mempool_refuses_is_dropped(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_raw: bytes) -> bytes:
        raise submission_error(MempoolRefusal.CONFLICT)

    monkeypatch.setattr(node.rooms.wallet._submitter, "_port", refuse)
    assert await refused(node.wallet.Send(payment(note(1)))) == ("FAILED_PRECONDITION", "CONFLICT")
    assert (await balance(node)).reserved == 0


def wanted(*operations: Operation, signatures: int = 0, tip: int = 0) -> Any:
    rows = [
        pb.PrepareTransactionRequest.Wanted(raw=encode_operation(each), signatures=signatures)
        for each in operations
    ]
    return pb.PrepareTransactionRequest(operations=rows, tip=tip)


async def test_operations_of_the_caller_are_paid_for_and_taken(node: Served) -> None:
    inscribe = ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0])
    made = await node.wallet.PrepareTransaction(wanted(inscribe))
    transaction = Transaction.decode(made.transaction)
    assert transaction.hash == made.hash
    assert transaction.operations[0] == inscribe
    proofs = (InscriptionProof(bytes(64)), ZkSignatureProof(made.transfer_proof))
    whole = SignedTransaction(transaction, proofs)
    request = chain_pb2.SubmitTransactionRequest(raw=whole.encoded)
    assert (await node.chain.SubmitTransaction(request)).hash == made.hash
    await node.settle()
    await node.include("with it")
    channel = await node.chain.GetChannel(chain_pb2.GetChannelRequest(id=CHANNEL))
    assert list(channel.keys) == [KEYS[0]]


async def test_operations_that_cannot_be_paid_for_say_why(node: Served) -> None:
    call = node.wallet.PrepareTransaction
    inscribe = ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0])
    assert await refused(call(wanted())) == ORDER
    transfer = Transfer((node.world.funds[0],), (Note(1, ALICE),))
    assert await refused(call(wanted(transfer))) == ORDER
    for raw in (b"", b"\xff", encode_operation(inscribe) + b"\0"):
        row = pb.PrepareTransactionRequest.Wanted(raw=raw)
        assert await refused(call(pb.PrepareTransactionRequest(operations=[row]))) == ORDER
    funds = ("FAILED_PRECONDITION", "WALLET_FUNDS_INSUFFICIENT")
    assert await refused(call(wanted(inscribe, tip=MAX_U64))) == funds


async def test_signatures_are_counted_by_operation_and_bounded(node: Served) -> None:
    config = ChannelConfig(CHANNEL, KEYS[:2], 0, 0, 1, 1)
    call = node.wallet.PrepareTransaction
    assert await refused(call(wanted(config, signatures=2**32 - 1))) == ORDER
    fees = []
    for counts in ((1, 5), (0, 5), (5, 0), (1, 1)):
        request = wanted(config, config)
        for row, count in zip(request.operations, counts, strict=True):
            row.signatures = count
        made = await call(request)
        fees.append(made.fee)
        node.rooms.wallet.give_up(made.hash)
    assert fees[0] == fees[1] == fees[2] > fees[3]


# -- rewards ---------------------------------------------------------------------------------------


async def test_rewards_are_claimed_once_their_epoch_has_ended(node: Served) -> None:
    call, request = node.wallet.Claim, pb.ClaimRequest
    none = ("FAILED_PRECONDITION", "WALLET_VOUCHER_UNAVAILABLE")
    assert await refused(call(request())) == none
    for at in range(3):
        await node.lead(f"own {at}", node.world.spend(at))
    found = await node.wallet.ListVouchers(pb.ListVouchersRequest())
    assert [each.number for each in found.vouchers] == [0, 1, 2]
    assert not any(each.is_claimable or each.is_claimed for each in found.vouchers)
    await node.extend("next epoch", gap=TWO.epoch_slots)
    found = await node.wallet.ListVouchers(pb.ListVouchersRequest())
    assert all(each.is_claimable for each in found.vouchers)
    assert found.share > 0
    assert found.share == (await node.chain.GetSupply(chain_pb2.GetSupplyRequest())).reward_share

    made = list((await call(request())).hashes)
    made += (await call(request(count=2**32 - 1))).hashes

    assert len(set(made)) == 3
    assert await refused(call(request())) == none
    history = await node.wallet.ListHistory(pb.ListHistoryRequest())
    waiting = [each for each in history.entries if each.stage == PENDING]
    assert {each.transaction for each in waiting} == set(made)
    assert all(each.received > 0 == each.spent for each in waiting)


# -- while the wallet looks through the chain ------------------------------------------------------


async def test_nothing_is_told_while_the_wallet_looks_through_the_chain(node: Served) -> None:
    node.rooms.wallet._book.machine = None
    calls = [
        node.wallet.NewAddress(pb.NewAddressRequest()),
        node.wallet.GetBalance(pb.GetBalanceRequest()),
        node.wallet.ListNotes(pb.ListNotesRequest()),
        node.wallet.ListHistory(pb.ListHistoryRequest()),
        node.wallet.ListVouchers(pb.ListVouchersRequest()),
        node.wallet.Send(payment(note(1))),
        node.wallet.Claim(pb.ClaimRequest()),
        node.wallet.Watch(pb.WatchRequest(public_key=WATCHED)),
        node.wallet.PrepareTransaction(
            wanted(ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0]))
        ),
    ]
    for each in calls:
        error = await failure(each)
        assert told(error) == ("UNAVAILABLE", "WALLET_SCANNING")
        assert retry_ms(error) == 1000


async def test_sums_say_how_far_the_look_has_come(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.extend("one", signed(Transfer((node.world.funds[0],), (Note(900_000, ALICE),))))
    monkeypatch.setattr(type(node.rooms.wallet), "scanned", 0)
    found = await balance(node)
    assert (found.confirmed, found.height, found.scan_target_height) == (0, 0, 1)
