"""A server that sends a page piece by piece, as a slow link does."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAUSE_S = 0.05


@contextmanager
def slowly(pages: Mapping[str, tuple[str, bytes]], pieces: int) -> Iterator[str]:
    """Serves `pages` (path: media type and content) on loopback; yields the address.

    HTML is sent in so many pieces with a pause after each, the rest at once.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = pages.get(self.path, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            step = len(content) // pieces + 1 if kind == "text/html" else len(content) + 1
            for begin in range(0, len(content), step):
                self.wfile.write(content[begin : begin + step])
                time.sleep(PAUSE_S)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
