"""CON-27 to CON-29: the rule of a start, the first download, the prolonged bootstrap, the note."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.starting import (
    NOTE_MS,
    BeginDownload,
    Effect,
    NoteOnline,
    Past,
    Phase,
    Starting,
    Stop,
    UseRule,
    starting_rule,
)

GRACE_MS = 20 * 60 * 1000
DAY_MS = 24 * 60 * 60 * 1000
NOW = 10**12
OLD = Past(is_at_start=False, last_online_ms=NOW - 1_000)


def starting(prolonged_ms: int = DAY_MS) -> Starting:
    return Starting(offline_grace_ms=GRACE_MS, prolonged_bootstrap_ms=prolonged_ms)


@pytest.mark.parametrize(
    ("past", "rule"),
    [
        (Past(is_at_start=True, last_online_ms=NOW), Rule.BOOTSTRAP),
        (Past(is_at_start=False, last_online_ms=None), Rule.BOOTSTRAP),
        (Past(is_at_start=False, last_online_ms=NOW - GRACE_MS), Rule.ONLINE),
        (Past(is_at_start=False, last_online_ms=NOW - GRACE_MS - 1), Rule.BOOTSTRAP),
        (Past(is_at_start=False, last_online_ms=NOW + GRACE_MS + 1), Rule.BOOTSTRAP),
        (Past(is_at_start=False, last_online_ms=NOW, is_forced=True), Rule.BOOTSTRAP),
        (Past(is_at_start=False, last_online_ms=NOW), Rule.ONLINE),
    ],
)
def test_the_rule_of_a_start(past: Past, rule: Rule) -> None:
    assert starting_rule(past, GRACE_MS, NOW) is rule


def test_from_the_genesis_to_online() -> None:
    machine = starting()

    first = machine.begin(Past(is_at_start=True, last_online_ms=None), NOW, has_peers=True)
    assert first == [UseRule(Rule.BOOTSTRAP), BeginDownload()]
    assert machine.downloaded(NOW) == []
    assert machine.phase is Phase.PROLONGED
    assert machine.online_at_ms == machine.next_wake_ms() == NOW + DAY_MS
    assert not machine.may_propose
    assert machine.tick(NOW + DAY_MS - 1) == []
    effects = machine.tick(NOW + DAY_MS)

    assert effects == [UseRule(Rule.ONLINE), NoteOnline(NOW + DAY_MS)]
    assert machine.may_propose
    assert machine.tick(NOW + DAY_MS + NOTE_MS) == [NoteOnline(NOW + DAY_MS + NOTE_MS)]


def test_a_short_absence_needs_no_bootstrap_but_the_download() -> None:
    machine = starting()

    assert machine.begin(OLD, NOW, has_peers=True) == [UseRule(Rule.ONLINE), BeginDownload()]
    assert not machine.may_propose
    assert machine.downloaded(NOW + 5) == [NoteOnline(NOW + 5)]
    assert machine.may_propose


def test_the_first_node_of_a_network_has_nothing_to_download() -> None:
    machine = starting(0)

    effects = machine.begin(Past(is_at_start=True, last_online_ms=None), NOW, has_peers=False)

    assert effects == [UseRule(Rule.BOOTSTRAP), UseRule(Rule.ONLINE), NoteOnline(NOW)]


def test_a_node_that_can_follow_no_peer_ends() -> None:
    machine = starting()
    machine.begin(OLD, NOW, has_peers=True)

    assert machine.failed(NOW) == [Stop("IBD_FAILED")]
    assert machine.phase is Phase.STOPPED
    assert machine.next_wake_ms() is None


def test_an_operator_can_have_the_bootstrap_rule_again() -> None:
    machine = starting()
    machine.begin(OLD, NOW, has_peers=False)

    assert machine.force_bootstrap(NOW + 7) == [UseRule(Rule.BOOTSTRAP)]
    assert not machine.may_propose
    assert machine.tick(NOW + NOTE_MS) == []
    assert machine.tick(NOW + 7 + DAY_MS)[0] == UseRule(Rule.ONLINE)


@dataclass
class Seen:
    notes: list[int] = field(default_factory=list)
    rule: Rule | None = None

    def see(self, effects: list[Effect]) -> None:
        for each in effects:
            if isinstance(each, NoteOnline):
                self.notes.append(each.now_ms)
            elif isinstance(each, UseRule):
                self.rule = each.rule


steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "wake", "downloaded", "failed", "force"]), st.integers(0, 200_000)
    ),
    max_size=30,
)


@given(steps, st.booleans(), st.booleans(), st.integers(0, 300_000))
def test_a_node_proposes_and_notes_only_under_the_online_rule(
    order: Any, is_at_start: Any, has_peers: Any, prolonged_ms: int
) -> None:
    machine, seen, now_ms = starting(prolonged_ms), Seen(), NOW
    past = Past(is_at_start=is_at_start, last_online_ms=NOW)
    seen.see(machine.begin(past, now_ms, has_peers=has_peers))

    for what, gap_ms in order:
        wake_ms = machine.next_wake_ms()
        if what == "wake" and wake_ms is not None:
            now_ms = max(now_ms, wake_ms)
        else:
            now_ms += gap_ms
        notes = len(seen.notes)
        seen.see(
            {
                "downloaded": machine.downloaded,
                "failed": machine.failed,
                "force": machine.force_bootstrap,
            }.get(what, machine.tick)(now_ms)
        )

        assert seen.rule is machine.rule
        assert not machine.may_propose or machine.rule is Rule.ONLINE
        assert len(seen.notes) == notes or machine.rule is Rule.ONLINE
        assert machine.phase is not Phase.PROLONGED or machine.rule is Rule.BOOTSTRAP
        woken_ms = machine.next_wake_ms()
        if machine.phase in {Phase.PROLONGED, Phase.LISTENING}:
            assert woken_ms is not None
