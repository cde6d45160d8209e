"""`python -P -m logos_forkserver FD MODULE…`: loads the modules, then forks on request."""

import gc
import importlib
import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import Final

from logos_forkserver.child import Origin, live
from logos_forkserver.proc_entry import NoRoomError, ProcEntry
from logos_forkserver.server import Server
from logos_forkserver.sources import loaded_sources
from logos_forkserver.surroundings import read_at_start, started_with

log = logging.getLogger("logos_forkserver")

OK: Final = 0
REFUSED: Final = 2
_JOINED_S: Final = 1.0
_POLL_S: Final = 0.001


def main(arguments: list[str]) -> int:
    """Serves at the socket with this descriptor; in a child, runs the requested program."""
    _log_to_stderr()
    begun_ns = time.time_ns()
    number = int(arguments[0])
    os.closerange(number + 1, os.sysconf("SC_OPEN_MAX"))  # descriptors that were inherited
    listener = socket.socket(fileno=number)
    os.set_inheritable(number, False)  # noqa: FBT003 -- positional only
    try:
        entry = ProcEntry.own()
        own = started_with()
        entry.show(f"logos fork server of {own.get('LOGOS_TESTNET_DIR', '')}", own)
    except NoRoomError as error:
        log.error("%s", error)  # noqa: TRY400 -- a trace does not help
        return REFUSED
    gc.disable()  # memory freed here would be reused, and so copied, by every child
    for name in arguments[1:]:
        importlib.import_module(name)
        if others := _other_threads():
            log.error("importing %s starts %d threads; a fork server must have one", name, others)
            return REFUSED
    sources = loaded_sources(begun_ns)
    gc.freeze()
    with Server(listener) as server:
        connection = server.serve()
    if connection is not None:
        live(connection, Origin(entry, sources, read_at_start(own)))
    return OK


def _other_threads() -> int:
    """Counts those that stay: one that has been joined may be listed for a moment more."""
    until_s = time.monotonic() + _JOINED_S
    while others := len(list(Path("/proc/self/task").iterdir())) - 1:
        if time.monotonic() > until_s:
            break
        time.sleep(_POLL_S)
    return others


def _log_to_stderr() -> None:
    """For the server's own logger: children configure the root logger."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
