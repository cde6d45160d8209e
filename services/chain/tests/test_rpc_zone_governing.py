"""ZON-25 to ZON-30, ZON-33: what a node keeps of a sequencer, a channel's keys and a wallet do."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from chain_ledger import BOB, CHANNEL, named
from chain_rpc import Served, refused, served
from chain_zone_caller import KEY, OTHER, calling, public
from chain_zones import empty
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import chain_pb2, transaction_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos_chain.core.mempool.errors import MempoolRefusal, submission_error
from logos_chain.core.wallet.types import Order
from logos_chain.operations.zones import governing
from logos_mantle.channels import ChannelConfig
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Checkpoint

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
VALUE = 1_000
DRAFT_MS = 600_000
NAME: dict[str, Any] = {"channel": CHANNEL, "key": public(KEY)}
BEYOND = (2**63, 2**64 - 1)


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


async def made(node: Served) -> None:
    """A channel of `KEY` and `OTHER`."""
    keys = [public(KEY), public(OTHER)]
    await node.sequencer.CreateChannel(pb.CreateChannelRequest(channel=CHANNEL, keys=keys))
    await node.include("channel")


def config(**changes: Any) -> pb.SetConfigRequest:
    values: dict[str, Any] = {
        "channel": CHANNEL,
        "keys": [public(KEY), public(OTHER)],
        "posting_timeframe_slots": 5,
        "configuration_threshold": 2,
        "transfer_threshold": 2,
    }
    return pb.SetConfigRequest(**values | changes)


def signed(draft: Any, *keys: Ed25519PrivateKey) -> pb.SubmitSignedRequest:
    one = pb.SubmitSignedRequest.Signature
    return pb.SubmitSignedRequest(
        transaction=draft.transaction,
        transfer_proof=draft.transfer_proof,
        signatures=[one(key=public(each), signature=each.sign(draft.hash)) for each in keys],
    )


async def configured(node: Served) -> None:
    """The channel, where both keys are to sign."""
    await made(node)
    draft = (await node.sequencer.SetConfig(config())).draft
    await node.sequencer.SubmitSigned(signed(draft, KEY))
    await node.include("configured")


async def deposited(node: Served) -> bytes:
    """Puts `VALUE` into the channel; returns the note's id."""
    await node.sequencer.Deposit(pb.DepositRequest(channel=CHANNEL, value=VALUE))
    await node.include("deposit")
    [found] = [name for name, each in node.rooms.wallet.notes().items() if each.channel == CHANNEL]
    return found


async def note(node: Served, identifier: bytes) -> Any:
    return await node.chain.GetNote(chain_pb2.GetNoteRequest(id=identifier))


SHORT: list[tuple[str, Any]] = [
    ("GetCheckpoint", pb.GetCheckpointRequest(channel=b"?", key=public(KEY))),
    ("GetCheckpoint", pb.GetCheckpointRequest(channel=CHANNEL, key=b"?")),
    ("Forget", pb.ForgetRequest(channel=b"?", key=public(KEY))),
    ("Forget", pb.ForgetRequest(channel=CHANNEL)),
    ("SetConfig", config(channel=b"?")),
    ("SetConfig", config(keys=[public(KEY), b"?"])),
    ("Withdraw", pb.WithdrawRequest(channel=b"?", notes=[named("note")])),
    ("Withdraw", pb.WithdrawRequest(channel=CHANNEL, notes=[named("note"), b"?"])),
    (
        "Withdraw",
        pb.WithdrawRequest(
            channel=CHANNEL,
            notes=[named("note")],
            output=transaction_pb2.Note(value=1, public_key=b"?"),
        ),
    ),
    (
        "SubmitSigned",
        pb.SubmitSignedRequest(signatures=[pb.SubmitSignedRequest.Signature(key=b"?")]),
    ),
    ("Deposit", pb.DepositRequest(channel=b"?", value=VALUE)),
]


async def test_ids_and_keys_have_32_bytes(node: Served) -> None:
    """ZON-25 to ZON-30."""
    await made(node)
    for method, request in SHORT:
        call = getattr(node.sequencer, method)(request)
        assert await refused(call) == ("INVALID_ARGUMENT", "INVALID_ID"), (method, request)


# -- what is kept ----------------------------------------------------------------------------------


