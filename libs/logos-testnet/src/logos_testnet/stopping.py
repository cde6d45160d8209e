"""Stops the processes of a testnet, and checks that none is left."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from logos_testnet.compose import name_of_project
from logos_testnet.engine import publisher_of
from logos_testnet.errors import EngineError, NotStoppedError
from logos_testnet.layout import Layout
from logos_testnet.plan import Plan
from logos_testnet.ports import folder_at, holder_of, taken_ports
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
    """Refuses if a testnet of the same name holds the front doors.

    Raises:
        NotStoppedError: A testnet of the same name runs from another folder, or in containers.
    """
    name = plan.topology.name
    for node in plan.nodes:
        if taken_ports([node.front_port]) and await _name_at(node.front_port) == name:
            raise NotStoppedError(
                f"a testnet {name} runs from another folder: its {node.name} answers at port"
                f" {node.front_port}, held by {holder_of(node.front_port)}; stop it there"
            )


async def _name_at(port: int) -> str | None:
    """Returns the name of the testnet that holds a port of this machine, if that can be seen."""
    if (folder := folder_at(port)) is not None:
        return folder.name
    with contextlib.suppress(EngineError):  # no engine, no containers
        publisher = await publisher_of(port)
        return None if publisher is None else name_of_project(publisher.project)
    return None
