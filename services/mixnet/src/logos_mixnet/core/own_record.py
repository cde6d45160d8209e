"""The record that a node signs of itself, for peer exchange.

Spec: docs/protocol/network.md, NET-20; docs/protocol/discovery.md, DIS-3 to DIS-5.
"""

from collections.abc import Iterable
from typing import Final

from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.capability.keys import Signer
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.records import SignedRecord, sign_record

MAX_OWN_ADDRESSES: Final = 8
RENEW_MS: Final = 3_600_000


class OwnRecord:
    """Signs again when the addresses have changed, and every hour. Not thread-safe."""

    def __init__(self, signer: Signer, numbers: RecordNumbers) -> None:
        self.numbers = numbers
        self._signer = signer
        self._signed_ms = 0
        self._addresses: tuple[str, ...] = ()
        self._signed: SignedRecord | None = None

    def current(self, addresses: Iterable[str], now_ms: int) -> SignedRecord:
        """Returns the record for what this node listens at now."""
        wanted = tuple(addresses)[:MAX_OWN_ADDRESSES]
        signed = self._signed
        if signed is None or wanted != self._addresses or now_ms >= self._signed_ms + RENEW_MS:
            encoded = [encode_address(parse_address(address)) for address in wanted]
            signed = self._signed = sign_record(self._signer, self.numbers.next(), encoded, ())
            self._addresses, self._signed_ms = wanted, now_ms
        return signed
