"""Serves the app with uvicorn, until SIGTERM or SIGINT."""

import logging
import os
import sys
from types import FrameType
from typing import Final

import uvicorn

from logos_app.application import build
from logos_app.config import Config, parse
from logos_base.errors import LogosError

MAX_HEAD_BYTES: Final = 32 * 1024
GRACE_S: Final = 3
"""Streams are told to end at the stop; what still runs then is cut off."""


def main() -> int:
    """Returns the exit status: 2 if the settings cannot be used."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        config = parse(os.environ)
        app = build(config)
    except LogosError as error:
        print(f"{error} ({error.reason})", file=sys.stderr)  # noqa: T201 - before logs
        return 2
    server = AppServer(settings(config, app))
    server.run()
    return 0 if server.started else 1


class AppServer(uvicorn.Server):
    """Ends streams at a stop, which would else wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.config.app.state.shell.live.stop()  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def settings(config: Config, app: object) -> uvicorn.Config:
    """What uvicorn is told."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=config.listen_host,
        port=config.listen_port,
        ssl_certfile=None if config.tls is None else str(config.tls.certificate),
        ssl_keyfile=None if config.tls is None else str(config.tls.key),
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        access_log=False,
        log_level="info",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
