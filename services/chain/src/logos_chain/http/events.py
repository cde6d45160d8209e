"""`/cryptarchia/events/blocks/stream` and `/cryptarchia/lib-stream` (HTP-10, HTP-11)."""

import asyncio
from contextlib import aclosing
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.http.answers import answering, encoded
from logos_chain.http.blocks import event_line
from logos_chain.http.operations import Operations
from logos_chain.http.reading import Parameters
from logos_chain.http.streaming import NDJSON, Pieces, Places, begun
from logos_chain.operations.watching import ChainMove

BLOCKS: Final = "/cryptarchia/events/blocks/stream"
FINAL: Final = "/cryptarchia/lib-stream"
PAGE: Final = 64


class EventRoutes:
    """What comes."""

    def __init__(self, operations: Operations, places: Places) -> None:
        self._with = operations
        self._places = places

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        router.add_route(BLOCKS, answering(self.blocks), methods=["GET"])
        router.add_route(FINAL, answering(self.final), methods=["GET"])

    async def blocks(self, request: Request) -> Response:
        """Streams the blocks of the local chain as they come to it, from the tip on."""
        Parameters(request, ())
        return await begun(self._blocks(), NDJSON)

    async def _blocks(self) -> Pieces:
        final: TreeBlock | None = None
        with self._places.stream():
            async with aclosing(self._with.watch.moves(None)) as moves:
                async for move in moves:
                    async with aclosing(self._told(move, final or move.final)) as lines:
                        async for each in lines:
                            yield each
                    final = move.final

    async def _told(self, move: ChainMove, before: TreeBlock) -> Pieces:
        """Tells of the blocks of a move as if each had come alone; without any, of the tip."""
        ids = [each.outline.id for each in move.added] or [move.tip]
        for each in ids:
            block = await self._with.follow.block(BlockId(each))
            if block is None:
                continue  # it was cut off meanwhile: the next move leads away from it
            final = move.final if each == move.tip else before
            where = {
                "tip": each.hex(),
                "tip_slot": block.header.slot,
                "lib": final.id.hex(),
                "lib_slot": final.slot,
            }
            yield await asyncio.to_thread(event_line, block, where)

    async def final(self, request: Request) -> Response:
        """Streams ids of blocks as they become final, from now on."""
        Parameters(request, ())
        return await begun(self._final(), NDJSON)

    async def _final(self) -> Pieces:
        height: int | None = None
        with self._places.stream():
            async with aclosing(self._with.watch.moves(None)) as moves:
                async for move in moves:
                    if height is None:
                        height = move.final.height
                        yield b""  # it listens from now on: the client may know
                    while height < move.final.height:
                        limit = min(PAGE, move.final.height - height)
                        for each in await self._with.explore.ids(height + 1, limit):
                            height += 1
                            yield encoded({"height": height, "header_id": each.hex()}) + b"\n"
