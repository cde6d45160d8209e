"""What a capture of the network between the nodes shows of the mix: mixnet.md 11, S1.

The observer has no key. It reads the lengths that Noise writes in clear text, and so sees how long
each record is; the taps of the nodes say how many packets crossed which link, and when.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import permutations

import grpc
import pytest

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_anonymity.captures import ARRIVED, SENT, Sighting, read_sightings, sizes
from logos_anonymity.records import MULTIPLEXER_BYTES, RECORD_OVERHEAD_BYTES, Record, read_records
from logos_testnet.compose import image_name
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.plan import mesh_network
from logos_testnet.progress import silent
from logos_testnet.scenarios.mixing import (
    mix_status,
    route_to,
    until_mixes_are_known,
)
from logos_testnet.scenarios.waiting import peer_ids
from logos_testnet.testnet import front_door
from own_topology import ROOT, claim_ports

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAME = "captured"
CODEC = "/test/1.0.0"
CONTENTS = {b"x", b"y" * 3_000, b"z" * 9_000}
"""Of one packet, of one that is nearly full, and of three."""
REDUNDANCY = 2
PACKET_BYTES = 4_909 + 2
"""A packet with its proof, and its length before it (MIX-23)."""
RECORD_BYTES = PACKET_BYTES + MULTIPLEXER_BYTES + RECORD_OVERHEAD_BYTES
LONG_BYTES = 4_000
"""An RLN report of an epoch is shorter (RLN-28), and so is all else that such nodes gossip."""
COVER_PACKETS = 40
"""So many are seen before a message is sent."""
SNIFFER = ROOT / "tests" / "frame_sniffer.py"
TAPS = "/data/taps.jsonl"
PCAP_HEAD_BYTES = 24

Link = tuple[str, str]
"""Names of a sender and a receiver."""


@dataclass
class Seen:
    """What the observer has seen, and what the nodes say of it."""

    message_ns: int = 0
    """When the first message was about to be sent."""
    ended_ns: int = 0
    """The capture goes on at least to here."""
    records: dict[Link, list[Record]] = field(default_factory=dict)
    sent: dict[Link, list[int]] = field(default_factory=lambda: defaultdict(list))
    """When a packet was about to be sent, in nanoseconds of the clock of the records."""
    arrived: dict[Link, list[int]] = field(default_factory=lambda: defaultdict(list))
    packet_sizes: frozenset[int] = frozenset()
    counts: list[pb.MixCounts] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Five mixes in containers, captured from their start on: cover alone, then messages too."""
    places, ports = Places(ROOT, tmp_path_factory.mktemp("state")), claim_ports()
    text = (
        f'schema = 1\nname = "{NAME}"\nnode_count = 5\ntarget_peers = 4\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n[modules.mixnet]\nsettings.tap = true\n'
    )
    description = Description(text, f"{NAME}.toml")
    testnet = open_testnet(description, places, runtime="containers")
    assert isinstance(testnet, ContainerTestnet)
    layout_of(places.state_root, NAME).directory.mkdir(parents=True)
    remember(description, testnet, places)
    try:
        yield asyncio.run(observe(testnet))
    finally:
        asyncio.run(testnet.down(silent, purge=True))


async def observe(testnet: ContainerTestnet) -> Seen:
    found = Seen()
    await testnet.configuration()
    await testnet.compose("build", "--quiet", "node1-mixnet")  # what the sniffer runs in
    async with sniffing(testnet) as end:
        await testnet.up(silent)
        await until_mixes_are_known(testnet)
        await until_covered(testnet)
        found.message_ns = now_ns()
        await ping(testnet)
        await send_messages(testnet)
        found.counts = [
            (await mix_status(testnet, node.name)).counts for node in testnet.plan.nodes
        ]
        found.ended_ns = now_ns()
        capture = await end()
    names = {node.networks.mesh: node.name for node in testnet.plan.nodes if node.networks}
    everything = read_records(capture)
    for link in permutations(names, 2):
        ends = names[link[0]], names[link[1]]
        found.records[ends] = [one for one in everything if (one.source, one.destination) == link]
    await read_taps(testnet, found)
    return found


