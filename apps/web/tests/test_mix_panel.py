"""The panel Mix before nodes that tell a script: its page, its profile, a request over its hops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from app_rig import FROM_OURS, PATIENCE_S, browser, csrf_of, made, open_session, until
from logos.kernel.v1 import events_pb2, events_pb2_grpc
from logos.network.v1 import mix_pb2 as pb
from logos.network.v1 import mix_pb2_grpc
from logos_app.live.streams import Tab
from logos_app.nodes.model import ModuleSeen, Reach
from logos_app.panels.contract import Place
from logos_app.panels.mixnet import panel
from logos_app.shell.pages import Shell

NODES = ("node1", "node2", "node3", "node4")
PARTIAL = {**FROM_OURS, "hx-request": "true"}
WAY = [("node2", b"a"), ("node3", b"b"), ("node4", b"c")]
BACK = [("node3", b"d"), ("node2", b"e"), ("node1", b"f")]
HELD, FORWARDED = pb.TraceResponse.STEP_HELD, pb.TraceResponse.STEP_FORWARDED
DELIVERED, DROPPED = pb.TraceResponse.STEP_DELIVERED, pb.TraceResponse.STEP_DROPPED


class Mixes(mix_pb2_grpc.MixServicer, events_pb2_grpc.EventsServicer):
    """Four nodes in one: the ping leaves when each of its hops is being watched."""

    def __init__(self) -> None:
        self.profile = "laptop"
        self.drops_at: bytes | None = None
        self.refuses: grpc.StatusCode | None = None
        """To tell how it does."""
        self.sends_nothing: grpc.StatusCode | None = None
        self.destination = ""
        self.watched: set[bytes] = set()
        self.changed = asyncio.Condition()
        self.tapped = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.acts: list[bytes] = []

    async def GetStatus(self, request: Any, context: Any) -> pb.MixGetStatusResponse:  # noqa: N802
        if self.refuses is not None:
            await context.abort(self.refuses, "it is off")
        return pb.MixGetStatusResponse(
            peer_id="peer-node1", profile=profile(self.profile), pool_size=3, usable=3, held=5,
            profiles=[profile("laptop"), profile("demo")], guarded=True, ids_left=7, key_epoch=2,
            anonymity=pb.Anonymity(waiting=3.5, entropy_bits=4.34, best_guess=0.095),
            counts=pb.MixCounts(loops_sent=8, loops_back=6, dropped={"MIX_COPY": 2, "<b>": 1}),
            tapped=self.tapped,
        )  # fmt: skip

    async def SetProfile(self, request: Any, context: Any) -> pb.SetProfileResponse:  # noqa: N802
        self.profile = request.name
        return pb.SetProfileResponse(profile=profile(request.name))

    async def Ping(self, request: Any, context: Any) -> AsyncIterator[pb.MixPingResponse]:  # noqa: N802
        self.destination = request.route.destination
        if self.sends_nothing is not None:
            await context.abort(self.sends_nothing, "it went")
        plan = pb.MixPingResponse.Planned(forward=hops(WAY), back=hops(BACK))
        yield pb.MixPingResponse(planned=plan)
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.watched) == len(WAY) + len(BACK))
        yield pb.MixPingResponse(departed=pb.MixPingResponse.Departed())
        await self.answers.wait()
        answer = pb.MixPingResponse.Answered()
        answer.round_trip.FromMilliseconds(1240)
        answer.under_way.FromMilliseconds(980)
        yield pb.MixPingResponse(answered=answer)

    async def Trace(self, request: Any, context: Any) -> AsyncIterator[pb.TraceResponse]:  # noqa: N802
        yield pb.TraceResponse()
        async with self.changed:
            self.watched |= set(request.tags)
            self.changed.notify_all()
            await self.changed.wait_for(lambda: len(self.watched) == len(WAY) + len(BACK))
        for tag in request.tags:
            for step in self._steps(tag):
                yield step

    def _steps(self, tag: bytes) -> list[pb.TraceResponse]:
        if tag == self.drops_at:
            return [told(tag, DROPPED, 1_000, detail="MIX_RELAY_BUSY")]
        ends = DELIVERED if tag in {b"c", b"f"} else FORWARDED
        held = told(tag, HELD, 1_000)
        held.delay.FromMilliseconds(205)
        return [held, told(tag, ends, 1_212)]

    async def Publish(self, request: Any, context: Any) -> events_pb2.PublishResponse:  # noqa: N802
        self.acts += [event.payload for event in request.events]
        return events_pb2.PublishResponse()


def profile(name: str) -> pb.MixProfile:
    made = pb.MixProfile(name=name, limit=10, hops=3, law=pb.MixProfile.LAW_POISSON)
    made.mean_delay.FromMilliseconds({"laptop": 10_000, "demo": 200}[name])
    made.mean_pause.FromMilliseconds(5_714)
    made.period.FromSeconds(10)
    return made


def hops(way: list[tuple[str, bytes]]) -> list[pb.TracedHop]:
    return [pb.TracedHop(peer_id=f"peer-{node}", tag=tag) for node, tag in way]


def told(tag: bytes, step: int, at_ms: int, detail: str = "") -> pb.TraceResponse:
    made = pb.TraceResponse(tag=tag, step=step, detail=detail)  # type: ignore[arg-type]
    made.at.FromMilliseconds(at_ms)
    return made


class Visitor:
    """A browser on the page of node1, and what the stream brings it."""

    def __init__(self, client: httpx.AsyncClient, shell: Shell, mixes: Mixes, csrf: str) -> None:
        self.client, self.shell, self.mixes, self.csrf = client, shell, mixes, csrf
        self.tab: Tab = shell.live.open("other", ["mix:node1"])

    async def page(self, node: str = "node1") -> str:
        answer = await self.client.get(f"/at/{node}/mix/")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, path: str, *, script: bool = True, **fields: str) -> httpx.Response:
        headers = {**(PARTIAL if script else FROM_OURS)}
        data = {"csrf": self.csrf, **fields}
        return await self.client.post(f"/at/node1/mix/{path}", data=data, headers=headers)

    async def until(self, text: str, times: int = 1) -> str:
        """The first part of the stream that says this, and so many times."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self.tab.queue:
                    part = self.tab.queue.popleft().data
                    if part.count(text) >= times:
                        return part
                self.tab.woken.clear()
                await self.tab.woken.wait()


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    mixes = Mixes()
    async with serving(mixes) as address, AsyncExitStack() as stack:
        fronts = " ".join(f"{name}={address}" for name in NODES)
        config, app = made(tmp_path, LOGOS_APP_NODES=fronts)
        shell: Shell = app.state.shell
        for node in shell.nodes.seen:
            module = ModuleSeen("mixnet", "ready")
            peer_id = f"peer-{node.name}"
            shell.nodes.put(replace(node, reach=Reach.ANSWERS, modules=(module,), peer_id=peer_id))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        shell.work = tasks.create_task
        client = await stack.enter_async_context(browser(app))
        await open_session(client, config)
        yield Visitor(client, shell, mixes, await csrf_of(client))
        mixes.answers.set()
    await shell.doors.close()


