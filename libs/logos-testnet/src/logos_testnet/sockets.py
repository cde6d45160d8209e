"""The Unix sockets of a node: their folders, and whether they answer.

A kernel that lost its socket's file still listens, but clients cannot connect.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import grpc

from logos_client.channels import channel_to
from logos_testnet.client import READY, view
from logos_testnet.layout import Layout
from logos_testnet.processes import KERNEL, NodeProcess, find_processes

_CONNECT_TIMEOUT_S: Final = 3.0


async def lost_sockets(front: str, bearer: str | None, kernel_socket: Path) -> list[str]:
    """Returns the kernel and the READY modules of a node whose sockets do not answer.

    Empty if the front door does not answer: then it is not known.
    """
    async with channel_to(front, bearer) as channel:
        try:
            seen = await view(channel, networked=False)
        except grpc.aio.AioRpcError:
            return []
    paths = {KERNEL: kernel_socket}
    for module in seen.modules:
        kind, _, path = module.endpoint.partition(":")
        if module.state == READY and kind == "unix":
            paths[module.name] = Path(path)
    return [name for name, path in paths.items() if not await _answers(path)]


async def _answers(path: Path) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def socket_folders(layout: Layout, processes: Iterable[NodeProcess]) -> list[Path]:
    """Returns the folders with sockets of a testnet, also of its folder before a move.

    Args:
        layout: The testnet's folders.
        processes: Processes of the testnet that have ended.
    """
    former = {process.folder for process in processes} - {layout.directory}
    layouts = [layout, *(Layout(each) for each in former if not find_processes(each))]
    return [folder for each in layouts for folder in (each.run, each.temporary_run)]
