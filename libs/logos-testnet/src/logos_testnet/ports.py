"""Which TCP ports of this machine are taken, and by whom."""

import contextlib
import errno
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logos_testnet.errors import PortInUseError

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def taken_ports(ports: list[int], host: str = "127.0.0.1") -> list[int]:
    """Returns those of `ports` at which nobody can listen now."""
    return [port for port in ports if not _is_free(host, port)]


def refuse_taken(uses: Mapping[int, str]) -> None:
    """Refuses ports at which somebody else listens; `uses` says what each is for.

    Raises:
        PortInUseError: All that are taken, with their holders.
    """
    problems = [
        f"port {port} ({uses[port]}) is taken by {holder_of(port)}"
        for port in taken_ports(list(uses))
    ]
    if problems:
        raise PortInUseError(
            "; ".join(problems) + "; stop it, or set [ports] in a topology of your own"
        )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server does
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def holder_of(port: int, proc: Path = _PROC) -> str:
    """Names the process that listens at a port, as far as it can be seen."""
    inodes = _listening_inodes(port, proc)
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if any(_target(link) in inodes for link in (entry / "fd").iterdir()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                return f"process {entry.name} ({command[:120]})"
    return "a process of another user, or a container engine"


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed since


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
