"""What events say, what the testnet's sentence says, and where the map draws: by tables."""

import json
from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from logos.kernel.v1 import events_pb2, module_pb2
from logos.network.v1.events_pb2 import IsolationEvent
from logos_app.nodes.model import Link, ModuleSeen, NodeSeen, Rate, Reach
from logos_app.testnet import picture
from logos_app.testnet.logs import read_line
from logos_app.testnet.sentence import figures, sentence
from logos_app.testnet.telling import ACTS, ISOLATION, TRANSITIONS, Happening, Quiet, rows, tell

STATES = {
    name.removeprefix("MODULE_STATE_"): number for name, number in module_pb2.ModuleState.items()
}


def transition(old: str, new: str, detail: str = "", reason: int = 0) -> Happening | None:
    change = module_pb2.Transition(
        module="storage",
        old=STATES[old],
        new=STATES[new],
        detail=detail,
        reason=reason,
        at=Timestamp(seconds=1000),
    )
    event = events_pb2.Event(position=3, topic=TRANSITIONS, payload=change.SerializeToString())
    return tell("node2", event)


@pytest.mark.parametrize(
    ("old", "new", "detail", "text"),
    [
        ("REGISTERED", "READY", "", "Storage on node2 is ready."),
        ("BLOCKED", "STARTING", "", "Storage on node2 starts."),
        ("READY", "BACKOFF", "ended by signal 9", "Storage on node2 ended by signal 9."),
        ("READY", "BACKOFF", "lease lost", "Storage on node2 ended: lease lost."),
        ("BACKOFF", "FAILED", "", None),
        ("STARTING", "FAILED", "too often", "Storage on node2 failed: too often."),
        ("DRAINING", "STOPPED", "", "Storage on node2 stopped."),
        ("READY", "BLOCKED", "waits for mixnet", "Storage on node2 waits for mixnet."),
        ("READY", "DRAINING", "", None),
        ("STARTING", "REGISTERED", "", None),
    ],
)
def test_transitions_are_told(old: str, new: str, detail: str, text: str | None) -> None:
    told = transition(old, new, detail)

    assert (None if told is None else told.text) == text


def test_a_start_after_a_failure_is_one_again() -> None:
    told = transition("BACKOFF", "STARTING", reason=module_pb2.TRANSITION_REASON_RETRY_DUE)

    assert told is not None
    assert told.text == "Storage on node2 starts again."


def test_an_end_that_was_asked_for_is_no_crash() -> None:
    told = transition("READY", "BACKOFF", "ended by signal 9", module_pb2.TRANSITION_REASON_KILLED)

    assert told is not None
    assert told.text == "Storage on node2 was killed on request."


def act(payload: bytes) -> Happening | None:
    return tell("node4", events_pb2.Event(position=1, topic=ACTS, payload=payload))


def test_acts_say_who_did_them() -> None:
    told = act(json.dumps({"verb": "kill", "session": "mine", "module": "storage"}).encode())

    assert told is not None
    assert told.told("mine") == "You killed storage on node4."
    assert told.told("other") == "Another session killed storage on node4."


@pytest.mark.parametrize(
    ("event", "mark", "text"),
    [
        (IsolationEvent(isolated=True), "break", "Node4 was isolated."),
        (IsolationEvent(isolated=False), "dot", "Node4 was healed."),
        (IsolationEvent(isolated=True, mark="mine"), "break", "You isolated node4."),
        (IsolationEvent(isolated=False, mark="x"), "dot", "Another session healed node4."),
    ],
)
def test_isolation_is_told_whoever_asked_for_it(
    event: IsolationEvent, mark: str, text: str
) -> None:
    payload = event.SerializeToString()

    told = tell("node4", events_pb2.Event(position=1, topic=ISOLATION, payload=payload))

    assert told is not None
    assert (told.kind, told.mark, told.told("mine")) == ("faults", mark, text)


def test_an_isolation_that_cannot_be_read_says_nothing() -> None:
    event = events_pb2.Event(position=1, topic=ISOLATION, payload=b"\xff")

    assert tell("node4", event) is None


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b"1", b"{}", b'{"verb": "burn"}', b'{"verb": ["stop"]}']
)
def test_acts_that_make_no_sense_are_left_out(payload: bytes) -> None:
    assert act(payload) is None


@given(
    st.dictionaries(
        st.sampled_from(["verb", "session", "name", "size", "module"]),
        st.one_of(st.text(), st.integers(), st.none()),
    )
)
def test_acts_of_others_never_raise(said: dict[str, object]) -> None:
    told = act(json.dumps(said | {"verb": "stop"}).encode())

    assert told is not None
    assert told.told("x")


