"""What a transaction takes, needs and makes, as keys: found without the ledger's state.

A key names one thing in one condition: a note that is free, a note that is a channel's, a tip of a
channel. So two transactions conflict if they take one key, and one follows another if it takes or
needs a key that the other makes.

Spec: docs/protocol/chain-mempool.md, MPL-6, MPL-7.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from logos_chain.core.ledger.services import identity_keys
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
    message_id,
)
from logos_mantle.notes import Note, note_id
from logos_mantle.octets import ZERO
from logos_mantle.operations import Operation, operation_id
from logos_mantle.services import SdpActive, SdpDeclare, SdpWithdraw
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer


@dataclass(frozen=True, slots=True)
class Footprint:
    """Keys of a transaction, those among them that it makes for itself."""

    takes: frozenset[bytes]
    """Of which it must be the only one."""
    needs: frozenset[bytes]
    """That may be shared."""

    @property
    def follows(self) -> frozenset[bytes]:
        """Keys whose makers must come before it."""
        return self.takes | self.needs


@dataclass(slots=True)
class _Keys:
    takes: set[bytes] = field(default_factory=set)
    needs: set[bytes] = field(default_factory=set)

    def take(self, kind: bytes, values: Iterable[bytes]) -> None:
        self.takes.update(kind + each for each in values)


def footprint(transaction: Transaction) -> Footprint:
    """Returns what a transaction takes and needs; it costs no hash of a note."""
    keys = _Keys()
    for each in transaction.operations:
        _collect(keys, each)
    return Footprint(frozenset(keys.takes), frozenset(keys.needs))


def makes(transaction: Transaction) -> frozenset[bytes]:
    """Returns the keys that a transaction makes: a hash for each of its notes.

    The note of a claim is not among them: its value is known only as it is executed.
    """
    return frozenset(key for each in transaction.operations for key in _made(each))


def _collect(keys: _Keys, operation: Operation) -> None:
    match operation:
        case Transfer(inputs=inputs):
            keys.take(b"note", inputs)
        case ChannelDeposit(channel=channel, inputs=inputs):
            keys.take(b"note", inputs)
            keys.needs.add(b"channel" + channel)
        case ChannelWithdraw(inputs=inputs) | ChannelTransfer(inputs=inputs):
            keys.take(b"owned", inputs)
        case ChannelInscribe(channel=channel, parent=parent):
            keys.take(b"tip", [channel + parent])
        case ChannelConfig():
            keys.take(b"configuration", [message_id(operation)])
        case SdpDeclare():
            keys.take(b"note", [operation.locked_note_id])
            keys.take(b"identity", identity_keys(operation))
        case SdpWithdraw(declaration_id=declaration):
            keys.take(b"withdrawal", [declaration])
            keys.needs.add(b"declaration" + declaration)
        case SdpActive(declaration_id=declaration, metadata=activity):
            keys.take(b"activity", [declaration + activity.epoch.to_bytes(4, "little")])
            keys.needs.add(b"declaration" + declaration)
        case LeaderClaim(voucher_nullifier=nullifier):
            keys.take(b"nullifier", [nullifier])


def _made(operation: Operation) -> list[bytes]:
    match operation:
        case Transfer(outputs=outputs) | ChannelTransfer(outputs=outputs):
            kind = b"note" if isinstance(operation, Transfer) else b"owned"
            return _notes(kind, operation, outputs)
        case ChannelWithdraw(inputs=inputs):
            return [b"note" + each for each in inputs]
        case ChannelInscribe(channel=channel, parent=parent):
            tip = b"tip" + channel + message_id(operation)
            return [tip, b"channel" + channel] if parent == ZERO else [tip]
        case ChannelConfig(channel=channel):
            return [b"tip" + channel + message_id(operation), b"channel" + channel]
        case SdpDeclare():
            return [b"declaration" + operation.declaration_id()]
        case _:
            return []


def _notes(kind: bytes, operation: Operation, notes: Sequence[Note]) -> list[bytes]:
    identifier = operation_id(operation)
    return [kind + note_id(identifier, index, each) for index, each in enumerate(notes)]
