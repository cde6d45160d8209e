"""Followers and downloads together: five nodes, a split, and what comes after it."""

from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b

import pytest
from chain_blocks import TWENTY, candidate
from chain_peers import Chain, Downloads, Peer

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.sync.downloading import Diverged
from logos_chain.core.consensus.types import Candidate

PARAMETERS = replace(TWENTY, activation=Fraction(1, 10), density_window_slots=50)
NODES = "abcde"
LEFT, RIGHT = "abc", "de"
INTERVAL_SLOTS = 10


class Network:
    """Five nodes with equal stake. A block reaches the others of its side after 0 to 2 slots."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.slot = 0
        self.nodes = {each: Chain(PARAMETERS, Rule.ONLINE) for each in NODES}
        self.sides: tuple[str, ...] = (NODES,)
        self.under_way: list[tuple[int, str, str, Candidate]] = []
        self.diverged: dict[str, list[Diverged]] = {each: [] for each in NODES}

    def draw(self, what: str, below: int) -> int:
        text = f"{self.seed} {self.slot} {what}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") % below

    def run(self, slots: int) -> None:
        for _ in range(slots):
            self.slot += 1
            for name in NODES:
                if self.draw(name, INTERVAL_SLOTS * len(NODES)) == 0:
                    self.propose(name)
            due = [each for each in self.under_way if each[0] <= self.slot]
            self.under_way = [each for each in self.under_way if each[0] > self.slot]
            for _, source, name, block in due:
                self.receive(name, block, source)

    def propose(self, name: str) -> None:
        chain = self.nodes[name]
        uncles = tuple(chain.follower.uncles_for(self.slot))
        block = candidate(f"{name} {self.slot}", chain.local_tip(), self.slot, uncles=uncles)
        assert chain.take(block, name) is None
        for side in self.sides:
            for other in side:
                if name in side and other != name:
                    at = self.slot + self.draw(name + other, 3)
                    self.under_way.append((at, name, other, block))

    def receive(self, name: str, block: Candidate, source: str) -> None:
        chain = self.nodes[name]
        chain.take(block, source)
        while chain.missing:
            missing = chain.missing.pop()
            peers = {missing.source: Peer(self.nodes[missing.source])}
            run = Downloads(chain, peers, missing.parent).run()
            self.diverged[name] += run.diverged
            assert run.ended is not None
            if not run.ended.is_complete:
                chain.follower.abandoned(missing.block, 0)

    def tips(self, names: str = NODES) -> set[bytes]:
        return {self.nodes[each].local_tip() for each in names}


@pytest.mark.parametrize("seed", range(4))
def test_a_split_of_twenty_blocks_heals_to_one_chain_with_one_state(seed: int) -> None:
    network = Network(seed)
    network.run(200)
    network.sides = (LEFT, RIGHT)
    network.run(40 * INTERVAL_SLOTS // 2)
    assert not network.tips(LEFT) & network.tips(RIGHT)
    network.sides = (NODES,)

    waited = 0
    while len(network.tips()) > 1 and waited < 20 * INTERVAL_SLOTS:
        network.run(1)
        waited += 1

    assert len(network.tips()) == 1
    assert not any(network.diverged.values())
    assert all(each.follower.orphans == 0 for each in network.nodes.values())
    states = {each.follower.tip.state for each in network.nodes.values()}
    assert len(states) == 1


def test_a_split_of_more_than_k_on_both_sides_is_reported_and_not_merged() -> None:
    network = Network(7)
    network.run(200)
    network.sides = (LEFT, RIGHT)
    network.run(100 * INTERVAL_SLOTS)
    network.sides = (NODES,)
    network.run(20 * INTERVAL_SLOTS)

    assert not network.tips(LEFT) & network.tips(RIGHT)
    for name in NODES:
        others = RIGHT if name in LEFT else LEFT
        assert {each.peer for each in network.diverged[name]} <= set(others)
        assert network.diverged[name]
