"""CON-20 to CON-39: a follower agrees with an oracle on any tree, and stands what attackers do."""

from itertools import count
from typing import Any

import pytest
from chain_blocks import (
    CLOCK,
    GENESIS,
    NOON,
    SMALL,
    TWENTY,
    candidate,
    chain,
    deliver,
    field,
    identified,
    new_follower,
    outcomes,
    settle,
)
from chain_oracle import GENESIS as ORACLE_GENESIS
from chain_oracle import Oracle
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import (
    MAX_PENDING,
    Accepted,
    CutOff,
    Effect,
    FetchAncestors,
    Finalised,
    Rejected,
    Reorganised,
    SignedTwice,
    Verify,
)
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId, Candidate


class Following(RuleBasedStateMachine):
    """Random trees, in any order and under both rules, beside the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.follower = new_follower()
        self.oracle = Oracle(SMALL.security_blocks, SMALL.density_slots)
        self.names = {GENESIS: ORACLE_GENESIS}
        self.made: list[Candidate] = []
        self.to_verify: list[Candidate] = []
        self.asked: set[BlockId] = set()
        """Given, and not answered yet."""
        self.chain = [GENESIS]
        """The local chain, by the reorganisations alone."""
        self.final = 0
        self.gone: set[BlockId] = set()
        self.number = count()

    def see(self, effects: list[Effect]) -> None:
        for each in effects:
            match each:
                case Verify(candidate=block):
                    self.to_verify.append(block)
                case Accepted(block=block):
                    self.asked.remove(block.id)
                    name, parent = self.names[block.id], self.names[block.parent]
                    assert self.oracle.add(name, parent, block.slot)
                case Rejected(block=block_id):
                    self.asked.discard(block_id)
                case Reorganised(common, removed, added):
                    assert self.chain[::-1][: len(removed)] == list(removed)
                    self.chain = [*self.chain[: len(self.chain) - len(removed)], *added]
                    assert self.chain[len(self.chain) - len(added) - 1] == common
                    assert len(self.chain) - len(added) > self.final
                case Finalised(blocks=blocks):
                    assert self.chain[self.final + 1 :][: len(blocks)] == list(blocks)
                    self.final += len(blocks)
                case CutOff(blocks=cut):
                    assert not self.gone & set(cut)
                    self.gone |= set(cut)

    @rule(back=st.integers(0, 8), gap=st.integers(1, 3), later=st.booleans())
    def make(self, back: int, gap: int, *, later: bool) -> None:
        """A leader makes a block on one of the newest; `later`: it is not sent at once."""
        blocks = [(GENESIS, 0), *((each.header.id, each.header.slot) for each in self.made)]
        parent, slot = blocks[-1 - min(back, len(blocks) - 1)]
        name = f"block {next(self.number)}"
        block = candidate(name, parent, slot + gap)
        self.names[block.header.id] = name
        self.made.append(block)
        if not later:
            self.give(block)

    @precondition(lambda self: self.made)
    @rule(back=st.integers(0, 8), source=st.sampled_from("abc"))
    def send(self, back: int, source: str) -> None:
        self.give(self.made[-1 - min(back, len(self.made) - 1)], source)

    def give(self, block: Candidate, source: str = "a") -> None:
        if block.header.id in self.asked:
            told = outcomes(self.follower.received(block, source, NOON))
            assert told == {block.header.id: RejectReason.ALREADY_KNOWN}
            return
        self.asked.add(block.header.id)
        self.see(self.follower.received(block, source, NOON))

    @precondition(lambda self: self.to_verify)
    @rule(number=st.integers(0, 8), is_valid=st.sampled_from([True] * 7 + [False]))
    def verify(self, number: int, *, is_valid: bool) -> None:
        block = self.to_verify.pop(number % len(self.to_verify)).header.id
        if is_valid:
            self.see(self.follower.verified(block, field(block.hex()), NOON))
        else:
            self.see(self.follower.refused(block, RejectReason.INVALID_PROOF, NOON))

    @rule(online=st.booleans())
    def switch(self, *, online: bool) -> None:
        go = self.follower.go_online if online else self.follower.go_bootstrap
        self.oracle.go(online=online)
        self.see(go(NOON))

    @invariant()
    def agrees_with_the_oracle(self) -> None:
        follower, names = self.follower, self.names
        assert names[follower.tip.id] == self.oracle.tip
        assert names[follower.latest_immutable.id] == self.oracle.lib
        alive = {each for each in names if each in follower.tree}
        assert {names[each] for each in alive} == set(self.oracle.alive())

    @invariant()
    def tells_all_that_happens(self) -> None:
        follower = self.follower
        assert self.chain[-1] == follower.tip.id
        assert self.chain[self.final] == follower.latest_immutable.id
        assert not any(each in follower.tree for each in self.gone)
        waiting = {each.header.id for each in self.to_verify}
        assert len(self.asked - waiting) == follower.orphans <= 5


Following.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestFollowing = Following.TestCase


def test_a_longer_fork_replaces_the_chain_and_says_how() -> None:
    follower = new_follower(TWENTY)
    ours, theirs = chain("a", GENESIS, range(1, 4)), chain("b", GENESIS, range(4, 9))
    for block in (*ours, *theirs[:3]):
        deliver(follower, block)
    assert follower.tip.id == ours[-1].header.id

    effects = deliver(follower, theirs[3])

    ids = [each.header.id for each in ours], [each.header.id for each in theirs[:4]]
    assert Reorganised(GENESIS, tuple(reversed(ids[0])), tuple(ids[1])) in effects


def test_nothing_is_final_before_the_node_is_online() -> None:
    follower = new_follower(SMALL)
    for block in chain("a", GENESIS, range(1, 30)):
        deliver(follower, block)

    assert follower.latest_immutable.id == GENESIS
    effects = follower.go_online(NOON)

    assert follower.latest_immutable.height == 27
    assert len(effects) == 1
    assert isinstance(effects[0], Finalised)


def test_a_partition_of_less_than_k_heals_to_one_chain() -> None:
    """13.1: both sides go on for under k blocks; then one gives way wholly."""
    common = chain("common", GENESIS, range(1, 30))
    one, two = (new_follower(TWENTY, Rule.ONLINE) for _ in range(2))
    left = chain("left", common[-1].header.id, range(30, 48))
    right = chain("right", common[-1].header.id, range(30, 42))
    for follower, own in ((one, left), (two, right)):
        for block in (*common, *own):
            deliver(follower, block)

    effects = [effect for block in left for effect in deliver(two, block)]
    for block in right:
        deliver(one, block)

    assert one.tip.id == two.tip.id == left[-1].header.id
    moved = [each for each in effects if isinstance(each, Reorganised)]
    removed, added = moved[0].removed, [each for one in moved for each in one.added]
    assert removed == tuple(each.header.id for each in reversed(right))
    assert added == [each.header.id for each in left]
    assert one.latest_immutable.id == two.latest_immutable.id


def test_a_partition_deeper_than_k_is_not_merged() -> None:
    """13.1: every block of the other side is refused by name, and the chain stays."""
    common = chain("common", GENESIS, range(1, 30))
    one = new_follower(TWENTY, Rule.ONLINE)
    left = chain("left", common[-1].header.id, range(30, 60))
    right = chain("right", common[-1].header.id, range(30, 120))
    for block in (*common, *left):
        deliver(one, block)

    found = [outcomes(deliver(one, block)) for block in right]

    assert found[0] == {right[0].header.id: RejectReason.BELOW_LIB}
    assert not any("ACCEPTED" in each.values() for each in found)
    assert one.tip.id == left[-1].header.id


def test_a_forced_bootstrap_from_an_older_state_recovers_from_a_deep_partition() -> None:
    common = chain("common", GENESIS, range(1, 30))
    left = chain("left", common[-1].header.id, range(30, 60, 2))
    left += chain("left further", left[-1].header.id, range(60, 120, 2))
    right = chain("right", common[-1].header.id, range(30, 75))
    anew = new_follower(TWENTY, Rule.BOOTSTRAP)

    for block in (*common, *left, *right):
        deliver(anew, block)

    assert anew.tip.id == right[-1].header.id, "the denser side wins"


def test_a_long_sparse_chain_from_the_genesis_deceives_neither_new_nor_old_nodes() -> None:
    """13.2: an adversary with a tenth of the stake makes a longer chain in private.

    It is sparse right after it left, and dense later, when the difficulty has fallen.
    """
    honest = chain("honest", GENESIS, range(2, 400, 2))
    attack = chain("attack", GENESIS, [*range(20, 200, 20), *range(201, 450)])
    assert len(attack) > len(honest) + 50

    for first, second in ((attack, honest), (honest, attack)):
        fresh = new_follower(TWENTY, Rule.BOOTSTRAP)
        for block in (*first, *second):
            deliver(fresh, block)
        assert fresh.tip.id == honest[-1].header.id

    online = new_follower(TWENTY, Rule.ONLINE)
    for block in honest:
        deliver(online, block)
    found = [outcomes(deliver(online, block)) for block in attack]
    assert online.tip.id == honest[-1].header.id
    assert not any("ACCEPTED" in each.values() for each in found)


def test_a_leader_key_that_signs_twice_is_reported_once_the_blocks_are_valid() -> None:
    follower = new_follower(TWENTY)
    key = identified("the key")
    first = candidate("first", GENESIS, 3, leader_key=key)
    second = candidate("second", GENESIS, 3, leader_key=key)
    third = candidate("third", GENESIS, 4, leader_key=key)
    deliver(follower, first)

    untried = follower.received(second, "b", NOON)
    assert not any(isinstance(each, SignedTwice) for each in untried)
    told = settle(follower, untried) + deliver(follower, third)

    assert [each for each in told if isinstance(each, SignedTwice)] == [
        SignedTwice(key, first.header.id, second.header.id, is_same_slot=True),
        SignedTwice(key, first.header.id, third.header.id, is_same_slot=False),
    ]
    assert all(each.header.id in follower.tree for each in (first, second, third))


def test_a_block_of_the_next_slots_waits_until_its_slot_begins() -> None:
    follower = new_follower()
    block, far = candidate("early", GENESIS, 12), candidate("far", GENESIS, 13)
    now_ms = CLOCK.begins_ms(10)

    assert follower.received(block, "a", now_ms) == []
    assert outcomes(follower.received(far, "a", now_ms)) == {
        far.header.id: RejectReason.FUTURE_SLOT
    }
    assert follower.next_wake_ms() == CLOCK.begins_ms(12)
    assert follower.tick(CLOCK.begins_ms(12) - 1) == []
    effects = follower.tick(CLOCK.begins_ms(12))

    assert [type(each) for each in effects] == [Verify]
    assert follower.next_wake_ms() is None


def test_what_follows_a_waiting_block_waits_with_it() -> None:
    follower = new_follower()
    blocks = chain("a", GENESIS, [11, 12])
    now_ms = CLOCK.begins_ms(10)
    assert follower.received(blocks[0], "a", now_ms) == []
    assert follower.received(candidate("twin", GENESIS, 11, version=1), "a", now_ms) == []

    assert follower.received(blocks[1], "a", CLOCK.begins_ms(12)) == []
    told = outcomes(settle(follower, follower.tick(CLOCK.begins_ms(12))))

    assert list(told.values()) == ["ACCEPTED"] * 3


def test_what_follows_a_waiting_block_falls_with_it() -> None:
    follower = new_follower()
    first = candidate("first", GENESIS, 11, uncles=(candidate("no", GENESIS, 9).signed,) * 5)
    now_ms = CLOCK.begins_ms(12)
    follower.received(first, "a", CLOCK.begins_ms(10))
    follower.received(candidate("second", first.header.id, 12), "a", now_ms)

    told = outcomes(follower.tick(now_ms))

    assert list(told.values()) == [RejectReason.TOO_MANY_UNCLES, RejectReason.PARENT_UNKNOWN]


def test_orphans_are_fetched_once_and_follow_their_parents() -> None:
    follower = new_follower()
    blocks = chain("a", GENESIS, range(1, 4))

    asked = [follower.received(each, "p", NOON) for each in (blocks[1], blocks[2])]
    effects = deliver(follower, blocks[0])

    fetch = FetchAncestors(blocks[1].header.id, blocks[0].header.id, "p")
    assert asked == [[fetch], []]
    assert [each for each, told in outcomes(effects).items() if told == "ACCEPTED"] == [
        each.header.id for each in blocks
    ]


def test_orphans_are_few_and_of_one_source_fewer() -> None:
    follower = new_follower()
    flood = [candidate(f"flood {each}", identified("nowhere"), 5) for each in range(9)]
    honest = [candidate(f"honest {each}", identified(f"not yet {each}"), 5) for each in "xy"]
    deliver(follower, honest[0], "h")

    told: dict[Any, Any] = {}
    for each in flood:
        told |= outcomes(deliver(follower, each, "attacker"))
    assert follower.orphans == 3
    assert honest[0].header.id not in told
    for number, each in enumerate((*flood, honest[1])):
        deliver(follower, each, f"{number}")

    assert follower.orphans == 5


def test_an_orphan_that_cannot_be_joined_is_given_up_with_its_children() -> None:
    follower = new_follower()
    blocks = chain("a", identified("nowhere"), range(1, 4))
    for each in blocks[:2]:
        follower.received(each, "p", NOON)

    effects = follower.abandoned(blocks[0].header.id, NOON)

    assert outcomes(effects) == {each.header.id: RejectReason.PARENT_UNKNOWN for each in blocks[:2]}
    assert follower.orphans == 0


def test_an_invalid_block_takes_its_children_along() -> None:
    follower = new_follower()
    blocks = chain("a", GENESIS, range(1, 4))
    for each in blocks:
        follower.received(each, "p", NOON)

    effects = follower.refused(blocks[0].header.id, RejectReason.INVALID_SIGNATURE, NOON)

    assert outcomes(effects)[blocks[0].header.id] is RejectReason.INVALID_SIGNATURE
    assert len(outcomes(effects)) == 3


def test_verifications_are_bounded() -> None:
    follower = new_follower()

    for number in range(MAX_PENDING):
        assert follower.received(candidate(f"{number}", GENESIS, 1), "a", NOON)
    effects = follower.received(candidate("one more", GENESIS, 1), "a", NOON)

    assert list(outcomes(effects).values()) == [RejectReason.BUSY]


def test_a_verdict_that_comes_after_its_fork_was_cut_off_changes_nothing() -> None:
    follower = new_follower(SMALL, Rule.ONLINE)
    late = candidate("late", GENESIS, 1)
    follower.received(late, "a", NOON)
    for block in chain("a", GENESIS, range(1, 9)):
        deliver(follower, block)

    effects = follower.verified(late.header.id, field("ledger"), NOON)

    assert outcomes(effects) == {late.header.id: RejectReason.BELOW_LIB}
    assert follower.verified(late.header.id, field("ledger"), NOON) == []


def test_a_flood_of_forks_is_cut_back_but_never_the_chain() -> None:
    follower = new_follower(TWENTY, max_side_blocks=10)
    honest = chain("honest", GENESIS, range(1, 15))
    for block in honest:
        deliver(follower, block)

    cut = [
        each
        for number in range(50)
        for each in deliver(follower, candidate(f"side {number}", honest[0].header.id, 9))
        if isinstance(each, CutOff)
    ]

    assert len(follower.tree) == 1 + 14 + 10
    assert sum(len(each.blocks) for each in cut) == 40
    assert follower.tip.id == honest[-1].header.id


def test_a_node_takes_up_its_stored_blocks_at_a_start() -> None:
    blocks = chain("a", GENESIS, range(1, 5))
    before, after = new_follower(TWENTY), new_follower(TWENTY)
    for each in blocks:
        deliver(before, each)

    for each in blocks:
        root = field(f"ledger {each.header.id.hex()}")
        after.restore(each, root, NOON)

    assert after.tip.state == before.tip.state


def test_what_is_to_be_verified_is_of_the_parent_s_chain() -> None:
    follower = new_follower(TWENTY)
    first, second = chain("a", GENESIS, [1, 2])
    deliver(follower, first)

    (verify,) = follower.received(second, "a", NOON)

    assert isinstance(verify, Verify)
    (claim,) = verify.claims
    assert claim.signed == second.signed
    assert claim.latest_root == field(f"ledger {first.header.id.hex()}")
    assert claim.epoch == follower.epoch_at(2)


@pytest.mark.parametrize("rule_in_force", list(Rule))
def test_a_final_block_is_never_given_up(rule_in_force: Rule) -> None:
    follower = new_follower(SMALL, Rule.ONLINE)
    for block in chain("a", GENESIS, range(10, 20)):
        deliver(follower, block)
    if rule_in_force is Rule.BOOTSTRAP:
        follower.go_bootstrap(NOON)
    final = follower.latest_immutable

    for block in chain("dense", GENESIS, range(1, 60)):
        deliver(follower, block)

    assert follower.latest_immutable == final


def test_a_clock_that_is_set_back_while_a_block_is_verified_changes_nothing() -> None:
    """CON-31: its slot had begun when it was looked at."""
    follower, block = new_follower(SMALL), candidate("a", GENESIS, 9)
    assert isinstance(follower.received(block, "a", 9_000)[0], Verify)

    effects = follower.verified(block.header.id, bytes(32), 8_900)

    assert isinstance(effects[0], Accepted)
