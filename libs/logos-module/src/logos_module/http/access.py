"""Who may call: bearers of a module's token, or programs of this machine."""

import base64
import binascii
import hashlib
import hmac
from ipaddress import ip_address
from typing import Final, Protocol

_BEARER: Final = "bearer "
_BASIC: Final = "basic "


class Access(Protocol):
    """Decides on a request."""

    def admits(self, authorization: str, host: str) -> bool:
        """Says whether a request with these headers is served; what is not there is empty."""
        ...


class BearerAccess:
    """Who bears the token."""

    def __init__(self, bearer: str, *, is_password: bool = False) -> None:
        """
        Args:
            bearer: The token.
            is_password: Whether it is taken as the password of basic authentication, too, whatever
                the name: there are clients that can say nothing else.
        """
        self._digest = _digest(bearer)
        self._is_password = is_password

    def admits(self, authorization: str, host: str) -> bool:  # noqa: ARG002
        given = self._given(authorization)
        return given is not None and hmac.compare_digest(_digest(given), self._digest)

    def _given(self, authorization: str) -> str | None:
        if authorization[: len(_BEARER)].lower() == _BEARER:
            return authorization[len(_BEARER) :].strip()
        if not self._is_password or authorization[: len(_BASIC)].lower() != _BASIC:
            return None
        try:
            pair = base64.b64decode(authorization[len(_BASIC) :].strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        return pair.partition(":")[2]


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
