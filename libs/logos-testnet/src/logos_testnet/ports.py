"""Which TCP ports of this machine are taken, and by whom."""

import contextlib
import errno
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from logos_testnet.errors import PortInUseError
from logos_testnet.processes import folder_held_by

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def taken_ports(ports: list[int], host: str = "127.0.0.1") -> list[int]:
    """Returns those of `ports` at which nobody can listen now."""
    return [port for port in ports if not _is_free(host, port)]


def refuse_taken(uses: Mapping[int, str], *, leaving: Collection[int] = ()) -> None:
    """Refuses ports at which somebody else listens.

    Args:
        uses: The ports, and what each is for.
        leaving: Process ids of holders that are about to end.

    Raises:
        PortInUseError: All that are taken, with their holders.
    """
    problems = [
        f"port {port} ({uses[port]}) is taken by {holder_of(port)}"
        for port in taken_ports(list(uses))
        if _holder(port, _PROC) not in leaving
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
    pid = _holder(port, proc)
    if pid is None:
        return "a process of another user, or a container engine"
    command = b""
    with contextlib.suppress(OSError):  # ended meanwhile
        command = (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").strip()
    folder = folder_held_by(pid, proc)
    whose = f" of the testnet in {folder}" if folder is not None else ""
    return f"process {pid} ({command.decode(errors='replace')[:120]}){whose}"


def _holder(port: int, proc: Path) -> int | None:
    inodes = _listening_inodes(port, proc)
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if any(_target(link) in inodes for link in (entry / "fd").iterdir()):
                return int(entry.name)
    return None


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
