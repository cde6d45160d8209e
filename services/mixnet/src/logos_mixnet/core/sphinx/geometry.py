"""Sizes of a packet and its parts, all in bytes unless said otherwise.

Spec: docs/protocol/mix.md, MIX-1. Source: LIP-99 §8.3.
"""

from typing import Final

KAPPA: Final = 16
"""The security parameter: size of keys, MACs, ids and of the zeros that prove a payload."""
MAX_HOPS: Final = 5
"""r: hops that a header has room for."""
MIN_HOPS: Final = 3
BLOCK_KAPPAS: Final = 6
"""t: an address and a delay take t times kappa."""

DELAY_BYTES: Final = 2
ADDRESS_BYTES: Final = BLOCK_KAPPAS * KAPPA - DELAY_BYTES
HOP_BYTES: Final = (BLOCK_KAPPAS + 1) * KAPPA
"""What one hop reads and removes: address, delay and the next hop's MAC. 112."""

ALPHA_BYTES: Final = 32
BETA_BYTES: Final = MAX_HOPS * HOP_BYTES + KAPPA
GAMMA_BYTES: Final = KAPPA
HEADER_BYTES: Final = ALPHA_BYTES + BETA_BYTES + GAMMA_BYTES
PACKET_BYTES: Final = 4608
PAYLOAD_BYTES: Final = PACKET_BYTES - HEADER_BYTES
MESSAGE_BYTES: Final = PAYLOAD_BYTES - KAPPA
"""The padded message within the payload. 3,968."""

KEY_BYTES: Final = 32
"""An X25519 key of either kind."""
SURB_BYTES: Final = ADDRESS_BYTES + HEADER_BYTES + KAPPA
MAX_DELAY_MS: Final = 0xFFFF

HERE: Final = bytes(ADDRESS_BYTES)
"""The destination of a message for the exit itself."""
