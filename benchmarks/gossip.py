"""Gossip between five nodes through the network service: latency and loss.

The nodes publish in turn, each over one `PublishMany` stream; every other node
must get every message. A latency is from when the message is handed to that
stream to when a subscriber has it, both in this process. The yardstick is a
bare `grpc.aio` echo of the same bytes at the same rate, measured right before:
what one hop through gRPC and asyncio takes on this machine in this minute.
"""

import asyncio
import os
import secrets
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from benchmarks.echo_server import METHOD
from benchmarks.report import Figure, arguments, percentile, publish, say
from benchmarks.running import ROOT, Running, running

from logos.network.v1 import gossip_pb2 as pb
from logos.network.v1 import gossip_pb2_grpc as pb_grpc

MESSAGE_BYTES: Final = 1024
P99_BAR_MS: Final = 10
JUDGED_RATE: Final = 50
SETTLE_S: Final = 3.0
MAX_BATCH: Final = 1000
PATIENCE_S: Final = 10.0
_MARK: Final = struct.Struct(">16sQd")

Send = Callable[[int, bytes], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Tally:
    """What came of the messages of one run."""

    run: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    latencies_ms: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def message(self, number: int) -> bytes:
        """A message that says when it was made."""
        mark = _MARK.pack(self.run, number, time.perf_counter())
        return mark + os.urandom(MESSAGE_BYTES - len(mark))

    def count(self, data: bytes) -> None:
        """Counts a message that came in, if it is of this run."""
        run, _, sent = _MARK.unpack_from(data)
        if run == self.run:
            self.latencies_ms.append(1000 * (time.perf_counter() - sent))


async def paced(rate: int, seconds: int, tally: Tally, send: Send) -> None:
    """Sends `rate` messages a second, without waiting for the answers."""
    began = time.perf_counter()

    async with asyncio.TaskGroup() as tasks:
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.create_task(send(number, tally.message(number)))
    tally.took_s = time.perf_counter() - began


@asynccontextmanager
async def echoing(net: Running) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to an echo server on a Unix socket."""
    address = f"unix:{net.layout.run}/echo.sock"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.echo_server", address, cwd=ROOT
    )
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            async with asyncio.timeout(PATIENCE_S):
                await channel.channel_ready()
            yield channel
    finally:
        server.terminate()
        await server.wait()


async def echo_run(channel: grpc.aio.Channel, rate: int, seconds: int) -> Tally:
    """The yardstick at a rate."""
    tally = Tally()
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

    async def send(_number: int, message: bytes) -> None:
        tally.count(await call(message, timeout=PATIENCE_S))

    await paced(rate, seconds, tally, send)
    return tally


async def listen(
    channel: grpc.aio.Channel, topic: str, heard: "Heard", ready: asyncio.Event
) -> None:
    """Counts what one node gets."""
    call = pb_grpc.GossipStub(channel).Subscribe()
    await call.write(pb.SubscribeRequest(start=pb.SubscribeRequest.Start(topic=topic)))
    async for response in call:
        ready.set()
        heard.lost += response.lost
        for message in response.messages:
            heard.tally.count(message.data)


@dataclass(slots=True)
class Heard:
    """What the subscribers of all nodes count together."""

    tally: Tally = field(default_factory=Tally)
    lost: int = 0
    """Said to be lost because a reader was too slow."""
    refused: int = 0
    """Messages that a node did not take."""


class Publisher:
    """One node's stream of messages to publish; what waits goes as one request."""

    def __init__(self, channel: grpc.aio.Channel, topic: str, heard: Heard) -> None:
        self._call = pb_grpc.GossipStub(channel).PublishMany()
        self._topic = topic
        self._heard = heard
        self._waiting: list[pb.PublishRequest] = []
        self._arrived = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Takes a message; does not wait."""
        self._waiting.append(pb.PublishRequest(topic=self._topic, data=message))
        self._arrived.set()

    async def write(self) -> None:
        """Writes requests until cancelled."""
        while True:
            await self._arrived.wait()
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            if not self._waiting:
                self._arrived.clear()
            await self._call.write(pb.PublishManyRequest(messages=batch))

    async def read(self) -> None:
        """Counts what was refused."""
        async for response in self._call:
            self._heard.refused += sum(bool(one.reason) for one in response.outcomes)


async def arrived(tally: Tally) -> None:
    """Waits until nothing has come for a while: a late message is not a lost one."""
    count = -1
    while count != len(tally.latencies_ms):
        count = len(tally.latencies_ms)
        await asyncio.sleep(SETTLE_S)


class _MeasuredError(Exception):
    """Ends the subscribers."""


async def gossip_runs(net: Running, rates: list[int], seconds: int) -> list[Figure]:
    """Every rate, each right after its yardstick."""
    figures: list[Figure] = []
    topic, heard = f"benchmark/{secrets.token_hex(4)}", Heard()
    names = [node.name for node in net.plan.nodes]
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(await net.module(n, "mixnet")) for n in names]
        echo = await stack.enter_async_context(echoing(net))
        publishers = [Publisher(channel, topic, heard) for channel in channels]

        async def send(number: int, message: bytes) -> None:
            publishers[number % len(publishers)].put(message)

        try:
            async with asyncio.TaskGroup() as tasks:
                ready = [asyncio.Event() for _ in channels]
                for channel, event in zip(channels, ready, strict=True):
                    tasks.create_task(listen(channel, topic, heard, event))
                for publisher in publishers:
                    tasks.create_task(publisher.write())
                    tasks.create_task(publisher.read())
                for event in ready:
                    await event.wait()
                await asyncio.sleep(SETTLE_S)  # the mesh forms with gossipsub's heartbeats
                await paced(JUDGED_RATE, 1, heard.tally, send)
                await echo_run(echo, JUDGED_RATE, 1)
                for rate in rates:
                    say(f"{rate} messages a second for {seconds} s")
                    yardstick = await echo_run(echo, rate, seconds)
                    heard.tally, heard.lost, heard.refused = Tally(), 0, 0
                    await paced(rate, seconds, heard.tally, send)
                    await arrived(heard.tally)
                    figures += rate_figures(rate, rate * seconds, len(names), heard, yardstick)
                raise _MeasuredError
        except* _MeasuredError:
            pass
    return figures


def rate_figures(rate: int, sent: int, nodes: int, heard: Heard, yardstick: Tally) -> list[Figure]:
    """Figures of one rate."""
    tally, echoed = heard.tally, yardstick.latencies_ms
    expected = sent * (nodes - 1)
    what = f"{rate} msg/s"
    return [
        *(
            Figure(
                f"{what}: p{part}",
                percentile(tally.latencies_ms, part),
                "ms",
                at_most=P99_BAR_MS if rate <= JUDGED_RATE and part == 99 else None,
                ratio=percentile(tally.latencies_ms, part) / percentile(echoed, part),
                yardstick=f"bare echo, {percentile(echoed, part):.2f} ms",
            )
            for part in (50, 99)
        ),
        Figure(f"{what}: lost", expected - len(tally.latencies_ms), f"of {expected}", at_most=0),
        Figure(f"{what}: lost, and said so", heard.lost, f"of {expected}"),
        Figure(f"{what}: publishes refused", heard.refused, f"of {sent}", at_most=0),
        Figure(f"{what}: rate achieved", sent / tally.took_s, "msg/s"),
    ]


async def main() -> int:
    """Measures every rate on one testnet."""
    parser = arguments(__doc__)
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[50, 1000], help="messages a second"
    )
    parser.add_argument("--seconds", type=int, default=20, help="length of each run")
    parser.add_argument("--nodes", type=int, default=5)
    options = parser.parse_args()
    async with running(options.nodes) as net:
        figures = await gossip_runs(net, options.rates, options.seconds)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
