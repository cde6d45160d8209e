"""An engine whose containers are processes of a shell. For tests."""

import asyncio
import itertools
import os
import signal as signals
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from logos_broker.core.containers import Described, Mount, Seen, Signal, State, Usage
from logos_broker.core.errors import (
    ContainerMissingError,
    EngineUnavailableError,
    NotStartedError,
)

_SIGNALS = {Signal.TERM: signals.SIGTERM, Signal.KILL: signals.SIGKILL}


def described(service: str) -> Described:
    """What a container of a test may be."""
    mounts = frozenset({Mount(service, "/data", is_writable=True)})
    return Described(service, f"test/{service}", mounts, frozenset({"node1"}))


def seen_as(one: Described) -> Seen:
    """A container as it is described, which never ran."""
    return Seen(
        container_id=one.service,
        image=one.image,
        mounts=one.mounts,
        networks=one.networks,
        user="65532:65532",
        is_privileged=False,
        is_read_only=True,
        has_no_new_privileges=True,
        added=frozenset(),
        dropped=frozenset({"ALL"}),
        shared=frozenset(),
        restart="no",
        state=State(),
    )


@dataclass
class Container:
    """One container, and its process if it runs."""

    seen: Seen
    script: str
    process: asyncio.subprocess.Process | None = None


class ProcessEngine:
    """Keeps `Engine`. Its containers end as those with an init process do."""

    def __init__(self, folder: Path, scripts: Mapping[str, str]) -> None:
        self._folder = folder
        self.containers = {
            service: Container(seen_as(described(service)), script)
            for service, script in scripts.items()
        }
        self.calls: list[tuple[str, ...]] = []
        self.is_up = True
        self._watchers: set[asyncio.Queue[str | None]] = set()
        self._waits: set[asyncio.Task[None]] = set()
        self._times = itertools.count(time.time_ns())
        self._begins: dict[str, list[tuple[int, int]]] = {}
        """Of each container: when it was started, and where its log began then."""

    async def inspect(self, service: str) -> Seen:
        self._check_up()
        if service not in self.containers:
            raise ContainerMissingError(f"{service} has no containers")
        return self.containers[service].seen

    async def start(self, container_id: str) -> None:
        self._check_up()
        self.calls.append(("start", container_id))
        container = self.containers[container_id]
        if not container.script:
            raise NotStartedError("no such program")
        with self._log(container_id).open("ab") as output:
            begin = next(self._times), output.tell()
            self._begins.setdefault(container_id, []).append(begin)
            process = await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                container.script,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        state = State(is_running=True, pid=process.pid, started_at_ns=begin[0])
        container.seen, container.process = replace(container.seen, state=state), process
        waiting = asyncio.get_running_loop().create_task(self._wait(container_id))
        self._waits.add(waiting)
        self.tell(container_id)

    async def signal(self, container_id: str, signal: Signal) -> None:
        self._check_up()
        self.calls.append((signal.value, container_id))
        process = self.containers[container_id].process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):  # it has ended, and the event loop does not know yet
                os.killpg(process.pid, _SIGNALS[signal])

    async def usage(self, container_id: str) -> Usage | None:
        self._check_up()
        is_running = self.containers[container_id].seen.state.is_running
        return Usage(5_000_000, 1_000_000, None, 7) if is_running else None

    async def log(self, container_id: str, tail: int, since_ns: int) -> bytes:
        path = self._log(container_id)
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return b"".join(lines[-tail:])

    async def stream(
        self, container_id: str, tail: int, since_ns: int, *, follow: bool
    ) -> AsyncGenerator[bytes, None]:
        path = self._log(container_id)
        if since_ns > time.time_ns():  # no line is of a later time
            return
        begins = self._begins.get(container_id, [])
        first = at = next((place for when, place in begins if when >= since_ns), 0)
        while True:
            is_running = self.containers[container_id].seen.state.is_running
            content = path.read_bytes() if path.exists() else b""
            if content[at:]:
                new = content[at:]
                yield new if at > first else b"".join(new.splitlines(keepends=True)[-tail:])
            at = len(content)
            if not (follow and is_running):
                return
            await asyncio.sleep(0.01)

    async def changes(self) -> AsyncIterator[str]:
        self._check_up()
        told = asyncio.Queue[str | None]()
        self._watchers.add(told)
        try:
            yield ""
            while (service := await told.get()) is not None:
                yield service
        finally:
            self._watchers.remove(told)

    async def close(self) -> None:
        """Ends all that runs."""
        for service in self.containers:
            self.is_up = True
            await self.signal(service, Signal.KILL)
        await asyncio.gather(*self._waits)

    async def kill(self, service: str) -> None:
        """Kills what runs in a container, and waits until it has ended."""
        process = self.containers[service].process
        assert process is not None
        os.killpg(process.pid, signals.SIGKILL)
        await asyncio.gather(*self._waits)

    def tell(self, service: str) -> None:
        for told in self._watchers:
            told.put_nowait(service)

    async def _wait(self, container_id: str) -> None:
        container = self.containers[container_id]
        assert container.process is not None
        code = await container.process.wait()
        state = container.seen.state
        ended = State(
            started_at_ns=state.started_at_ns, exit_code=code if code >= 0 else 128 - code
        )
        container.seen = replace(container.seen, state=ended)
        self.tell(container_id)

    def _log(self, container_id: str) -> Path:
        return self._folder / f"{container_id}.log"

    def _check_up(self) -> None:
        if not self.is_up:
            raise EngineUnavailableError("the container engine does not answer")
