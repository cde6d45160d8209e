"""Sends a request through the mix, and watches it at each of its hops."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import grpc

from logos.network.v1 import mix_pb2 as pb
from logos_app.clock import now_ms
from logos_app.panels.contract import Place
from logos_app.panels.mixnet import client, drops, journey, words
from logos_app.panels.mixnet.journey import Hop, Journey
from logos_app.panels.mixnet.meter import MixSeen
from logos_app.shown.problems import Problem, problem_of
from logos_app.testnet.acts import record

E = TypeVar("E", bound=BaseException)

WORDS: Final = {"words": words, "way": journey}
"""What the part of a request is made with."""
LAST_WORDS_S: Final = 2.0
"""For what hops have yet to tell when the answer is there."""


class DroppedError(Exception):
    """A hop has dropped the packet: no answer will come."""

    def __init__(self, hop: Hop) -> None:
        super().__init__(hop.why)
        sentence = f"{words.hop_name(hop)} dropped the packet. {drops.why(hop.why)}"
        self.problem = Problem(sentence, hop.why)


def begin(at: Place, session: str, node: str, peer_id: str, delay_ms: int) -> None:
    """Begins a request to a node; it goes on when the browser goes."""
    sending = Sending(at, session)
    sending.put(Journey(node, delay_ms))
    at.work(sending.run(peer_id, delay_ms))


@dataclass(frozen=True, slots=True)
class Sending:
    """One request from a node, whose state the panel keeps there."""

    at: Place
    session: str

    async def run(self, peer_id: str, delay_ms: int) -> None:
        """Sends it, and follows it to its end. What fails is told on the page."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as watching:
                answer = await self._answer(watching, peer_id, delay_ms)
                self.put(journey.answered(self._now, answer))
                patience.reschedule(loop.time() + LAST_WORDS_S)
        except* TimeoutError:
            pass  # a hop has told less than it might
        except* DroppedError as failed:
            self._fail(_first(failed, DroppedError).problem)
        except* grpc.aio.AioRpcError as failed:
            self._fail(problem_of(_first(failed, grpc.aio.AioRpcError), self.at.node))
        if self._now.problem is None:
            await record(self.at.channel, self.session, "ping")

    async def _answer(
        self, watching: asyncio.TaskGroup, peer_id: str, delay_ms: int
    ) -> pb.MixPingResponse.Answered:
        """Waits for the answer; AioRpcError if none comes."""
        async with aclosing(client.ping(self.at.channel, peer_id, delay_ms)) as steps:
            async for step in steps:
                match step.WhichOneof("kind"):
                    case "planned":
                        names = words.names_by_peer(self.at.shell.nodes.seen)
                        self.put(journey.planned(self._now, step.planned, names))
                        for node, tags in journey.tags(self._now).items():
                            watching.create_task(self._watch(node, tags))
                    case "departed":
                        self.put(replace(self._now, departed_ms=now_ms()))
                    case "answered":
                        return step.answered
        raise _cut_short()

    async def _watch(self, node: str, tags: list[bytes]) -> None:
        """Takes what a node tells of the packets; of one that tells nothing nothing is shown."""
        try:
            async with aclosing(client.trace(self.at.shell.doors.to(node), tags)) as steps:
                async for step in steps:
                    self.put(journey.traced(self._now, node, step))
                    if (hop := self._now.dropped) is not None:
                        raise DroppedError(hop)
        except grpc.aio.AioRpcError:
            return

    def _fail(self, problem: Problem) -> None:
        if not self._now.is_over:
            self.put(replace(self._now, problem=problem))

    @property
    def _now(self) -> Journey:
        found = self.at.kept(MixSeen()).journey
        assert found is not None  # noqa: S101 - `begin` has put it there
        return found

    def put(self, now: Journey) -> None:
        """Keeps how the request is doing, and shows it to everyone who looks on."""
        self.at.keep(replace(self.at.kept(MixSeen()), journey=now))
        self.at.publish("journey_part.html", journey=now, **WORDS)


def _first(failed: BaseExceptionGroup[E], kind: type[E]) -> E:
    found = failed.exceptions[0]
    assert isinstance(found, kind)  # noqa: S101 - the groups of one TaskGroup hold no groups
    return found


def _cut_short() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(
        grpc.StatusCode.ABORTED, nothing, nothing, "it ended the request without an answer"
    )
