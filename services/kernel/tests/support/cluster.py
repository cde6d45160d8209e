"""The API of Kubernetes as far as kernels call it: list, watch, status, logs. For tests.

It answers as API servers do (1.30): watches go on from a version, compacted ones get an ERROR
event with 410, merged conditions, `401` without a token.
"""

import json
import queue
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "cluster-token"  # noqa: S105 - of a test
PODS = "/api/v1/namespaces/logos/pods"


def pod(name: str, module: str, address: str, *, gate: str | None = None) -> dict[str, Any]:
    """A pod, cut to what is read."""
    conditions = [{"type": "Initialized", "status": "True"}]
    if gate is not None:
        conditions.append({"type": "logos.network/ready", "status": gate})
    labels = {"logos.network/node": "node1", "logos.network/module": module}
    return {
        "metadata": {
            "name": name,
            "labels": labels,
            "creationTimestamp": "2026-08-30T10:00:00Z",
            "resourceVersion": "1",
        },
        "status": {"podIP": address, "conditions": conditions},
    }


class FakeCluster:
    """Serves pods until it is closed."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.asked: list[str] = []
        """Method, path and query of each call."""
        self.gates: queue.Queue[tuple[str, str]] = queue.Queue()
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        """Of the watch that is open; None ends it."""
        handler = type("Handler", (_Handler,), {"cluster": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def tell(self, kind: str, document: dict[str, Any]) -> None:
        self.events.put({"type": kind, "object": document})

    def close(self) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        self.cluster.asked.append(f"GET {url.path}?{url.query}")
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Unauthorized"})
        elif url.path.endswith("/log"):
            self._pieces([self.cluster.logs[url.path.split("/")[-2]].encode()])
        elif query["labelSelector"] != "logos.network/node=node1":
            self._answer(400, {"message": "a selector of another node"})
        elif query.get("watch"):
            self._pieces(
                json.dumps(event).encode() + b"\n" for event in iter(self.cluster.events.get, None)
            )
        else:
            items = list(self.cluster.pods.values())
            self._answer(200, {"metadata": {"resourceVersion": "10"}, "items": items})

    def do_PATCH(self) -> None:
        assert self.headers["Content-Type"] == "application/strategic-merge-patch+json"
        name, status = self.path.partition("?")[0].split("/")[-2:]
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert status == "status"
        (condition,) = given["status"]["conditions"]
        kept = [
            c
            for c in self.cluster.pods[name]["status"]["conditions"]
            if c["type"] != condition["type"]
        ]
        self.cluster.pods[name]["status"]["conditions"] = [*kept, condition]
        self._answer(200, self.cluster.pods[name])
        self.cluster.tell("MODIFIED", self.cluster.pods[name])
        self.cluster.gates.put((name, condition["status"]))

    def _answer(self, code: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self, pieces: Any) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # the reader has gone
            for piece in pieces:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
