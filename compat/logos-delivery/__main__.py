"""`python compat/logos-delivery --flag=value …`: a node that is started as the reference is.

Its state is in the folder that `LOGOS_DELIVERY_DIR` names, else in `logos-delivery` here. With
`LOGOS_DELIVERY_ENCLOSED`, as in its image, it is alone in a container (DHT-2).
"""

import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from flags import FlagsError, parse, told
from node_folder import prepared
from node_profile import address_of

from logos_module.process import STOPPING

ENCLOSED = "LOGOS_DELIVERY_ENCLOSED"
ATTACH_S = 4.0
"""For a network to be attached to this container, as is done right after its start."""


def main(arguments: list[str]) -> int:
    """Starts the kernel in the place of this process; returns 2 if it cannot.

    A signal to stop that comes before the kernel takes signals waits until then: the first process
    of a container would not hear it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    folder = Path(os.environ.get("LOGOS_DELIVERY_DIR", "logos-delivery")).absolute()
    try:
        flags = parse(arguments)
        told(flags)
        is_enclosed = ENCLOSED in os.environ
        if is_enclosed:
            await_address(address_of(flags), ATTACH_S)
        sockets = Path(tempfile.mkdtemp(prefix="ld"))
        variables = prepared(flags, folder, sockets, is_enclosed=is_enclosed)
    except FlagsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    command = [sys.executable, "-m", "logos_kernel"]
    os.execve(sys.executable, command, {**os.environ, **variables})  # noqa: S606 -- our own
    return 0  # this process is the kernel by then


def await_address(address: str, limit_s: float) -> None:
    """Waits until an address is this machine's, or the time is over.

    What is dialled before leaves by another network, and hangs.
    """
    end = time.monotonic() + limit_s
    while address and not _is_ours(address) and time.monotonic() < end:
        time.sleep(0.05)


def _is_ours(address: str) -> bool:
    try:
        with socket.socket() as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
