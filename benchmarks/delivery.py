"""Delivery between nodes: how fast, how many, and whether anything is lost.

- From publishing to the callback: `Relay.Publish` at one node to `Relay.Receive` at every other,
  each message judged by the relay's checks, without proofs; and `Delivery.Send` to the event of
  `WatchEvents`, which is on disk before it is told. The yardstick is bare gossip of the same bytes
  at the same rate, between the same nodes, right before.
- With proofs: messages a second that a node verifies (benchmarks/delivery_load.py).
- Into the store: 1,000 messages of 1 KiB a second, none lost (the same).
- A channel: 5 MiB through 12 % loss (benchmarks/delivery_channel.py).
- Growth: the first with more nodes, and with larger messages.

    python -m benchmarks.delivery
    python -m benchmarks.delivery --only latency --seconds 5
"""

import asyncio
import secrets
import sys
import tempfile
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import grpc
from benchmarks.delivery_channel import channel_figures
from benchmarks.delivery_load import PERIOD_MS, proof_figures, store_figures
from benchmarks.gossip import Heard, Publisher, Tally, arrived, listen, paced
from benchmarks.report import Figure, arguments, percentile, publish, say
from benchmarks.running import Running, running

from logos.delivery.v1 import delivery_pb2, delivery_pb2_grpc, relay_pb2, relay_pb2_grpc

SHARD: Final = "/waku/2/rs/3/0"
RATIO_BAR: Final = 1.5
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 30.0
PORTS_FROM: Final = 40
PARTS: Final = ("latency", "proofs", "store", "channel", "growth")
TOPOLOGY: Final = """
schema = 1
name = "benchmark"
node_count = 5
target_peers = 4
[ports]
front = 17400
p2p = 18400
[containers]
subnet = "10.213.0.0/16"
[modules.mixnet.settings]
{mixnet}
[modules.delivery.settings]
{delivery}
"""
WITHOUT_PROOFS: Final = TOPOLOGY.format(
    mixnet='mix = "off"\nrln = "off"', delivery='preset = "logos.dev"\nshards = [0]'
)
WITH_PROOFS: Final = TOPOLOGY.format(
    mixnet=f'mix = "off"\nrln_limit = 60000\nrln_period_ms = {PERIOD_MS}', delivery="shards = [0]"
)

Send = Callable[[int, bytes], Awaitable[None]]


@asynccontextmanager
async def testnet(text: str, nodes: int) -> AsyncIterator[Running]:
    """A testnet of a topology's text."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        async with running(nodes, Path(file.name), PORTS_FROM) as net:
            yield net


def topic() -> str:
    """A content topic that no run before had. Its shard is whichever is named beside it."""
    return f"/benchmark-{secrets.token_hex(4)}/1/all/proto"


class _MeasuredError(Exception):
    """Ends the readers."""


async def measured(
    readers: Sequence[Callable[[asyncio.Event], Awaitable[None]]],
    heard: Heard,
    send: Send,
    *,
    rate: int,
    seconds: int,
    size: int,
) -> Tally:
    """Sends at a rate while readers count; returns what they have counted."""
    try:
        async with asyncio.TaskGroup() as tasks:
            ready = [asyncio.Event() for _ in readers]
            for reader, event in zip(readers, ready, strict=True):
                tasks.create_task(reader(event))  # type: ignore[arg-type]  # all are coroutines
            for event in ready:
                await event.wait()
            await asyncio.sleep(SETTLE_S)  # meshes form with gossipsub's heartbeats
            await paced(rate, 1, Tally(), lambda number, one: _sent(send, number, one, size))
            await asyncio.sleep(1)
            heard.tally, heard.lost, heard.refused = Tally(), 0, 0
            await paced(
                rate, seconds, heard.tally, lambda number, one: _sent(send, number, one, size)
            )
            await arrived(heard.tally)
            raise _MeasuredError
    except* _MeasuredError:
        pass
    return heard.tally


async def _sent(send: Send, number: int, message: bytes, size: int) -> None:
    await send(number, message + bytes(size - len(message)))


async def bare(net: Running, rate: int, seconds: int, size: int) -> Tally:
    """The yardstick: the network module's gossip alone."""
    name, heard = f"benchmark/{secrets.token_hex(4)}", Heard()
    async with AsyncExitStack() as stack:
        channels = await _channels(stack, net, "mixnet")
        publishers = [Publisher(channel, name, heard) for channel in channels]

        async def send(number: int, message: bytes) -> None:
            publishers[number % len(publishers)].put(message)

        def reader(channel: grpc.aio.Channel) -> Callable[[asyncio.Event], Awaitable[None]]:
            return lambda ready: listen(channel, name, heard, ready)

        async def write(ready: asyncio.Event) -> None:
            ready.set()
            async with asyncio.TaskGroup() as tasks:
                for publisher in publishers:
                    tasks.create_task(publisher.write())
                    tasks.create_task(publisher.read())

        readers = [*map(reader, channels), write]
        return await measured(readers, heard, send, rate=rate, seconds=seconds, size=size)


