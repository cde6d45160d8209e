"""Which TCP ports of this machine are taken, and by whom."""

import errno
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def taken_ports(ports: list[int], host: str = "127.0.0.1") -> list[int]:
    """Returns those of `ports` at which nobody can listen now."""
    return [port for port in ports if not _is_free(host, port)]


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
        try:
            links = [str(link.readlink()) for link in (entry / "fd").iterdir()]
            if inodes & set(links):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                return f"process {entry.name} ({command[:120]})"
        except OSError:
            continue  # ended meanwhile, or another user's
    return "a process of another user, or a container engine"


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
