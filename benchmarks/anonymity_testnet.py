"""A testnet with taps: messages through its nodes, what taps wrote meanwhile, and the truth.

Five nodes of processes, started for it and removed. Messages go through the front doors, as those
of any client do.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

import grpc
from benchmarks.report import say
from benchmarks.running import ROOT, Running, running

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1 import rln_pb2
from logos.network.v1.mix_pb2_grpc import MixStub
from logos.network.v1.rln_pb2_grpc import RlnStub
from logos_anonymity.trials import MARGIN
from logos_mixnet.core.mixing.cover import Profile
from logos_mixnet.net.clock import boot_ns
from logos_simulation.chance import Chance
from logos_testnet.client import reason_of

NODES: Final = 5
TAPPED: Final = ROOT / "deploy" / "topologies" / "tapped.toml"
PORTS_FROM: Final = 300
CODEC: Final = "/logos/benchmark/1.0.0"
READY_S: Final = 180.0
CALL_S: Final = 10.0
WRITTEN_S: Final = 3.0
"""By when a tap has written what it has seen."""
LOAD_EVERY_S: Final = 5.0
SPARE: Final = 1.4
"""Messages for each that is wanted: of a quarter it cannot be said which packet they were."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be captured."""

    profile: Profile
    minutes: float
    messages: int
    seed: int

    @property
    def margin_s(self) -> float:
        """Before the first message and after the last: what `evaluated` leaves out, and more."""
        return MARGIN / 2 * self.profile.mean_delay_ms / 1000 + 2


async def capture(wanted: Wanted, folder: Path) -> tuple[list[Path], Path]:
    """Starts a testnet, sends messages, and removes it.

    Returns:
        Files in the folder: those of the taps, and that of the truth.
    """
    async with running(NODES, TAPPED, PORTS_FROM) as net, AsyncExitStack() as stack:
        stubs: dict[str, MixStub] = {}
        for node in net.plan.nodes:
            channel = await stack.enter_async_context(net.front(node.name))
            stub = MixStub(channel)
            await stub.SetProfile(pb.SetProfileRequest(name=wanted.profile.name), timeout=CALL_S)
            stubs[await _joined(channel)] = stub
        say(f"load of the machine before: {os.getloadavg()[0]:.2f}")
        talk = Talk(stubs, wanted)
        await talk.run()
        truth = folder / "sent.jsonl"
        truth.write_text("".join(f"{json.dumps(line)}\n" for line in talk.truth()), "utf-8")
        await asyncio.sleep(WRITTEN_S)
        await _say_how_they_did(stubs.values())
        return [_kept(net, node.name, folder) for node in net.plan.nodes], truth


async def _joined(channel: grpc.aio.Channel) -> str:
    """Waits until a mix knows all others, and may send as all may; returns its peer id."""
    async with asyncio.timeout(READY_S):
        while True:
            limits = await RlnStub(channel).GetStatus(rln_pb2.RlnGetStatusRequest(), timeout=CALL_S)
            status = await MixStub(channel).GetStatus(pb.MixGetStatusRequest(), timeout=CALL_S)
            if not status.tapped:
                raise SystemExit("its taps are off")
            if limits.members == NODES and status.usable == NODES - 1:
                return str(status.peer_id)
            await asyncio.sleep(0.5)


def _kept(net: Running, node: str, folder: Path) -> Path:
    kept = folder / f"{node}.jsonl"
    shutil.copyfile(net.layout.node(node) / "modules" / "mixnet" / "taps.jsonl", kept)
    return kept


async def _say_how_they_did(stubs: Sequence[MixStub]) -> None:
    for stub in stubs:
        status = await stub.GetStatus(pb.MixGetStatusRequest(), timeout=CALL_S)
        counts = status.counts
        say(
            f"{status.peer_id[-6:]}: {counts.loops_sent} loops sent, {counts.loops_lost} lost,"
            f" {counts.loops_skipped} left out; dropped {dict(counts.dropped)}; it states"
            f" {status.anonymity.entropy_bits:.2f} bits, {status.anonymity.best_guess:.3f};"
            f" {status.tap_skipped} packets are not in its tap"
        )


class Talk:
    """Messages of nodes to one another, at even times, and when they left and came."""

    def __init__(self, stubs: Mapping[str, MixStub], wanted: Wanted) -> None:
        self._stubs = stubs
        self._wanted = wanted
        chance, peers = Chance((wanted.profile.name, wanted.seed)), sorted(stubs)
        self._pairs = []
        for _ in range(round(wanted.messages * SPARE)):
            sender = chance.pick(peers)
            receiver = chance.pick([peer for peer in peers if peer != sender])
            self._pairs.append((sender, receiver))
        self._given: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._came: dict[int, int] = {}
        self._refused: list[str] = []
        self._loads: list[float] = []

    async def run(self) -> None:
        """Sends all of them, and waits until they have arrived."""
        every_s = self._wanted.minutes * 60 / len(self._pairs)
        say(f"{len(self._pairs)} messages, one every {every_s:.1f} s")
        loop = asyncio.get_running_loop()
        begin = loop.time() + self._wanted.margin_s
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._listen(stub, peer)) for peer, stub in self._stubs.items()
            ]
            beside.append(tasks.create_task(self._watch_load()))
            async with asyncio.TaskGroup() as sending:
                for number in range(len(self._pairs)):
                    at = begin + number * every_s
                    sending.create_task(self._send(number, at - loop.time()))
            end = begin + self._wanted.minutes * 60 + self._wanted.margin_s
            await asyncio.sleep(end - loop.time())
            for task in beside:
                task.cancel()
        say(
            f"load of the machine: {mean(self._loads):.2f} on average, {max(self._loads):.2f} at"
            f" most, on {os.cpu_count()} cores"
        )
        say(f"{len(self._came)} of {len(self._pairs)} arrived; refused: {self._refused}")

    def truth(self) -> list[dict[str, int | str]]:
        """What was sent and delivered when, as `--live` reads it."""
        return [
            {
                "given_ns": self._given[number],
                "left_ns": self._left[number],
                "delivered_ns": came_ns,
                "from": self._pairs[number][0],
                "to": self._pairs[number][1],
            }
            for number, came_ns in sorted(self._came.items())
            if number in self._left
        ]

    async def _send(self, number: int, after_s: float) -> None:
        await asyncio.sleep(after_s)
        sender, receiver = self._pairs[number]
        request = pb.SendRequest(
            route=pb.Route(destination=receiver), codec=CODEC, content=b"%d" % number
        )
        self._given[number] = boot_ns()
        try:
            await self._stubs[sender].Send(request, timeout=self._wanted.margin_s * 2)
        except grpc.aio.AioRpcError as error:
            self._refused.append(reason_of(error) or error.code().name)
            return
        self._left[number] = boot_ns()

    async def _listen(self, stub: MixStub, peer: str) -> None:
        async for response in stub.Listen(pb.MixListenRequest(codec=CODEC)):
            came_ns = boot_ns()
            if not response.content:
                continue  # it listens
            number = int(response.content)
            assert self._pairs[number][1] == peer
            self._came[number] = came_ns

    async def _watch_load(self) -> None:
        while True:
            self._loads.append(os.getloadavg()[0])
            await asyncio.sleep(LOAD_EVERY_S)
