"""The server of a kernel that a command is run against, and what the command prints."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import grpc
from typer.testing import CliRunner, Result

from logos_cli.main import app


class Addressed(Protocol):
    """A servicer that knows where it is served."""

    address: str


@contextmanager
def served(kernel: Addressed, *add_to_server: Callable[[Any, Any], None]) -> Iterator[None]:
    """Serves a servicer on a port of its own, and sets its address."""
    server = grpc.server(ThreadPoolExecutor(1))
    for add in add_to_server:
        add(kernel, server)
    kernel.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield
    finally:
        server.stop(0).wait()


def run(kernel: Addressed, *words: str) -> Result:
    """Runs a command of `logosctl` against it."""
    return CliRunner().invoke(app, ["--address", kernel.address, *words])


def data(kernel: Addressed, *words: str) -> Any:
    """Returns what a command prints as JSON."""
    ended = run(kernel, *words, "--output", "json")
    assert ended.exit_code == 0, ended.stderr
    return json.loads(ended.stdout)
