"""A page of the module's own, which the Logos App shows under "By others"."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_PAGE = """<!doctype html><html lang="en"><title>Hello</title><h1>{said}</h1>
<form><label>Your name <input name="name" maxlength="80"></label> <button>Greet me</button></form>
</html>"""


class _Server(ThreadingHTTPServer):
    allow_reuse_port = True  # while it is upgraded, two versions serve side by side


@contextmanager
def serving(address: str, greeting: str, node: str) -> Iterator[None]:
    """Serves the page at a host and port; not at all if `address` is empty."""
    if not address:
        yield
        return

    class Page(BaseHTTPRequestHandler):
        timeout = 5  # of who connects and sends nothing

        def do_GET(self) -> None:
            name = parse_qs(urlsplit(self.path).query).get("name", [node])[0][:80]
            content = _PAGE.format(said=escape(f"{greeting}, {name}!")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing: the log is the module's."""

    host, _, port = address.rpartition(":")
    server = _Server((host, int(port)), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