async def test_what_is_kept_is_told_and_forgotten(node: Served) -> None:
    """ZON-25, ZON-26."""
    ask, forget = node.sequencer.GetCheckpoint, node.sequencer.Forget
    unknown = ("NOT_FOUND", "ZONE_SEQUENCER_UNKNOWN")
    assert await refused(ask(pb.GetCheckpointRequest(**NAME))) == unknown
    async with calling(node, signs=False) as caller:
        await caller.next("ready")
        await caller.payload(0, b"one")
        await caller.payload(1, b"three")
        await caller.next("pending", 2)
        in_use = ("FAILED_PRECONDITION", "ZONE_KEY_IN_USE")
        assert await refused(forget(pb.ForgetRequest(**NAME))) == in_use
        kept = await ask(pb.GetCheckpointRequest(**NAME))
        assert kept.next_number == 2
        assert [(each.number, each.size_bytes) for each in kept.pending] == [(0, 3), (1, 5)]
        assert kept.final.id == node.rooms.follow.latest_immutable.id
        await caller.end()
    for _ in range(2):
        await forget(pb.ForgetRequest(**NAME))
    assert await refused(ask(pb.GetCheckpointRequest(**NAME))) == unknown
    async with calling(node) as caller:
        [opened] = await caller.next("opened")
        assert (opened.next_number, list(opened.pending)) == (0, [])


async def test_a_checkpoint_of_another_chain_is_told_and_can_be_forgotten(node: Served) -> None:
    """ZON-25, ZON-26."""
    other = Checkpoint(CHANNEL, public(KEY), Point(named("other chain"), 1, 1), None, 0, ())
    node.node.sequencers.checkpoints[CHANNEL, public(KEY)] = other
    ask = node.sequencer.GetCheckpoint(pb.GetCheckpointRequest(**NAME))
    assert await refused(ask) == ("OUT_OF_RANGE", "ZONE_CURSOR_LOST")
    await node.sequencer.Forget(pb.ForgetRequest(**NAME))
    async with calling(node) as caller:
        await caller.next("ready")


async def test_a_disk_that_fails_keeps_what_was_to_be_forgotten(node: Served) -> None:
    """ZON-26: the key is free again."""
    node.node.sequencers.fails = True
    forget = node.sequencer.Forget
    assert await refused(forget(pb.ForgetRequest(**NAME))) == ("UNAVAILABLE", "STORE_FAILED")
    node.node.sequencers.fails = False
    await forget(pb.ForgetRequest(**NAME))


# -- configurations --------------------------------------------------------------------------------


async def test_a_channel_gets_the_rules_that_its_keys_have_signed(node: Served) -> None:
    """ZON-28, ZON-29."""
    await made(node)
    draft = (await node.sequencer.SetConfig(config())).draft
    assert (draft.threshold, list(draft.keys)) == (1, [public(KEY), public(OTHER)])
    drafted = Transaction.decode(draft.transaction)
    assert drafted.hash == draft.hash
    assert isinstance(drafted.operations[0], ChannelConfig)
    answer = await node.sequencer.SubmitSigned(signed(draft, OTHER, KEY))  # one more than needed
    assert answer.hash == draft.hash
    await node.include("configured")
    found = await node.chain.GetChannel(chain_pb2.GetChannelRequest(id=CHANNEL))
    rules = (found.configuration_threshold, found.transfer_threshold, found.posting_timeframe_slots)
    assert rules == (2, 2, 5)
    alone = config(keys=[public(OTHER)], configuration_threshold=1, transfer_threshold=1)
    draft = (await node.sequencer.SetConfig(alone)).draft
    await node.sequencer.SubmitSigned(signed(draft, OTHER, KEY))
    await node.include("again")
    found = await node.chain.GetChannel(chain_pb2.GetChannelRequest(id=CHANNEL))
    assert list(found.keys) == [public(OTHER)]


async def test_signatures_of_others_or_too_few_submit_nothing(node: Served) -> None:
    """ZON-28."""
    await configured(node)
    draft = (await node.sequencer.SetConfig(config(posting_timeframe_slots=7))).draft
    submit = node.sequencer.SubmitSigned
    few = ("FAILED_PRECONDITION", "ZONE_THRESHOLD_NOT_REACHED")
    for keys, expected in (
        ((KEY,), few),
        ((KEY, KEY), few),
        ((), few),
        ((KEY, STRANGER), ("FAILED_PRECONDITION", "ZONE_KEY_NOT_ACCREDITED")),
    ):
        assert await refused(submit(signed(draft, *keys))) == expected
    wrong = signed(draft, KEY, OTHER)
    wrong.signatures[1].signature = KEY.sign(draft.hash)
    assert await refused(submit(wrong)) == ("INVALID_ARGUMENT", "ZONE_SIGNATURE_INVALID")
    assert not node.rooms.mempool.count


