"""The operations on channels.

Spec: docs/protocol/chain-ledger.md, LED-12 to LED-20. Source: LIP-98, Channel Operations.
"""

from dataclasses import replace

from logos_chain.core.ledger.context import TransactionContext
from logos_chain.core.ledger.errors import Refusal, RefusedError, refuse_unless
from logos_chain.core.ledger.obligations import Ed25519Obligation, threshold, zk_signature
from logos_chain.core.ledger.transfers import check_outputs
from logos_chain.core.ledger.types import Channel
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
    message_id,
)
from logos_mantle.fees import checked_sum
from logos_mantle.octets import ZERO
from logos_mantle.operations import operation_id
from logos_mantle.proofs import InscriptionProof, ThresholdProof, ZkSignatureProof

GENESIS_CHANNEL = ZERO
"""Holds the inscription of the genesis, and takes no operation (LED-12)."""


def new_channel(keys: tuple[bytes, ...], slot: int) -> Channel:
    """Returns a channel without messages (LED-13).

    Args:
        keys: Ed25519 keys, 32 bytes each.
        slot: Of the block that makes it.
    """
    return Channel(
        keys=keys,
        configuration_threshold=1,
        transfer_threshold=1,
        posting_timeframe_slots=0,
        posting_timeout_slots=0,
        tip=ZERO,
        tip_slot=slot,
        sequencer=0,
        sequencer_since_slot=slot,
    )


def turn_at(channel: Channel, slot: int) -> tuple[int, int]:
    """Returns whose turn it is in a slot, by place among the keys, and since which slot (LED-14).

    Args:
        channel: With at least one key.
        slot: Not before the one of its tip.
    """
    timeout, timeframe = channel.posting_timeout_slots, channel.posting_timeframe_slots
    silent = slot - channel.tip_slot
    if timeout and silent >= timeout:
        passed, since, length = silent // timeout, channel.tip_slot, timeout
    elif timeframe:
        since, length = channel.sequencer_since_slot, timeframe
        passed = (slot - since) // timeframe
    else:
        return channel.sequencer, channel.sequencer_since_slot
    return (channel.sequencer + passed) % len(channel.keys), since + passed * length


def inscribe(
    context: TransactionContext, operation: ChannelInscribe, proof: InscriptionProof
) -> None:
    """Writes a message (LED-15); raises `RefusedError`."""
    _refuse_reserved(operation.channel)
    channels, slot = context.state.channels, context.block.slot
    channel = channels.get(operation.channel)
    if channel is None:
        refuse_unless(operation.parent == ZERO, Refusal.WRONG_CHANNEL_PARENT)
        channel = new_channel((operation.signer,), slot)
    sequencer, since = turn_at(channel, slot)
    refuse_unless(channel.keys[sequencer] == operation.signer, Refusal.UNAUTHORIZED_SIGNER)
    refuse_unless(operation.parent == channel.tip, Refusal.WRONG_CHANNEL_PARENT)
    context.obligations.append(
        Ed25519Obligation(operation.signer, context.transaction.hash, proof.signature)
    )
    written = replace(
        channel,
        tip=message_id(operation),
        tip_slot=slot,
        sequencer=sequencer,
        sequencer_since_slot=since,
    )
    channels.write(operation.channel, written)


def configure(context: TransactionContext, operation: ChannelConfig, proof: ThresholdProof) -> None:
    """Replaces the rules of a channel, or makes it (LED-16); raises `RefusedError`."""
    _refuse_reserved(operation.channel)
    refuse_unless(bool(operation.keys), Refusal.NO_CHANNEL_KEYS)
    refuse_unless(
        0 < operation.configuration_threshold <= len(operation.keys)
        and operation.transfer_threshold > 0,
        Refusal.INVALID_THRESHOLD,
    )
    state, slot = context.state, context.block.slot
    channel, identifier = state.channels.get(operation.channel), message_id(operation)
    refuse_unless(identifier not in state.configurations, Refusal.REPLAYED_CONFIGURATION)
    if channel is None:
        refuse_unless(not proof.signatures, Refusal.SIGNATURE_COUNT)
    else:
        wanted = channel.configuration_threshold
        context.obligations += threshold(context.transaction, proof, channel.keys, wanted)
    state.configurations.write(identifier, slot)
    configured = Channel(
        keys=operation.keys,
        configuration_threshold=operation.configuration_threshold,
        transfer_threshold=operation.transfer_threshold,
        posting_timeframe_slots=operation.posting_timeframe_slots,
        posting_timeout_slots=operation.posting_timeout_slots,
        tip=identifier,
        tip_slot=slot,
        sequencer=0,
        sequencer_since_slot=slot,
    )
    state.channels.write(operation.channel, configured)


def deposit(
    context: TransactionContext, operation: ChannelDeposit, proof: ZkSignatureProof
) -> None:
    """Moves notes into a channel, under new ids (LED-17); raises `RefusedError`."""
    _existing(context, operation.channel)
    notes = context.state.notes
    found = [each.note for each in notes.spendable(operation.inputs)]
    keys = [each.public_key for each in found]
    context.obligations.append(zk_signature(context.transaction, keys, proof.signature))
    notes.spend(operation.inputs)
    notes.add(operation_id(operation), found, operation.channel)


def withdraw(
    context: TransactionContext, operation: ChannelWithdraw, proof: ThresholdProof
) -> None:
    """Releases notes of a channel; they keep their ids (LED-18); raises `RefusedError`."""
    channel = _existing(context, operation.channel)
    notes = context.state.notes
    notes.spendable(operation.inputs, operation.channel)
    wanted = channel.transfer_threshold
    context.obligations += threshold(context.transaction, proof, channel.keys, wanted)
    for each in operation.inputs:
        notes.release(each)


def channel_transfer(
    context: TransactionContext, operation: ChannelTransfer, proof: ThresholdProof
) -> None:
    """Consumes notes of a channel and creates others in it (LED-20); raises `RefusedError`."""
    check_outputs(operation.outputs)
    channel = _existing(context, operation.channel)
    notes = context.state.notes
    found = notes.spendable(operation.inputs, operation.channel)
    consumed = checked_sum(each.note.value for each in found)
    created = checked_sum(each.value for each in operation.outputs)
    refuse_unless(consumed == created, Refusal.UNBALANCED_CHANNEL)
    wanted = channel.transfer_threshold
    context.obligations += threshold(context.transaction, proof, channel.keys, wanted)
    notes.spend(operation.inputs)
    notes.add(operation_id(operation), operation.outputs, operation.channel)


def _existing(context: TransactionContext, identifier: bytes) -> Channel:
    _refuse_reserved(identifier)
    channel = context.state.channels.get(identifier)
    if channel is None:
        raise RefusedError(Refusal.UNKNOWN_CHANNEL)
    return channel


def _refuse_reserved(channel: bytes) -> None:
    refuse_unless(channel != GENESIS_CHANNEL, Refusal.RESERVED_CHANNEL)
