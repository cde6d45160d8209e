"""The panel Files: store, list, holders, fetch, preview by ranges, delete."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import unquote

import grpc
from fastapi import APIRouter, Depends
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from logos.storage.v1 import storage_pb2 as pb
from logos_app.nodes.doors import CALL_S
from logos_app.nodes.reading import milliseconds
from logos_app.panels.contract import At, Panel, Place, here
from logos_app.panels.storage import anywhere, client, words
from logos_app.panels.storage.file import channels, file_shown
from logos_app.panels.storage.ranges import Span, UnsatisfiableError, headers_of, span_of
from logos_app.security.headers import SANDBOX
from logos_app.shown import formats
from logos_app.shown.problems import SENTENCES, Problem, problem_of

router: Final = APIRouter()
Here = Annotated[At, Depends(here)]


async def _moves(at: Place) -> list[words.Move]:
    names = words.names_by_peer(at.shell.nodes.seen)
    found = await client.fetches(at.channel)
    return [words.move_of(each, names, SENTENCES, at.node) for each in found]


async def figure(channel: grpc.aio.Channel) -> str:
    """How many files a node holds."""
    space = await client.stub(channel).Space(pb.SpaceRequest(), timeout=CALL_S)
    return formats.number(space.datasets)


async def live(at: Place) -> str:
    """The transfers, while a page is open."""
    return at.partial("moves_part.html", moves=_shown(await _moves(at)))


def _shown(moves: list[words.Move]) -> list[words.Move]:
    """Those under way, and the last five that have ended."""
    running = [move for move in moves if move.state in words.RUNNING]
    return running + [move for move in moves if move.state not in words.RUNNING][:5]


@router.get("/")
async def listed(at: Here, page: str = "", q: str = "") -> Response:
    """The files of a node."""
    values: dict[str, Any] = {"datasets": [], "older": "", "is_all": True, "moves": []}
    problem: Problem | None = None
    space: pb.SpaceResponse | None = None
    try:
        space = await client.stub(at.channel).Space(pb.SpaceRequest(), timeout=CALL_S)
        rows, older, is_all = await client.page_of(at.channel, page[:200], q[:200].strip())
        values |= {"datasets": rows, "older": older, "is_all": is_all}
        values["moves"] = await _moves(at)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, at.node)
    moving = sum(move.state in words.RUNNING for move in values["moves"])
    failed = sum(move.state == "failed" for move in values["moves"])
    values |= {
        "moves": _shown(values["moves"]),
        "sentence": words.sentence(at.node, space, moving, failed) if problem is None else "",
        "problem": problem,
        "space": space,
        "page_token": page[:200],
        "query": q[:200],
        "count": len(channels(at)),
        "stored_ms": {each.cid: milliseconds(each.stored_at) for each in values["datasets"]},
    }
    return at.page("files.html", topics=(f"files:{at.node}",), **values)


@router.get("/holders")
async def holders(at: Here, page: str = "", q: str = "") -> Response:
    """On which nodes the files of a page are: fills the list in."""
    try:
        rows, _, _ = await client.page_of(at.channel, page[:200], q[:200].strip())
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    asked = channels(at)
    found = {each.cid: await client.holding(asked, each.cid) for each in rows}
    return HTMLResponse(at.partial("holders_part.html", found=found))


@router.get("/room")
async def room(at: Here, size: int = 0) -> Response:
    """Whether a file of this size has room; asked before it is sent."""
    try:
        space = await client.stub(at.channel).Space(pb.SpaceRequest(), timeout=CALL_S)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    left = space.quota_bytes - space.used_bytes - space.reserved_bytes
    if size <= min(left, space.disk_free_bytes):
        return Response(status_code=204)
    lacking = formats.size(size - min(left, space.disk_free_bytes))
    reason = "QUOTA_EXCEEDED" if left < space.disk_free_bytes else "DISK_FULL"
    text = f"{at.node} has no room for {formats.size(size)}: {lacking} are lacking. Delete files"
    return at.shell.failed(
        at.request, Problem(f"{text} there, or store it elsewhere.", reason), 409
    )


@router.post("/put")
async def put(at: Here, request: Request) -> Response:
    """Stores the body. Name and type are in headers; a browser that goes leaves nothing."""
    length = request.headers.get("content-length", "")
    header = pb.PutRequest.Header(
        filename=unquote(request.headers.get("x-filename", ""), errors="replace")[:1000],
        mimetype=_typed(request.headers.get("content-type", "")),
        size_hint_bytes=int(length) if length.isdecimal() and len(length) < 19 else 0,
    )
    try:
        dataset = await client.put(at.channel, header, request.stream(), at.session)
    except ClientDisconnect:
        return Response(status_code=499)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return HTMLResponse(at.partial("stored_part.html", dataset=dataset))


def _typed(content_type: str) -> str:
    """The type of a file; none for what browsers send where they do not know."""
    named = content_type.partition(";")[0].strip().lower()[:127]
    return "" if named in {"", "application/x-www-form-urlencoded"} else named


@router.get("/{cid}")
async def file_page(at: Here, cid: str) -> Response:
    """A file."""
    return await file_shown(at, cid[:200])


@router.api_route("/{cid}/raw", methods=["GET", "HEAD"])
async def raw(at: Here, cid: str, request: Request) -> Response:
    """The bytes of a file, or a range of them. Its ETag is the CID: content never changes."""
    try:
        dataset = await client.known(at.channel, cid[:200])
        etag = f'"{dataset.cid}"'
        headers = {
            **headers_of(dataset.mimetype, dataset.filename),
            "Content-Security-Policy": SANDBOX,
            "Accept-Ranges": "bytes",
            "ETag": etag,
        }
        wanted = request.headers.get("range")
        if request.headers.get("if-range", etag) != etag:
            wanted = None
        try:
            span = span_of(wanted, dataset.size_bytes)
        except UnsatisfiableError:
            headers["Content-Range"] = f"bytes */{dataset.size_bytes}"
            return Response(status_code=416, headers=headers)
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        whole = Span(0, dataset.size_bytes - 1)
        part = span or whole
        headers["Content-Length"] = str(part.length)
        if span is not None:
            headers["Content-Range"] = f"bytes {part.first}-{part.last}/{dataset.size_bytes}"
        status = 200 if span is None else 206
        if request.method == "HEAD" or part.length <= 0:
            return Response(status_code=status, headers=headers)
        content = client.read(at.channel, dataset.cid, part.first, part.length)
        first = await anext(content)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    return StreamingResponse(_from(first, content), status, headers)


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


@router.post("/{cid}/fetch")
async def fetch(at: Here, cid: str) -> Response:
    """Fetches a file to this node; it goes on when the browser goes."""
    try:
        progress = await client.fetch(at.channel, cid[:200], at.session)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return HTMLResponse(at.partial("fetching_part.html", cid=progress.cid))


@router.post("/{cid}/cancel")
async def cancel(at: Here, cid: str) -> Response:
    """Ends a transfer; blocks that have come are kept."""
    try:
        request = pb.CancelFetchRequest(cid=cid[:200])
        await client.stub(at.channel).CancelFetch(request, timeout=CALL_S)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return HTMLResponse(at.partial("moves_part.html", moves=_shown(await _moves(at))))


@router.post("/{cid}/delete")
async def delete(at: Here, cid: str, sure: str = "") -> Response:
    """Deletes a file from this node. The last copy only if that was asked for."""
    try:
        found = await client.holding(channels(at), cid[:200])
        if words.is_last_copy(found, at.node) and sure != "last":
            text = (
                f"Nothing was deleted: {at.node} holds the last copy. Delete it from its own page."
            )
            return at.failed(Problem(text, "LAST_COPY"))
        dataset = await client.stat(at.channel, cid[:200])
        await client.delete(at.channel, cid[:200], at.session)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    name = "" if dataset is None else dataset.filename
    others = [holder for holder in found.whole if holder != at.node]
    return HTMLResponse(at.partial("deleted_part.html", name=name, cid=cid[:200], others=others))


PANEL: Final = Panel(
    "Files", "files", 1, router, figure, live=live, takes_files=("put",), anywhere=anywhere.router
)
