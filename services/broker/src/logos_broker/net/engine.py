"""The Docker engine, through the Docker SDK for Python: one thread for each call and stream."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

from docker import APIClient
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from logos_broker.core.containers import Seen, Signal, Usage
from logos_broker.core.errors import (
    ContainerMissingError,
    EngineUnavailableError,
    NotStartedError,
)
from logos_broker.net.values import ONE_OFF, PROJECT, SERVICE, seen_of, usage_of

TIMEOUT_S: Final = 60.0
WAITING: Final = 256
"""Pieces of a stream that wait for their reader."""

_NOT_RUNNING: Final = 409
_TOLD: Final = ("start", "die", "destroy")

log = logging.getLogger(__name__)

T = TypeVar("T")


class DockerEngine:
    """The containers of the compose project that this process's own container belongs to."""

    def __init__(self, calls: APIClient, streams: APIClient, project: str) -> None:
        self._calls = calls
        self._streams = streams
        self._project = project

    async def inspect(self, service: str) -> Seen:
        labels = [f"{PROJECT}={self._project}", f"{SERVICE}={service}", f"{ONE_OFF}=False"]
        listed = await _called(self._calls.containers, all=True, filters={"label": labels})
        if len(listed) != 1:
            count = len(listed) or "no"
            raise ContainerMissingError(f"{service} has {count} containers: `docker compose up`")
        try:
            inspected = await _called(self._calls.inspect_container, listed[0]["Id"])
        except NotFound as error:
            raise ContainerMissingError(f"the container of {service} is gone") from error
        return seen_of(inspected, self._project)

    async def start(self, container_id: str) -> None:
        try:
            await _called(self._calls.start, container_id)
        except APIError as error:
            raise NotStartedError(f"the engine says: {error.explanation}") from error

    async def signal(self, container_id: str, signal: Signal) -> None:
        try:
            await _called(self._calls.kill, container_id, signal.value)
        except APIError as error:
            if error.status_code not in {_NOT_RUNNING, 404}:
                raise EngineUnavailableError(f"not signalled: {error.explanation}") from error

    async def usage(self, container_id: str) -> Usage | None:
        try:
            stats = await _called(self._calls.stats, container_id, stream=False, one_shot=True)
        except NotFound:
            return None
        return usage_of(stats)

    async def log(self, container_id: str, tail: int, since_ns: int) -> bytes:
        read = partial(self._calls.logs, container_id, tail=tail, since=_seconds(since_ns))
        try:
            return bytes(await _called(read))
        except APIError as error:
            raise EngineUnavailableError(f"no log: {error.explanation}") from error

    async def stream(
        self, container_id: str, tail: int, since_ns: int, *, follow: bool
    ) -> AsyncGenerator[bytes, None]:
        since = _seconds(since_ns)
        opened = partial(
            self._streams.logs, container_id, stream=True, follow=follow, tail=tail, since=since
        )
        async with aclosing(_streamed(opened)) as pieces:
            async for piece in pieces:
                yield piece

    async def changes(self) -> AsyncIterator[str]:
        filters = {
            "type": "container",
            "label": f"{PROJECT}={self._project}",
            "event": list(_TOLD),
        }
        opened = partial(self._streams.events, decode=True, filters=filters)
        async with aclosing(_streamed(opened, first={})) as events:
            async for event in events:
                attributes = event.get("Actor", {}).get("Attributes", {})
                yield attributes.get(SERVICE, "")


async def open_engine(address: str) -> DockerEngine:
    """Connects to the engine, and finds out in which compose project this process runs.

    Raises:
        EngineUnavailableError: It does not answer, or this is no container of a project.
    """
    client = partial(APIClient, base_url=address, version="auto")
    try:
        calls = await _called(partial(client, timeout=TIMEOUT_S))
        streams = await _called(partial(client, timeout=None))
        own = await _called(calls.inspect_container, socket.gethostname())
        project = own["Config"]["Labels"][PROJECT]
    except (NotFound, KeyError) as error:
        raise EngineUnavailableError("this is not a container of a compose project") from error
    return DockerEngine(calls, streams, project)


def _seconds(since_ns: int) -> float | None:
    return since_ns / 1e9 if since_ns else None


@contextmanager
def _translated() -> Iterator[None]:
    """Raises `EngineUnavailableError` where the engine did not answer; its refusals pass."""
    try:
        yield
    except APIError:
        raise
    except (DockerException, RequestException, OSError) as error:
        raise EngineUnavailableError(f"the container engine does not answer: {error}") from error


async def _called(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    with _translated():
        return await asyncio.to_thread(call, *args, **kwargs)


class _End:
    """The end of a stream, and why, if it was not in order."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


async def _streamed(opened: Callable[[], Any], first: Any = None) -> AsyncGenerator[Any, None]:
    """Reads a stream of the SDK in a thread; at most `WAITING` pieces wait here.

    `first` is yielded once it is open, if given.
    """
    stream = await _called(opened)
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[Any]()
    room, is_closed = threading.Semaphore(WAITING), threading.Event()

    def put(piece: Any) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    reading = threading.Thread(target=_read, args=(stream, put, room, is_closed), daemon=True)
    reading.start()
    try:
        if first is not None:
            yield first
        while not isinstance(piece := await pieces.get(), _End):
            room.release()
            yield piece
        if piece.error is not None:
            raise EngineUnavailableError(f"the engine has ended: {piece.error}") from piece.error
    finally:
        is_closed.set()
        room.release()
        with suppress(OSError, DockerException):
            stream.close()


def _read(
    stream: Iterable[Any],
    put: Callable[[Any], object],
    room: threading.Semaphore,
    is_closed: threading.Event,
) -> None:
    error = None
    try:
        for piece in stream:
            room.acquire()
            if is_closed.is_set():
                break
            put(piece)
    except Exception as failure:  # noqa: BLE001 - every error ends the stream of the reader
        error = failure
    with suppress(RuntimeError):  # the event loop has ended
        put(_End(error))
