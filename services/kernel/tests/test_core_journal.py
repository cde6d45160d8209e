"""KER-19: transitions, their revisions, and how long they are kept."""

import pytest
from kernel_world import World

from kernel_plans import journal
from logos_kernel.core.errors import HistoryCompactedError, UnknownRevisionError
from logos_kernel.core.journal import MAX_EXITS, MAX_TRANSITIONS, Entries, Reason, Transition
from logos_kernel.core.types import ModuleState as S

PAIR = {"top": ["base"], "base": []}
WHY = Reason.REQUESTED, ""


def told(world: World, since: int = 1) -> list[tuple[str, S, Reason]]:
    return [(one.module, one.new, one.reason) for one in world.kept[since - 1 :]]


def test_every_change_has_a_revision_an_epoch_and_a_reason() -> None:
    world = World(PAIR)
    world.ready("base")
    world.exit("base", 1)
    world.advance(500)
    world.want("stop", "top")

    assert told(world) == [
        ("base", S.STARTING, Reason.KERNEL_STARTED),
        ("top", S.BLOCKED, Reason.KERNEL_STARTED),
        ("base", S.REGISTERED, Reason.REGISTERED),
        ("base", S.READY, Reason.REPORTED),
        ("top", S.STARTING, Reason.REQUIREMENT_MET),
        ("base", S.BACKOFF, Reason.EXITED),
        ("base", S.STARTING, Reason.RETRY_DUE),
        ("top", S.DRAINING, Reason.REQUESTED),
    ]
    assert world.kept[5] == Transition(
        revision=6,
        module="base",
        epoch=1,
        old=S.READY,
        new=S.BACKOFF,
        reason=Reason.EXITED,
        detail="exited with code 1: last words",
        at_ms=1_000_000,
    )
    assert (world.kept[6].epoch, world.kept[6].at_ms) == (2, 1_000_500)


@pytest.mark.parametrize(
    ("ms", "reason"), [(15_000, Reason.LEASE_LOST), (60_000, Reason.START_TIMEOUT)]
)
def test_the_kernel_says_why_it_ends_a_process(ms: int, reason: Reason) -> None:
    world = World({"base": []})
    if reason is Reason.LEASE_LOST:
        world.ready("base")

    world.advance(ms)

    assert told(world)[-1] == ("base", S.BACKOFF, reason)


def test_the_next_kernel_goes_on_from_the_last_revision_and_state() -> None:
    old = World(PAIR)
    old.ready("base", "top")
    newest = old.kept[-1].revision

    base = next(process for process, name in old.alive.items() if name == "base")
    new = World(PAIR, records=list(old.saved.values()), alive={base: "base"}, kept=old.kept)

    steps = [(one.revision, one.module, one.old, one.new) for one in new.kept[newest:]]
    assert steps == [
        (newest + 1, "base", S.READY, S.STARTING),
        (newest + 2, "top", S.READY, S.BLOCKED),
    ]
    assert {one.reason for one in new.kept[newest:]} == {Reason.KERNEL_STARTED}


def test_a_start_by_the_next_kernel_is_told_also_if_the_state_is_the_same() -> None:
    old = World({"base": []})

    new = World({"base": []}, records=list(old.saved.values()), kept=old.kept)

    assert [(one.old, one.new, one.epoch) for one in new.kept] == [
        (S.STOPPED, S.STARTING, 1),
        (S.STARTING, S.STARTING, 2),
    ]


def test_what_a_kernel_has_not_yet_saved_keeps_it_from_ending() -> None:
    world = World({"base": []})
    world.ready("base")
    world.holds_journal = True

    world.put(world.supervisor.close)
    world.exit("base")
    assert world.states() == {"base": "STOPPED"}
    assert not world.modules.is_down()
    world.release_journal()

    assert world.modules.is_down()
    assert [one.new for one in world.kept[-2:]] == [S.DRAINING, S.STOPPED]


