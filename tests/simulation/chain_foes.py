"""Leaders that do not keep to the rules: they sign twice, and build chains in private."""

from functools import partial
from typing import Final

from chain_claims import Parcel, Place, make_block
from chain_links import Network
from chain_nodes import ChainNode, Made
from logos_chain.core.consensus.epochs import epoch_at, extend
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId

HASTE_SLOTS: Final = 256
"""Slots that an attacker searches at once."""


class Equivocator(ChainNode):
    """Stakes on everything: two blocks on its tip, with one key, and one on each other fork."""

    is_honest = False

    def spread(self, made: Made, parcel: Parcel) -> None:
        """One half of its neighbours gets the one block first, the other half the other one."""
        place, note, name = made.place, made.asked.note, f"{self.name} {self._names}"
        oracle = self.network.oracle
        twin = make_block(oracle, note, place, f"{name} twin", key_name=name)
        others = [
            make_block(oracle, note, each, f"{name} fork {number}")
            for number, each in enumerate(self._forks(place))
        ]
        for each in (twin, *others):
            self.take(each, "", lambda _reason: None)
        for number, neighbour in enumerate(self.neighbours):
            first, second = (parcel, twin) if number % 2 else (twin, parcel)
            for each in (first, second, *others):
                self.network.links.send(
                    self.node, neighbour.node, partial(neighbour.heard, each, self.name)
                )

    def _forks(self, place: Place) -> list[Place]:
        """Returns where else the same slot is won."""
        tree = self.follower.tree
        return [
            Place(each.id, place.slot, place.epoch, each.state.ledger_root)
            for each in tree.tips()
            if each.id != place.parent
            and each.slot < place.slot
            and epoch_at(self.network.parameters, each.state, place.slot) == place.epoch
        ]


class Private(ChainNode):
    """Has a chain that it made alone, and shows it to whoever asks."""

    is_honest = False


def private_chain(
    network: Network, start: TreeBlock, note: LeaderNote, *, blocks: int, end: int
) -> list[Parcel]:
    """Makes what one note alone can make, by the rules: the chain after a block.

    Args:
        network: Of the note.
        start: The genesis, or any other block.
        note: The attacker's.
        blocks: No more are made.
        end: The slot that runs now; none is made after it.
    """
    parameters, oracle = network.parameters, network.oracle
    made, parent, state = list[Parcel](), start.id, start.state
    slot = state.slot + 1
    while slot < end and len(made) < blocks:
        epoch = epoch_at(parameters, state, slot)
        last = min(slot + HASTE_SLOTS, parameters.epoch_begins(epoch.epoch + 1), end)
        won = oracle.winning_slots(epoch, note.note_id, slot, last)
        if not won:
            slot = last
            continue
        place = Place(BlockId(parent), won[0], epoch, state.ledger_root)
        parcel = make_block(oracle, note.note_id, place, f"private {len(made)}")
        state = extend(
            parameters,
            state,
            slot=won[0],
            entropy=parcel.candidate.header.entropy,
            ledger_root=state.ledger_root,
        )
        made.append(parcel)
        parent, slot = parcel.id, won[0] + 1
    return made
