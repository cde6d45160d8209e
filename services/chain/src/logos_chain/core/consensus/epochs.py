"""The state of epochs on a chain: which notes take part, with which randomness and difficulty.

Each block carries what the epochs after it need, so the state of any epoch follows from one block
and no walk back. A chain that skips epochs takes the last block before each snapshot, and counts
no occupied slot in the empty ones.

Spec: docs/protocol/chain-consensus.md, CON-4 to CON-11. Source: LIP-92, epoch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from logos_chain.core.consensus.fields import field_of, tag
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.stake import infer_total_stake
from logos_crypto.hashes import poseidon2_hash

_NONCE: Final = tag(b"EPOCH_NONCE_V1")


@dataclass(frozen=True, slots=True)
class EpochState:
    """What the lottery of one epoch is held with, on one chain."""

    epoch: int
    aged_root: bytes
    """C_LEAD: the ledger root when the epoch before began (CON-6). 32 bytes."""
    nonce: bytes
    """eta: 32 bytes, a field value (CON-7)."""
    total_stake: int
    """D: 1 to 2**64-1 (CON-8)."""


@dataclass(frozen=True, slots=True)
class BlockState:
    """What a chain ending in this block gives to the blocks after it."""

    slot: int
    nonce: bytes
    """The running nonce, this block included."""
    ledger_root: bytes
    """After this block; 32 bytes, which are not looked into."""
    epoch: EpochState
    """That of the block's own slot."""
    next_root: bytes
    """The ledger root when this epoch began: C_LEAD of the next one."""
    next_nonce: bytes
    """The running nonce of the last block in the observed part of this epoch, or before it."""
    occupied: int
    """Distinct occupied slots in the observed part of this epoch."""
    recent: tuple[int, ...]
    """Those of them that an uncle of a later block can have too."""


def genesis_state(ledger_root: bytes, nonce: bytes, total_stake: int) -> BlockState:
    """Returns the state of the genesis block (CON-5).

    Args:
        ledger_root: Over the outputs of the genesis; 32 bytes.
        nonce: What its inscription names; 32 bytes, a field value.
        total_stake: The sum of its outputs, 1 to 2**64-1.
    """
    epoch = EpochState(0, ledger_root, nonce, total_stake)
    return BlockState(0, nonce, ledger_root, epoch, ledger_root, nonce, 0, ())


def epoch_at(parameters: Parameters, state: BlockState, slot: int) -> EpochState:
    """Returns the epoch state of a slot on the chain that ends with this block.

    Args:
        parameters: Of the network.
        state: Of the last block before the slot.
        slot: Not before the block's.
    """
    epoch, last = parameters.epoch_of(slot), state.epoch.epoch
    if epoch < last:
        raise ValueError("a slot before the epoch of the block")
    if epoch == last:
        return state.epoch
    stake = infer_total_stake(parameters, state.epoch.total_stake, state.occupied)
    if epoch == last + 1:
        return EpochState(epoch, state.next_root, state.next_nonce, stake)
    for _ in range(0 if parameters.keeps_idle_stake else epoch - last - 1):
        lower = infer_total_stake(parameters, stake, 0)
        if lower == stake:
            break  # CON-10: it has come to its end, however many epochs are empty
        stake = lower
    return EpochState(epoch, state.ledger_root, state.nonce, stake)


def next_nonce(nonce: bytes, entropy: bytes, slot: int) -> bytes:
    """Returns the running nonce after a block (CON-9).

    Args:
        nonce: Before it; 32 bytes, a field value.
        entropy: The block's contribution (rho); 32 bytes, a field value.
        slot: The block's.
    """
    return poseidon2_hash((_NONCE, nonce, entropy, field_of(slot)))


def extend(
    parameters: Parameters,
    parent: BlockState,
    *,
    slot: int,
    entropy: bytes,
    ledger_root: bytes,
    uncle_slots: Iterable[int] = (),
) -> BlockState:
    """Returns the state of a valid block.

    Args:
        parameters: Of the network.
        parent: The state of the block's parent.
        slot: The block's, after the parent's.
        entropy: Its contribution to the nonce; 32 bytes, a field value.
        ledger_root: After the block; 32 bytes.
        uncle_slots: Of the uncles that it carries.
    """
    if slot <= parent.slot:
        raise ValueError("a block that is not after its parent")
    epoch = epoch_at(parameters, parent, slot)
    nonce = next_nonce(parent.nonce, entropy, slot)
    begins = parameters.epoch_begins(epoch.epoch)
    ends = begins + parameters.observed_slots
    if epoch.epoch != parent.epoch.epoch:
        base = replace(
            parent,
            epoch=epoch,
            next_root=parent.ledger_root,
            next_nonce=parent.nonce,
            occupied=0,
            recent=(),
        )
    else:
        base = parent
    if slot >= ends:
        return replace(base, slot=slot, nonce=nonce, ledger_root=ledger_root, recent=())
    found = {slot} | {each for each in uncle_slots if begins <= each < ends}
    found -= set(base.recent)
    oldest = slot - parameters.uncle_window_slots
    return BlockState(
        slot=slot,
        nonce=nonce,
        ledger_root=ledger_root,
        epoch=epoch,
        next_root=base.next_root,
        next_nonce=nonce,
        occupied=base.occupied + len(found),
        recent=tuple(each for each in (*base.recent, *sorted(found)) if each > oldest),
    )