async def judged(net: Running, rate: int, seconds: int, size: int) -> Tally:
    """`Relay`: from publishing to the callback of every other node."""
    heard, content_topic = Heard(), topic()
    async with AsyncExitStack() as stack:
        channels = await _channels(stack, net, "delivery")
        stubs = [relay_pb2_grpc.RelayStub(channel) for channel in channels]
        own: list[set[bytes]] = [set() for _ in stubs]

        async def send(number: int, message: bytes) -> None:
            at = number % len(stubs)
            own[at].add(message)
            said = {"payload": message, "content_topic": content_topic}
            request = relay_pb2.RelayPublishRequest(pubsub_topic=SHARD, message=said)
            await stubs[at].Publish(request, timeout=PATIENCE_S)

        def reader(at: int) -> Callable[[asyncio.Event], Awaitable[None]]:
            async def read(ready: asyncio.Event) -> None:
                request = relay_pb2.RelayReceiveRequest(pubsub_topics=[SHARD])
                async for response in stubs[at].Receive(request):
                    ready.set()
                    heard.lost += response.lost
                    for one in response.messages:
                        if one.message.payload not in own[at]:
                            heard.tally.count(one.message.payload)

            return read

        readers = [reader(at) for at in range(len(stubs))]
        return await measured(readers, heard, send, rate=rate, seconds=seconds, size=size)


async def durable(net: Running, rate: int, seconds: int, size: int) -> Tally:
    """`Delivery`: from `Send` to the event of every other node, with all that is stored between."""
    heard, content_topic = Heard(), topic()
    async with AsyncExitStack() as stack:
        channels = await _channels(stack, net, "delivery")
        stubs = [delivery_pb2_grpc.DeliveryStub(channel) for channel in channels]
        for stub in stubs:
            topics = delivery_pb2.SubscribeRequest(content_topics=[content_topic])
            await stub.Subscribe(topics, timeout=PATIENCE_S)
        own: list[set[bytes]] = [set() for _ in stubs]

        async def send(number: int, message: bytes) -> None:
            at = number % len(stubs)
            own[at].add(message)
            request = delivery_pb2.SendRequest(content_topic=content_topic, payload=message)
            await stubs[at].Send(request, timeout=PATIENCE_S)

        def reader(at: int) -> Callable[[asyncio.Event], Awaitable[None]]:
            async def read(ready: asyncio.Event) -> None:
                request = delivery_pb2.WatchEventsRequest(
                    kinds=[delivery_pb2.EVENT_KIND_RECEIVED], content_topics=[content_topic]
                )
                async for page in stubs[at].WatchEvents(request):
                    ready.set()
                    for event in page.events:
                        if event.message.payload not in own[at]:
                            heard.tally.count(event.message.payload)

            return read

        readers = [reader(at) for at in range(len(stubs))]
        return await measured(readers, heard, send, rate=rate, seconds=seconds, size=size)


