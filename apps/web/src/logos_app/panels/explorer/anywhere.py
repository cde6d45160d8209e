"""`/chain/block/ID` and `/chain/tx/HASH`: without a node; a ready one that has it is picked."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.panels.chain import ids
from logos_app.panels.contract import At
from logos_app.panels.explorer.finding import knows
from logos_app.panels.explorer.looking import block_page, not_an_id, transaction_page
from logos_app.shell.pages import Shell, UnknownError, shell_of

SLUG: Final = "explorer"
ASKED_S: Final = 0.5
MOST_ASKED: Final = 20
"""Nodes, at once."""
router: Final = APIRouter()


@router.get("/chain/block/{text}")
async def block_anywhere(request: Request, text: str, page: str = "") -> Response:
    """A block, and which node it is seen from."""
    at, identifier, why = await _picked(request, "block", text)
    return await block_page(at, identifier, page[:300], why)


@router.get("/chain/tx/{text}")
async def transaction_anywhere(request: Request, text: str) -> Response:
    """A transaction, and which node it is seen from."""
    at, identifier, why = await _picked(request, "tx", text)
    return await transaction_page(at, identifier, 0, why)


async def _picked(request: Request, kind: str, text: str) -> tuple[At, bytes, str]:
    shell = shell_of(request)
    identifier = ids.id_of(text)
    if identifier is None:
        problem = not_an_id("a block" if kind == "block" else "a transaction")
        raise UnknownError(problem.sentence, problem.reason)
    panel = next(panel for panel in shell.panels if panel.slug == SLUG)
    ready = shell.ready(panel.module)
    if not ready:
        raise UnknownError(
            "No node has a chain that is ready, so nothing of it can be read. Look at the testnet.",
            "CHAIN_NOT_READY",
        )
    asked = ready[:MOST_ASKED]
    answers = await asyncio.gather(*(_knows(shell, node, kind, identifier) for node in asked))
    having = [node for node, has_it in zip(asked, answers, strict=True) if has_it]
    node = (having or ready)[0]
    why = "it has it" if having else "it is ready, and no node is known to have it"
    return At(shell, node, panel, shell.doors.to(node), request), identifier, why


async def _knows(shell: Shell, node: str, kind: str, identifier: bytes) -> bool:
    try:
        async with asyncio.timeout(ASKED_S):
            return await knows(shell.doors.to(node), kind, identifier)
    except TimeoutError:
        return False
