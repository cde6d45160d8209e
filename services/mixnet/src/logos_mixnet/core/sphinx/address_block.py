"""Address blocks: where a packet or a message goes next, in 94 bytes.

    IPv4 4 | transport 1 | port 2, big-endian | peer id 39 | relayed peer id 39 or zeros | zeros 9

With a circuit relay the first peer id is the relay's. Peer ids are those of secp256k1 keys.

Spec: docs/protocol/mix.md, MIX-9. Source: LIP-99 §8.4.
"""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from logos_crypto import base58
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.identity import SECP256K1_ID_BYTES, is_secp256k1_id
from logos_mixnet.core.sphinx.errors import AddressBlockError, AddressUnsuitableError
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES

_PORT: Final = 5
_FIRST: Final = 7
_SECOND: Final = _FIRST + SECP256K1_ID_BYTES
_END: Final = _SECOND + SECP256K1_ID_BYTES
_NO_PEER: Final = bytes(SECP256K1_ID_BYTES)
_MAX_PORT: Final = 0xFFFF


class Transport(IntEnum):
    """What is dialled."""

    TCP = 0
    QUIC_V1 = 1


@dataclass(frozen=True, slots=True)
class MixAddress:
    """Where a mix or a destination is reached."""

    host: str
    """IPv4."""
    port: int
    """1 to 65,535."""
    peer_id: str
    transport: Transport = Transport.TCP
    relay: str | None = None
    """The peer id of the circuit relay at this host and port; None: the peer itself is there."""

    @classmethod
    def of(cls, address: Address) -> "MixAddress":
        """Takes the address of a node that is reached directly, by TCP.

        Raises:
            AddressUnsuitableError: It is not IPv4, or does not say which peer answers there.
        """
        if not address.transport.startswith("/ip4/") or address.peer_id is None:
            raise AddressUnsuitableError(f"no IPv4 address with a peer id: {address}")
        return cls(address.host, address.port, address.peer_id)

    def __str__(self) -> str:
        kind = "tcp" if self.transport is Transport.TCP else "udp"
        quic = "/quic-v1" if self.transport is Transport.QUIC_V1 else ""
        circuit = f"/p2p/{self.relay}/p2p-circuit" if self.relay is not None else ""
        return f"/ip4/{self.host}/{kind}/{self.port}{quic}{circuit}/p2p/{self.peer_id}"

    def encode(self) -> bytes:
        """Returns the block.

        Raises:
            AddressUnsuitableError: The host is not IPv4, the port is 0, or a peer id is not that
                of a secp256k1 key.
        """
        try:
            host = ipaddress.IPv4Address(self.host).packed
        except ValueError as error:
            raise AddressUnsuitableError(f"not an IPv4 address: {self.host[:40]!r}") from error
        if not 0 < self.port <= _MAX_PORT:
            raise AddressUnsuitableError(f"not a port: {self.port}")
        peers = [self.peer_id] if self.relay is None else [self.relay, self.peer_id]
        block = host + bytes([self.transport]) + self.port.to_bytes(2, "big")
        block += b"".join(_peer_bytes(peer) for peer in peers)
        return block + bytes(ADDRESS_BYTES - len(block))

    @classmethod
    def decode(cls, block: bytes) -> "MixAddress":
        """Reads a block.

        Raises:
            AddressBlockError: `encode` does not return this.
        """
        if len(block) != ADDRESS_BYTES:
            raise AddressBlockError(f"an address block has {ADDRESS_BYTES} bytes")
        kind, port = block[4], int.from_bytes(block[_PORT:_FIRST], "big")
        if kind not in tuple(Transport) or not port:
            raise AddressBlockError("an address block names no transport or port")
        if any(block[_END:]):
            raise AddressBlockError("an address block is not padded with zeros")
        host = str(ipaddress.IPv4Address(block[:4]))
        first, second = _peer_text(block[_FIRST:_SECOND]), None
        if block[_SECOND:_END] != _NO_PEER:
            second = _peer_text(block[_SECOND:_END])
        if second is None:
            return cls(host, port, first, Transport(kind))
        return cls(host, port, second, Transport(kind), relay=first)


def _peer_bytes(peer_id: str) -> bytes:
    try:
        raw = base58.decode(peer_id)
    except ValueError:
        raw = b""
    if not is_secp256k1_id(raw):
        raise AddressUnsuitableError(f"not the id of a secp256k1 key: {peer_id[:64]!r}")
    return raw


def _peer_text(raw: bytes) -> str:
    if not is_secp256k1_id(raw):
        raise AddressBlockError("an address block names no secp256k1 peer")
    return base58.encode(raw)
