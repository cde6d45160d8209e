"""Nonces for registrations: each holds for a minute, for one module and once (KER-15).

A nonce says by itself when and for whom it was made, so whoever asks for many fills no memory
and voids nobody else's.
"""

import hmac
from typing import Final

from logos_base.errors import ErrorKind, LogosError

RANDOM_BYTES: Final = 8
TIME_BYTES: Final = 8
MAC_BYTES: Final = 16
NONCE_BYTES: Final = RANDOM_BYTES + TIME_BYTES + MAC_BYTES
TTL_MS: Final = 60_000


class JoinRefusedError(LogosError):
    """A registration is not proved with the module's join secret."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "JOIN_REFUSED"


class Challenges:
    """Makes nonces, and knows those that were used in the last minute.

    `key` is 32 random bytes of this process.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._used: dict[bytes, int] = {}
        """Of proved registrations, and when they end: few, since they take the join secret."""

    def issue(self, module: str, random: bytes, now_ms: int) -> bytes:
        """Returns a nonce of 32 bytes. `random` is 8 of them."""
        ends = (now_ms + TTL_MS).to_bytes(TIME_BYTES, "big")
        return random + ends + self._mac(module, random + ends)

    def check(self, module: str, nonce: bytes, now_ms: int) -> None:
        """Raises `JoinRefusedError` unless a nonce was made for the module, and still holds."""
        said, mac = nonce[:-MAC_BYTES], nonce[-MAC_BYTES:]
        is_ours = len(nonce) == NONCE_BYTES and hmac.compare_digest(mac, self._mac(module, said))
        if not is_ours or now_ms >= _end_ms(nonce) or nonce in self._used:
            raise JoinRefusedError("the nonce was not given for this registration, or is too old")

    def use(self, nonce: bytes, now_ms: int) -> None:
        """Takes a nonce that was checked, and whose registration is proved."""
        self._used = {one: end_ms for one, end_ms in self._used.items() if end_ms > now_ms}
        self._used[nonce] = _end_ms(nonce)

    def _mac(self, module: str, said: bytes) -> bytes:
        return hmac.digest(self._key, said + module.encode(), "sha256")[:MAC_BYTES]


def _end_ms(nonce: bytes) -> int:
    return int.from_bytes(nonce[RANDOM_BYTES:-MAC_BYTES], "big")
