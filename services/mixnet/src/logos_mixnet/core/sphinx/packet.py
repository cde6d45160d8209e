"""Packets: made by their sender, unwrapped by each hop.

A hop first receives a packet, which proves its header, then looks its replay tag up, has its
proof verified and keeps the tag, and only then unwraps it.

Spec: docs/protocol/mix.md, MIX-4, MIX-6 to MIX-8. Source: LIP-99 §8.5, §8.6.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from logos_crypto.sphinx import header_mac, header_stream
from logos_mixnet.core.sphinx.errors import (
    HeaderForgedError,
    PacketSizeError,
    RoutingBlockError,
)
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    ALPHA_BYTES,
    BETA_BYTES,
    DELAY_BYTES,
    HEADER_BYTES,
    HERE,
    HOP_BYTES,
    KAPPA,
    KEY_BYTES,
    MESSAGE_BYTES,
    PACKET_BYTES,
)
from logos_mixnet.core.sphinx.header import NO_SURB, Path, create_header
from logos_mixnet.core.sphinx.payload import LIP_183, PayloadCipher, sealed, unsealed
from logos_mixnet.core.sphinx.primitives import (
    RandomBytes,
    blinding,
    draw,
    multiply,
    replay_tag,
)

_BLOCK: Final = ADDRESS_BYTES + DELAY_BYTES
_NO_PADDING: Final = bytes(KAPPA)


@dataclass(frozen=True, slots=True)
class Received:
    """A packet whose header is genuine, and the secret shared with its sender."""

    packet: bytes
    secret: bytes = field(repr=False)
    replay_tag: bytes
    """32 bytes, the same for each copy of the packet, however it was altered (MIX-7)."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A packet for another mix, to be held for a time of the given mean."""

    next_hop: bytes
    """An address block that was not looked into (MIX-9)."""
    mean_delay_ms: int
    packet: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    """A message that leaves the mix here."""

    destination: bytes
    """An address block that was not looked into; `HERE`: this node."""
    message: bytes
    """Padded, 3,968 bytes (MIX-10)."""

    @property
    def is_here(self) -> bool:
        """Whether the message is for this node."""
        return self.destination == HERE


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to this node, still encrypted: `surb.ReplyKeys.recover` reads it (MIX-11)."""

    surb_id: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A packet, and what its sender knows of it."""

    packet: bytes
    """4,608 bytes, for the first hop."""
    secrets: tuple[bytes, ...] = field(repr=False)
    """Those shared with each hop, in the order of the path."""


def create_packet(
    path: Path,
    destination: bytes,
    message: bytes,
    random_bytes: RandomBytes,
    cipher: PayloadCipher = LIP_183,
) -> bytes:
    """Wraps a message as `wrap` does; returns 4,608 bytes for its first hop."""
    return wrap(path, destination, message, random_bytes, cipher).packet


def wrap(
    path: Path,
    destination: bytes,
    message: bytes,
    random_bytes: RandomBytes,
    cipher: PayloadCipher = LIP_183,
) -> Wrapped:
    """Wraps a padded message of 3,968 bytes for a path.

    Raises:
        PathError: A hop's public key is not a usable point.
        ValueError: Destination or message has another size.
    """
    if len(destination) != ADDRESS_BYTES or len(message) != MESSAGE_BYTES:
        raise ValueError(f"expected {ADDRESS_BYTES} and {MESSAGE_BYTES} bytes")
    header = create_header(path, destination, NO_SURB, draw(random_bytes, KEY_BYTES))
    payload = sealed(message)
    for secret in reversed(header.secrets):
        payload = cipher.encrypt(secret, payload)
    return Wrapped(header.raw + payload, header.secrets)


def receive(packet: bytes, private_key: bytes) -> Received:
    """Derives the secret of a packet and checks its header; one multiplication.

    Raises:
        PacketSizeError, PacketPointError, HeaderForgedError: It is not for this key, or not a
            packet (MIX-7).
    """
    if len(packet) != PACKET_BYTES:
        raise PacketSizeError(f"a packet has {PACKET_BYTES} bytes, this has {len(packet)}")
    secret = multiply(private_key, packet[:ALPHA_BYTES])
    beta = packet[ALPHA_BYTES : ALPHA_BYTES + BETA_BYTES]
    gamma = packet[ALPHA_BYTES + BETA_BYTES : HEADER_BYTES]
    if not hmac.compare_digest(header_mac(secret, beta), gamma):
        raise HeaderForgedError("a header's MAC does not match")
    return Received(packet, secret, replay_tag(secret))


def unwrap(received: Received, cipher: PayloadCipher = LIP_183) -> Relay | Exit | Reply:
    """Removes one layer; a second multiplication, unless this is the last hop.

    Raises:
        RoutingBlockError: Its sender made it for no hop (MIX-8).
        PayloadDamagedError: A forward packet's payload was changed on its way (MIX-6).
        PacketPointError: Its public value has no successor. Not to be found by chance.
    """
    packet, secret = received.packet, received.secret
    beta = packet[ALPHA_BYTES : ALPHA_BYTES + BETA_BYTES]
    routing = header_stream(secret, beta + bytes(HOP_BYTES))
    address = routing[:ADDRESS_BYTES]
    mean_delay_ms = int.from_bytes(routing[ADDRESS_BYTES:_BLOCK], "big")
    gamma_or_id = routing[_BLOCK:HOP_BYTES]
    ends_here = mean_delay_ms == 0
    if ends_here != (routing[HOP_BYTES : HOP_BYTES + KAPPA] == _NO_PADDING):
        raise RoutingBlockError("delay and padding disagree on whether the packet ends here")
    if ends_here and gamma_or_id != NO_SURB and address != HERE:
        raise RoutingBlockError("a packet is a reply and has a destination")
    payload = cipher.decrypt(secret, packet[HEADER_BYTES:])
    if not ends_here:
        alpha = packet[:ALPHA_BYTES]
        alpha = multiply(blinding(alpha, secret), alpha)
        following = alpha + routing[HOP_BYTES:] + gamma_or_id + payload
        return Relay(address, mean_delay_ms, following)
    if gamma_or_id != NO_SURB:
        return Reply(gamma_or_id, payload)
    return Exit(address, unsealed(payload))
