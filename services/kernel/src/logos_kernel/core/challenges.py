"""Nonces for registrations: each holds for a minute, for one module and once (KER-15)."""

from collections import OrderedDict
from typing import Final

from logos_base.errors import ErrorKind, LogosError

NONCE_BYTES: Final = 32
TTL_MS: Final = 60_000
MAX_OPEN: Final = 1024
"""More are open only in an attack: then the oldest is void, and its module asks again."""


class JoinRefusedError(LogosError):
    """A registration is not proved with the module's join secret."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "JOIN_REFUSED"


class Challenges:
    """The nonces that were given out and not used yet."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    def issue(self, module: str, nonce: bytes, now_ms: int) -> None:
        """Notes a fresh random nonce for a module."""
        self._open[nonce] = (module, now_ms + TTL_MS)
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)

    def use(self, module: str, nonce: bytes, now_ms: int) -> None:
        """Takes a nonce, or raises `JoinRefusedError`."""
        owner, ends_ms = self._open.pop(nonce, ("", 0))
        if owner != module or now_ms >= ends_ms:
            raise JoinRefusedError("the nonce was not given for this registration, or is too old")
