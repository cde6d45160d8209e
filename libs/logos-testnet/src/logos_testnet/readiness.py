"""Waits until nodes are READY, as their modules declare it; times out without progress.

Progress is a state that was not seen before: a module in a restart loop makes none.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import grpc

from logos.kernel.v1 import module_pb2
from logos_client.channels import channel_to
from logos_testnet.client import (
    FAILED,
    READY,
    NodeView,
    read_figure,
    refuses_caller,
    state_name,
    view,
)
from logos_testnet.errors import NodeFailedError, TokenRefusedError
from logos_testnet.plan import ModulePlan, NodePlan
from logos_testnet.processes import KERNEL
from logos_testnet.progress import NodeProgress, Report

POLL_S: Final = 0.05
PROGRESS_TIMEOUT_S: Final = 90.0
NAMED_MODULES: Final = 8
"""Of which the progress of a node names each; of more, only those that it waits for."""

ExitReason = Callable[[], str | None]
"""Returns how the node's kernel ended; None while it runs."""


async def wait_until_ready(
    node: NodePlan,
    *,
    bearer: str | None,
    report: Report,
    figures: bool = True,
    exit_reason: ExitReason = lambda: None,
    timeout_s: float = PROGRESS_TIMEOUT_S,
) -> NodeView:
    """Waits until every module is READY and has reached the figure of its manifest.

    Args:
        node: The node.
        bearer: The token of its testnet's operator.
        report: Called with each change.
        figures: False to wait for READY only.
        exit_reason: Returns how its kernel ended.
        timeout_s: Time limit without progress, in seconds.

    Raises:
        NodeFailedError: The kernel ended, a module FAILED, or the node made no progress for
            `timeout_s`.
        TokenRefusedError: The node refuses the token.
    """
    loop = asyncio.get_running_loop()
    last, progress_at = "", loop.time()
    known: set[str] = set()
    wanted = [module for module in node.modules if figures and module.wanted]
    async with channel_to(node.front, bearer) as channel:
        while True:
            seen = await _look(node, channel, networked=False)
            short = await _short_of(channel, wanted) if seen is not None and seen.ready else {}
            if seen is not None and seen.ready and not short:
                whole = await _look(node, channel, networked=True)
                if whole is not None and whole.ready:
                    return whole
            text = _describe(node, seen, short)
            if text not in known:
                known.add(text)
                progress_at = loop.time()
            if text != last:
                last = text
                report(NodeProgress(node.name, text))
            _refuse_failure(node, seen, exit_reason())
            if loop.time() - progress_at > timeout_s:
                module = _blocker(seen, short)
                raise NodeFailedError(
                    f"{node.name}: no progress for {timeout_s:.0f} s: {last}{_reasons(seen)}",
                    node=node.name,
                    module=module,
                )
            await asyncio.sleep(POLL_S)


async def _short_of(channel: grpc.aio.Channel, wanted: list[ModulePlan]) -> dict[str, str]:
    """Returns the modules that have not reached their figures, with the reasons."""
    short = {}
    for module in wanted:
        figure = module.manifest.needs.ready
        if figure is None:
            continue
        reached = await read_figure(channel, figure)
        if reached is None:
            short[module.name] = f"{module.name} does not answer {figure.call}"
        elif reached < module.wanted:
            short[module.name] = f"{module.name}: {reached} of {module.wanted} {figure.counts}"
    return short


async def _look(node: NodePlan, channel: grpc.aio.Channel, *, networked: bool) -> NodeView | None:
    try:
        return await view(channel, networked=networked)
    except grpc.aio.AioRpcError as error:
        if refuses_caller(error):
            raise TokenRefusedError(
                f"{node.name} at {node.front} refuses the token of this testnet's operator"
                f" ({error.details()}): is it another testnet's?"
            ) from error
        return None


def _describe(node: NodePlan, seen: NodeView | None, short: dict[str, str]) -> str:
    if seen is None:
        return f"waiting for its kernel to answer at {node.front}"
    if not seen.ready:
        return _states(seen.modules)
    return f"ready; {', '.join(short.values())}"


def _states(modules: Sequence[module_pb2.Module]) -> str:
    """Returns the state of each module; of many, how many are in which, and some by name."""
    if len(modules) <= NAMED_MODULES:
        return ", ".join(f"{m.name} {state_name(m)}" for m in modules)
    counts = Counter(state_name(m) for m in modules)
    texts = [f"{count} {state}" for state, count in sorted(counts.items())]
    waiting = [str(m.name) for m in modules if m.state != READY]
    named = ", ".join(waiting[:NAMED_MODULES])
    more = len(waiting) - NAMED_MODULES
    return f"{', '.join(texts)}; waiting for {named}{f' and {more} more' if more > 0 else ''}"


def _reasons(seen: NodeView | None) -> str:
    """Returns the status texts or last exit reasons of modules that are not READY."""
    waiting = [m for m in (seen.modules if seen is not None else ()) if m.state != READY]
    texts = [f"{m.name}: {m.status_text or m.last_exit}" for m in waiting]
    return "".join(f"; {text}" for text in texts if not text.endswith(": "))


def _refuse_failure(node: NodePlan, seen: NodeView | None, exit_reason: str | None) -> None:
    if exit_reason is not None:
        raise NodeFailedError(
            f"{node.name}: its kernel ended: {exit_reason}", node=node.name, module=KERNEL
        )
    for module in seen.modules if seen is not None else ():
        if module.state == FAILED:
            raise NodeFailedError(
                f"{node.name}: {module.name} failed after {module.restart_count} restarts:"
                f" {module.last_exit or 'see its log'}",
                node=node.name,
                module=module.name,
            )


def _blocker(seen: NodeView | None, short: dict[str, str]) -> str:
    """Returns the module to blame: the first that is not READY, or short of its figure."""
    if seen is None:
        return KERNEL
    waiting = [str(module.name) for module in seen.modules if module.state != READY]
    return [*waiting, *short, KERNEL][0]
