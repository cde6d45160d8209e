"""What is known of nodes: states, rates, pairs, cursors, what is remembered."""

from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from logos.kernel.v1 import events_pb2, module_pb2
from logos_app.nodes.cursors import Cursor
from logos_app.nodes.model import (
    MEMORY_POINTS,
    Link,
    ModuleSeen,
    NodeSeen,
    Rate,
    Reach,
    pairs,
    state_word,
    with_links,
    with_memory,
)
from logos_app.nodes.watched import REMEMBERED, Nodes
from logos_app.testnet.telling import TRANSITIONS

READY = ModuleSeen("mixnet", "ready")


def seen(name: str, *modules: ModuleSeen, reach: Reach = Reach.ANSWERS) -> NodeSeen:
    return NodeSeen(name, "127.0.0.1:1", reach, modules=modules or (READY,), peer_id=f"id-{name}")


def linked(nodes: list[NodeSeen]) -> list[NodeSeen]:
    """All linked to all."""
    return [
        replace(node, links={o.peer_id: Link(o.peer_id) for o in nodes if o is not node})
        for node in nodes
    ]


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (seen("a"), "ready"),
        (seen("a", reach=Reach.WAITING), "starting"),
        (seen("a", reach=Reach.AWAY), "stopped"),
        (seen("a", reach=Reach.REFUSES), "failed"),
        (replace(seen("a"), is_isolated=True), "isolated"),
        (seen("a", READY, ModuleSeen("storage", "failed")), "failed"),
        (seen("a", READY, ModuleSeen("storage", "restarting")), "degraded"),
        (seen("a", READY, ModuleSeen("storage", "starting")), "starting"),
        (seen("a", READY, ModuleSeen("storage", "blocked")), "starting"),
        (seen("a", READY, ModuleSeen("storage", "stopping")), "degraded"),
        (seen("a", READY, ModuleSeen("storage", "stopped", is_wanted=False)), "degraded"),
    ],
)
def test_the_state_of_a_node_is_a_word(node: NodeSeen, state: str) -> None:
    assert node.state == state


@pytest.mark.parametrize("state", list(module_pb2.ModuleState.keys()[1:]))
def test_every_state_of_a_module_has_a_word(state: str) -> None:
    assert state_word(module_pb2.ModuleState.Value(state)) != "unknown"


def test_rates_are_differences_of_counters() -> None:
    before = with_links(seen("a"), [Link("b", 1, 10, 1000, 20, 2000)], 1)
    after = with_links(before, [Link("b", 1, 14, 1500, 26, 2500)], 2)

    assert before.rates == {}
    assert after.rates == {"b": Rate(messages=5, bytes=500)}


@pytest.mark.parametrize(("since", "seconds"), [(2, 1.0), (1, 0.0)])
def test_a_new_connection_and_no_time_have_no_rate(since: int, seconds: float) -> None:
    before = with_links(seen("a"), [Link("b", 1, 10, 10, 10, 10)], 1)

    assert with_links(before, [Link("b", since, 11, 11, 11, 11)], seconds).rates == {"b": Rate()}


def test_a_link_is_there_if_either_end_tells_of_it() -> None:
    one, two = seen("a"), seen("b")
    told = replace(two, links={"id-a": Link("id-a")})

    assert [pair.is_linked for pair in pairs([one, told])] == [True]
    assert [pair.is_linked for pair in pairs([one, two])] == [False]
    assert [pair.is_linked for pair in pairs([one, replace(told, reach=Reach.AWAY)])] == [False]


def test_memory_is_bounded_and_by_module() -> None:
    node = seen("a")
    for at in range(MEMORY_POINTS + 10):
        node = with_memory(node, {"mixnet": at, "kernel": 5})

    assert len(node.memory) == MEMORY_POINTS
    assert node.memory[-1] == MEMORY_POINTS + 14
    assert node.modules[0].memory_bytes == MEMORY_POINTS + 9


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=100))
def test_cursors_are_read_as_they_were_written(positions: list[int]) -> None:
    cursor = Cursor(tuple(positions))

    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "a", "1.", ".1", "1..2", "-1", "1" * 20, "1.2;3", "1\n"])
def test_other_cursors_are_refused(text: str) -> None:
    assert Cursor.parse(text) is None


def event(position: int, at_s: int = 1000) -> events_pb2.Event:
    change = module_pb2.Transition(
        module="storage", new=module_pb2.MODULE_STATE_READY, at=Timestamp(seconds=at_s)
    )
    return events_pb2.Event(
        position=position, topic=TRANSITIONS, payload=change.SerializeToString()
    )


def remembering(*names: str) -> Nodes:
    return Nodes("small", [seen(name) for name in names])


def test_what_was_missed_is_told_once_and_in_order() -> None:
    nodes = remembering("a", "b")
    nodes.take("a", event(1))
    cursor = nodes.cursor
    nodes.take("b", event(7))
    nodes.take("a", event(2))

    missed = nodes.since(cursor)

    assert missed is not None
    assert [(each.node, each.position) for each in missed] == [("b", 7), ("a", 2)]
    assert nodes.since(nodes.cursor) == []


@pytest.mark.parametrize("text", ["1", "1.2.3", "999.0", "0.0"])
def test_a_cursor_that_is_not_ours_leads_to_nothing(text: str) -> None:
    nodes = remembering("a", "b")
    nodes.begin("a", 5)
    nodes.take("a", event(6))
    cursor = Cursor.parse(text)

    assert cursor is not None
    assert nodes.since(cursor) is None


def test_what_is_remembered_is_bounded_and_older_cursors_are_gone() -> None:
    nodes = remembering("a", "b")
    first = nodes.cursor
    for position in range(1, REMEMBERED + 2):
        nodes.take("a", event(position))

    assert len(nodes.happenings) == REMEMBERED
    assert nodes.since(first) is None
    assert len(nodes.since(Cursor((1, 0))) or []) == REMEMBERED


def test_a_node_with_new_state_begins_anew() -> None:
    nodes = remembering("a", "b")
    nodes.take("a", event(9))
    nodes.take("b", event(1))

    nodes.begin("a", 0)

    assert [each.node for each in nodes.happenings] == ["b"]


def test_changes_are_told_and_repetitions_are_not() -> None:
    nodes = remembering("a")
    nodes.put(seen("a"))
    assert not nodes.changed.is_set()

    nodes.put(replace(seen("a"), is_isolated=True))

    assert nodes.changed.is_set()


def test_the_title_warns_of_what_has_failed() -> None:
    nodes = remembering("a")
    assert nodes.title == "small"

    nodes.put(seen("a", ModuleSeen("storage", "failed")))

    assert nodes.title == "(!) small"


def test_what_happened_is_given_out_once_and_the_cursor_follows() -> None:
    nodes = remembering("a", "b")
    nodes.take("a", event(3))
    nodes.take("b", event(5))
    assert nodes.told == Cursor((0, 0))

    assert [each.position for each in nodes.drain()] == [3, 5]

    assert nodes.told == nodes.cursor == Cursor((3, 5))
    assert nodes.drain() == []
