"""Where a module serves HTTP, as its settings say it. This file loads no web framework."""

from ipaddress import ip_address
from typing import NamedTuple


class HttpListen(NamedTuple):
    """An address and a port, in clear text: of loopback, or of a container alone."""

    host: str
    """IP address."""
    port: int
    """0: any."""


def parse_listen(value: object) -> HttpListen | None:
    """Reads `ADDRESS:PORT`; None if it is empty. Raises ValueError."""
    host, colon, port = str(value).rpartition(":") if isinstance(value, str) else ("", "", "")
    if value == "":
        return None
    is_port = port.isascii() and port.isdecimal() and int(port[:6]) < 65_536
    if not (colon and is_port):
        raise ValueError("empty, or ADDRESS:PORT with an IP address")
    return HttpListen(str(ip_address(host.strip("[]"))), int(port))


def listen_problems(name: str, listen: HttpListen | None, *, is_enclosed: bool) -> list[str]:
    """Returns what is wrong with serving there, by the name of its setting; usually nothing.

    Args:
        name: Of the setting.
        listen: Its value.
        is_enclosed: Whether the setting `http_enclosed` is true.
    """
    if listen is None or is_enclosed or ip_address(listen.host).is_loopback:
        return []
    where = f"{name}: {listen.host} is not an address of loopback, and the interface is in"
    return [f"{where} clear text; in a container of the node's own, say so by http_enclosed"]
