"""Between the messages of the zones' contract and the values of `logos_zone_sdk`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from logos.chain.v1 import chain_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos_chain.core.wallet.errors import OrderInvalidError
from logos_chain.operations.zones.governing import Drafted
from logos_chain.operations.zones.signing import Sign
from logos_chain.operations.zones.writing import Pending, RefusedPayload, Told
from logos_chain.rpc import convert
from logos_mantle.channels import ChannelConfig, ChannelInscribe
from logos_mantle.limits import MAX_CHANNEL_KEYS
from logos_mantle.proofs import MAX_THRESHOLD
from logos_zone_sdk.core.events import (
    Adopted,
    Built,
    Finalized,
    FinalMessage,
    Included,
    NotTaken,
    Orphaned,
    Published,
    Ready,
    Taken,
)
from logos_zone_sdk.core.messages import ChannelMessage, Point
from logos_zone_sdk.core.places import Checkpoint

Event = pb.PublishResponse


def from_point(point: Point) -> chain_pb2.BlockPoint:
    return chain_pb2.BlockPoint(id=point.id, height=point.height, slot=point.slot)


def from_message(message: ChannelMessage) -> pb.ZoneMessage:
    told = pb.ZoneMessage(id=message.id, block=from_point(message.block))
    operation = message.operation
    if isinstance(operation, ChannelInscribe):
        told.inscription.payload = operation.inscription
        told.inscription.parent = operation.parent
        told.inscription.signer = operation.signer
    else:
        told.configuration.keys.extend(operation.keys)
        told.configuration.posting_timeframe_slots = operation.posting_timeframe_slots
        told.configuration.posting_timeout_slots = operation.posting_timeout_slots
        told.configuration.configuration_threshold = operation.configuration_threshold
        told.configuration.transfer_threshold = operation.transfer_threshold
    return told


def to_config(request: pb.CreateChannelRequest) -> ChannelConfig:
    """Reads a channel's keys and turns; raises `IdInvalidError`, `OrderInvalidError`."""
    return _config(request, 1, 1)


def to_new_config(request: pb.SetConfigRequest) -> ChannelConfig:
    """Reads new keys and rules of a channel; errors as `to_config`."""
    for field in ("configuration_threshold", "transfer_threshold"):
        if getattr(request, field) > MAX_THRESHOLD:
            raise OrderInvalidError(f"at most {MAX_THRESHOLD}", field=field)
    return _config(request, request.configuration_threshold, request.transfer_threshold)


def _config(
    request: pb.CreateChannelRequest | pb.SetConfigRequest, configuration: int, transfer: int
) -> ChannelConfig:
    keys = tuple([convert.identifier(each, "keys") for each in request.keys])
    if not 0 < len(keys) <= MAX_CHANNEL_KEYS:
        raise OrderInvalidError(f"1 to {MAX_CHANNEL_KEYS} keys", field="keys")
    return ChannelConfig(
        convert.identifier(request.channel, "channel"),
        keys,
        request.posting_timeframe_slots,
        request.posting_timeout_slots,
        configuration_threshold=configuration,
        transfer_threshold=transfer,
    )


def from_checkpoint(kept: Checkpoint) -> pb.GetCheckpointResponse:
    """Returns a checkpoint without the bytes of its payloads (ZON-25)."""
    return pb.GetCheckpointResponse(
        final=from_point(kept.final),
        last_message=kept.last_message,
        next_number=kept.next_number,
        pending=[
            pb.GetCheckpointResponse.Pending(number=each.number, size_bytes=len(each.payload))
            for each in kept.pending
        ],
    )


def from_drafted(drafted: Drafted) -> pb.ChannelDraft:
    draft = drafted.prepared.draft
    return pb.ChannelDraft(
        hash=draft.hash,
        transaction=draft.transaction.encoded,
        transfer_proof=drafted.prepared.transfer_proof,
        fee=draft.fee,
        threshold=drafted.threshold,
        keys=drafted.channel.keys,
    )


def from_told(told: Told) -> pb.PublishResponse:
    """Returns what a sequencer's caller is told."""
    return _TOLD[type(told)](told)


def _from_final(message: FinalMessage) -> pb.PublishResponse.Finalized.Message:
    return pb.PublishResponse.Finalized.Message(
        id=message.id, number=message.number, block=from_point(message.block)
    )


def _from_built(one: Built) -> pb.PublishResponse.Built:
    before = one.replaces or b""
    return Event.Built(number=one.number, message=one.message, parent=one.parent, replaces=before)


def _from_included(one: Included) -> pb.PublishResponse.Included:
    return Event.Included(number=one.number, message=one.message, block=from_point(one.block))


def _from_sign(one: Sign) -> pb.PublishResponse.Sign:
    return Event.Sign(
        number=one.number, message=one.message, hash=one.hash, transaction=one.transaction
    )


def _from_refused(one: RefusedPayload) -> pb.PublishResponse.Refused:
    return Event.Refused(number=one.number, reason=one.reason, next_number=one.next_number)


def _from_missed(one: NotTaken) -> pb.PublishResponse.NotSubmitted:
    return Event.NotSubmitted(number=one.number, message=one.message, reason=one.reason)


def _from_taken(one: Taken) -> pb.PublishResponse.Submitted:
    return Event.Submitted(number=one.number, message=one.message)


def _from_finals(one: Finalized) -> pb.PublishResponse.Finalized:
    return Event.Finalized(messages=[_from_final(each) for each in one.messages])


_TOLD: Final[Mapping[type, Callable[[Any], pb.PublishResponse]]] = {
    Ready: lambda one: Event(ready=Event.Ready(last_message=one.last_message)),
    Pending: lambda one: Event(pending=Event.Pending(number=one.number)),
    Published: lambda one: Event(pending=Event.Pending(number=one.number)),
    RefusedPayload: lambda one: Event(refused=_from_refused(one)),
    Sign: lambda one: Event(sign=_from_sign(one)),
    Built: lambda one: Event(built=_from_built(one)),
    Taken: lambda one: Event(submitted=_from_taken(one)),
    NotTaken: lambda one: Event(not_submitted=_from_missed(one)),
    Included: lambda one: Event(included=_from_included(one)),
    Adopted: lambda one: Event(adopted=Event.Adopted(message=from_message(one.message))),
    Orphaned: lambda one: Event(orphaned=Event.Orphaned(message=one.message)),
    Finalized: lambda one: Event(finalized=_from_finals(one)),
}
