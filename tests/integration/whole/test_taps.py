"""Taps of a testnet: off unless the topology asks for them, and then of one capture (MIX-32)."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import permutations
from pathlib import Path

import pytest

from integration.commands import ROOT
from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_anonymity.captures import ARRIVED, SENT, Sighting, read_sightings, sizes
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places
from logos_testnet.progress import silent
from logos_testnet.scenarios.mixing import until_mixes_are_known
from logos_testnet.testnet import Testnet, front_door
from own_topology import claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CODEC = "/test/1.0.0"
DELAY_MS = 20
MESSAGES = 8
WHOLE_BYTES = 4_909 + 2
"""A packet with its proof, and its length before it (MIX-23)."""


@pytest.fixture
def tapped() -> Iterator[tuple[Testnet, Path]]:
    """A testnet of four mixes with taps, and its folder."""
    ports = claim_ports()
    text = (
        'schema = 1\nname = "tapped"\nnode_count = 4\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        "[modules.mixnet]\nsettings.tap = true\n"
    )
    with tempfile.TemporaryDirectory(prefix="logos-test-", ignore_cleanup_errors=True) as name:
        places = Places(ROOT, Path(name).resolve())
        with running(Description(text, "tapped.toml"), places, "processes") as testnet:
            yield testnet, layout_of(places.state_root, "tapped").directory


def written_by(node: Path) -> list[Sighting]:
    path = node / "modules" / "mixnet" / "taps.jsonl"
    return read_sightings(path.read_text(encoding="utf-8").splitlines())


def times(seen: list[Sighting], sender: str, receiver: str, kind: str) -> list[int]:
    wanted = sender, receiver, kind
    return [one.time_ns for one in seen if (one.sender, one.receiver, one.seen) == wanted]


@asynccontextmanager
async def mixes_of(testnet: Testnet) -> AsyncIterator[dict[str, MixStub]]:
    """Mixes that know one another, by their peer ids."""
    await until_mixes_are_known(testnet)
    async with AsyncExitStack() as stack:
        found = {}
        for node in testnet.plan.nodes:
            channel = await stack.enter_async_context(front_door(testnet, node.name))
            found[(await status_of(MixStub(channel))).peer_id] = MixStub(channel)
        yield found


async def status_of(stub: MixStub) -> pb.MixGetStatusResponse:
    found: pb.MixGetStatusResponse = await stub.GetStatus(pb.MixGetStatusRequest(), timeout=10)
    return found


async def talk(sender: MixStub, receiver: MixStub, to: str) -> None:
    """Sends messages; returns when all are there."""
    messages = receiver.Listen(pb.MixListenRequest(codec=CODEC), timeout=120)
    await messages.read()  # it listens
    route = pb.Route(destination=to, redundancy=2)  # a link that is made anew loses packets
    route.mean_delay.FromMilliseconds(DELAY_MS)
    for number in range(MESSAGES):
        content = b"%d" % number
        await sender.Send(pb.SendRequest(route=route, codec=CODEC, content=content), timeout=60)
    got = {(await messages.read()).content for _ in range(MESSAGES)}
    messages.cancel()
    assert got == {b"%d" % number for number in range(MESSAGES)}


async def test_what_one_node_wrote_as_sent_another_wrote_as_arrived(
    tapped: tuple[Testnet, Path],
) -> None:
    testnet, folder = tapped
    async with mixes_of(testnet) as mixes:
        own, (first, *_, last) = list(mixes), mixes
        assert all([(await status_of(stub)).tapped for stub in mixes.values()])
        await talk(mixes[first], mixes[last], last)
    await testnet.down(silent)

    written = {
        peer_id: written_by(folder / node.name)
        for node, peer_id in zip(testnet.plan.nodes, own, strict=True)
    }
    assert sizes([one for seen in written.values() for one in seen]) == {WHOLE_BYTES}
    crossed = 0
    for sender, receiver in permutations(own, 2):
        sent = times(written[sender], sender, receiver, SENT)
        arrived = times(written[receiver], sender, receiver, ARRIVED)
        assert len(sent) - len(arrived) in {0, 1, 2}, "lost with the link, or under way at the end"
        assert all(left <= came for left, came in zip(sent, arrived, strict=False))
        crossed += len(arrived)
    assert crossed >= 3 * MESSAGES


async def test_a_testnet_that_asks_for_no_taps_has_none(testnet: Testnet, places: Places) -> None:
    folder = layout_of(places.state_root, testnet.plan.topology.name).directory
    async with front_door(testnet, testnet.plan.nodes[0].name) as channel:
        assert not (await status_of(MixStub(channel))).tapped

    assert list(folder.glob("*/modules/mixnet/*")) != []
    assert list(folder.rglob("taps.jsonl")) == []
