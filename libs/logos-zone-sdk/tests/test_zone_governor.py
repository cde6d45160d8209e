"""ZON-25 to ZON-31: the client of a channel's keys and notes, at a node that says what a test has
it say."""

# ruff: noqa: N802 - gRPC's names

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import chain_pb2, transaction_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeServicer, add_ChainNodeServicer_to_server
from logos.chain.v1.zone_pb2_grpc import (
    ZoneSequencerServicer,
    add_ZoneSequencerServicer_to_server,
)
from logos_client.channels import channel_to
from logos_mantle.channels import ChannelConfig
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO
from logos_mantle.operations import Operation
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.errors import (
    ChainBrokenError,
    ChannelReservedError,
    DraftForeignError,
)
from logos_zone_sdk.core.governing import Withdrawal, operations_of
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.governing import KeptSequencer, ZoneGovernor
from logos_zone_sdk.node import reason_of
from zone_chain import CHANNEL
from zone_node import refuse

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in (1, 2)]
PUBLIC = [each.public_key().public_bytes_raw() for each in KEYS]
NOTES = [bytes([1]) * 32, bytes([2]) * 32]
OWNERS = [bytes([3]) * 32, bytes([4]) * 32]
PAYMENT = Transfer((bytes([5]) * 32,), (Note(1, bytes([6]) * 32),))
BLOCK = chain_pb2.BlockPoint(id=bytes([7]) * 32, height=7, slot=140)


