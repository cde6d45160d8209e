"""Stops the processes of a testnet, and checks that none is left."""

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

import grpc

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_testnet.client import CALL_TIMEOUT_S, channel_to
from logos_testnet.errors import NotStoppedError
from logos_testnet.layout import Layout
from logos_testnet.plan import Plan
from logos_testnet.ports import holder_of, taken_ports
from logos_testnet.processes import KERNEL, NodeProcess, find_processes, send_signal
from logos_testnet.progress import Note, Report

STOP_GRACE_S: Final = 30.0
STRAY_GRACE_S: Final = 5.0
_POLL_S: Final = 0.1

Find = Callable[[], list[NodeProcess]]
"""Returns the processes to stop that still run."""


async def stop_processes(find: Find, report: Report) -> None:
    """Asks kernels to stop their nodes, then kills the processes that are left."""
    processes = find()
    report(Note(f"stopping {len(processes)} processes"))
    send_signal([each for each in processes if each.name == KERNEL], signal.SIGTERM)
    if await _remain(find, STOP_GRACE_S, kernels_only=True) or find():
        report(Note("stopping processes that the kernels left"))
    strays = find()
    for number in (signal.SIGTERM, signal.SIGKILL):
        send_signal(strays, number)
        strays = await _remain(find, STRAY_GRACE_S)
        if not strays:
            return


async def _remain(find: Find, grace_s: float, *, kernels_only: bool = False) -> list[NodeProcess]:
    """Waits until no process is left, or no kernel; returns those that are left."""
    loop = asyncio.get_running_loop()
    until = loop.time() + grace_s
    while True:
        left = [each for each in find() if not kernels_only or each.name == KERNEL]
        if not left or loop.time() > until:
            return left
        await asyncio.sleep(_POLL_S)


def refuse_living(layout: Layout, also: Sequence[str] = ()) -> None:
    """Refuses to go on while any process of a testnet runs.

    A kernel that /proc does not show, e.g. in another namespace, still holds its lock.

    Raises:
        NotStoppedError: Some run; the message lists them, and `also`.
    """
    processes = find_processes(layout.directory)
    remains = [f"process {each.pid} ({each.name} of {each.node})" for each in processes]
    seen = {each.node for each in processes if each.name == KERNEL}
    remains += [text for node, text in _held_locks(layout).items() if node not in seen]
    remains += also
    if remains:
        raise NotStoppedError(f"still running: {', '.join(remains)}")


def _held_locks(layout: Layout) -> dict[str, str]:
    """Returns the kernels that hold the locks of their state folders, by node."""
    held = {}
    for path in sorted(layout.directory.glob("*/kernel/lock")):
        with path.open(encoding="ascii", errors="replace") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(lock.fileno(), 32).decode("ascii", "replace").strip() or "unknown"
                node = path.parents[1].name
                held[node] = f"the kernel of {node}, which holds {path} (pid {pid} where it runs)"
    return held


async def refuse_namesake(plan: Plan) -> None:
    """Refuses if a testnet of the same name answers at the front doors.

    Raises:
        NotStoppedError: A testnet of the same name runs from another folder.
    """
    name = plan.topology.name
    for port in taken_ports([node.front_port for node in plan.nodes]):
        async with channel_to(f"127.0.0.1:{port}") as channel:
            try:
                info = await kernel_pb2_grpc.KernelStub(channel).GetInfo(
                    kernel_pb2.GetInfoRequest(), timeout=CALL_TIMEOUT_S
                )
            except grpc.aio.AioRpcError:
                continue
        if info.testnet == name:
            raise NotStoppedError(
                f"a testnet {name} runs from another folder: its {info.node} answers at port"
                f" {port}, held by {holder_of(port)}; stop it there"
            )
