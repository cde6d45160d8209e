"""Follows the chain of a node: one stream, for whichever pages and panels look at it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import grpc

from logos_app.clock import now_ms
from logos_app.nodes.model import Tip
from logos_app.panels.chain import client, seen
from logos_app.panels.chain.seen import ChainSeen
from logos_app.panels.contract import Place

ASKED_AGAIN_MS: Final = 5_000
"""For what changes without a block: the mempool, leading, the phase."""
_KEPT: Final = "chain:seen"
"""Beside what panels keep: no slug has a colon."""


def chain_of(at: Place) -> ChainSeen:
    """What is known of the chain of a node."""
    found = at.shell.kept.get((at.node, _KEPT))
    return found if isinstance(found, ChainSeen) else ChainSeen()


def keep_chain(at: Place, now: ChainSeen) -> None:
    """Keeps what is known of the chain of a node."""
    at.shell.kept[at.node, _KEPT] = now


async def follow(at: Place, ended: Callable[[], None]) -> None:
    """Takes each move of the chain, from the tip on; raises `AioRpcError` when the stream ends.

    `ended` is called where it had begun, when nothing more comes in. The map is told of each tip.
    """
    try:
        await read_blocks(at)
        keep_chain(at, replace(chain_of(at), is_followed=True))
        _tell(at)
        tip = chain_of(at).tip
        async for move in client.moves(at.channel, b"" if tip is None else tip.id):
            keep_chain(at, seen.with_move(chain_of(at), move, now_ms()))
            _tell(at, now_ms())
    finally:
        if chain_of(at).is_followed:
            keep_chain(at, replace(chain_of(at), is_followed=False))
            _tell(at)
            ended()


def _tell(at: Place, arrived_ms: int = 0) -> None:
    """Puts the tip where the map of all nodes has it; it arrived now, or was there before."""
    now, node = chain_of(at), at.shell.nodes.node(at.node)
    if not now.blocks:
        return
    ids = tuple(each.point.id for each in now.blocks)
    if node.tip is not None and node.tip.ids[0] == ids[0]:
        arrived_ms = node.tip.arrived_ms
    tip = Tip(now.blocks[0].point.height, ids, arrived_ms, is_followed=now.is_followed)
    at.shell.nodes.put(replace(node, tip=tip))


async def read_blocks(at: Place) -> str:
    """Reads the newest blocks; returns the token of the page after them."""
    listed, older = await client.blocks(at.channel, seen.BLOCKS)
    keep_chain(at, seen.with_blocks(chain_of(at), listed, now_ms()))
    return older


async def read_info(at: Place) -> None:
    """Asks a node where it stands, if the chain has moved since, or it was some seconds ago."""
    now = chain_of(at)
    has_moved = now.info is None or now.tip is None or now.info.tip.id != now.tip.id
    if not has_moved and now_ms() - now.asked_ms < ASKED_AGAIN_MS:
        return
    info = await client.info(at.channel)
    supply = None
    if has_moved or now.supply is None:
        try:
            supply = await client.supply(at.channel)
        except grpc.aio.AioRpcError:
            supply = None  # the last one stays
    keep_chain(at, seen.with_info(chain_of(at), info, supply, now_ms()))