@asynccontextmanager
async def serving(mixes: Mixes) -> AsyncIterator[str]:
    server = grpc.aio.server()
    mix_pb2_grpc.add_MixServicer_to_server(mixes, server)
    events_pb2_grpc.add_EventsServicer_to_server(mixes, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def test_the_page_says_how_the_mix_is(visitor: Visitor) -> None:
    page = await visitor.page()

    for text in (
        "A message from node1 is one of five.",
        "<b>4.3 bits</b> of entropy",
        'aria-label="Five equal bars, one of which is yours"',
        "8 sent, 6 back, 0 lost",
        "7 left",
        "It arrived before, over another path. <code>MIX_COPY</code>",
        "<code>&lt;b&gt;</code>",
        "Nothing was sent from this page yet.",
        "Send a request through three hops",
        "<option>node4</option><option>node3</option><option>node2</option></select>",
        '<option value="10000">10 s, as the profile has it</option>',
    ):
        assert text in page
    assert page.count("<i></i>") == 5
    assert page.count('<td class="num" data-l="Bits">4.3</td>') == 4, "of every node, at once"
    assert '<tr id="mix-node3"><td class="name"><a href="/at/node3/mix/">node3</a>' in page


async def test_a_tap_is_warned_of_on_the_page_and_while_it_is_open(visitor: Visitor) -> None:
    assert "A tap writes down" not in await visitor.page()

    visitor.mixes.tapped = True

    warning = '<div class="notice warn"><p>A tap writes down when packets of node1 come and leave'
    assert warning in await panel.live(at(visitor, "node1"))
    assert warning in await visitor.page()


async def test_a_mix_that_cannot_be_seen_is_said(visitor: Visitor) -> None:
    visitor.mixes.refuses = grpc.StatusCode.UNIMPLEMENTED

    page = await visitor.page()

    assert "The mix of node1 cannot be seen now." in page
    assert "node1 refused: it is off." in page


async def test_a_request_shows_its_hops_as_they_tell(visitor: Visitor) -> None:
    visitor.mixes.answers.clear()

    answer = await visitor.post("ping", to="node4", delay="200")

    assert "A request from node1 to node4 is being wrapped." in answer.text
    assert visitor.mixes.destination in {"", "peer-node4"}
    part = await visitor.until("waits to leave")
    assert part.count('data-stage="awaited"') == 6
    await visitor.until("held it 212 ms, 205 ms drawn, and passed it on", times=4)
    visitor.mixes.answers.set()
    part = await visitor.until("The answer came back after 1.2 s, 980 ms of it under way")
    assert visitor.mixes.destination == "peer-node4"
    assert part.count("held it 212 ms, 205 ms drawn, and passed it on") == 4
    assert '<svg class="blocks" role="img" aria-label="From ' in part
    await until(lambda: visitor.mixes.acts != [])
    assert b'"ping"' in visitor.mixes.acts[0]
    assert b"node4" not in visitor.mixes.acts[0], "whom one asks is nobody's business"
    assert "The answer came back" in await visitor.page()


async def test_a_hop_that_drops_it_ends_it(visitor: Visitor) -> None:
    visitor.mixes.answers.clear()
    visitor.mixes.drops_at = b"b"

    await visitor.post("ping", to="node4", delay="200")

    part = await visitor.until("was not answered")
    assert "node3 dropped the packet. More were held than there is room for." in part
    assert "<code>MIX_RELAY_BUSY</code>" in part
    assert visitor.mixes.acts == []


async def test_a_request_that_fails_says_why(visitor: Visitor) -> None:
    visitor.mixes.sends_nothing = grpc.StatusCode.UNAVAILABLE

    await visitor.post("ping", to="node4", delay="200")

    assert "node1 does not answer" in await visitor.until("was not answered")


async def test_a_second_request_waits_for_the_first(visitor: Visitor) -> None:
    visitor.mixes.answers.clear()
    await visitor.post("ping", to="node4", delay="200")

    answer = await visitor.post("ping", to="node3", delay="200")

    assert answer.status_code == 409
    assert "REQUEST_UNDER_WAY" in answer.text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"to": "node9", "delay": "200"}, "NODE_UNKNOWN"),
        ({"to": "node1", "delay": "200"}, "NODE_UNKNOWN"),
        ({"delay": "200"}, "NODE_UNKNOWN"),
        ({"to": "node4"}, "INVALID_DELAY"),
        ({"to": "node4", "delay": "0"}, "INVALID_DELAY"),
        ({"to": "node4", "delay": "65536"}, "INVALID_DELAY"),
        ({"to": "node4", "delay": "9" * 4000}, "INVALID_DELAY"),
        ({"to": "node4", "delay": "-1"}, "INVALID_DELAY"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    visitor: Visitor, fields: dict[str, str], reason: str
) -> None:
    answer = await visitor.post("ping", **fields)

    assert (answer.status_code, reason in answer.text) == (409, True)
    assert visitor.mixes.destination == ""


