"""What the transactions of a final block say to the registry, in their order.

They were executed: only what they say is looked at here, and no state of the ledger is needed.

Spec: docs/protocol/rln-registry.md, RLC-2, RLC-3, RLC-6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from logos_chain.core.registry.messages import Registration, Slash, decode
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer


class ChannelNote(NamedTuple):
    """A note in the registry's channel."""

    id: bytes
    """32 bytes, as the channel has it."""
    value: int
    public_key: bytes
    """Of who has deposited it, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Told:
    """A deposit with a message."""

    message: Registration | Slash
    note: ChannelNote
    transaction: bytes
    """Its hash, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Written:
    """Something was inscribed or configured."""

    operation: ChannelInscribe | ChannelConfig


@dataclass(frozen=True, slots=True)
class Taken:
    """Notes have left the channel, or have become others in it."""

    notes: tuple[bytes, ...]
    """Their ids."""


Said = Told | Written | Taken


def said(transaction: Transaction, channel: bytes) -> Iterator[Said]:
    """Yields what a transaction says to a channel, in the order of its operations."""
    made: dict[bytes, Note] = {}
    operations = transaction.operations
    if all(getattr(each, "channel", None) != channel for each in operations):
        return
    for each in operations:
        match each:
            case Transfer():
                identifier = operation_id(each)
                made |= {note_id(identifier, at, one): one for at, one in enumerate(each.outputs)}
            case ChannelInscribe() | ChannelConfig() if each.channel == channel:
                yield Written(each)
            case ChannelDeposit() if each.channel == channel:
                told = _told(each, made, transaction)
                if told is not None:
                    yield told
            case ChannelTransfer() | ChannelWithdraw() if each.channel == channel:
                yield Taken(each.inputs)
            case _:
                pass


def _told(
    deposit: ChannelDeposit, made: dict[bytes, Note], transaction: Transaction
) -> Told | None:
    message = decode(deposit.metadata)
    note = made.get(deposit.inputs[0]) if len(deposit.inputs) == 1 else None
    if message is None or note is None:
        return None
    kept = ChannelNote(note_id(operation_id(deposit), 0, note), note.value, note.public_key)
    return Told(message, kept, transaction.hash)
