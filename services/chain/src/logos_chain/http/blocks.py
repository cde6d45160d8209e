"""`/cryptarchia/…`: the chain, its blocks and their transactions (HTP-6 to HTP-9)."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.core.consensus.starting import Phase
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockUnknownError, TransactionUnknownError
from logos_chain.http.answers import JSON, answering, as_json, encoded
from logos_chain.http.errors import RequestInvalidError
from logos_chain.http.operations import Operations
from logos_chain.http.reading import Parameters, identifier
from logos_chain.http.streaming import NDJSON, Pieces, Places, begun
from logos_chain.http.written import of_block, of_signed
from logos_chain.operations.block_ranges import SlotRange
from logos_chain.operations.transaction_status import TransactionStatus
from logos_mantle.blocks import Block

INFO: Final = "/cryptarchia/info"
MAX_HEADERS: Final = 512
DEFAULT_BLOCKS: Final = 100
MAX_BLOCKS: Final = 630_720_000
MAX_BATCH: Final = 1_000
ORDERS: Final = ("ascending", "descending")
FILTERS: Final = ("immutable_only", "mutable_and_immutable")

_PHASES: Final = {
    Phase.STOPPED: "InitialBlockDownload",
    Phase.DOWNLOADING: "InitialBlockDownload",
    Phase.PROLONGED: "ProlongedBootstrapPeriod",
    Phase.LISTENING: "Following",
}


class BlockRoutes:
    """What has been."""

    def __init__(self, operations: Operations, places: Places) -> None:
        self._with = operations
        self._places = places

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path, handler in (
            (INFO, self.info),
            ("/cryptarchia/headers", self.headers),
            ("/cryptarchia/blocks", self.final_blocks),
            ("/cryptarchia/blocks/{id}", self.block),
            ("/cryptarchia/blocks_range", self.blocks),
            ("/cryptarchia/transaction/{id}", self.transaction),
        ):
            router.add_route(path, answering(handler), methods=["GET"])

    async def info(self, request: Request) -> Response:
        """Returns where the chain and this node stand (HTP-7)."""
        Parameters(request, ())
        found = self._with.information.now()
        state = "Online" if found.phase is Phase.LISTENING else "Bootstrapping"
        phase = _PHASES[found.phase]
        if self._with.information.is_before_genesis:
            phase = "AwaitingGenesisTime"
        chain = {
            "lib": found.final.id.hex(),
            "lib_slot": found.final.slot,
            "tip": found.tip.id.hex(),
            "slot": found.tip.slot,
            "height": found.tip.height,
        }
        return as_json(
            {
                "cryptarchia_info": {**chain, "state": state},
                "phase": phase,
                **chain,  # until April 2026 they stood here, and the state was `mode`
                "mode": state,
            }
        )

    async def headers(self, request: Request) -> Response:
        """Returns ids from a block back to an ancestor (HTP-7)."""
        given = Parameters(request, ("from", "to"))
        newest, oldest = given.identifier("from"), given.identifier("to")
        found = await self._with.ranges.back(
            None if newest is None else BlockId(newest),
            None if oldest is None else BlockId(oldest),
            MAX_HEADERS,
        )
        return as_json([each.hex() for each in found])

    async def final_blocks(self, request: Request) -> Response:
        """Returns the final blocks of a range of slots (HTP-8)."""
        given = Parameters(request, ("slot_from", "slot_to"))
        first, last = given.number("slot_from"), given.number("slot_to")
        if first is None or last is None:
            raise RequestInvalidError("slot_from and slot_to are needed")
        return await begun(self._listed(SlotRange(first, last, is_final=True)), JSON)

    async def _listed(self, wanted: SlotRange) -> Pieces:
        before = b"["
        async with self._places.answer():
            async for each in self._with.ranges.blocks(wanted):
                yield before + await asyncio.to_thread(_block_json, each)
                before = b","
        yield b"[]" if before == b"[" else b"]"

    async def block(self, request: Request) -> Response:
        """Returns a block by its id."""
        wanted = BlockId(identifier(request.path_params["id"], "id"))
        return await begun(self._one(wanted), JSON)

    async def _one(self, wanted: BlockId) -> Pieces:
        async with self._places.answer():
            found = await self._with.follow.block(wanted)
            if found is None:
                raise BlockUnknownError("there is no such block here")
            yield await asyncio.to_thread(_block_json, found)

    async def blocks(self, request: Request) -> Response:
        """Streams the blocks of a range of slots, each with where the chain stands (HTP-8)."""
        names = ("slot_from", "slot_to", "order", "blocks_limit", "server_batch_size")
        given = Parameters(request, (*names, "block_filter"))
        return await begun(self._lines(self._range(given)), NDJSON)

    def _range(self, given: Parameters) -> SlotRange:
        is_final = given.one_of("block_filter", FILTERS) == "immutable_only"
        is_ascending = given.one_of("order", ORDERS) == "ascending"
        given.number("server_batch_size", MAX_BATCH, least=1)  # blocks are sent one by one
        follow = self._with.follow
        anchor = (follow.latest_immutable if is_final else follow.tip).slot
        first, last = given.number("slot_from"), given.number("slot_to")
        limit = given.number("blocks_limit", MAX_BLOCKS, least=1)
        if last is not None and last > anchor:
            raise RequestInvalidError(f"the newest such block has slot {anchor}", field="slot_to")
        end = anchor if last is None else last
        if first is not None and first > end:
            raise RequestInvalidError(f"it is above the last slot, {end}", field="slot_from")
        if limit is None and (first is None or last is None):
            limit = DEFAULT_BLOCKS
        return SlotRange(
            first or 0,
            end,
            is_final=is_final,
            is_ascending=is_ascending,
            limit=limit,
            is_newest=first is None or not is_ascending,
        )

    async def _lines(self, wanted: SlotRange) -> Pieces:
        async with self._places.answer():
            async for each in self._with.ranges.blocks(wanted):
                tip, final = self._with.follow.tip, self._with.follow.latest_immutable
                where = {
                    "tip": tip.id.hex(),
                    "tip_slot": tip.slot,
                    "lib": final.id.hex(),
                    "lib_slot": final.slot,
                }
                yield await asyncio.to_thread(event_line, each, where)

    async def transaction(self, request: Request) -> Response:
        """Returns a transaction that a block of the local chain has (HTP-9)."""
        wanted = identifier(request.path_params["id"], "id")
        transactions = self._with.transactions
        status = await transactions.status(wanted)
        if status is None or status.status.block is None:
            raise TransactionUnknownError("no block of the chain has it")
        async with self._places.answer():
            found = await transactions.transaction(wanted, status)
            if found is None:
                raise TransactionUnknownError("no block of the chain has it")
            answer = {**of_signed(found), "status": _of_status(status)}
            return await asyncio.to_thread(as_json, answer)


def event_line(block: Block, where: dict[str, Any]) -> bytes:
    """Returns a line of a stream: a block, and where the chain stands."""
    return encoded({"block": of_block(block), **where}) + b"\n"


def _block_json(block: Block) -> bytes:
    return encoded(of_block(block))


def _of_status(found: TransactionStatus) -> dict[str, Any]:
    block = found.status.block
    return {
        "stage": str(found.status.stage),
        "block": None if block is None else block.hex(),
        "height": found.height,
        "confirmations": 0 if found.confirmations is None else found.confirmations + 1,
    }
