"""What a proof of leadership says, and what it is made of.

The node that makes one and those that verify it take its public values from here, so they cannot
differ.

Spec: docs/protocol/zk.md, ZK-5, ZK-7; chain-consensus.md, CON-14, CON-33; chain-leading.md, LEA-2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_chain.core.consensus.lottery import LeaderNote, Lottery
from logos_crypto.circuits import Values, key_halves, selectors
from logos_crypto.hashes import MODULUS
from logos_crypto.trees import LEDGER_DEPTH, MerklePath
from logos_mantle.derivations import reduced
from logos_mantle.notes import Note, note_id

LEADERSHIP: Final = "leadership"
"""The circuit's name."""


@dataclass(frozen=True, slots=True)
class OwnNote:
    """A note of this node's wallet, with what a proof needs of it (LEA-2)."""

    leader: LeaderNote = field(repr=False)
    public_key: bytes
    """32 bytes; its paths are taken for this key."""
    operation_id: bytes
    """Of the operation that has made it, 32 bytes."""
    output_index: int
    """Its place among the outputs of that operation."""

    @property
    def id(self) -> bytes:
        """32 bytes."""
        return self.leader.note_id


def made_by(
    operation_id: bytes, outputs: Sequence[Note], leaders: Iterable[LeaderNote]
) -> list[OwnNote]:
    """Returns those of some notes that an operation has made.

    Args:
        operation_id: 32 bytes; of a genesis, that of its transfer.
        outputs: Of the operation, in their order.
        leaders: The notes of a wallet.
    """
    wanted = {each.note_id: each for each in leaders}
    ids = [note_id(operation_id, at, each) for at, each in enumerate(outputs)]
    return [
        OwnNote(wanted[identifier], outputs[at].public_key, operation_id, at)
        for at, identifier in enumerate(ids)
        if identifier in wanted
    ]


def public_values(
    lottery: Lottery,
    *,
    aged_root: bytes,
    latest_root: bytes,
    slot: int,
    entropy: bytes,
    leader_key: bytes,
) -> Values:
    """Returns the public values of a proof.

    Args:
        lottery: Of the slot's epoch.
        aged_root: Of the epoch; 32 bytes, a field value, as the others.
        latest_root: Of the ledger after the parent.
        slot: 64 bits.
        entropy: The contribution to the nonce (rho).
        leader_key: Ed25519, 32 bytes.
    """
    low, high = key_halves(leader_key)
    return {
        "entropy_contribution": _number(entropy),
        "slot": slot,
        "epoch_nonce": _number(lottery.nonce),
        # Where f is large and the stake small, they are not below it.
        "t0": lottery.t0 % MODULUS,
        "t1": lottery.t1 % MODULUS,
        "aged_root": _number(aged_root),
        "latest_root": _number(latest_root),
        "leader_key_low": low,
        "leader_key_high": high,
    }


def private_values(note: OwnNote, aged: MerklePath, latest: MerklePath) -> Values:
    """Returns the private values of a proof. Secret.

    Args:
        note: That wins the slot.
        aged: Its path to the aged root.
        latest: Its path to the root after the parent.
    """
    return {
        "secret_key": _number(note.leader.secret_key),
        "value": note.leader.value,
        "operation_id": _number(reduced(note.operation_id)),
        "output_index": note.output_index,
        "aged_path": [_number(each) for each in aged.siblings],
        "aged_selectors": selectors(aged.index, LEDGER_DEPTH),
        "latest_path": [_number(each) for each in latest.siblings],
        "latest_selectors": selectors(latest.index, LEDGER_DEPTH),
    }


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
