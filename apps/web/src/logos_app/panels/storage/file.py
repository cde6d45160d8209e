"""The page of a file, as a node sees it."""

from typing import Final

import grpc
from starlette.responses import Response

from logos.storage.v1 import storage_pb2 as pb
from logos_app.nodes.reading import milliseconds
from logos_app.panels.contract import At
from logos_app.panels.storage import client, words
from logos_app.panels.storage.ranges import kind_of
from logos_app.shown import formats

PREVIEW_BYTES: Final = 64 * 1024


def channels(at: At) -> dict[str, grpc.aio.Channel | None]:
    """The nodes that have storage, each with a channel if it answers."""
    return {
        node.name: at.shell.doors.to(node.name) if node.answers else None
        for node in at.shell.nodes.seen
        if node.module("storage") is not None or not node.modules
    }


async def file_shown(
    at: At, cid: str, *, picked: str = "", found: words.Holding | None = None
) -> Response:
    """A file's page. `picked`: why this node, where the address names none."""
    try:
        dataset = await client.known(at.channel, cid)
        text = await _preview(at, dataset)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    found = found or await client.holding(channels(at), dataset.cid)
    return at.page(
        "file.html",
        topics=(f"files:{at.node}",),
        dataset=dataset,
        kind=kind_of(dataset.mimetype),
        text=text,
        holding=found,
        is_last=words.is_last_copy(found, at.node),
        stored_ms=milliseconds(dataset.stored_at),
        is_here=dataset.blocks_held > 0,
        picked=picked,
    )


async def _preview(at: At, dataset: pb.Dataset) -> str | None:
    """The beginning of a text; None of what is none."""
    if kind_of(dataset.mimetype) != "text" or dataset.size_bytes == 0:
        return None
    content = b""
    async for chunk in client.read(at.channel, dataset.cid, 0, PREVIEW_BYTES):
        content += chunk
    text = content.decode("utf-8", "replace")
    return "\n".join(
        "".join(formats.shown(line[at : at + 200]) for at in range(0, len(line), 200))
        for line in text.split("\n")
    )