def test_nothing_can_be_watched_before_it_is_durable() -> None:
    world = World({"base": []})
    shown = world.modules.journal
    world.journal_fates = [True, True]

    world.register("base")
    world.say("base")
    assert [one.new for one in shown.since(1)] == [S.STARTING]
    world.advance(5_000)
    assert shown.revision == 1, "the second attempt failed too"
    world.advance(5_000)

    assert [one.new for one in shown.since(1)] == [S.STARTING, S.REGISTERED, S.READY]


def test_a_revision_that_is_not_kept_or_not_reached_is_refused() -> None:
    kept = journal()
    for number in range(MAX_TRANSITIONS + 2):
        kept.note("base", number, S.STARTING if number % 2 else S.BLOCKED, WHY, 0)
        entries = kept.take()
        assert entries is not None
        kept.saved(entries)

    assert [one.revision for one in kept.since(3)] == list(range(3, MAX_TRANSITIONS + 3))
    assert kept.since(MAX_TRANSITIONS + 3) == [], "the next one has not come yet"
    with pytest.raises(HistoryCompactedError, match="from_revision: 2, but the oldest kept is 3"):
        kept.since(2)
    with pytest.raises(UnknownRevisionError, match="the newest is 1002"):
        kept.since(MAX_TRANSITIONS + 4)


def test_what_a_full_disk_made_it_drop_is_not_passed_over_in_silence() -> None:
    kept = journal()
    kept.note("base", 1, S.STARTING, WHY, 0)
    assert kept.take() is not None
    kept.save_failed(0)
    for number in range(MAX_TRANSITIONS):
        kept.note("base", number, S.STARTING if number % 2 else S.BLOCKED, WHY, 0)
    kept.retry(5_000)
    entries = kept.take()
    assert entries is not None
    kept.saved(entries)

    assert len(kept.since(2)) == MAX_TRANSITIONS
    with pytest.raises(HistoryCompactedError):
        kept.since(1)


def test_a_gap_in_what_was_saved_begins_the_history_anew() -> None:
    def at(revision: int) -> Transition:
        return Transition(revision, "base", 1, S.STARTING, S.READY, Reason.REPORTED, "", 0)

    loaded = journal(Entries((at(1), at(2), at(5), at(6))))

    assert loaded.since(5) == [at(5), at(6)]
    for revision in (2, 3, 4):
        with pytest.raises(HistoryCompactedError):
            loaded.since(revision)


def test_a_closing_kernel_waits_for_its_journal_but_not_for_a_full_disk() -> None:
    world = World({"base": []})
    world.ready("base")
    world.journal_fates = [True]

    world.put(world.supervisor.close)
    world.exit("base")

    assert world.modules.is_down()


def test_exits_are_kept_newest_first_with_code_lines_and_who_ended_them() -> None:
    world = World({"base": []})
    world.exit("base", -11)
    world.advance(500)
    world.ready("base")
    world.advance(15_000)
    world.advance(1_000)
    world.ready("base")
    world.want("restart", "base")
    world.exit("base")

    found = world.modules.journal.exits("base")

    assert [(one.epoch, one.exit.code, one.reason) for one in found] == [
        (3, 0, Reason.REQUESTED),
        (2, -9, Reason.LEASE_LOST),
        (1, -11, Reason.EXITED),
    ]
    assert found[0].exit.lines == ("last words",)
    assert [one.exit.lines for one in world.kept_exits] == [()] * 3


def test_the_next_kernel_knows_the_exits_and_adds_those_that_it_missed() -> None:
    old = World({"base": []})
    for _ in range(MAX_EXITS + 3):
        old.exit("base", 1)
        old.advance((old["base"].due_ms or 0) - old.now_ms)

    new = World(
        {"base": []},
        records=list(old.saved.values()),
        kept=old.kept,
        kept_exits=old.kept_exits,
    )

    found = new.modules.journal.exits("base")
    assert [one.epoch for one in found] == list(range(MAX_EXITS + 4, 4, -1))
    assert [one.exit.code for one in found[:2]] == [None, 1]
    assert new.kept_exits[-1].epoch == MAX_EXITS + 4
