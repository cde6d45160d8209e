"""Waits until nodes are READY and connected; patience counts from the last progress.

Progress is a state that was not seen before: a module that is started again and again
makes none.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import grpc

from logos_testnet.client import FAILED, READY, NodeView, channel_to, state_name, view
from logos_testnet.errors import NodeFailedError
from logos_testnet.plan import NETWORK_MODULE, NodePlan, Plan
from logos_testnet.progress import NodeProgress, Report

POLL_S: Final = 0.15
PATIENCE_S: Final = 90.0

Obituary = Callable[[], str | None]
"""Says why the node's kernel is no more; None while it lives."""


def wanted_peers(plan: Plan, node: NodePlan) -> int:
    """How many peers the node must have before it counts as connected."""
    networked = [n.name for n in plan.nodes if _is_networked(n)]
    if node.name not in networked:
        return 0
    return min(len(networked) - 1, plan.topology.target_peers)


def _is_networked(node: NodePlan) -> bool:
    return any(module.manifest.name == NETWORK_MODULE for module in node.modules)


async def wait_until_ready(
    node: NodePlan,
    *,
    peers: int,
    report: Report,
    obituary: Obituary = lambda: None,
    patience_s: float = PATIENCE_S,
) -> NodeView:
    """Waits until every module is READY and the node has `peers` connections.

    Raises:
        NodeFailedError: The kernel ended, a module FAILED, or the node made no
            progress for `patience_s`.
    """
    loop = asyncio.get_running_loop()
    said, moved_at = "", loop.time()
    told: set[str] = set()
    async with channel_to(node.front) as channel:
        while True:
            seen = await _look(channel)
            if seen is not None and seen.ready and seen.peers >= peers:
                return seen
            text = _describe(node, seen, peers)
            if text not in told:
                told.add(text)
                moved_at = loop.time()
            if text != said:
                said = text
                report(NodeProgress(node.name, text))
            _refuse_failure(node, seen, obituary())
            if loop.time() - moved_at > patience_s:
                module = _blocker(seen)
                raise NodeFailedError(
                    f"{node.name}: no progress for {patience_s:.0f} s: {said}{_reasons(seen)}",
                    node=node.name,
                    module=module,
                )
            await asyncio.sleep(POLL_S)


async def _look(channel: grpc.aio.Channel) -> NodeView | None:
    try:
        return await view(channel)
    except grpc.aio.AioRpcError:
        return None


def _describe(node: NodePlan, seen: NodeView | None, peers: int) -> str:
    if seen is None:
        return f"waits for its kernel to answer at {node.front}"
    if not seen.ready:
        return ", ".join(f"{m.name} {state_name(m)}" for m in seen.modules)
    return f"ready, {seen.peers} of {peers} peers"


def _reasons(seen: NodeView | None) -> str:
    """What the modules that are not READY say, or why they ended last."""
    waiting = [m for m in (seen.modules if seen is not None else ()) if m.state != READY]
    said = [f"{m.name}: {m.status_text or m.last_exit}" for m in waiting]
    return "".join(f"; {text}" for text in said if not text.endswith(": "))


def _refuse_failure(node: NodePlan, seen: NodeView | None, obituary: str | None) -> None:
    if obituary is not None:
        raise NodeFailedError(
            f"{node.name}: its kernel ended: {obituary}", node=node.name, module="kernel"
        )
    for module in seen.modules if seen is not None else ():
        if module.state == FAILED:
            raise NodeFailedError(
                f"{node.name}: {module.name} failed after {module.restart_count} restarts:"
                f" {module.last_exit or 'it left no word'}",
                node=node.name,
                module=module.name,
            )


def _blocker(seen: NodeView | None) -> str:
    """The module to look at first: the earliest that is not READY."""
    if seen is None:
        return "kernel"
    for module in seen.modules:
        if state_name(module) != "ready":
            return str(module.name)
    return NETWORK_MODULE
