"""Finds TCP ports of this machine that are in use, and their holders."""

import contextlib
import errno
import pwd
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from logos_testnet.errors import PortInUseError
from logos_testnet.processes import folder_held_by

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"


def taken_ports(ports: list[int], host: str = "127.0.0.1") -> list[int]:
    """Returns the ports that cannot be bound."""
    return [port for port in ports if not _is_free(host, port)]


def refuse_taken(uses: Mapping[int, str], *, leaving: Collection[int] = ()) -> None:
    """Refuses ports that another process holds.

    Args:
        uses: The ports, each with its purpose.
        leaving: Process ids of holders that are about to end.

    Raises:
        PortInUseError: Some are in use; the message lists all, with their holders.
    """
    problems = [
        f"port {port} ({uses[port]}) is in use by {holder_of(port)}"
        for port in taken_ports(list(uses))
        if _listener(port, _PROC) not in leaving
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
    """Describes the holder of a port of 127.0.0.1, as far as /proc shows it."""
    uses = sorted(_uses_of(port, proc), key=lambda use: use.state != _LISTENING)
    if not uses:
        return "a process that has just released it"
    use = uses[0]
    if use.state == _LISTENING:
        return _owner(use, proc) or f"a process of {_user(use.uid)}, or a container engine"
    connection = f"a connection to {use.remote}"
    if use.inode == "0":
        return f"{connection} that is closing, for up to a minute"
    return f"{connection}, of {_owner(use, proc) or f'a process of {_user(use.uid)}'}"


def folder_at(port: int, proc: Path = _PROC) -> Path | None:
    """Returns the folder of the testnet whose process listens at a port, if /proc shows it."""
    pid = _listener(port, proc)
    return None if pid is None else folder_held_by(pid, proc)


def _owner(use: "_Use", proc: Path) -> str | None:
    pid = _process_with(use, proc)
    if pid is None:
        return None
    command = b""
    with contextlib.suppress(OSError):  # ended meanwhile
        command = (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").strip()
    folder = folder_held_by(pid, proc)
    whose = f" of the testnet in {folder}" if folder is not None else ""
    return f"process {pid} ({command.decode(errors='replace')[:120]}){whose}"


def _listener(port: int, proc: Path) -> int | None:
    """Returns the process that listens at a port, if /proc shows it."""
    listening = (use for use in _uses_of(port, proc) if use.state == _LISTENING)
    return next((pid for use in listening if (pid := _process_with(use, proc)) is not None), None)


@dataclass(frozen=True, slots=True)
class _Use:
    """A row of /proc/net/tcp (proc_net(5)) with the port in question."""

    state: str
    remote: str
    uid: int
    inode: str


def _uses_of(port: int, proc: Path) -> Iterator[_Use]:
    for table in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, remote, state, _, _, _, uid, _, inode = row.split()[:10]
            host, local_port = _address(local)
            if local_port == port and (host.is_loopback or host.is_unspecified):
                yield _Use(state, _written(*_address(remote)), int(uid), inode)


def _address(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Parses `0100007F:A704`: 32-bit words in the machine's byte order, then the port."""
    words, port = text.split(":")
    raw = b"".join(
        int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8)
    )
    host = ip_address(raw)
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    return mapped or host, int(port, 16)


def _written(host: IPv4Address | IPv6Address, port: int) -> str:
    return f"[{host}]:{port}" if isinstance(host, IPv6Address) else f"{host}:{port}"


def _process_with(use: _Use, proc: Path) -> int | None:
    """Returns the process that holds the socket of a row, if /proc shows it."""
    if use.inode == "0":
        return None
    socket_link = f"socket:[{use.inode}]"
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if any(_target(link) == socket_link for link in (entry / "fd").iterdir()):
                return int(entry.name)
    return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed since


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
