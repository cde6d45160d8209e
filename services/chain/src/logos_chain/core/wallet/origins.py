"""Which operation has made a note of the wallet, and at which place: proofs of leadership say it.

Spec: docs/protocol/chain-wallet.md, WAL-21.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from logos_chain.core.wallet.ring import KeyRing
from logos_chain.core.wallet.types import BlockChanges, OwnedNote
from logos_mantle.channels import ChannelDeposit, ChannelTransfer
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.transfers import LeaderClaim, Transfer


@dataclass(frozen=True, slots=True)
class Origin:
    """What a note's id is made of, beside the note itself (MAN-16)."""

    operation_id: bytes
    """32 bytes."""
    output_index: int


def origins(
    changes: BlockChanges, keys: KeyRing, notes: Mapping[bytes, OwnedNote]
) -> dict[bytes, Origin]:
    """Returns the origins of the notes that operations of a block have made for own keys, by id.

    Hashes as often as the block pays to own keys, however large it is.

    Args:
        changes: Of the block.
        keys: The wallet's.
        notes: The wallet's, before the block.
    """
    made = {
        key: after.note
        for key, (before, after) in changes.notes.items()
        if before is None and after is not None and keys.is_own(after.note.public_key)
    }
    if not made:
        return {}
    passed = {key: each.note for key, each in notes.items()}
    found: dict[bytes, Origin] = {}
    for transaction in changes.transactions:
        for operation in transaction.operations:
            outputs = [each for each in _outputs(operation, passed, made) if _is_own(each, keys)]
            identifier = operation_id(operation) if outputs else b""
            for index, note in outputs:
                key = note_id(identifier, index, note)
                passed[key] = note
                found[key] = Origin(identifier, index)
    return found


def _outputs(
    operation: Operation, passed: Mapping[bytes, Note], made: Mapping[bytes, Note]
) -> list[tuple[int, Note]]:
    """Returns what an operation makes, as far as it can be own, with its place."""
    match operation:
        case Transfer() | ChannelTransfer():
            return list(enumerate(operation.outputs))
        case ChannelDeposit():
            inputs = [(at, passed.get(each)) for at, each in enumerate(operation.inputs)]
            return [(at, note) for at, note in inputs if note is not None]
        case LeaderClaim():
            # Its value stands in no operation. A key may have got several notes.
            rewards = {each for each in made.values() if each.public_key == operation.public_key}
            return [(0, each) for each in sorted(rewards, key=lambda one: one.value)]
        case _:
            return []


def _is_own(output: tuple[int, Note], keys: KeyRing) -> bool:
    return keys.is_own(output[1].public_key)
