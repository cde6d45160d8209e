"""Who may call: bearers of this module's token, or programs of this machine (DHT-2, DHT-3)."""

import hashlib
import hmac
from ipaddress import ip_address
from typing import Protocol

_SCHEME = "bearer "


class Access(Protocol):
    """Decides on a request."""

    def admits(self, authorization: str, host: str) -> bool:
        """Says whether a request with these headers is served; what is not there is empty."""
        ...


class BearerAccess:
    """Who bears the token."""

    def __init__(self, bearer: str) -> None:
        self._digest = _digest(bearer)

    def admits(self, authorization: str, host: str) -> bool:  # noqa: ARG002
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        return hmac.compare_digest(_digest(authorization[len(_SCHEME) :].strip()), self._digest)


class LocalAccess:
    """Who calls this machine by its own name, as programs here do.

    A page that a browser shows may have its own name lead here; then that name is the host.
    """

    def admits(self, authorization: str, host: str) -> bool:  # noqa: ARG002
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name == "localhost":
            return True
        try:
            return ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False


def _digest(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode("utf-8", "replace")).digest()