@dataclass
class Scripted(ZoneSequencerServicer, ChainNodeServicer):
    """Has a channel of two keys and two notes; drafts `operations`, or what it is asked for."""

    operations: tuple[Operation, ...] = ()
    changed: Callable[[pb.ChannelDraft], None] = lambda _draft: None
    asked: list[Any] = field(default_factory=list)
    values: dict[bytes, int] = field(
        default_factory=lambda: dict(zip(NOTES, (400, 600), strict=True))
    )
    owners: dict[bytes, bytes] = field(
        default_factory=lambda: dict(zip(NOTES, OWNERS, strict=True))
    )

    def _draft(self) -> pb.ChannelDraft:
        made = Transaction(self.operations)
        draft = pb.ChannelDraft(
            hash=made.hash,
            transaction=made.encoded,
            transfer_proof=bytes(128),
            fee=7,
            threshold=2,
            keys=PUBLIC,
        )
        self.changed(draft)
        return draft

    async def GetChannel(self, request: Any, context: Any) -> Any:
        return chain_pb2.GetChannelResponse(
            keys=PUBLIC,
            posting_timeframe_slots=5,
            posting_timeout_slots=6,
            configuration_threshold=1,
            transfer_threshold=2,
        )

    async def GetNote(self, request: Any, context: Any) -> Any:
        note = transaction_pb2.Note(
            value=self.values[request.id], public_key=self.owners[request.id]
        )
        return chain_pb2.GetNoteResponse(note=note, channel=CHANNEL)

    async def SetConfig(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return pb.SetConfigResponse(draft=self._draft())

    async def Withdraw(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return pb.WithdrawResponse(draft=self._draft())

    async def SubmitSigned(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return pb.SubmitSignedResponse()

    async def Deposit(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return pb.DepositResponse(hash=bytes([8]) * 32)

    async def GetCheckpoint(self, request: Any, context: Any) -> Any:
        if request.key != PUBLIC[0]:
            await refuse(context, "NOT_FOUND", "ZONE_SEQUENCER_UNKNOWN")
        one = pb.GetCheckpointResponse.Pending
        return pb.GetCheckpointResponse(
            final=BLOCK, next_number=9, pending=[one(number=7, size_bytes=3), one(number=8)]
        )

    async def Forget(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return pb.ForgetResponse()


@pytest.fixture
async def node() -> Scripted:
    return Scripted()


@pytest.fixture
async def governor(node: Scripted) -> AsyncIterator[ZoneGovernor]:
    server = grpc.aio.server()
    add_ZoneSequencerServicer_to_server(node, server)
    add_ChainNodeServicer_to_server(node, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with channel_to(f"127.0.0.1:{port}") as channel:
        yield ZoneGovernor(CHANNEL, channel)
    await server.stop(0)


async def test_rules_are_read_drafted_signed_and_submitted(
    node: Scripted, governor: ZoneGovernor
) -> None:
    """ZON-28, ZON-29."""
    config = await governor.rules()
    assert config == ChannelConfig(CHANNEL, tuple(PUBLIC), 5, 6, 1, 2)
    node.operations = (config, PAYMENT)
    draft = await governor.draft(config)
    for each in KEYS:
        draft = draft.signed(each, config)
    assert await governor.submit(draft) == draft.hash

    request, submitted = node.asked
    assert request == pb.SetConfigRequest(
        channel=CHANNEL,
        keys=PUBLIC,
        posting_timeframe_slots=5,
        posting_timeout_slots=6,
        configuration_threshold=1,
        transfer_threshold=2,
    )
    assert (draft.fee, draft.threshold, draft.keys) == (7, 2, tuple(PUBLIC))
    assert submitted.transaction == Transaction(node.operations).encoded
    assert submitted.transfer_proof == bytes(128)
    for key, each in zip(KEYS, submitted.signatures, strict=True):
        key.public_key().verify(each.signature, draft.hash)


async def test_what_stays_is_what_the_notes_are_worth_above_the_output(
    node: Scripted, governor: ZoneGovernor
) -> None:
    """ZON-30, ZON-31."""
    output = Note(300, bytes([9]) * 32)
    asked = await governor.withdrawal(NOTES, output)
    assert asked == Withdrawal(CHANNEL, tuple(NOTES), output, Note(700, OWNERS[0]))
    node.operations = (*operations_of(asked), PAYMENT)
    assert (await governor.draft(asked)).change == asked
    wanted = transaction_pb2.Note(value=300, public_key=output.public_key)
    assert node.asked == [pb.WithdrawRequest(channel=CHANNEL, notes=NOTES, output=wanted)]

    whole = await governor.withdrawal(NOTES, Note(1000, OWNERS[1]))
    assert whole.rest is None
    as_they_are = await governor.withdrawal(NOTES)
    node.operations = (*operations_of(as_they_are), PAYMENT)
    await governor.draft(as_they_are)
    assert node.asked[-1] == pb.WithdrawRequest(channel=CHANNEL, notes=NOTES)


def cut(draft: pb.ChannelDraft) -> None:
    draft.transaction = draft.transaction[:-1]


def unproven(draft: pb.ChannelDraft) -> None:
    draft.transfer_proof = b""


def without_keys(draft: pb.ChannelDraft) -> None:
    draft.keys.clear()


def with_half_a_key(draft: pb.ChannelDraft) -> None:
    draft.keys[0] = draft.keys[0][:16]


def of_many(draft: pb.ChannelDraft) -> None:
    draft.threshold = 65_536


@pytest.mark.parametrize("changed", [cut, unproven, without_keys, with_half_a_key, of_many])
async def test_an_answer_that_is_no_draft_is_refused(
    node: Scripted, governor: ZoneGovernor, changed: Callable[[pb.ChannelDraft], None]
) -> None:
    """ZON-31."""
    config = await governor.rules()
    node.operations, node.changed = (config, PAYMENT), changed
    with pytest.raises(DraftForeignError):
        await governor.draft(config)


async def test_a_draft_of_another_change_is_refused(node: Scripted, governor: ZoneGovernor) -> None:
    """ZON-31: before a key has signed it."""
    config, release = await governor.rules(), await governor.withdrawal(NOTES)
    node.operations = (*operations_of(release), PAYMENT)
    with pytest.raises(DraftForeignError):
        await governor.draft(config)
    node.operations = (config, PAYMENT)
    with pytest.raises(DraftForeignError):
        await governor.draft(release)


async def test_the_hash_that_is_signed_is_not_the_node_s(
    node: Scripted, governor: ZoneGovernor
) -> None:
    """ZON-31."""

    def renamed(draft: pb.ChannelDraft) -> None:
        draft.hash = bytes(32)

    config = await governor.rules()
    node.operations, node.changed = (config, PAYMENT), renamed
    assert (await governor.draft(config)).hash == Transaction(node.operations).hash


async def test_a_note_without_a_key_is_no_note(node: Scripted, governor: ZoneGovernor) -> None:
    for wrong in (b"", b"\xff" * 32):
        node.owners[NOTES[0]] = wrong
        with pytest.raises(ChainBrokenError):
            await governor.withdrawal(NOTES, Note(1, OWNERS[1]))


async def test_a_deposit_names_its_request(node: Scripted, governor: ZoneGovernor) -> None:
    """ZON-27."""
    assert await governor.deposit(5, metadata=b"for", request=b"once") == bytes([8]) * 32
    assert node.asked == [
        pb.DepositRequest(channel=CHANNEL, value=5, metadata=b"for", idempotency_key=b"once")
    ]


async def test_what_is_kept_is_told_and_forgotten(node: Scripted, governor: ZoneGovernor) -> None:
    """ZON-25, ZON-26."""
    kept = KeptSequencer(Point(BLOCK.id, 7, 140), None, 9, {7: 3, 8: 0})
    assert await governor.kept(PUBLIC[0]) == kept
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await governor.kept(PUBLIC[1])
    assert reason_of(caught.value) == "ZONE_SEQUENCER_UNKNOWN"
    await governor.forget(PUBLIC[1])
    assert node.asked == [pb.ForgetRequest(channel=CHANNEL, key=PUBLIC[1])]


async def test_channel_zero_has_no_keys() -> None:
    async with channel_to("127.0.0.1:1") as channel:
        with pytest.raises(ChannelReservedError):
            ZoneGovernor(ZERO, channel)