async def _channels(stack: AsyncExitStack, net: Running, module: str) -> list[grpc.aio.Channel]:
    return [
        await stack.enter_async_context(await net.module(node.name, module))
        for node in net.plan.nodes
    ]


def figures_of(what: str, tally: Tally, expected: int, beside: Tally, bar: float) -> list[Figure]:
    """Of one way; the bar is on the ratios. 0: there is none."""
    figures = []
    for part in (50, 99):
        own, bare_ms = percentile(tally.latencies_ms, part), percentile(beside.latencies_ms, part)
        figures.append(
            Figure(
                f"{what}: p{part}",
                own,
                "ms",
                ratio=own / bare_ms if bare_ms else None,
                yardstick=f"bare gossip, {bare_ms:.2f} ms",
                ratio_at_most=bar or None,
            )
        )
    lost = expected - len(tally.latencies_ms)
    return [*figures, Figure(f"{what}: lost", lost, f"of {expected}", at_most=0)]


async def latency_figures(net: Running, options: Namespace, size: int, bar: float) -> list[Figure]:
    """Both ways, beside bare gossip."""
    rate, seconds, nodes = options.rate, options.seconds, len(net.plan.nodes)
    expected, of = rate * seconds * (nodes - 1), f"{nodes} nodes, {size} bytes, {rate} msg/s"
    say(of)
    beside = await bare(net, rate, seconds, size)
    relayed = await judged(net, rate, seconds, size)
    told = await durable(net, rate, seconds, size)
    return [
        *figures_of(f"{of}: relay", relayed, expected, beside, bar),
        *figures_of(f"{of}: durable events", told, expected, beside, 0),
    ]


async def measure(options: Namespace) -> list[Figure]:
    """All parts that are asked for."""
    parts, figures = options.only or PARTS, list[Figure]()
    if "latency" in parts:
        async with testnet(WITHOUT_PROOFS, options.nodes) as net:
            figures += await latency_figures(net, options, options.bytes, RATIO_BAR)
    if "proofs" in parts:
        async with testnet(WITH_PROOFS, 2) as net:
            figures += await proof_figures(net, options.proofs)
    if "store" in parts:
        async with testnet(WITHOUT_PROOFS, 2) as net:
            figures += await store_figures(net, options.store_rate, options.store_seconds)
    if "channel" in parts:
        figures += channel_figures(options.mib, 12.0, options.seeds)
    if "growth" in parts:
        for nodes in options.grown_nodes:
            async with testnet(WITHOUT_PROOFS, nodes) as net:
                figures += await latency_figures(net, options, options.bytes, 0)
        async with testnet(WITHOUT_PROOFS, options.nodes) as net:
            for size in options.grown_bytes:
                figures += await latency_figures(net, options, size, 0)
    return figures


def main() -> int:
    """Measures, and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the parts")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rate", type=int, default=50, help="messages a second")
    parser.add_argument("--seconds", type=int, default=20, help="length of each run")
    parser.add_argument("--bytes", type=int, default=1024, help="of a payload, from 1,024 on")
    parser.add_argument("--proofs", type=int, default=300, help="messages with proofs")
    parser.add_argument("--store-rate", type=int, default=1_000, help="messages a second")
    parser.add_argument("--store-seconds", type=int, default=60)
    parser.add_argument("--mib", type=int, default=5, help="of the channel's payload")
    parser.add_argument("--seeds", type=int, default=5, help="of the channel's losses")
    parser.add_argument("--grown-nodes", type=int, nargs="*", default=[3, 8])
    parser.add_argument("--grown-bytes", type=int, nargs="*", default=[16_384, 131_072])
    options = parser.parse_args()
    return publish(asyncio.run(measure(options)), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