async def test_a_request_is_sent_without_a_script_too(visitor: Visitor) -> None:
    answer = await visitor.post("ping", script=False, to="node2", delay="200")

    assert (answer.status_code, answer.headers["location"]) == (303, "/at/node1/mix/#journey")
    await visitor.until("The answer came back")


async def test_a_weaker_profile_is_asked_for_twice_without_a_script(visitor: Visitor) -> None:
    asking = await visitor.post("profile?name=demo", script=False)
    assert "Use demo on node1?" in asking.text
    assert "and hides less." in asking.text
    assert visitor.mixes.profile == "laptop"

    done = await visitor.post("profile?name=demo&sure=yes", script=False)

    assert (done.status_code, visitor.mixes.profile) == (303, "demo")
    assert b'"profile"' in visitor.mixes.acts[0]


async def test_a_profile_is_changed_where_a_script_has_asked(visitor: Visitor) -> None:
    page = await visitor.page()
    assert (
        'data-ask="Use demo on node1?" data-why="It spends as much as now, and hides less.' in page
    )

    done = await visitor.post("profile?name=demo")

    assert visitor.mixes.profile == "demo"
    assert "node1 uses the profile demo from now on." in done.text
    assert "Use laptop" in done.text


async def test_the_parts_of_an_open_page_are_made_anew(visitor: Visitor) -> None:
    place = at(visitor, "node1")

    text = await panel.live(place)

    for target in ("#says", "#meter", "#doing", "#everywhere"):
        assert f'hx-target="{target}"' in text


async def test_the_meter_is_read_of_every_node(visitor: Visitor) -> None:
    for _ in range(2):
        await panel.read(at(visitor, "node3"))

    page = await visitor.page("node3")
    assert 'aria-label="Anonymity over time: from 4.3 to 4.3 bits, now 4.3"' in page
    assert "<polyline" in page
    row = (await visitor.page("node1")).partition('<tr id="mix-node3">')[2].partition("</tr>")[0]
    assert '<td class="num" data-l="Bits">4.3</td>' in row
    assert await panel.figure(visitor.shell.doors.to("node2")) == "1 of 5"


def at(visitor: Visitor, node: str) -> Place:
    found = next(each for each in visitor.shell.panels if each.slug == "mix")
    return Place(visitor.shell, node, found, visitor.shell.doors.to(node))
