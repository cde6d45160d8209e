"""Keys, rules and notes of a channel, by gRPC at a node. Keys stay with the client.

Spec: docs/protocol/zone-sdk.md, ZON-25 to ZON-31, ZON-33.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from logos.chain.v1 import chain_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.transaction_pb2 import Note as WireNote
from logos.chain.v1.zone_pb2_grpc import ZoneSequencerStub
from logos_mantle.channels import ChannelConfig
from logos_mantle.errors import MalformedError
from logos_mantle.notes import Note
from logos_mantle.octets import GROTH16_BYTES, KEY_BYTES, ZERO, is_field
from logos_mantle.proofs import MAX_THRESHOLD
from logos_mantle.transactions import Transaction
from logos_zone_sdk.core.errors import (
    ChainBrokenError,
    ChannelReservedError,
    DraftForeignError,
)
from logos_zone_sdk.core.governing import Change, Draft, Withdrawal
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.node import CALL_TIMEOUT_S, to_point

__all__ = [
    "MAX_THRESHOLD",
    "Change",
    "ChannelConfig",
    "Draft",
    "KeptSequencer",
    "Note",
    "Withdrawal",
    "ZoneGovernor",
]


@dataclass(frozen=True, slots=True)
class KeptSequencer:
    """What a node keeps of a sequencer, and goes on from (ZON-25)."""

    final: Point
    """The newest final block that it had followed."""
    last_message: bytes | None
    """Id of the channel's last message up to there, 32 bytes, zeros: there was none; None: it was
    not known."""
    next_number: int
    """Of the next payload."""
    pending: dict[int, int]
    """Sizes in bytes of the payloads that are not final, by number."""


class ZoneGovernor:
    """Asks one node for what concerns one channel. Every method may raise `AioRpcError`."""

    def __init__(self, channel_id: bytes, node: grpc.aio.Channel) -> None:
        """
        Args:
            channel_id: 32 bytes, not zero.
            node: A channel to the node, whose wallet pays.

        Raises:
            ChannelReservedError
        """
        if channel_id == ZERO:
            raise ChannelReservedError("channel zero is the genesis', and has no keys")
        self._channel_id = channel_id
        self._chain = ChainNodeStub(node)
        self._zone = ZoneSequencerStub(node)

    async def kept(self, key: bytes) -> KeptSequencer:
        """Returns what the node keeps of a sequencer by its public key, 32 bytes (ZON-25)."""
        request = pb.GetCheckpointRequest(channel=self._channel_id, key=key)
        found = await self._zone.GetCheckpoint(request, timeout=CALL_TIMEOUT_S)
        last = found.last_message if found.HasField("last_message") else None
        pending = {each.number: each.size_bytes for each in found.pending}
        return KeptSequencer(to_point(found.final), last, found.next_number, pending)

    async def forget(self, key: bytes) -> None:
        """Drops what the node keeps of a sequencer, with what is not final (ZON-26)."""
        request = pb.ForgetRequest(channel=self._channel_id, key=key)
        await self._zone.Forget(request, timeout=CALL_TIMEOUT_S)

    async def deposit(self, value: int, *, metadata: bytes = b"", request: bytes = b"") -> bytes:
        """Gives a value of the node's wallet to the channel (ZON-27).

        Args:
            value: Above 0.
            metadata: For the zone, at most 1,835,008 bytes.
            request: At most 64 bytes: again with the same ones it pays nothing. Empty: each pays.

        Returns:
            The transaction's hash, 32 bytes.
        """
        wanted = pb.DepositRequest(
            channel=self._channel_id, value=value, metadata=metadata, idempotency_key=request
        )
        return (await self._zone.Deposit(wanted, timeout=CALL_TIMEOUT_S)).hash

    async def rules(self) -> ChannelConfig:
        """Returns the channel's keys and rules at the tip, as the node shows them."""
        request = chain_pb2.GetChannelRequest(id=self._channel_id)
        found = await self._chain.GetChannel(request, timeout=CALL_TIMEOUT_S)
        return ChannelConfig(
            self._channel_id,
            tuple(found.keys),
            found.posting_timeframe_slots,
            found.posting_timeout_slots,
            found.configuration_threshold,
            found.transfer_threshold,
        )

    async def withdrawal(self, notes: Sequence[bytes], output: Note | None = None) -> Withdrawal:
        """Returns the withdrawal of notes: what stays is as much as they are worth at the node.

        Args:
            notes: Ids of notes of the channel, 1 to 255, each once.
            output: What to pay of them; None: they leave as they are.

        Raises:
            ChainBrokenError: The node shows a note without a key.
        """
        found = tuple(notes)
        if output is None or not found:
            return Withdrawal(self._channel_id, found, output)
        there = [await self._note(each) for each in found]
        rest = sum(each.value for each in there) - output.value
        stays = Note(rest, there[0].public_key) if rest > 0 else None
        return Withdrawal(self._channel_id, found, output, stays)

    async def draft(self, asked: Change) -> Draft:
        """Has the node draft a change, for which its wallet reserves notes for ten minutes.

        Raises:
            DraftForeignError: The node has drafted another one (ZON-31).
        """
        if isinstance(asked, Withdrawal):
            found = await self._zone.Withdraw(_to_withdraw(asked), timeout=CALL_TIMEOUT_S)
            return _from_wire(found.draft, asked)
        request = _to_set_config(asked)
        return _from_wire(
            (await self._zone.SetConfig(request, timeout=CALL_TIMEOUT_S)).draft, asked
        )

    async def submit(self, draft: Draft) -> bytes:
        """Gives a signed draft to the node that has drafted it; returns its hash, 32 bytes."""
        one = pb.SubmitSignedRequest.Signature
        request = pb.SubmitSignedRequest(
            transaction=draft.transaction.encoded,
            transfer_proof=draft.transfer_proof,
            signatures=[one(key=key, signature=each) for key, each in draft.signatures.items()],
        )
        await self._zone.SubmitSigned(request, timeout=CALL_TIMEOUT_S)
        return draft.hash

    async def abandon(self, draft: Draft) -> None:
        """Frees the notes that a draft reserves at the node that has drafted it (ZON-33)."""
        request = pb.AbandonRequest(transaction=draft.transaction.encoded)
        await self._zone.Abandon(request, timeout=CALL_TIMEOUT_S)

    async def _note(self, identifier: bytes) -> Note:
        request = chain_pb2.GetNoteRequest(id=identifier)
        found = (await self._chain.GetNote(request, timeout=CALL_TIMEOUT_S)).note
        if len(found.public_key) != KEY_BYTES or not is_field(found.public_key):
            raise ChainBrokenError("the node shows a note without a key")
        return Note(found.value, found.public_key)


