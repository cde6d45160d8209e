"""The failure of the reference that this library must not have: logos-execution-zone, PR 687.

Its client reported the sequencer's own messages as orphaned when a reorganisation had only moved
them. The zone's sequencer then made the same range of blocks again: some 130 blocks were stranded
on the chain, heights 374 to 446 and 620 to 672, with up to four blocks of one height.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from zone_sequencers import Runner, World

from logos_mantle.channels import message_id
from logos_zone_sdk.core.events import Adopted, Finalized, Orphaned
from zone_chain import Chain, Message, configured, key_of

ALICE, BOB = key_of("alice"), key_of("bob")


@dataclass
class ZoneSequencer(Runner):
    """A zone that does what the reference's does: what is orphaned, it makes again."""

    height: int = 374
    made: list[int] = field(default_factory=list)

    def make_block(self) -> None:
        """Makes the next block of the zone."""
        self.made.append(self.height)
        self.publish(b"zone block %d" % self.height)
        self.height += 1

    def react(self) -> None:
        """Goes back to the lowest height that it is told was orphaned."""
        numbers = {each.message: each.number for each in self.submitted}
        lost = [numbers[each.message] for each in self.said(Orphaned) if each.message in numbers]
        self.height = min([self.height, *(374 + each for each in lost)])


def none(_: Message) -> bool:
    return False


def heights(chain: Chain) -> list[int]:
    found = [payload for _, payload in chain.tip.payloads() if payload.startswith(b"zone block ")]
    return [int(each.rsplit(b" ", 1)[1]) for each in found]


@pytest.mark.parametrize("is_kept", [True, False], ids=["messages move", "messages are dropped"])
def test_reorganisations_leave_exactly_one_block_per_height(*, is_kept: bool) -> None:
    """ZON-7, ZON-11; acceptance 6."""
    here = World(Chain())
    zone = ZoneSequencer(here, ALICE)
    zone.hear()
    for round_ in range(73):  # heights 374 to 446
        zone.make_block()
        here.chain.grow()
        if round_ % 3 == 2:
            here.chain.reorganise(1 + round_ % 4, (lambda _: True) if is_kept else none)
        if round_ % 5 == 4:
            zone.disconnect(is_rewound=True)
        here.catch_up_time()
        zone.hear(most=1 + round_ % 3)
        zone.react()
    for _ in range(9):
        here.chain.grow()
        here.catch_up_time()
        zone.hear()
        zone.react()

    assert zone.made == list(range(374, 447))
    assert Counter(heights(here.chain)) == dict.fromkeys(range(374, 447), 1)
    assert heights(here.chain) == zone.made
    assert not zone.said(Orphaned)
    assert not zone.said(Adopted)
    final = [one.number for each in zone.said(Finalized) for one in each.messages]
    assert final == list(range(73))


def test_a_crash_after_each_block_leaves_exactly_one_block_per_height() -> None:
    """ZON-6, ZON-12: the messages of before the crash are in blocks, or wait in the mempool."""
    here = World(Chain())
    zone = ZoneSequencer(here, ALICE)
    zone.hear()
    for round_ in range(53):
        zone.make_block()
        zone.restart(round_ % 4)
        here.chain.grow(1, none if round_ % 2 else lambda _: True)
        if round_ % 7 == 6:
            here.chain.reorganise(3, none)
        here.catch_up_time()
        zone.hear()
        zone.react()
    for _ in range(9):
        here.chain.grow()
        zone.hear()

    assert heights(here.chain) == list(range(374, 427))


def test_two_sequencers_by_turns_leave_exactly_one_block_per_height() -> None:
    """ZON-7, ZON-9: the other's messages take the place of some, which are made anew."""
    here = World(Chain(start=configured(ALICE, BOB, timeframe=4)))
    zone, other = ZoneSequencer(here, ALICE), Runner(here, BOB)
    for round_ in range(60):
        zone.make_block()
        other.publish(b"other %d" % round_)
        zone.hear()
        other.hear()
        here.chain.grow(1, lambda each, odd=round_ & 1: message_id(each)[0] & 1 == odd)
        if round_ % 4 == 3:
            here.chain.reorganise(2, none)
        here.catch_up_time()
        here.now_ms += 500
    for _ in range(60):
        zone.hear()
        other.hear()
        here.chain.grow()
        here.catch_up_time()

    assert heights(here.chain) == zone.made == list(range(374, 434))
    found = [payload for signer, payload in here.chain.tip.payloads() if signer == BOB]
    assert found == [b"other %d" % each for each in range(60)]
