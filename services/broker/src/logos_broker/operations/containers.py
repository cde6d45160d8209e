"""Starts, signals and reads the containers of a node: those that are described, as described."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from logos_base.lines import LineCutter
from logos_broker.core.confinement import problems
from logos_broker.core.containers import Described, Seen, Signal, State, Usage
from logos_broker.core.errors import (
    ContainerMissingError,
    NotAsDescribedError,
    NotStartedError,
    RestartedError,
    TailTooLongError,
)
from logos_broker.core.ports import Engine
from logos_broker.operations.changes import Changes

MAX_TAIL: Final = 100_000
_EXIT_TAIL: Final = 50
_EARLY_NS: Final = 1_000_000_000
"""An engine notes a start once it has been made: what ends at once has spoken before that."""
_NONE: Final[Mapping[str, Described]] = {}


class Containers:
    """All nodes' containers. Node and module are names; the node is that of the caller."""

    def __init__(self, nodes: Mapping[str, Mapping[str, Described]], engine: Engine) -> None:
        self._nodes = nodes
        self._engine = engine
        self.changes = Changes(engine)

    async def start(self, node: str, module: str) -> tuple[State, bytes]:
        """Starts a container unless it runs; returns its state, and its log if it has ended.

        Raises:
            ContainerMissingError, NotAsDescribedError, NotStartedError: It was left alone.
            EngineUnavailableError: Whether it was started is not known.
        """
        seen = await self._find(node, module)
        if found := problems(seen, self._described(node, module)):
            raise NotAsDescribedError(f"the container of {module}: {'; '.join(found)}")
        if seen.state.is_running:
            return seen.state, b""
        await self._engine.start(seen.container_id)
        state, log = await self._look(node, module)
        if state.started_at_ns in {0, seen.state.started_at_ns}:
            raise NotStartedError(f"the container of {module} was not started, or is gone")
        return state, log

    async def signal(self, node: str, module: str, started_at_ns: int, signal: Signal) -> None:
        """Signals the start that is meant; of one that does not run, nothing is to be done."""
        seen = await self._find(node, module)
        _check_start(module, seen.state, started_at_ns)
        if seen.state.is_running:
            await self._engine.signal(seen.container_id, signal)

    async def usage(self, node: str, module: str, started_at_ns: int) -> Usage:
        """Returns what it has used since the start that is meant."""
        seen = await self._find(node, module)
        _check_start(module, seen.state, started_at_ns)
        usage = await self._engine.usage(seen.container_id) if seen.state.is_running else None
        if usage is None:
            raise RestartedError(f"the container of {module} does not run")
        return usage

    async def lines(
        self, node: str, module: str, *, tail: int, follow: bool, since_ns: int = 0
    ) -> AsyncIterator[bytes]:
        """Streams a log, from a time on; following goes on with the module's next start."""
        if tail > MAX_TAIL:
            raise TailTooLongError(f"tail: at most {MAX_TAIL} lines", field="tail")
        seen = await self._find(node, module)
        cutter = LineCutter()
        while True:
            opened = self._engine.stream(seen.container_id, tail, since_ns, follow=follow)
            async with aclosing(opened) as pieces:
                async for piece in pieces:
                    for line in cutter.feed(piece):
                        yield line
            ended_ns = time.time_ns()
            if rest := cutter.flush():
                yield rest
            if not follow:
                return
            seen = await self._next_start(node, module, seen.state.started_at_ns)
            since_ns, tail = min(ended_ns, seen.state.started_at_ns), MAX_TAIL

    async def watch(self, node: str) -> AsyncIterator[tuple[str, State, bytes]]:
        """Yields module, state and last log of each container of a node, then at each change."""
        modules = {one.service: name for name, one in self._of(node).items()}
        sent: dict[str, State] = {}
        async with aclosing(self.changes.of(modules)) as services:
            async for service in services:
                module = modules[service]
                state, log = await self._look(node, module)
                if sent.get(module) != state:
                    sent[module] = state
                    yield module, state, log

    async def _look(self, node: str, module: str) -> tuple[State, bytes]:
        """Returns the state of a container, and if it has ended the end of its log."""
        seen_at_ns = time.monotonic_ns()
        try:
            seen = await self._find(node, module)
            state = seen.state
            if state.is_running or not state.started_at_ns:
                return state, b""
            since_ns = max(0, state.started_at_ns - _EARLY_NS)
            log = await self._engine.log(seen.container_id, _EXIT_TAIL, since_ns)
        except ContainerMissingError:
            return State(seen_at_ns=seen_at_ns), b""
        return state, log

    async def _next_start(self, node: str, module: str, last_ns: int) -> Seen:
        service = self._described(node, module).service
        async with aclosing(self.changes.of([service])) as services:
            async for _ in services:
                seen = await self._find(node, module)
                if seen.state.started_at_ns != last_ns:
                    return seen
        raise AssertionError("unreachable: changes have no end")

    async def _find(self, node: str, module: str) -> Seen:
        service, seen_at_ns = self._described(node, module).service, time.monotonic_ns()
        seen = await self._engine.inspect(service)
        return replace(seen, state=replace(seen.state, seen_at_ns=seen_at_ns))

    def _described(self, node: str, module: str) -> Described:
        described = self._of(node).get(module)
        if described is None:
            raise ContainerMissingError(f"{node} has no module {module[:64]!r}", field="module")
        return described

    def _of(self, node: str) -> Mapping[str, Described]:
        return self._nodes.get(node, _NONE)


def _check_start(module: str, state: State, started_at_ns: int) -> None:
    if state.started_at_ns != started_at_ns:
        raise RestartedError(f"the container of {module} was started again, or never")
