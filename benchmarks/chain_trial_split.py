"""The parts of benchmarks/chain_trials.py that part three nodes from two.

Each node bans those of the other side. `split` ends before a side has k blocks of its own, so the
shorter chain is given up; `deep` ends when both have more, and then neither may be.
"""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.chain_idle import infos
from benchmarks.chain_trial_net import (
    CALL_S,
    NODES,
    Payments,
    chain_of,
    one_tip,
    supplies_conserved,
)
from benchmarks.report import Figure, say
from benchmarks.running import Running

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_chain.core.consensus.presets import PRESETS

PORTS_FROM: Final = 700
LARGER: Final = 3
"""Nodes of the larger side."""
INTERVALS_BAR: Final = 3.0
TOLD_S: Final = 300.0
LOOK_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sides:
    """How many blocks each side has made since it was alone."""

    larger: int
    smaller: int


async def split_figures(options: Namespace) -> list[Figure]:
    """One tip soon after a split, and no payment of either side lost."""
    preset = PRESETS["dev"]
    deepest = preset.security_blocks - 1
    async with chain_of(preset.name, PORTS_FROM) as net:
        names, payments = [node.name for node in net.plan.nodes], Payments(net)
        async with _parted(net) as start:
            await payments.send(names[0], names[1])
            await payments.send(names[-1], names[-2])
            sides = await _until(net, start, whole=options.split_blocks, smaller=deepest)
        took_s = await one_tip(net)
        lost, conserved = await payments.lost(), await supplies_conserved(net)
    interval_s = preset.slot_ms / 1000 / float(preset.activation)
    return [
        Figure("split: blocks of three nodes", sides.larger, ""),
        Figure("split: blocks of two nodes", sides.smaller, ""),
        Figure(
            "healed: until one tip",
            took_s,
            "s",
            ratio=took_s / interval_s,
            yardstick="between two blocks",
            ratio_at_most=INTERVALS_BAR,
        ),
        Figure("payments of both sides", len(payments.sent), "", at_least=2),
        Figure("payments lost", lost, "", at_most=0),
        Figure("nodes whose supply is conserved", conserved, "", at_least=NODES),
    ]


async def deep_figures(_: Namespace) -> list[Figure]:
    """After a split beyond k every node tells of it, and none leaves what is final for it."""
    preset = PRESETS["ci"]
    async with chain_of(preset.name, PORTS_FROM) as net:
        async with _parted(net) as start:
            beyond = preset.security_blocks + 2
            sides = await _until(net, start, whole=2 * beyond, smaller=beyond, both=True)
            final = {name: each.final for name, each in (await infos(net)).items()}
        telling = await _telling(net)
        tips = {each.tip.id for each in (await infos(net)).values()}
        kept = sum([await _has(net, name, point) for name, point in final.items()])
    return [
        Figure("deep split: blocks of three nodes", sides.larger, ""),
        Figure("deep split: blocks of two nodes", sides.smaller, ""),
        Figure("nodes that tell of chains apart", telling, "", at_least=NODES),
        Figure("chains afterwards", len(tips), "", at_least=2),
        Figure("nodes that kept what was final", kept, "", at_least=NODES),
    ]


@asynccontextmanager
async def _parted(net: Running) -> AsyncIterator[int]:
    """Parts the sides; yields the height at which they were."""
    names = [node.name for node in net.plan.nodes]
    one, other = names[:LARGER], names[LARGER:]
    height = max(each.tip.height for each in (await infos(net)).values())
    await _each_other(net, one, other, is_banned=True)
    try:
        yield height
    finally:
        await _each_other(net, one, other, is_banned=False)


async def _each_other(
    net: Running, one: Sequence[str], other: Sequence[str], *, is_banned: bool
) -> None:
    ids = {each.name: each.peer_id for each in net.started.endpoints.nodes}
    for own, foreign in ((one, other), (other, one)):
        for name in own:
            async with net.front(name) as channel:
                peering = PeeringStub(channel)
                for each in foreign:
                    if is_banned:
                        await peering.Ban(peering_pb2.BanRequest(peer_id=ids[each]))
                    else:
                        await peering.Unban(peering_pb2.UnbanRequest(peer_id=ids[each]))


async def _until(
    net: Running, start: int, *, whole: int, smaller: int, both: bool = False
) -> Sides:
    """Waits until the sides together have so many blocks, or (`both`: and) the smaller side."""
    while True:
        heights = [each.tip.height - start for each in (await infos(net)).values()]
        sides = Sides(min(heights[:LARGER]), min(heights[LARGER:]))
        judged = (sides.larger + sides.smaller >= whole, sides.smaller >= smaller)
        if all(judged) if both else any(judged):
            return sides
        say(f"three nodes have {sides.larger} blocks, two have {sides.smaller}")
        await asyncio.sleep(LOOK_S * 5)


async def _telling(net: Running) -> int:
    """Waits until all nodes have met a peer whose chain has left theirs; returns how many have."""
    for _ in range(int(TOLD_S / LOOK_S)):
        telling = sum(each.diverged_peers > 0 for each in (await infos(net)).values())
        if telling == NODES:
            break
        await asyncio.sleep(LOOK_S)
    return telling


async def _has(net: Running, name: str, point: pb.BlockPoint) -> bool:
    """Whether a block is still on a node's chain."""
    async with net.front(name) as channel:
        request = pb.GetBlockRequest(height=point.height)
        found = await ChainNodeStub(channel).GetBlock(request, timeout=CALL_S)
    return bool(found.summary.point.id == point.id)
