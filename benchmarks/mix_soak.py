"""Five mixes left running with messages between them (mixnet.md 11, M12): memory, ids, drops.

.venv/bin/python -m benchmarks.mix_soak MINUTES

Each second each node says how many ids of the epoch are left and for what ids were handed out:
within an epoch the one falls by what the other grows, and no epoch sees more of them than a member
has. Drops are counted from shortly after all nodes are members and know all others.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from benchmarks.running import Running, running

from logos.network.v1 import mix_pb2, rln_pb2
from logos.network.v1.mix_pb2_grpc import MixStub
from logos.network.v1.rln_pb2_grpc import RlnStub
from logos_testnet.processes import proportional_bytes

NODES: Final = 5
MESSAGE_EVERY_S: Final = 5.0
SAMPLE_EVERY_S: Final = 1.0
ROWS: Final = 12
READY_S: Final = 120.0
SETTLE_S: Final = 40.0
"""Of packets that were made before all nodes had the same members."""
CODEC: Final = "/logos/soak/1.0.0"
EXPLAINED: Final = {
    "RLN_BUDGET_SPENT": "no id was left for a forward",
    "RLN_PROOF_LATE": "a proof was ready too late to leave",
    "RLN_EPOCH_TOO_FAR": "a packet was on its way for too long",
    "MIX_COPY": "a message travelled more than once",
}
"""Why a packet may be dropped where nothing is wrong."""


@dataclass(slots=True)
class Ids:
    """What one node says of its message ids."""

    epoch: int = -1
    left: int = 0
    handed_out: int = 0
    most: int = 0
    """Used in one epoch."""
    wrong: int = 0
    """Samples in which what was handed out is not what went."""

    def take(self, status: rln_pb2.RlnGetStatusResponse) -> None:
        """Takes the next sample."""
        limit, handed_out = status.membership.limit, sum(status.handed_out.values())
        went, grew = self.left - status.ids_left, handed_out - self.handed_out
        if self.epoch == status.epoch and went != grew:
            self.wrong += 1
        if grew > limit * max(1, status.epoch - self.epoch + 1) and self.epoch >= 0:
            self.wrong += 1
        self.most = max(self.most, limit - status.ids_left)
        self.epoch, self.left, self.handed_out = status.epoch, status.ids_left, handed_out


@dataclass(slots=True)
class Mix:
    """One node of the testnet."""

    name: str
    mix: Any
    """`MixStub` and `RlnStub`, whose asynchronous kinds have no stubs of types."""
    rln: Any
    peer_id: str = ""
    ids: Ids = field(default_factory=Ids)
    dropped_before: Counter[str] = field(default_factory=Counter)
    heard: set[bytes] = field(default_factory=set)

    async def status(self) -> mix_pb2.MixGetStatusResponse:
        """What the mix says."""
        found: mix_pb2.MixGetStatusResponse = await self.mix.GetStatus(
            mix_pb2.MixGetStatusRequest()
        )
        return found

    async def rln_status(self) -> rln_pb2.RlnGetStatusResponse:
        """What its rate limits say."""
        found: rln_pb2.RlnGetStatusResponse = await self.rln.GetStatus(
            rln_pb2.RlnGetStatusRequest()
        )
        return found

    async def dropped(self) -> Counter[str]:
        """Packets that were dropped since the start, by reason."""
        return Counter(dict((await self.status()).counts.dropped))

    async def listen(self) -> None:
        """Counts the messages that come, until cancelled."""
        async for message in self.mix.Listen(mix_pb2.MixListenRequest(codec=CODEC)):
            if message.content:
                self.heard.add(message.content)


@dataclass(slots=True)
class Soak:
    """The five, and the messages between them."""

    mixes: list[Mix]
    net: Running
    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    async def ready(self) -> None:
        """Waits until all are members and know all others."""
        async with asyncio.timeout(READY_S):
            for each in self.mixes:
                while True:
                    mix, rln = await each.status(), await each.rln_status()
                    is_member = rln.membership.state == rln_pb2.MEMBERSHIP_STATE_ACTIVE
                    if is_member and rln.members == NODES and mix.usable == NODES - 1:
                        break
                    await asyncio.sleep(1)
                each.peer_id = mix.peer_id
        await asyncio.sleep(SETTLE_S)
        for each in self.mixes:
            each.dropped_before = await each.dropped()

    async def talk(self) -> None:
        """Sends a message from each node to the next in turn, until cancelled."""
        pairs = itertools.cycle(itertools.permutations(self.mixes, 2))
        async with asyncio.TaskGroup() as tasks:
            for number, (one, other) in enumerate(pairs):
                content = number.to_bytes(8, "big") + other.name.encode()
                tasks.create_task(self._send(one, other, content))
                await asyncio.sleep(MESSAGE_EVERY_S)

    async def _send(self, one: Mix, other: Mix, content: bytes) -> None:
        route = mix_pb2.Route(destination=other.peer_id)
        request = mix_pb2.SendRequest(route=route, codec=CODEC, content=content)
        try:
            await one.mix.Send(request)
        except grpc.aio.AioRpcError as error:
            self.failed[error.code().name] += 1
        else:
            self.sent += 1

    async def sample(self) -> None:
        """Looks at the ids of each, until cancelled."""
        while True:
            for each in self.mixes:
                each.ids.take(await each.rln_status())
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def row(self, minutes: float) -> str:
        """The figures as they are now."""
        counts = [(await each.status()).counts for each in self.mixes]
        loops = sum(each.loops_sent for each in counts), sum(each.loops_back for each in counts)
        drops = sum((await self.drops()).values())
        cells = [
            f"{minutes:6.1f}",
            " ".join(f"{mib:5.1f}" for mib in self._memory()),
            f"{max(each.ids.most for each in self.mixes):4d}",
            f"{sum(each.ids.wrong for each in self.mixes):5d}",
            f"{sum(len(each.heard) for each in self.mixes):5d}/{self.sent:<5d}",
            f"{sum(each.forwarded for each in counts):7d}",
            f"{loops[1]:6d}/{loops[0]:<6d}",
            f"{drops:5d}",
        ]
        return "  ".join(cells)

    async def drops(self) -> Counter[str]:
        """All drops since all were ready, by reason."""
        found: Counter[str] = Counter()
        for each in self.mixes:
            found += await each.dropped() - each.dropped_before
        return found

    def _memory(self) -> Iterator[float]:
        """PSS of each mixnet, MiB."""
        for process in self.net.processes():
            if process.name == "mixnet":
                yield proportional_bytes([process]) / 2**20


HEAD: Final = (
    "   min  PSS of each mixnet, MiB        ids  wrong  arrived/sent  forward  "
    "loops back/sent  drops"
)
"""`ids`: the most that one node has used in an epoch."""


async def soak(minutes: float) -> int:
    """Prints the figures, evenly over the time; returns the exit code."""
    async with running(NODES) as net, AsyncExitStack() as stack:
        mixes = []
        for node in net.plan.nodes:
            channel = await stack.enter_async_context(net.front(node.name))
            mixes.append(Mix(node.name, MixStub(channel), RlnStub(channel)))
        soaking = Soak(mixes, net)
        await soaking.ready()
        print(HEAD, flush=True)
        async with asyncio.TaskGroup() as tasks:
            work = [soaking.talk(), soaking.sample(), *(each.listen() for each in mixes)]
            running_now = [tasks.create_task(each) for each in work]
            began = time.monotonic()
            for at in range(1, ROWS + 1):
                await asyncio.sleep(began + 60 * minutes * at / ROWS - time.monotonic())
                print(await soaking.row((time.monotonic() - began) / 60), flush=True)
            for each in running_now:
                each.cancel()
        return _judged(soaking, await soaking.drops())


def _judged(soaking: Soak, drops: Counter[str]) -> int:
    for reason, count in drops.most_common():
        print(f"dropped {count}: {reason}, {EXPLAINED.get(reason, 'NOT EXPLAINED')}")
    if soaking.failed:
        print(f"messages not sent: {dict(soaking.failed)}")
    wrong = sum(each.ids.wrong for each in soaking.mixes)
    return 1 if wrong or drops.keys() - EXPLAINED.keys() else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(soak(float(sys.argv[1]))))
