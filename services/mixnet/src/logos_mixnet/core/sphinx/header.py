"""Headers of packets: nested routing information, one layer per hop.

Built from the last hop to the first. Each hop removes 112 bytes in front and, by decrypting 112
zeros that it appends, adds as many behind. The fillers are what those will be: the last
hop's routing information ends with them, so that every MAC holds for the header as it arrives.

Spec: docs/protocol/mix.md, MIX-3 and MIX-4. Source: LIP-99 §8.5.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_crypto.sphinx import header_mac, header_stream
from logos_mixnet.core.sphinx.errors import PacketPointError, PathError
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    BETA_BYTES,
    DELAY_BYTES,
    HOP_BYTES,
    KAPPA,
    KEY_BYTES,
    MAX_DELAY_MS,
    MAX_HOPS,
    MIN_HOPS,
)
from logos_mixnet.core.sphinx.primitives import (
    blinding,
    multiply,
    public_key,
)

NO_SURB: Final = bytes(KAPPA)
"""The id in the header of a forward packet."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One mix of a path."""

    public_key: bytes
    """X25519, 32 bytes."""
    address: bytes
    """An address block, 94 bytes (MIX-9)."""


@dataclass(frozen=True, slots=True)
class Path:
    """3 to 5 distinct hops; each but the last holds a packet for a time of this mean.

    Raises:
        PathError: It is anything else.
    """

    hops: Sequence[Hop]
    mean_delays_ms: Sequence[int]
    """1 to 65,535 each, one fewer than hops. Zero would mark the last hop (MIX-8)."""

    def __post_init__(self) -> None:
        """Checks everything but the points."""
        count = len(self.hops)
        if not MIN_HOPS <= count <= MAX_HOPS:
            raise PathError(f"a path has {MIN_HOPS} to {MAX_HOPS} hops, this has {count}")
        if len({hop.public_key for hop in self.hops}) != count:
            raise PathError("a path visits no mix twice")
        if any(len(hop.public_key) != KEY_BYTES for hop in self.hops):
            raise PathError(f"a hop's public key has {KEY_BYTES} bytes")
        if any(len(hop.address) != ADDRESS_BYTES for hop in self.hops):
            raise PathError(f"a hop's address block has {ADDRESS_BYTES} bytes")
        if len(self.mean_delays_ms) != count - 1:
            raise PathError("every hop but the last has a delay")
        if not all(0 < mean <= MAX_DELAY_MS for mean in self.mean_delays_ms):
            raise PathError(f"a mean delay is 1 to {MAX_DELAY_MS} ms")


@dataclass(frozen=True, slots=True)
class Header:
    """A header for the first hop, and the secrets shared with each hop."""

    raw: bytes
    """624 bytes."""
    secrets: tuple[bytes, ...] = field(repr=False)
    """32 bytes each, in the order of the path."""


def create_header(path: Path, destination: bytes, surb_id: bytes, ephemeral: bytes) -> Header:
    """Builds the header of a packet.

    Args:
        path: Where it goes.
        destination: An address block for the last hop; zeros: the last hop is meant.
        surb_id: 16 bytes, zeros unless it is the header of a reply.
        ephemeral: 32 random bytes, used for this header only.

    Raises:
        PathError: A hop's public key is not a usable point.
    """
    try:
        alpha, secrets = _secrets(path, ephemeral)
    except PacketPointError as error:
        raise PathError("a hop's public key is not a usable point") from error
    fillers = _filler(secrets)
    own = destination + bytes(DELAY_BYTES) + surb_id
    own += bytes(BETA_BYTES - len(own) - len(fillers))
    beta = header_stream(secrets[-1], own) + fillers
    gamma = header_mac(secrets[-1], beta)
    for index in reversed(range(len(secrets) - 1)):
        routing = path.hops[index + 1].address
        routing += path.mean_delays_ms[index].to_bytes(DELAY_BYTES, "big") + gamma
        beta = header_stream(secrets[index], routing + beta[: BETA_BYTES - HOP_BYTES])
        gamma = header_mac(secrets[index], beta)
    return Header(alpha + beta + gamma, secrets)


def _secrets(path: Path, ephemeral: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Returns the first public value and every hop's secret, by L(L+3)/2 multiplications."""
    first = alpha = public_key(ephemeral)
    scalars, secrets = [ephemeral], []
    for index, hop in enumerate(path.hops):
        if index:
            alpha = multiply(scalars[-1], alpha)
        secret = hop.public_key
        # One by one: clamping each scalar is not clamping their product (MIX-3).
        for scalar in scalars:
            secret = multiply(scalar, secret)
        secrets.append(secret)
        scalars.append(blinding(alpha, secret))
    return first, tuple(secrets)


def _filler(secrets: Sequence[bytes]) -> bytes:
    """Returns what the hops before the last will have appended, as the last one receives it."""
    filler = b""
    for secret in secrets[:-1]:
        filler += bytes(HOP_BYTES)
        skipped = bytes(BETA_BYTES + HOP_BYTES - len(filler))
        filler = header_stream(secret, skipped + filler)[len(skipped) :]
    return filler