def test_quiet_stretches_are_one_line() -> None:
    def at(minutes: int) -> Happening:
        return Happening("a", minutes, minutes * 60_000, "life", "dot", "x")

    found = rows([at(60), at(59), at(40)])

    assert found[2] == Quiet("19 min in which nothing happened.")
    assert len(found) == 4


READY = (ModuleSeen("mixnet", "ready"), ModuleSeen("storage", "ready"))


def seen(index: int, **changed: object) -> NodeSeen:
    node = NodeSeen(f"node{index}", "", Reach.ANSWERS, modules=READY, peer_id=f"p{index}")
    return replace(node, **changed)  # type: ignore[arg-type]


def said(nodes: list[NodeSeen]) -> str:
    return "".join(word.text for word in sentence(nodes))


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([], "This testnet has no nodes."),
        ([seen(1)], "The node answers."),
        ([seen(n) for n in range(1, 6)], "All five nodes are joined."),
        ([seen(1, reach=Reach.WAITING)], "Asking one node how they are."),
        ([seen(1, reach=Reach.AWAY)], "No node answers. ./logos up starts them."),
        (
            [seen(1), seen(2), seen(3, is_isolated=True)],
            "Two of three nodes are joined. node3 is isolated.",
        ),
        (
            [seen(1), seen(2, reach=Reach.AWAY)],
            "One of two nodes is joined. node2 does not answer.",
        ),
        (
            [seen(1), seen(2, modules=(ModuleSeen("storage", "restarting", restarts=2),))],
            "Both nodes are joined. storage on node2 is starting for the third time.",
        ),
        (
            [seen(1, modules=(ModuleSeen("storage", "stopped", is_wanted=False),))],
            "The node answers. storage on node1 was stopped.",
        ),
    ],
)
def test_the_sentence(nodes: list[NodeSeen], text: str) -> None:
    assert said(nodes) == text


def test_the_sentence_names_three_troubles_and_counts_the_rest() -> None:
    nodes = [seen(n, is_isolated=True) for n in range(1, 8)]

    assert said(nodes).endswith("node3 is isolated; four more things to see below.")


def test_figures_have_units() -> None:
    link = {"p2": Link("p2")}
    nodes = [
        seen(1, links=link, rates={"p2": Rate(214, 1.8 * 1024**2)}, memory=(1024**2,)),
        seen(2),
    ]

    shown = [f"{each.value} {each.of}" for each in figures(nodes)]

    assert shown == ["1 of 1 link", "214 messages/s", "1.8 MiB/s between nodes", "1 MiB of memory"]


@given(st.integers(1, 100))
def test_arcs_end_at_their_nodes_and_stay_in_the_picture(count: int) -> None:
    nodes = [seen(n, links={f"p{n + 1}": Link(f"p{n + 1}")}) for n in range(count)]

    for arc in picture.arcs(nodes):
        assert arc.cx - arc.rx == pytest.approx(picture.place(arc.first, count), abs=0.01)
        assert arc.cx + arc.rx == pytest.approx(picture.place(arc.second, count), abs=0.01)
        assert 0 < arc.ry <= 100


def test_links_of_an_isolated_node_are_lost_and_busy_ones_are_thick() -> None:
    nodes = [
        seen(1, links={"p2": Link("p2")}, rates={"p2": Rate(9, 2 * 1024**2)}),
        seen(2),
        seen(3, is_isolated=True),
        seen(4, reach=Reach.AWAY),
    ]

    assert [(a.first, a.second, a.look) for a in picture.arcs(nodes)] == [
        (0, 1, "busy"), (0, 2, "lost"), (1, 2, "lost"),
    ]  # fmt: skip
    assert picture.rates(nodes) == [[0, 1, 9, 2 * 1024**2]]
    assert picture.links_said(nodes) == "One link of 6 between the nodes. node3 is isolated."


def test_lines_of_logs_are_read() -> None:
    ours = (
        '{"time": "2026-11-28T14:02:24.310Z", "level": "warning", "module": "storage", '
        '"logger": "x", "message": "2 uploads", "bytes": 4}'
    )
    line = read_line(ours)

    assert (line.level, line.kind, line.text) == ("warn", "warn", "2 uploads bytes=4")
    assert line.at_ms % 60_000 == 24_310


@given(
    st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(json.dumps),
    )
)
def test_any_line_is_shown(line: str) -> None:
    assert "\x1b" not in read_line(line).text