@asynccontextmanager
async def sniffing(testnet: ContainerTestnet) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Captures the mesh from a container of the host's network; gives what ends it, and returns it.

    The standard input holds it: the container ends and is gone if this process does.
    """
    module = testnet.plan.nodes[0].modules[0]
    process = await asyncio.create_subprocess_exec(
        *["docker", "run", "--rm", "--interactive", "--no-healthcheck", "--network", "host"],
        *["--user", "0", "--cap-drop", "ALL", "--cap-add", "NET_RAW", "--entrypoint", "python"],
        *[image_name(module), "-I", "-c", SNIFFER.read_text(encoding="utf-8")],
        str(mesh_network(testnet.plan.topology)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    head = await process.stdout.readexactly(PCAP_HEAD_BYTES)  # it captures
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(process.stdout.read())

        async def end() -> bytes:
            process.stdin.close()
            rest = await reading
            assert await process.wait() == 0, "it lost frames, or failed"
            return head + rest

        try:
            yield end
        finally:
            process.stdin.close()
            await process.wait()


async def counts_of(testnet: ContainerTestnet) -> list[pb.MixCounts]:
    return [(await mix_status(testnet, node.name)).counts for node in testnet.plan.nodes]


async def until_covered(testnet: ContainerTestnet) -> None:
    """Waits until loops have crossed the links often enough."""
    crossed = 0
    async with asyncio.timeout(600):
        while crossed < COVER_PACKETS:
            await asyncio.sleep(1)
            counts = await counts_of(testnet)
            assert sum(each.own_sent for each in counts) == 0
            crossed = sum(each.forwarded + each.delivered for each in counts)


async def ping(testnet: ContainerTestnet) -> None:
    """A request of 32 bytes, and its answer. Once more, if its packets were lost."""
    first, fourth = (testnet.plan.nodes[at].name for at in (0, 3))
    asked = pb.MixPingRequest(route=route_to((await peer_ids(testnet))[fourth], REDUNDANCY))
    async with front_door(testnet, first) as channel:
        for is_last in (False, True):
            try:
                steps = [step async for step in MixStub(channel).Ping(asked, timeout=200)]
            except grpc.aio.AioRpcError as error:
                if is_last or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise
            else:
                assert len(steps[0].planned.forward) == len(steps[0].planned.back) == 3
                assert steps[-1].HasField("answered")
                return


async def send_messages(testnet: ContainerTestnet) -> None:
    """Sends messages of one and more packets, until all have arrived."""
    first, fourth = (testnet.plan.nodes[at].name for at in (0, 3))
    route = route_to((await peer_ids(testnet))[fourth], REDUNDANCY)
    came = set[bytes]()
    async with front_door(testnet, first) as sender, front_door(testnet, fourth) as receiver:
        messages = MixStub(receiver).Listen(pb.MixListenRequest(codec=CODEC))
        await messages.read()  # it listens

        async def listen() -> None:
            while came != CONTENTS:
                came.add((await messages.read()).content)

        async with asyncio.TaskGroup() as tasks, asyncio.timeout(600):
            listening = tasks.create_task(listen())
            while not listening.done():
                for content in CONTENTS - came:
                    asked = pb.SendRequest(route=route, codec=CODEC, content=content)
                    await MixStub(sender).Send(asked, timeout=300)
                await asyncio.wait([listening], timeout=60)
        messages.cancel()


async def read_taps(testnet: ContainerTestnet, found: Seen) -> None:
    """Waits until all that the capture can hold is written: later lines follow earlier ones."""
    names = {peer: node for node, peer in (await peer_ids(testnet)).items()}
    captured_ns = now_ns()
    for node in testnet.plan.nodes:
        sightings = await tapped(testnet, node.name)
        async with asyncio.timeout(300):
            while max(one.time_ns for one in sightings) <= captured_ns:
                await asyncio.sleep(1)
                sightings = await tapped(testnet, node.name)
        found.packet_sizes |= sizes(sightings)
        for one in sightings:
            side = {SENT: found.sent, ARRIVED: found.arrived}[one.seen]
            side[names[one.sender], names[one.receiver]].append(one.time_ns)


async def tapped(testnet: ContainerTestnet, node: str) -> list[Sighting]:
    lines = await testnet.compose("exec", "-T", f"{node}-mixnet", "cat", TAPS)
    return read_sightings(lines[: lines.rfind("\n") + 1].splitlines())  # not one half written


def now_ns() -> int:
    """The clock of taps and of the sniffer, which all containers share."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def packets_on(records: Sequence[Record]) -> list[Record]:
    return [one for one in records if one.size_bytes == RECORD_BYTES]


def test_each_packet_is_a_record_of_one_size_and_nothing_else_is(seen: Seen) -> None:
    """Own messages, answers, loops and packets of others: what a record carries does not show."""
    assert seen.packet_sizes == {PACKET_BYTES}
    total = 0
    for link, records in seen.records.items():
        times = [one.time_ns for one in packets_on(records)]
        sent, arrived = seen.sent[link], [at for at in seen.arrived[link] if at < seen.ended_ns]
        assert len(arrived) <= len(times) <= len(sent), link
        assert all(left <= came for left, came in zip(sent, times, strict=False)), link
        total += len(times)
    assert total > COVER_PACKETS
    assert sum(each.own_sent for each in seen.counts) > len(CONTENTS)
    for kind in ("forwarded", "delivered", "loops_sent", "loops_back"):
        assert sum(getattr(each, kind) for each in seen.counts) > 0


def test_a_message_is_of_no_size_that_cover_has_not(seen: Seen) -> None:
    """What else is sent with messages is short, as what is sent without."""
    everything = [one for records in seen.records.values() for one in records]
    cover = [one for one in everything if one.time_ns < seen.message_ns]
    messages = [one for one in everything if one.time_ns >= seen.message_ns]

    assert long_sizes(cover) == long_sizes(messages) == {RECORD_BYTES}


def long_sizes(records: Sequence[Record]) -> set[int]:
    """Sizes as long as a packet of the mix, or nearly."""
    return {one.size_bytes for one in records if one.size_bytes > LONG_BYTES}
