"""The registry of services as people look at it: which nodes were declared, and where they stand.

Spec: docs/protocol/chain-ledger.md, LED-24 to LED-31, LED-40.
"""

import heapq
from dataclasses import dataclass
from enum import StrEnum

from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.services import SETTLING_EPOCHS, last_sign
from logos_chain.core.ledger.types import Declaration


class Standing(StrEnum):
    """Whether a declared node is to serve (LED-40)."""

    ACTIVE = "ACTIVE"
    """It is taken into snapshots; `serves` says whether the present one has it."""
    INACTIVE = "INACTIVE"
    """It has shown no activity for too long, and is left out of snapshots."""
    WITHDRAWN = "WITHDRAWN"
    """It is left out for good, and removed once its last reward is paid."""


@dataclass(frozen=True, slots=True)
class DeclaredNode:
    """A declaration at the end of a chain."""

    identifier: bytes
    """32 bytes."""
    declaration: Declaration
    standing: Standing
    serves: bool
    """Whether it is among the providers of the present epoch."""
    locked_value: int
    """Of its note."""
    unlock_epoch: int | None
    """In which its note is unlocked; None: it was not withdrawn."""


def declared_node(ledger: Ledger, identifier: bytes) -> DeclaredNode | None:
    """Returns a declaration by its id, 32 bytes; None: there is none, or it was removed."""
    found = ledger.declaration(identifier)
    if found is None:
        return None
    note, withdrawn = ledger.note(found.message.locked_note_id), found.withdrawn_epoch
    return DeclaredNode(
        identifier=identifier,
        declaration=found,
        standing=_standing(ledger, found),
        serves=any(each.declaration_id == identifier for each in ledger.head.snapshots.present),
        locked_value=0 if note is None else note.note.value,
        unlock_epoch=None if withdrawn is None else withdrawn + SETTLING_EPOCHS,
    )


def declared_nodes(ledger: Ledger, after: bytes, limit: int) -> list[DeclaredNode]:
    """Returns declarations by ascending id, looking at all of them once.

    Args:
        ledger: At the end of a chain.
        after: The id before the first one; empty: from the first on.
        limit: At most so many.
    """
    later = (each for each, _ in ledger.state.declarations.items() if each > after)
    found = (declared_node(ledger, each) for each in heapq.nsmallest(limit, later))
    return [each for each in found if each is not None]


def _standing(ledger: Ledger, found: Declaration) -> Standing:
    if found.withdrawn_epoch is not None:
        return Standing.WITHDRAWN
    silent = ledger.head.epoch - last_sign(found)
    return Standing.ACTIVE if silent <= ledger.inactivity_epochs else Standing.INACTIVE
