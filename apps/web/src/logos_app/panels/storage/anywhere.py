"""`/files/CID`: a file without a node in its address. It is seen from a ready node that has it."""

from typing import Final

import grpc
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.panels.contract import At
from logos_app.panels.storage import client, words
from logos_app.panels.storage.file import file_shown
from logos_app.shell.pages import UnknownError, shell_of

MODULE: Final = "storage"
router: Final = APIRouter()


@router.get("/files/{cid}")
async def file_anywhere(request: Request, cid: str) -> Response:
    """The page of a file, and which node it is seen from."""
    shell = shell_of(request)
    panel = next(panel for panel in shell.panels if panel.module == MODULE)
    asked: dict[str, grpc.aio.Channel | None] = {
        node.name: shell.doors.to(node.name) if node.answers else None
        for node in shell.nodes.seen
        if (module := node.module(MODULE)) is not None and module.state == "ready"
    }
    found = await client.holding(asked, cid[:200])
    node, why = words.picked(found, [name for name, channel in asked.items() if channel])
    if not node:
        raise UnknownError(
            "No node has a storage that is ready, so no file can be read. Look at the testnet.",
            "STORAGE_NOT_READY",
        )
    at = At(shell, node, panel, shell.doors.to(node), request)
    return await file_shown(at, cid[:200], picked=why)
