"""LEA-1 to LEA-13: when proofs are begun, what becomes of them, and that no block comes twice."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from chain_blocks import field as value_of
from chain_blocks import identified
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.epochs import extend, genesis_state
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.leading import (
    Cancel,
    Counts,
    Effect,
    Idle,
    Leading,
    Look,
    Miss,
    Missed,
    Propose,
    Prove,
    Search,
    Seen,
    Timing,
)
from logos_chain.core.winning import Part

CI: Parameters = PRESETS["ci"]
"""Epochs of 200 slots, of which 120 are observed."""
GENESIS_MS = 1_000_000
CLOCK = SlotClock(GENESIS_MS, 1000)
TIMING = Timing(prove_ms=1500, margin_ms=500, late_ms=3000)
NOTE, OTHER = value_of("note"), value_of("other")


def at(slot: float) -> int:
    return GENESIS_MS + round(slot * 1000)


@dataclass
class Bench:
    """A machine, a tree, and slots that are won whatever the nonce is."""

    wins: frozenset[int] = frozenset({10})
    values: dict[bytes, int] = field(default_factory=lambda: {NOTE: 5})
    aged: frozenset[bytes] = frozenset({NOTE, OTHER})
    is_searched: bool = True
    done: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        state = genesis_state(identified("ledger"), value_of("nonce"), 1000)
        root = TreeBlock(identified("root"), BlockId(bytes(32)), 0, state, b"")
        self.tree = BlockTree(root, keep_slots=100)
        self.tip = root
        self.now = at(0)
        self.machine = Leading(CI, CLOCK, self.is_on_chain, timing=TIMING, done=self.done)
        self.told: list[Effect] = []
        self.proving: Prove | None = None
        self.proposing: tuple[Prove, Propose] | None = None
        self.proposals: list[tuple[int, bytes, BlockId]] = []

    def is_on_chain(self, block: BlockId) -> bool:
        found = self.tree.get(block)
        return found is not None and self.tree.is_ancestor(found, self.tip)

    def begin(self) -> "Bench":
        self.take(self.machine.moved(self.tip, self.now))
        self.take(self.machine.went_online(self.now))
        return self

    def take(self, effects: list[Effect]) -> list[Effect]:
        """Performs what needs no decision of a test; returns what was told."""
        waiting, told = list(effects), list[Effect]()
        while waiting:
            effect = waiting.pop(0)
            told.append(effect)
            match effect:
                case Look(roots):
                    seen = Seen(dict(self.values), dict.fromkeys(roots, self.aged))
                    waiting += self.machine.looked(seen, self.now)
                case Search(part) if self.is_searched:
                    waiting += self.machine.found(part, self.won(part), self.now)
                case Prove():
                    assert self.proving is None
                    self.proving = effect
                case Cancel(attempt):
                    if self.proving is not None and self.proving.attempt == attempt:
                        self.proving = None
                case Propose(attempt):
                    self.propose(attempt, effect)
                case _:
                    pass
        self.told += told
        return told

    def won(self, part: Part) -> list[int]:
        return sorted(each for each in self.wins if part.first <= each < part.end)

    def propose(self, attempt: int, effect: Propose) -> None:
        """What must hold of every proposal, whatever came before (LEA-8)."""
        assert self.proving is not None
        asked = self.proving
        assert asked.attempt == attempt
        assert self.now >= CLOCK.begins_ms(asked.slot)
        assert self.is_on_chain(asked.parent)
        parent = self.tree.get(asked.parent)
        assert parent is not None
        assert parent.slot < asked.slot
        assert all(slot != asked.slot for slot, _, _ in self.proposals)
        self.proposals.append((asked.slot, asked.note, asked.parent))
        self.proposing, self.proving = (asked, effect), None

    def tick(self, slot: float) -> list[Effect]:
        self.now = at(slot)
        return self.take(self.machine.tick(self.now))

    def grow(self, slot: int, name: str = "", parent: TreeBlock | None = None) -> TreeBlock:
        """Adds a block and makes it the tip; the machine is not told."""
        parent = parent or self.tip
        name = f"{parent.id.hex()} {slot} {name}"
        state = extend(
            CI,
            parent.state,
            slot=slot,
            entropy=value_of(name),
            ledger_root=identified(name),
        )
        known = self.tree.get(identified(name))
        self.tip = known or self.tree.add(identified(name), parent.id, state, b"")
        return self.tip

    def move(self, slot: int, name: str = "", parent: TreeBlock | None = None) -> list[Effect]:
        return self.take(self.machine.moved(self.grow(slot, name, parent), self.now))

    def prove(self, took_ms: int = 1000) -> list[Effect]:
        assert self.proving is not None
        return self.take(self.machine.proved(self.proving.attempt, took_ms, self.now))

    def settle(self) -> list[Effect]:
        """The block that is being made is taken, and becomes the tip."""
        assert self.proposing is not None
        asked, _ = self.proposing
        self.proposing = None
        parent = self.tree.get(asked.parent)
        block = self.grow(asked.slot, "own", parent)
        told = self.take(self.machine.moved(block, self.now))
        return told + self.take(self.machine.proposed(asked.attempt, block.id, self.now))


def proofs(effects: list[Effect]) -> list[Prove]:
    return [each for each in effects if isinstance(each, Prove)]


def test_a_block_is_made_when_its_slot_begins_and_not_before() -> None:
    bench = Bench().begin()

    assert bench.machine.next_wake_ms() == at(8)
    assert proofs(bench.tick(7.999)) == []
    [asked] = proofs(bench.tick(8))
    assert (asked.slot, asked.note, asked.parent) == (10, NOTE, bench.tip.id)
    assert bench.prove() == []
    assert bench.machine.next_wake_ms() == at(10)
    assert bench.tick(9.999) == []
    assert bench.tick(10) == [Propose(asked.attempt, is_on_tip=True)]
    bench.settle()

    assert bench.machine.counts == Counts(won=1, proposed=1, on_tip=1)
    assert bench.machine.last_proposed is not None
    assert bench.machine.last_proposed.block == bench.tip.id


def test_a_proof_is_begun_as_early_as_the_last_ones_took() -> None:
    bench = Bench(frozenset({10, 30})).begin()
    bench.tick(8)
    bench.prove(4000)
    bench.tick(10)
    bench.settle()

    assert bench.machine.lead_ms == 4500
    assert bench.machine.next_wake_ms() == at(25.5)


def test_a_proof_that_was_stopped_as_too_late_counts_as_a_long_one() -> None:
    """It was never measured, so a slow machine would be late for ever."""
    bench = Bench(frozenset({10, 40})).begin()
    bench.tick(8)
    bench.tick(13.001)

    assert bench.machine.lead_ms == 2 * TIMING.prove_ms + TIMING.margin_ms
    assert [each.slot for each in proofs(bench.tick(36.5))] == [40]


def test_a_tip_that_comes_in_time_has_another_proof() -> None:
    bench = Bench().begin()
    [first] = proofs(bench.tick(8))

    told = bench.move(8)

    [second] = proofs(told)
    assert Cancel(first.attempt) in told
    assert second.parent == bench.tip.id
    assert bench.take(bench.machine.proved(first.attempt, 1000, bench.now)) == []
    bench.prove()
    assert bench.tick(10) == [Propose(second.attempt, is_on_tip=True)]


def test_a_proof_that_was_made_is_dropped_for_a_newer_tip_too() -> None:
    bench = Bench().begin()
    bench.tick(8)
    bench.prove()

    [second] = proofs(bench.move(9))

    assert second.parent == bench.tip.id


def test_without_time_for_another_proof_the_old_parent_stays() -> None:
    bench = Bench().begin()
    old = bench.tip
    [asked] = proofs(bench.tick(8))
    bench.now = at(11.6)

    assert proofs(bench.move(9)) == []
    assert Propose(asked.attempt, is_on_tip=False) in bench.prove()
    assert bench.proposals == [(10, NOTE, old.id)]
    bench.take(bench.machine.proposed(asked.attempt, identified("own"), bench.now))
    assert bench.machine.counts == Counts(won=1, proposed=1)


def test_a_parent_that_left_the_chain_is_not_built_on() -> None:
    bench = Bench().begin()
    root = bench.tip
    bench.move(1, "left")
    bench.tick(8)
    bench.now = at(12.5)

    told = bench.move(9, "right", root)

    assert any(isinstance(each, Cancel) for each in told)
    assert bench.machine.last_missed == Missed(10, Miss.PARENT_GONE)
    assert bench.proposals == []


def test_a_block_of_the_same_slot_does_not_stop_this_node_s() -> None:
    bench = Bench().begin()
    old = bench.tip
    bench.tick(8)
    bench.prove()
    bench.now = at(10)

    bench.move(10)

    assert bench.proposals == [(10, NOTE, old.id)]


def test_a_proof_that_comes_too_late_makes_no_block() -> None:
    bench = Bench().begin()
    [asked] = proofs(bench.tick(8))

    assert bench.machine.next_wake_ms() == at(13) + 1
    assert bench.tick(13.001)[0] == Cancel(asked.attempt)

    assert bench.machine.counts == Counts(won=1, too_late=1, missed=1)
    assert bench.machine.last_missed == Missed(10, Miss.TOO_LATE)


@pytest.mark.parametrize("miss", [Miss.PROOF_FAILED, Miss.NOTE_SPENT])
def test_a_proof_that_fails_is_told(miss: Miss) -> None:
    bench = Bench(frozenset({10, 11})).begin()
    [asked] = proofs(bench.tick(8))
    bench.proving = None

    told = bench.take(bench.machine.unproved(asked.attempt, miss, bench.now))

    assert bench.machine.last_missed == Missed(10, miss)
    assert proofs(told) == []
    assert [each.slot for each in proofs(bench.tick(9))] == [11]


def test_a_ledger_that_stands_elsewhere_is_waited_for() -> None:
    bench = Bench().begin()
    [asked] = proofs(bench.tick(8))
    bench.proving = None

    assert bench.take(bench.machine.unproved(asked.attempt, None, bench.now)) == []
    [second] = proofs(bench.move(8))

    assert second.parent == bench.tip.id


def test_a_tip_that_went_and_came_back_is_proved_on_again() -> None:
    bench = Bench().begin()
    [asked] = proofs(bench.tick(8))
    bench.proving = None
    bench.take(bench.machine.unproved(asked.attempt, None, bench.now))

    [second] = proofs(bench.take(bench.machine.moved(bench.tip, bench.now)))

    assert (second.parent, second.slot) == (asked.parent, 10)


def test_one_slot_after_the_other() -> None:
    """The second block follows the first one, so its proof waits for that."""
    bench = Bench(frozenset({10, 11})).begin()
    bench.tick(8)
    bench.prove()
    assert proofs(bench.tick(9.5)) == []
    bench.tick(10)
    [second] = proofs(bench.settle())

    assert (second.slot, second.parent) == (11, bench.tip.id)
    assert bench.machine.counts == Counts(won=2, proposed=1, on_tip=1)


def test_of_two_notes_that_win_a_slot_the_greater_leads() -> None:
    bench = Bench(values={NOTE: 5, OTHER: 9}).begin()

    assert [each.note for each in proofs(bench.tick(8))] == [OTHER]


def test_slots_of_a_former_process_are_left_out() -> None:
    bench = Bench(frozenset({10, 20}), done=(10,)).begin()

    assert proofs(bench.tick(8)) == []
    assert [each.slot for each in proofs(bench.tick(18))] == [20]
    assert bench.machine.counts.won == 1


def test_a_spent_note_does_not_lead() -> None:
    bench = Bench().begin()
    bench.values = {}
    bench.move(5)

    assert proofs(bench.tick(8)) == []
    assert bench.machine.standing(bench.now).idle is Idle.NO_NOTES
    assert bench.machine.last_missed == Missed(10, Miss.NOTE_SPENT)


def test_another_nonce_voids_what_was_won() -> None:
    """Two chains with different blocks in the observed part have different nonces (LEA-3)."""
    bench = Bench(frozenset({205})).begin()
    root = bench.tip
    bench.tick(119)
    bench.move(118, "left")
    bench.tick(203)
    assert bench.proving is not None
    bench.wins = frozenset()

    bench.move(117, "right", root)

    assert bench.machine.last_missed == Missed(205, Miss.EPOCH_CHANGED)
    assert bench.machine.next_win is None


def test_the_next_epoch_is_searched_once_its_nonce_is_fixed() -> None:
    bench = Bench(frozenset({250})).begin()

    def searched(effects: list[Effect]) -> list[tuple[int, int]]:
        return [(e.part.first, e.part.end) for e in effects if isinstance(e, Search)]

    assert searched(bench.told) == [(0, 200)]
    assert bench.machine.next_wake_ms() == at(120)
    assert searched(bench.tick(119.999)) == []
    assert searched(bench.tick(120)) == [(200, 400)]
    assert bench.machine.next_win == 250


def test_nothing_is_searched_or_proved_while_it_may_not_lead() -> None:
    bench = Bench()
    bench.take(bench.machine.moved(bench.tip, bench.now))
    assert bench.told == []
    assert bench.machine.next_wake_ms() is None
    assert str(bench.machine.standing(bench.now)) == "not online yet"

    bench.take(bench.machine.went_online(bench.now))
    [asked] = proofs(bench.tick(8))
    told = bench.take(bench.machine.switched_off(bench.now))

    assert told == [Cancel(asked.attempt)]
    assert str(bench.machine.standing(bench.now)) == "switched off"
    assert bench.machine.last_missed == Missed(10, Miss.SWITCHED_OFF)
    assert bench.machine.next_wake_ms() is None
    told = bench.take(bench.machine.switched_on(bench.now))
    assert [each.slot for each in proofs(told)] == [10]


def test_what_is_being_signed_is_not_stopped() -> None:
    bench = Bench().begin()
    [asked] = proofs(bench.tick(8))
    bench.prove()
    bench.tick(10)

    assert bench.take(bench.machine.switched_off(bench.now)) == []
    bench.take(bench.machine.proposed(asked.attempt, identified("own"), bench.now))

    assert bench.machine.counts.proposed == 1


def test_people_are_told_when_a_note_is_old_enough() -> None:
    bench = Bench(aged=frozenset())
    machine = bench.machine
    machine.moved(bench.tip, bench.now)
    machine.went_online(bench.now)
    present, upcoming = identified("ledger"), identified("other root")
    assert str(machine.standing(bench.now)) == "the wallet's notes are being looked at"

    machine.looked(Seen({NOTE: 1}, {present: frozenset()}), bench.now)
    assert str(machine.standing(bench.now)) == "no note is old enough: from slot 400 on"
    machine.looked(Seen({NOTE: 1}, {upcoming: frozenset({NOTE})}), bench.now)
    assert machine.standing(bench.now).from_slot == 400
    machine.looked(Seen({NOTE: 1}, {present: frozenset({NOTE})}), bench.now)
    assert str(machine.standing(bench.now)) == "it leads"


def test_a_clock_that_jumps_ahead_leaves_slots_out_and_goes_on() -> None:
    bench = Bench(frozenset({10, 60, 150})).begin()
    bench.tick(8)

    bench.tick(148)

    assert bench.machine.counts == Counts(won=3, too_late=2, missed=2)
    assert bench.proving is not None
    assert bench.proving.slot == 150


def test_a_clock_that_is_set_back_leads_to_no_second_block() -> None:
    bench = Bench().begin()
    bench.tick(8)
    bench.prove()
    bench.tick(10)
    bench.settle()

    bench.take(bench.machine.switched_off(bench.now))
    bench.now = at(5)
    bench.take(bench.machine.switched_on(bench.now))
    for slot in range(5, 15):
        bench.tick(slot)

    assert len(bench.proposals) == 1


def test_times_are_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        Timing(late_ms=-1)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 6000)),
        st.tuples(st.just("jump"), st.integers(-90_000, 90_000)),
        st.tuples(st.just("wake"), st.just(0)),
        st.tuples(st.just("grow"), st.integers(0, 3)),
        st.tuples(st.just("fork"), st.integers(0, 5)),
        st.tuples(st.just("prove"), st.integers(0, 5000)),
        st.tuples(st.just("fail"), st.integers(0, 2)),
        st.tuples(st.just("settle"), st.integers(0, 2)),
        st.tuples(st.just("switch"), st.integers(0, 1)),
        st.tuples(st.just("online"), st.integers(0, 1)),
        st.tuples(st.just("notes"), st.integers(0, 3)),
    ),
    max_size=60,
)


def act(bench: Bench, what: str, number: int) -> None:  # noqa: C901, PLR0912 -- a table
    machine = bench.machine
    match what:
        case "wait" | "jump":
            bench.tick((bench.now + number - GENESIS_MS) / 1000)
        case "wake":
            wake_ms = machine.next_wake_ms()
            if wake_ms is not None:
                bench.tick((wake_ms - GENESIS_MS) / 1000)
        case "grow":
            bench.move(max(bench.tip.slot + 1, CLOCK.slot_at(bench.now) - number))
        case "fork":
            parent = bench.tip
            for _ in range(number):
                parent = bench.tree.get(parent.parent) or parent
            bench.move(parent.slot + 1 + number, f"fork {number}", parent)
        case "prove" if bench.proving:
            bench.prove(number)
        case "fail" if bench.proving:
            failed, bench.proving = bench.proving, None
            miss = [None, Miss.PROOF_FAILED, Miss.NOTE_SPENT][number]
            bench.take(machine.unproved(failed.attempt, miss, bench.now))
        case "settle" if bench.proposing and number:
            bench.settle()
        case "settle" if bench.proposing:
            (asked, _), bench.proposing = bench.proposing, None
            bench.take(machine.unproposed(asked.attempt, Miss.REFUSED, bench.now))
        case "switch":
            bench.take([machine.switched_off, machine.switched_on][number](bench.now))
        case "online":
            bench.take([machine.went_offline, machine.went_online][number](bench.now))
        case "notes":
            bench.values = [{}, {NOTE: 5}, {OTHER: 1}, {NOTE: 5, OTHER: 9}][number]
            bench.take(machine.notes_changed(bench.now))
        case _:
            pass


@settings(max_examples=300)
@given(st.frozensets(st.integers(1, 400), max_size=60), ACTIONS)
def test_whatever_comes_no_slot_has_two_blocks_and_wakes_are_ahead(
    wins: frozenset[int], actions: list[Any]
) -> None:
    """What a proposal must keep is asserted in `Bench.propose`."""
    bench = Bench(wins).begin()

    for what, number in actions:
        act(bench, what, number)

        wake_ms = bench.machine.next_wake_ms()
        assert wake_ms is None or wake_ms > bench.now
        counts = bench.machine.counts
        assert counts.won - counts.proposed - counts.missed in {0, 1}


@given(st.frozensets(st.integers(1, 200), max_size=60))
def test_a_quiet_epoch_has_a_block_for_each_slot_and_few_wakes(wins: frozenset[int]) -> None:
    bench = Bench(wins).begin()
    wakes, proved = 0, set[int]()

    while bench.now < at(200):
        if bench.proving and bench.proving.attempt not in proved:
            proved.add(bench.proving.attempt)
            bench.now += 100
            bench.prove(100)
        elif bench.proposing:
            bench.settle()
        else:
            wake_ms = bench.machine.next_wake_ms()
            assert wake_ms is not None
            bench.tick((wake_ms - GENESIS_MS) / 1000)
            wakes += 1

    assert {slot for slot, _, _ in bench.proposals} >= wins - {200}
    assert wakes <= 2 * len(wins) + 2
