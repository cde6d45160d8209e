"""Where the chains of nodes end: what the map says, and that it is told as blocks arrive."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from app_chain import Visitor, an_id, summary, visiting_chain
from app_rig import until, visiting
from logos_app.nodes.model import NodeSeen, Reach, Tip
from logos_app.running import background
from logos_app.testnet.blocks import PULSE_MS, SETTLE_MS, standings
from logos_app.testnet.broadcast import TESTNET, _follow_panel, broadcast

NOW_MS = 1_000_000


def chain(height: int, *, fork_at: int | None = None) -> tuple[bytes, ...]:
    """Ids of its newest 50 blocks; from `fork_at` on they are others."""
    kinds = {at: "b" if fork_at is None or at < fork_at else "f" for at in range(height + 1)}
    return tuple(an_id(at, kinds[at]) for at in range(height, max(-1, height - 50), -1))


def at_node(
    name: str,
    height: int,
    *,
    fork_at: int | None = None,
    age_ms: int = SETTLE_MS,
    is_followed: bool = True,
    reach: Reach = Reach.ANSWERS,
) -> NodeSeen:
    tip = Tip(height, chain(height, fork_at=fork_at), NOW_MS - age_ms, is_followed=is_followed)
    return NodeSeen(name, "", reach, tip=tip)


def troubles(*nodes: NodeSeen) -> list[str]:
    return [each.trouble for each in standings(nodes, NOW_MS)]


def test_nodes_at_the_same_block_have_no_trouble() -> None:
    found = standings([at_node("node1", 1204), at_node("node2", 1204)], NOW_MS)

    assert [each.said for each in found] == ["Block 1,204 is its newest."] * 2


@pytest.mark.parametrize(
    ("height", "said"),
    [(19, "one block behind"), (17, "three blocks behind"), (1, "19 blocks behind")],
)
def test_a_node_that_is_behind_says_so(height: int, said: str) -> None:
    assert troubles(at_node("node1", 20), at_node("node2", height)) == ["", said]


def test_of_a_chain_that_ends_long_before_only_the_distance_is_known() -> None:
    assert troubles(at_node("node1", 1200), at_node("node2", 9)) == ["", "1,191 blocks behind"]


def test_one_block_apart_is_said_once_it_has_lasted() -> None:
    early, late = at_node("node1", 20, age_ms=SETTLE_MS - 1), at_node("node2", 19)

    assert troubles(early, late) == ["", ""]
    assert troubles(at_node("node1", 21, age_ms=0), late) == ["", "two blocks behind"]


def test_a_node_on_another_fork_says_since_when() -> None:
    nodes = [at_node("node1", 20), at_node("node2", 20, fork_at=18, age_ms=0), at_node("n", 20)]

    assert troubles(*nodes) == ["", "on another fork since block 18", ""]


def test_the_longest_chain_is_gone_by_whatever_most_have() -> None:
    nodes = [at_node("node1", 20), at_node("node2", 20), at_node("node3", 21, fork_at=18)]

    assert troubles(*nodes) == ["on another fork since block 18"] * 2 + [""]


def test_a_fork_older_than_what_is_remembered_is_one() -> None:
    assert troubles(at_node("node1", 200), at_node("node2", 200, fork_at=2))[1] == "on another fork"


@pytest.mark.parametrize(
    "node",
    [
        at_node("node2", 30, is_followed=False, age_ms=0),
        at_node("node2", 30, reach=Reach.AWAY, age_ms=0),
    ],
)
def test_what_is_not_followed_is_no_measure_and_does_not_pulse(node: NodeSeen) -> None:
    first, second = standings([at_node("node1", 20), node], NOW_MS)

    assert first.trouble == ""
    assert (second.said, second.pulse) == ("Block 30 is its newest: not followed now.", "")


def test_a_node_without_a_chain_says_nothing() -> None:
    first, second = standings([NodeSeen("node1", "", Reach.ANSWERS), at_node("node2", 3)], NOW_MS)

    assert (first.said, first.height, first.pulse) == ("", "", "")
    assert second.trouble == ""


@pytest.mark.parametrize(("age_ms", "is_drawn"), [(PULSE_MS - 1, True), (PULSE_MS, False)])
def test_a_block_is_drawn_where_it_has_just_arrived(age_ms: int, *, is_drawn: bool) -> None:
    (one,) = standings([at_node("node1", 20, age_ms=age_ms)], NOW_MS)

    assert bool(one.pulse) == is_drawn


def test_a_block_that_was_there_before_is_not_drawn() -> None:
    (one,) = standings([NodeSeen("node1", "", Reach.ANSWERS, tip=Tip(3, chain(3)))], 1)

    assert (one.height, one.pulse) == ("3", "")


@pytest.mark.parametrize("path", ["/parts/map", "/parts/nodes"])
async def test_the_samples_have_each_word(path: str, tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        page = (await client.get(path)).text

    for said in ("three blocks behind", "on another fork since block 1,203", "not followed now"):
        assert f'<span class="tip off">{said}</span>' in page


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_chain(tmp_path, "explorer") as one:
        yield one


def tip_of(visitor: Visitor) -> Tip | None:
    return visitor.shell.nodes.node("node1").tip


async def test_a_block_arrives_on_the_map(visitor: Visitor) -> None:
    tab = visitor.shell.live.open("other", [TESTNET])
    async with background(broadcast(visitor.shell)):
        await until(lambda: tip_of(visitor) is not None)
        known = tip_of(visitor)
        visitor.node.grow(summary(11))
        await until(lambda: any("block 11<" in each.data for each in tab.queue))

    assert known == Tip(10, tuple(an_id(at) for at in range(10, -1, -1)))
    told = next(each.data for each in tab.queue if "block 11<" in each.data)
    assert f'id="pulse-node1-{an_id(11).hex()[:16]}"' in told
    assert 'title="Block 11 is its newest."' in told
    assert await visitor.get("/testnet")


async def test_the_map_outlives_a_restart_of_the_module(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.follow is not None
    async with background(_follow_panel(visitor.shell, panel, "node1", panel.follow)):
        await until(lambda: tip_of(visitor) is not None)
        visitor.node.is_off = grpc.StatusCode.UNAVAILABLE
        visitor.node.moves.put_nowait(None)
        await until(lambda: (tip := tip_of(visitor)) is not None and not tip.is_followed)
        gone = await visitor.get("/testnet")
        visitor.node.chain.append(summary(11))
        visitor.node.is_off = None
        await until(lambda: (tip := tip_of(visitor)) is not None and tip.is_followed)
        back = await visitor.get("/testnet")

    assert "not followed now" in gone
    assert "not followed now" not in back
    assert 'title="Block 11 is its newest."' in back
    assert 'class="pulse"' not in back  # it came while none looked: when is not known


async def test_a_reorganisation_moves_the_tip(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.follow is not None
    async with background(_follow_panel(visitor.shell, panel, "node1", panel.follow)):
        await until(lambda: tip_of(visitor) is not None)
        visitor.node.grow(summary(10, "f"), summary(11, "f"), removed=1)
        await until(lambda: (tip := tip_of(visitor)) is not None and tip.height == 11)

    tip = tip_of(visitor)
    assert tip is not None
    assert tip.ids[:3] == (an_id(11, "f"), an_id(10, "f"), an_id(9))
    assert tip.arrived_ms > 0


async def test_what_is_read_of_a_node_meanwhile_keeps_its_tip(visitor: Visitor) -> None:
    visitor.seen(tip=Tip(3, chain(3)))
    visitor.shell.nodes.put(replace(visitor.shell.nodes.node("node1"), memory=(1,)))

    assert 'title="Block 3 is its newest."' in await visitor.get("/testnet")
