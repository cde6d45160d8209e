"""The panel Explorer: blocks as they come, and every thing of the chain by its id."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import grpc
from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from logos.chain.v1 import chain_pb2 as pb
from logos_app.clock import now_ms
from logos_app.panels.chain import client, following, ids, seen
from logos_app.panels.chain import words as chain_words
from logos_app.panels.contract import At, Panel, Place, here
from logos_app.panels.explorer import anywhere, looking, operations, words
from logos_app.panels.explorer.finding import find
from logos_app.shown import formats
from logos_app.shown.problems import Problem, problem_of

router: Final = APIRouter()
Here = Annotated[At, Depends(here)]
MAX_TOKEN: Final = 300
FORKS: Final = 100


async def figure(channel: grpc.aio.Channel) -> str:
    """The height of the chain at a node."""
    return formats.number((await client.info(channel)).tip.height)


async def live(at: Place) -> str:
    """What changes with a block, and the list of blocks."""
    await following.read_info(at)
    return at.partial("explorer_part.html", **_view(at))


async def follow(at: Place) -> None:
    """Follows the chain; pages that are open say of when they are once it cannot be followed."""
    await following.follow(at, lambda: at.publish("explorer_part.html", **_view(at)))


def _view(at: Place) -> dict[str, Any]:
    now = following.chain_of(at)
    is_isolated = at.shell.nodes.node(at.node).is_isolated
    return {
        "seen": now,
        "sentence": words.sentence(at.node, now, now_ms()),
        "warnings": words.warnings(at.node, now, is_isolated=is_isolated),
        "words": words,
        "said": chain_words,
    }


@router.get("/")
async def shown(at: Here, page: str = "") -> Response:
    """The chain of a node: the newest blocks, which go on by themselves, or a page of older."""
    problem: Problem | None = None
    blocks: Sequence[pb.BlockSummary] = ()
    older = ""
    try:
        if page:
            blocks, older = await client.blocks(at.channel, seen.BLOCKS, page[:MAX_TOKEN])
        else:
            older = await following.read_blocks(at)
        await following.read_info(at)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, at.node)
    view = _view(at)
    return at.page(
        "explorer.html",
        topics=() if page else (f"{at.panel.slug}:{at.node}",),
        problem=problem,
        blocks=blocks if page else view["seen"].blocks,
        older=older,
        page=page[:MAX_TOKEN],
        **view,
    )


@router.get("/block/{text}")
async def block(at: Here, text: str, page: str = "") -> Response:
    """A block by its id, which is its address; a height leads there."""
    identifier, height = ids.id_of(text), ids.number_of(text)
    if identifier is not None:
        return await looking.block_page(at, identifier, page[:MAX_TOKEN])
    if height is None:
        return at.failed(looking.not_an_id("a block"), 404)
    try:
        found = await client.block(at.channel, height)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    return RedirectResponse(f"{at.root}block/{found.summary.point.id.hex()}", 303)


@router.get("/tx/{text}")
async def transaction(at: Here, text: str, page: str = "") -> Response:
    """A transaction by its hash."""
    identifier = ids.id_of(text)
    if identifier is None:
        return at.failed(looking.not_an_id("a transaction"), 404)
    number = ids.number_of(page) or 0
    return await looking.transaction_page(at, identifier, min(number, 1000))


@router.get("/note/{text}")
async def note(at: Here, text: str) -> Response:
    """A note that is unspent."""
    identifier = ids.id_of(text)
    if identifier is None:
        return at.failed(looking.not_an_id("a note"), 404)
    try:
        found = await client.note(at.channel, identifier)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    return at.page("note.html", id=identifier.hex(), note=found, said=chain_words)


@router.get("/channel/{text}")
async def channel(at: Here, text: str) -> Response:
    """A channel of the chain."""
    identifier = ids.id_of(text)
    if identifier is None:
        return at.failed(looking.not_an_id("a channel"), 404)
    try:
        found = await client.channel_state(at.channel, identifier)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    return at.page("channel.html", id=identifier.hex(), channel=found)


@router.get("/forks")
async def forks(at: Here) -> Response:
    """The ends of all chains that a node keeps."""
    try:
        found = await client.forks(at.channel)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return at.page("forks.html", forks=found[:FORKS], count=len(found))


@router.get("/mempool")
async def mempool(at: Here, page: str = "") -> Response:
    """What waits for a block."""
    try:
        found = await client.mempool(at.channel, page[:MAX_TOKEN])
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return at.page("mempool.html", found=found, page=page, doing=operations)


@router.get("/find")
async def found(at: Here, q: str = "") -> Response:
    """Leads to what a text means at this node, or lists the candidates."""
    query = q[:200].strip()
    try:
        pages = await find(at, query)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    if len(pages) == 1:
        return RedirectResponse(pages[0].href, 303)
    return at.page("found.html", query=query, pages=pages)


PANEL: Final = Panel(
    "Explorer",
    "explorer",
    5,
    router,
    figure,
    live=live,
    live_of=looking.live_of,
    follow=follow,
    anywhere=anywhere.router,
    find=find,
    module="chain",
)
