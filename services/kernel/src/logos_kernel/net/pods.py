"""The pods of a node, through the API of Kubernetes: one thread for each call and stream.

Source: the Kubernetes API, `core/v1` (stable), and its concepts: list and watch, bookmarks,
`410 Gone`, readiness gates.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from logos_base.lines import MAX_LINE_BYTES, LineCutter
from logos_kernel.core.errors import ClusterError
from logos_kernel.core.types import Cluster

GATE: Final = "logos.network/ready"
"""The condition of a pod that names it as a readiness gate."""
NODE_LABEL: Final = "logos.network/node"
MODULE_LABEL: Final = "logos.network/module"
GONE: Final = 410
TIMEOUT_S: Final = 30.0
WATCH_S: Final = 300
"""After which the API ends a watch, in order."""
MAX_CHANGE_BYTES: Final = 4 * 1024 * 1024
"""Of one change that is watched; an object of Kubernetes has at most 1.5 MiB."""

_PIECE_BYTES: Final = 64 * 1024
_LAST_MS: Final = 253_402_300_799_000
"""The end of the year 9999, the last time that RFC 3339 has."""
_PATCH: Final = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a module."""

    name: str
    module: str
    address: str
    """Its own IP address; empty until it has one."""
    created_at: str
    """RFC 3339, in UTC to the second: texts sort as times."""
    is_open: bool
    """Whether its gate is open."""


def pod_of(document: dict[str, Any]) -> Pod:
    """Returns a pod as the API shows it."""
    about, status = document["metadata"], document.get("status", {})
    conditions = status.get("conditions") or ()
    is_open = any(one["type"] == GATE and one["status"] == "True" for one in conditions)
    return Pod(
        name=about["name"],
        module=about.get("labels", {}).get(MODULE_LABEL, ""),
        address=status.get("podIP", ""),
        created_at=about.get("creationTimestamp", ""),
        is_open=is_open,
    )


class Pods:
    """Lists, watches and gates the pods of one node, and reads their logs."""

    def __init__(self, place: Cluster, node: str) -> None:
        self._place = place
        self._selector = {"labelSelector": f"{NODE_LABEL}={node}"}
        ca_file = None if place.ca_file is None else str(place.ca_file)
        self._pool = urllib3.PoolManager(ca_certs=ca_file, retries=False, maxsize=8)

    async def list(self) -> tuple[dict[str, Pod], str]:
        """Returns all pods by name, and the version of that list."""
        answer = await asyncio.to_thread(self._call, "GET", "", self._selector)
        with _understood():
            document = json.loads(answer.data)
            pods = list(map(pod_of, document["items"]))
            return {pod.name: pod for pod in pods}, document["metadata"]["resourceVersion"]

    async def watch(self, version: str) -> AsyncGenerator[tuple[str, Pod | None, str], None]:
        """Yields kind, pod and version of each change after a version; ends, or raises."""
        query = self._selector | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S),
        }
        async with aclosing(self._lines("", query, MAX_CHANGE_BYTES)) as lines:
            async for line in lines:
                with _understood():
                    change = _change_of(json.loads(line))
                yield change

    async def gate(self, pod: str, *, is_open: bool) -> None:
        """Opens or closes the gate of a pod."""
        condition = {"type": GATE, "status": "True" if is_open else "False"}
        body = json.dumps({"status": {"conditions": [condition]}})
        await asyncio.to_thread(self._call, "PATCH", f"/{pod}/status", {}, body)

    async def log(
        self, pod: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams the log of a pod; 0 lines of `tail`: all."""
        query = {"follow": "true" if follow else "false"}
        if tail:
            query["tailLines"] = str(tail)
        if since_ms is not None:
            since_s = min(max(since_ms, 0), _LAST_MS) / 1000
            query["sinceTime"] = datetime.fromtimestamp(since_s, UTC).isoformat()
        async with aclosing(self._lines(f"/{pod}/log", query, MAX_LINE_BYTES)) as lines:
            async for line in lines:
                yield line

    async def _lines(
        self, path: str, query: dict[str, str], max_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Reads a stream of lines in a thread of its own."""
        begun = partial(self._call, "GET", path, query, is_stream=True)
        answer = await asyncio.to_thread(begun)
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[bytes | Exception | None]()
        room = threading.Semaphore(256)
        is_closed = threading.Event()

        def read() -> None:
            end: Exception | None = None
            try:
                for line in _cut(answer, max_bytes):
                    room.acquire()
                    if is_closed.is_set():
                        return
                    loop.call_soon_threadsafe(lines.put_nowait, line)
            except Exception as error:  # noqa: BLE001 - urllib3 raises any if closed meanwhile
                end = ClusterError(f"the stream has ended: {error}")
            finally:
                answer.close()
            with suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(lines.put_nowait, end)

        threading.Thread(target=read, daemon=True).start()
        try:
            while (line := await lines.get()) is not None:
                if isinstance(line, Exception):
                    raise line
                room.release()
                yield line
        finally:
            is_closed.set()
            room.release()
            # Wakes the thread, which may be reading; to close it here would wait for that.
            with suppress(OSError, ValueError):
                answer.shutdown()

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: str | None = None,
        *,
        is_stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Calls the API, or raises `ClusterError`."""
        place = self._place
        url = f"{place.url}/api/v1/namespaces/{place.namespace}/pods{path}?{urlencode(query)}"
        read_s = WATCH_S + TIMEOUT_S if is_stream else TIMEOUT_S
        try:
            bearer = place.token.read_text(encoding="ascii").strip()
            headers = {"Authorization": f"Bearer {bearer}", "Content-Type": _PATCH}
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers=headers,
                preload_content=not is_stream,
                timeout=urllib3.Timeout(connect=TIMEOUT_S, read=read_s),
            )
        except (HTTPError, OSError) as error:
            raise ClusterError(f"the API of the cluster does not answer: {error}") from error
        if answer.status >= 300:
            text = answer.data.decode(errors="replace")[:200]
            raise ClusterError(f"the API says {answer.status}: {text}", status=answer.status)
        return answer


@contextmanager
def _understood() -> Iterator[None]:
    """Raises `ClusterError` where the API has sent what it does not document."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(f"the API has sent what is no answer: {error!r}") from error


def _change_of(event: dict[str, Any]) -> tuple[str, Pod | None, str]:
    """Returns kind, pod and version of an event of a watch, or raises `ClusterError`."""
    kind, document = event["type"], event["object"]
    if kind == "ERROR":
        raise ClusterError(document.get("message", "?"), status=document.get("code", 0))
    pod = None if kind == "BOOKMARK" else pod_of(document)
    return kind, pod, document["metadata"]["resourceVersion"]


def _cut(answer: urllib3.BaseHTTPResponse, max_bytes: int) -> Iterator[bytes]:
    cutter = LineCutter(max_bytes)
    for piece in answer.stream(_PIECE_BYTES):
        yield from cutter.feed(piece)
    if rest := cutter.flush():
        yield rest