def _to_set_config(asked: ChannelConfig) -> pb.SetConfigRequest:
    return pb.SetConfigRequest(
        channel=asked.channel,
        keys=asked.keys,
        posting_timeframe_slots=asked.posting_timeframe_slots,
        posting_timeout_slots=asked.posting_timeout_slots,
        configuration_threshold=asked.configuration_threshold,
        transfer_threshold=asked.transfer_threshold,
    )


def _to_withdraw(asked: Withdrawal) -> pb.WithdrawRequest:
    request = pb.WithdrawRequest(channel=asked.channel, notes=asked.notes)
    if asked.output is not None:
        output = WireNote(value=asked.output.value, public_key=asked.output.public_key)
        request.output.CopyFrom(output)
    return request


def _from_wire(found: pb.ChannelDraft, asked: Change) -> Draft:
    is_sized = len(found.transfer_proof) == GROTH16_BYTES and found.threshold <= MAX_THRESHOLD
    if not is_sized or {len(each) for each in found.keys} != {KEY_BYTES}:
        raise DraftForeignError("the node's answer is no draft")
    try:
        transaction = Transaction.decode(found.transaction)
    except MalformedError as error:
        raise DraftForeignError("the node's draft does not decode") from error
    draft = Draft(transaction, found.transfer_proof, found.fee, found.threshold, tuple(found.keys))
    draft.check(asked)
    return draft
