"""CON-43 to CON-48: downloads end, with the chain of the honest, whatever the others do."""

from typing import Any

import pytest
from chain_blocks import GENESIS, NOON, TWENTY, chain
from chain_peers import Chain, Downloads, Endless, Hollow, Junk, Peer, Repeating, Silent, Skipping
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.sync.downloading import (
    KNOWN_WAIT_MS,
    MAX_BATCH,
    STALL_MS,
    Apply,
    AskBlocks,
    Downloading,
    Ended,
    EndPeer,
    PeerEnd,
    Progress,
    ReadNext,
    anchor_heights,
)
from logos_chain.core.consensus.types import BlockId

MAIN = chain("main", GENESIS, range(1, 41))
TIP = MAIN[-1].header.id


def served(blocks: Any = MAIN) -> Chain:
    return Chain(TWENTY, Rule.BOOTSTRAP, blocks)


def fresh(blocks: Any = (), rule: Rule = Rule.BOOTSTRAP) -> Chain:
    return Chain(TWENTY, rule, blocks)


def test_a_new_node_gets_the_whole_chain_in_batches() -> None:
    local = fresh()

    run = Downloads(local, {"a": Peer(served())}).run()

    assert run.ended == Ended(is_complete=True, reasons=(("a", PeerEnd.DONE),))
    assert local.local_tip() == TIP
    assert len(local.lines) == 41


def test_a_node_with_a_fork_of_its_own_gets_what_it_lacks() -> None:
    local = fresh([*MAIN[:20], *chain("own", MAIN[19].header.id, range(21, 25))])
    peer = Peer(served())
    before = len(local.lines)

    run = Downloads(local, {"a": peer}).run()

    assert local.local_tip() == TIP
    assert len(local.lines) == before + 20
    assert run.reads < 35, "little is sent twice"


def test_a_peer_whose_tip_moves_while_it_is_read_is_followed_to_the_new_one() -> None:
    peer = Peer(served(MAIN[:30]))
    local = fresh()
    run = Downloads(local, {"a": peer})
    ask = peer.blocks

    def moving(request: Any) -> Any:
        if local.follower.tip.height == 15:
            for each in MAIN[30:]:
                peer.chain.take(each)
        return ask(request)

    peer.blocks = moving  # type: ignore[method-assign]
    run.run()

    assert local.local_tip() == TIP


@pytest.mark.parametrize(
    ("kind", "reason", "is_fault"),
    [
        (Silent, PeerEnd.STALLED, False),
        (Junk, PeerEnd.NOT_A_CHAIN, True),
        (Skipping, PeerEnd.NOT_A_CHAIN, True),
        (Hollow, PeerEnd.NO_PROGRESS, True),
        (Repeating, PeerEnd.NO_PROGRESS, True),
        (Endless, PeerEnd.INVALID_BLOCK, True),
    ],
)
def test_a_hostile_peer_is_ended_with_a_reason_and_the_next_is_asked(
    kind: type[Peer], reason: PeerEnd, *, is_fault: bool
) -> None:
    local = fresh()

    run = Downloads(local, {"bad": kind(served()), "good": Peer(served())}).run()

    assert run.ends == [("bad", reason), ("good", PeerEnd.DONE)]
    assert reason.is_fault is is_fault
    assert local.local_tip() == TIP
    assert run.ended is not None
    assert run.ended.is_complete


def test_an_answer_without_an_end_is_cut_at_its_bound() -> None:
    """Of blocks that this node has, which cost it nothing to take."""
    known = chain("known", GENESIS, range(1, MAX_BATCH + 3))

    target = BlockId(b"t" * 32)

    class HasAll(Chain):
        def has(self, block: BlockId) -> bool:
            return block != target

    machine = Downloading(HasAll(TWENTY, Rule.BOOTSTRAP), ["a"], target)
    (ask,) = machine.begin(NOON)
    assert isinstance(ask, AskBlocks)
    for block in known[:MAX_BATCH]:
        header = block.header
        effects = machine.block(ask.call, header.id, header.parent, header.slot, NOON)
        assert effects == [ReadNext(ask.call, "a")]
    last = known[MAX_BATCH].header
    effects = machine.block(ask.call, last.id, last.parent, last.slot, NOON)

    assert effects[0] == EndPeer("a", PeerEnd.ENDLESS)