async def test_signatures_are_checked_beside_the_loop_and_none_with_a_stranger_s(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-28."""
    await made(node)
    draft = (await node.sequencer.SetConfig(config())).draft
    check, threads = governing.check_signature, list[int]()

    def checked(*values: bytes) -> None:
        threads.append(threading.get_ident())
        check(*values)

    monkeypatch.setattr(governing, "check_signature", checked)
    stranger = ("FAILED_PRECONDITION", "ZONE_KEY_NOT_ACCREDITED")
    ask = signed(draft, KEY, OTHER, STRANGER)
    assert await refused(node.sequencer.SubmitSigned(ask)) == stranger
    assert not threads
    await node.sequencer.SubmitSigned(signed(draft, KEY, OTHER))

    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_nothing_else_is_submitted_with_signatures(node: Served) -> None:
    """ZON-28."""
    await made(node)
    unexpected = ("INVALID_ARGUMENT", "ZONE_TRANSACTION_UNEXPECTED")
    draft = (await node.sequencer.SetConfig(config())).draft
    own = Transaction.decode(draft.transaction).operations[0]
    assert isinstance(own, ChannelConfig)
    twice = Order(operations=(own, replace(own, channel=named("another"))), signatures=(1, 1))
    two = (await node.rooms.wallet.prepare(twice)).draft.transaction.encoded
    submit = node.sequencer.SubmitSigned
    for raw in (b"", b"?", draft.transaction + b"\0", two):
        wrong = signed(draft, KEY)
        wrong.transaction = raw
        assert await refused(submit(wrong)) == unexpected
    wrong = signed(draft, KEY)
    wrong.transfer_proof = bytes(127)
    assert await refused(submit(wrong)) == unexpected


async def test_a_draft_that_is_given_up_reserves_nothing(node: Served) -> None:
    """ZON-33."""
    await made(node)
    before = node.rooms.wallet.reserved()
    draft = (await node.sequencer.SetConfig(config())).draft
    assert node.rooms.wallet.reserved() > before
    ask = pb.AbandonRequest(transaction=draft.transaction)
    for _ in range(2):
        await node.sequencer.Abandon(ask)
        assert node.rooms.wallet.reserved() == before
    await node.sequencer.SubmitSigned(signed(draft, KEY))
    submitted = ("FAILED_PRECONDITION", "ZONE_DRAFT_SUBMITTED")
    assert await refused(node.sequencer.Abandon(ask)) == submitted
    await node.include("configured")
    found = await node.chain.GetChannel(chain_pb2.GetChannelRequest(id=CHANNEL))
    assert found.configuration_threshold == 2


async def test_what_was_submitted_stays_reserved_and_is_kept(node: Served) -> None:
    """ZON-28: beyond the ten minutes of a draft."""
    await made(node)
    draft = (await node.sequencer.SetConfig(config())).draft
    reserved = node.rooms.wallet.reserved()
    await node.sequencer.SubmitSigned(signed(draft, KEY))
    node.node.clock.ms += 2 * DRAFT_MS
    other = (await node.sequencer.SetConfig(config(posting_timeframe_slots=9))).draft
    await node.sequencer.Abandon(pb.AbandonRequest(transaction=other.transaction))

    assert node.rooms.wallet.reserved() == reserved
    assert [each.hash for each in await node.node.wallets.drafts("node")] == [draft.hash]


async def test_a_draft_whose_proofs_are_verified_is_not_given_up(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-33."""
    await made(node)
    draft = (await node.sequencer.SetConfig(config())).draft
    reserved = node.rooms.wallet.reserved()
    asked, verified = asyncio.Event(), asyncio.Event()
    submit = node.rooms.mempool.submit

    async def slow(raw: bytes) -> bytes:
        asked.set()
        await verified.wait()
        return await submit(raw)

    monkeypatch.setattr(node.rooms.wallet._submitter, "_port", slow)
    monkeypatch.setattr(node.rooms.mempool, "submit", slow)
    call = node.sequencer.SubmitSigned(signed(draft, KEY))
    await asked.wait()
    ask = pb.AbandonRequest(transaction=draft.transaction)
    submitted = ("FAILED_PRECONDITION", "ZONE_DRAFT_SUBMITTED")
    assert await refused(node.sequencer.Abandon(ask)) == submitted
    verified.set()

    assert (await call).hash == draft.hash
    assert node.rooms.wallet.reserved() == reserved


async def test_a_draft_that_the_mempool_refuses_reserves_nothing(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-28: a copy may be submitted."""
    await made(node)
    before = node.rooms.wallet.reserved()
    draft = (await node.sequencer.SetConfig(config())).draft

    async def refuse(_raw: bytes) -> bytes:
        raise submission_error(MempoolRefusal.CONFLICT)

    with monkeypatch.context() as patch:
        patch.setattr(node.rooms.wallet._submitter, "_port", refuse)
        conflict = ("FAILED_PRECONDITION", "CONFLICT")
        assert await refused(node.sequencer.SubmitSigned(signed(draft, KEY))) == conflict
    assert node.rooms.wallet.reserved() == before

    assert (await node.sequencer.SubmitSigned(signed(draft, KEY))).hash == draft.hash


async def test_nothing_but_a_draft_is_given_up(node: Served) -> None:
    """ZON-33."""
    await made(node)
    before = node.rooms.wallet.reserved()
    paid = await node.rooms.wallet.send([Note(5, BOB)])
    waiting = node.rooms.mempool.get(paid)
    assert waiting is not None
    for raw in (b"", waiting.transaction.encoded):
        ask = node.sequencer.Abandon(pb.AbandonRequest(transaction=raw))
        unexpected = ("INVALID_ARGUMENT", "ZONE_TRANSACTION_UNEXPECTED")
        assert await refused(ask) == unexpected
    assert node.rooms.wallet.reserved() > before


async def test_rules_that_no_channel_can_have_are_refused(node: Served) -> None:
    """ZON-29."""
    ask = node.sequencer.SetConfig
    assert await refused(ask(config())) == ("NOT_FOUND", "CHANNEL_UNKNOWN")
    reserved = ("INVALID_ARGUMENT", "ZONE_CHANNEL_RESERVED")
    assert await refused(ask(config(channel=ZERO))) == reserved
    await made(node)
    cases: list[dict[str, Any]] = [
        {"keys": []},
        {"configuration_threshold": 0},
        {"configuration_threshold": 3},
        {"transfer_threshold": 0},
        {"transfer_threshold": 3},
        {"transfer_threshold": 65_537},
    ]
    for wrong in cases:
        order = ("INVALID_ARGUMENT", "WALLET_ORDER_INVALID")
        assert await refused(ask(config(**wrong))) == order


async def test_a_node_that_downloads_the_chain_changes_no_channel() -> None:
    """ZON-28 to ZON-30."""
    transfer = Transfer((named("note"),), (Note(1, BOB),))
    other = ChannelConfig(CHANNEL, (public(KEY),), 0, 0, 1, 1)
    raw = Transaction((other, transfer)).encoded
    async with served(is_online=False, patience_s=30.0) as node:
        for call in (
            node.sequencer.SetConfig(config()),
            node.sequencer.Withdraw(pb.WithdrawRequest(channel=CHANNEL, notes=[named("note")])),
            node.sequencer.Deposit(pb.DepositRequest(channel=CHANNEL, value=VALUE)),
            node.sequencer.SubmitSigned(
                pb.SubmitSignedRequest(transaction=raw, transfer_proof=bytes(128))
            ),
        ):
            assert await refused(call) == ("UNAVAILABLE", "ZONE_NODE_BEHIND")


# -- deposits and withdrawals ----------------------------------------------------------------------


async def test_a_deposit_is_released_as_it_is(node: Served) -> None:
    """ZON-27, ZON-30."""
    await configured(node)
    inside = await deposited(node)
    assert node.rooms.wallet.balances().in_channels == VALUE
    ask = pb.WithdrawRequest(channel=CHANNEL, notes=[inside])
    draft = (await node.sequencer.Withdraw(ask)).draft
    assert draft.threshold == 2
    few = ("FAILED_PRECONDITION", "ZONE_THRESHOLD_NOT_REACHED")
    assert await refused(node.sequencer.SubmitSigned(signed(draft, KEY))) == few
    await node.sequencer.SubmitSigned(signed(draft, KEY, OTHER))
    await node.include("released")
    found = await note(node, inside)
    assert (found.channel, found.note.value) == (b"", VALUE)
    foreign = ("FAILED_PRECONDITION", "ZONE_NOTE_FOREIGN")
    assert await refused(node.sequencer.Withdraw(ask)) == foreign


async def test_a_part_is_paid_to_a_key_and_the_rest_stays(node: Served) -> None:
    """ZON-30."""
    await configured(node)
    inside = await deposited(node)
    output = transaction_pb2.Note(value=300, public_key=BOB)
    ask = pb.WithdrawRequest(channel=CHANNEL, notes=[inside], output=output)
    draft = (await node.sequencer.Withdraw(ask)).draft
    await node.sequencer.SubmitSigned(signed(draft, KEY, OTHER))
    await node.include("paid")
    [paid] = Transaction.decode(draft.transaction).operations[1].inputs  # type: ignore[union-attr]
    found = await note(node, paid)
    assert (found.channel, found.note) == (b"", output)
    assert node.rooms.wallet.balances().in_channels == VALUE - 300
    spent = ("NOT_FOUND", "NOTE_UNKNOWN")
    assert await refused(node.sequencer.Withdraw(ask)) == spent


async def test_a_withdrawal_that_cannot_be_is_refused(node: Served) -> None:
    """ZON-30."""
    ask = node.sequencer.Withdraw
    wanted = pb.WithdrawRequest(channel=CHANNEL, notes=[named("none")])
    assert await refused(ask(wanted)) == ("NOT_FOUND", "CHANNEL_UNKNOWN")
    await configured(node)
    assert await refused(ask(wanted)) == ("NOT_FOUND", "NOTE_UNKNOWN")
    inside = await deposited(node)
    order = ("INVALID_ARGUMENT", "WALLET_ORDER_INVALID")
    for notes in ([], [inside, inside]):
        assert await refused(ask(pb.WithdrawRequest(channel=CHANNEL, notes=notes))) == order
    poor = ("FAILED_PRECONDITION", "ZONE_NOTES_INSUFFICIENT")
    for value, expected in ((0, order), (VALUE + 1, poor), *[(each, poor) for each in BEYOND]):
        output = transaction_pb2.Note(value=value, public_key=BOB)
        request = pb.WithdrawRequest(channel=CHANNEL, notes=[inside], output=output)
        assert await refused(ask(request)) == expected


async def test_a_deposit_that_cannot_be_is_refused(node: Served) -> None:
    """ZON-27."""
    ask = node.sequencer.Deposit
    unknown = pb.DepositRequest(channel=CHANNEL, value=VALUE)
    assert await refused(ask(unknown)) == ("NOT_FOUND", "CHANNEL_UNKNOWN")
    reserved = pb.DepositRequest(channel=ZERO, value=VALUE)
    assert await refused(ask(reserved)) == ("INVALID_ARGUMENT", "ZONE_CHANNEL_RESERVED")
    await made(node)
    order = ("INVALID_ARGUMENT", "WALLET_ORDER_INVALID")
    poor = ("FAILED_PRECONDITION", "WALLET_FUNDS_INSUFFICIENT")
    cases: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({"value": 0}, order),
        ({"metadata": bytes(1_835_009)}, order),
        ({"idempotency_key": bytes(65)}, order),
        *[({"value": each}, poor) for each in BEYOND],
    ]
    for changes, expected in cases:
        values: dict[str, Any] = {"channel": CHANNEL, "value": VALUE} | changes
        assert await refused(ask(pb.DepositRequest(**values))) == expected


async def test_a_deposit_of_a_name_is_made_once(node: Served) -> None:
    """ZON-27."""
    await made(node)
    wanted = pb.DepositRequest(channel=CHANNEL, value=VALUE, idempotency_key=b"name")
    first = await node.sequencer.Deposit(wanted)
    assert (await node.sequencer.Deposit(wanted)).hash == first.hash
    wanted.value += 1
    reused = ("ALREADY_EXISTS", "WALLET_REQUEST_REUSED")
    assert await refused(node.sequencer.Deposit(wanted)) == reused
    await node.include("deposit")
    await empty(node, "after", 2)
    assert node.rooms.wallet.balances().in_channels == VALUE
