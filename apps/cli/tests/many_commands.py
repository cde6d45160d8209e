"""Runs many commands, a process each, without importing them anew for each: a test's helper.

Reads a JSON list of commands from stdin: `program` is a function of `logos_cli.entry`,
`words` its arguments, `stdout` where its output goes, `stdin` the text that it may read. Writes
a JSON list of how they ended.
"""

import gc
import json
import os
import sys
import tempfile
from typing import IO, Any

import typer._adapters
import typer.rich_utils  # noqa: F401 - so that no process has to import them

from logos_cli import entry
from logos_cli.logos import app
from logos_cli.program import built, walk


def ended(command: dict[str, Any]) -> dict[str, Any]:
    """Runs one command; returns its exit code and what it wrote."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(command["stdin"].encode())
        given.seek(0)
        if (child := os.fork()) == 0:
            become(command, given, out, err)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out.read().decode(),
            "err": err.read().decode(),
        }


def become(command: dict[str, Any], given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> None:
    """Ends as a process of its own would: with the exit of the interpreter."""
    os.dup2(given.fileno(), 0)
    os.dup2(err.fileno(), 2)
    match command["stdout"]:
        case "closed":
            os.close(1)
        case "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        case "unread":
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, 1)
        case _:
            os.dup2(out.fileno(), 1)
    sys.argv = [command["program"], *command["words"]]
    getattr(entry, command["program"])()


if __name__ == "__main__":
    list(walk(built(app)))  # imports every command
    gc.freeze()  # a collection in a child would copy all that it shares with us
    commands = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps([ended(each) for each in commands]))