def test_a_run_without_an_answer_is_tried_three_times_and_fails() -> None:
    run = Downloads(fresh(), {"a": Silent(served()), "b": Junk(served())}).run()

    assert [each for each in run.ends if each[0] == "a"] == [("a", PeerEnd.STALLED)] * 3
    assert [each for each in run.ends if each[0] == "b"] == [("b", PeerEnd.NOT_A_CHAIN)]
    assert run.ended is not None
    assert not run.ended.is_complete
    assert run.now_ms >= NOON + 3 * STALL_MS


@pytest.mark.parametrize("reason", ["BUSY", "FUTURE_SLOT", "NOT_STORED"])
def test_what_this_node_cannot_take_now_is_no_fault_of_a_peer(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = fresh()
    monkeypatch.setattr(local, "take", lambda _block: reason)

    run = Downloads(local, {"a": Peer(served())}).run()

    assert {each for _, each in run.ends} == {PeerEnd.REFUSED}
    assert not PeerEnd.REFUSED.is_fault


def asking_for(target: BlockId) -> tuple[Chain, Downloading, int]:
    """A run of a node that has 10 blocks, and the call by which it reads the next ones."""
    local = fresh(MAIN[:10])
    machine = Downloading(local, ["a"], target, rounds=1)
    (ask,) = machine.begin(NOON)
    assert isinstance(ask, AskBlocks)
    return local, machine, ask.call


@pytest.mark.parametrize("target", [MAIN[10], MAIN[12]])
def test_a_block_that_came_another_way_is_waited_for_until_it_is_verified(target: Any) -> None:
    """CON-44: else the next one, or the same request again, would come before it is here."""
    local, machine, call = asking_for(target.header.id)
    header = MAIN[10].header
    assert machine.block(call, header.id, header.parent, header.slot, NOON) == [
        Apply(call, "a", header.id)
    ]

    assert machine.refused(call, RejectReason.ALREADY_KNOWN, NOON) == []
    assert machine.next_wake_ms() == NOON + KNOWN_WAIT_MS
    assert machine.tick(NOON + KNOWN_WAIT_MS) == []
    local.take(MAIN[10])
    effects = machine.tick(NOON + 2 * KNOWN_WAIT_MS)

    last = target is MAIN[10]
    assert effects[0] == (EndPeer("a", PeerEnd.DONE) if last else ReadNext(call, "a"))


def test_a_block_that_is_never_decided_ends_its_peer_without_a_fault() -> None:
    _, machine, call = asking_for(MAIN[12].header.id)
    header = MAIN[10].header
    machine.block(call, header.id, header.parent, header.slot, NOON)
    effects = machine.refused(call, RejectReason.ALREADY_KNOWN, NOON)

    while not effects:
        wake_ms = machine.next_wake_ms()
        assert wake_ms is not None
        effects = machine.tick(wake_ms)

    assert wake_ms == NOON + STALL_MS
    assert effects[0] == EndPeer("a", PeerEnd.REFUSED)


def test_a_parent_that_was_cut_off_meanwhile_is_no_fault_of_the_peer() -> None:
    """It was here when the block was read: a chain, as CON-44 has it."""
    _, machine, call = asking_for(MAIN[12].header.id)
    header = MAIN[10].header
    machine.block(call, header.id, header.parent, header.slot, NOON)

    effects = machine.refused(call, RejectReason.PARENT_UNKNOWN, NOON)

    assert effects[0] == EndPeer("a", PeerEnd.REFUSED)


def test_a_run_without_peers_fails_at_once() -> None:
    assert Downloading(fresh(), []).begin(NOON) == [Ended(is_complete=False, reasons=())]


def test_a_target_ends_the_run_with_the_first_peer_that_has_it() -> None:
    local, target = fresh(MAIN[:10]), MAIN[29].header.id

    run = Downloads(
        local, {"a": Peer(served(MAIN[:20])), "b": Peer(served()), "c": Peer(served())}, target
    ).run()

    assert run.ends == [("a", PeerEnd.REFUSED), ("b", PeerEnd.DONE)]
    assert local.local_tip() == target


def test_a_chain_that_left_before_what_is_final_is_reported_and_not_merged() -> None:
    """13.1: a split of more than k blocks; both sides are online."""
    left = [*MAIN, *chain("left", TIP, range(41, 90))]
    right = [*MAIN, *chain("right", TIP, range(41, 140))]
    local, other = fresh(left, Rule.ONLINE), Chain(TWENTY, Rule.ONLINE, right)

    run = Downloads(local, {"a": Peer(other)}).run()

    assert [(each.peer, each.tip) for each in run.diverged] == [("a", right[-1].header.id)]
    assert run.ends == [("a", PeerEnd.BELOW_LIB)]
    assert not PeerEnd.BELOW_LIB.is_fault
    assert local.local_tip() == left[-1].header.id


def test_a_fork_far_below_with_late_slots_is_recognised_by_what_is_stored() -> None:
    """Its first block is newer than all that is final, and its parent is not in memory."""
    late = [MAIN[0], *chain("late", MAIN[0].header.id, range(50, 150))]
    ours = [*MAIN, *chain("further", TIP, range(41, 49))]
    local, other = fresh(ours, Rule.ONLINE), Chain(TWENTY, Rule.BOOTSTRAP, late)
    assert local.follower.tree.get(MAIN[0].header.id) is None

    run = Downloads(local, {"a": Peer(other)}).run()

    assert run.ends == [("a", PeerEnd.BELOW_LIB)]
    assert len(run.diverged) == 1
    assert local.follower.orphans == 0


def test_anchors_lie_further_and_further_behind() -> None:
    assert anchor_heights(1000, 20) == [995, 980, 920, 0]
    assert anchor_heights(15, 20) == [10, 0]
    assert anchor_heights(0, 1) == [0]


def test_progress_is_told() -> None:
    long = chain("long", GENESIS, range(1, 251))
    run = Downloads(fresh(), {"a": Peer(Chain(TWENTY, Rule.BOOTSTRAP, long))})
    told: list[Progress] = []
    obey = run.obey

    def see(effects: Any) -> None:
        told.extend(each for each in effects if isinstance(each, Progress))
        obey(effects)

    run.obey = see  # type: ignore[method-assign]
    run.run()

    assert told == [Progress(100, 100, 250), Progress(200, 200, 250)]


def test_what_comes_late_or_unasked_changes_nothing() -> None:
    machine = Downloading(fresh(), ["a", "b"], TIP)
    (ask,) = machine.begin(NOON)
    assert isinstance(ask, AskBlocks)
    (_, other) = machine.lost(ask.call, NOON)
    assert isinstance(other, AskBlocks)
    header = MAIN[0].header

    assert machine.block(ask.call, header.id, header.parent, header.slot, NOON) == []
    assert machine.ended(ask.call, NOON) == machine.lost(ask.call, NOON) == []
    assert machine.tip(other.call, TIP, 1, NOON) == machine.applied(other.call, NOON) == []
    effects = machine.block(other.call, header.id, header.parent, header.slot, NOON)
    assert effects == [Apply(other.call, "b", header.id)]
    assert machine.block(other.call, header.id, header.parent, header.slot, NOON) == []
    assert machine.next_wake_ms() is None, "the follower takes the time it needs"


kinds = st.lists(
    st.sampled_from([Silent, Junk, Hollow, Repeating, Endless, Peer]), min_size=1, max_size=6
)


@settings(max_examples=25)
@given(kinds, st.integers(1, 7), st.integers(0, 40))
def test_any_peers_with_an_honest_one_among_them_lead_to_its_chain(
    order: list[type[Peer]], batch: int, known: int
) -> None:
    peers = {f"{number}": kind(served()) for number, kind in enumerate(order)}
    for each in peers.values():
        each.batch = batch
    local = fresh(MAIN[:known])

    run = Downloads(local, peers).run()

    assert run.ended is not None
    assert run.ended.is_complete == (Peer in order)
    assert local.local_tip() == (TIP if Peer in order else local.local_tip())
    assert run.now_ms - NOON < 10 * 60 * 1000
