"""Keccak-256 as Ethereum has it: the padding from before SHA-3 was standardised.

In Python, since a record has three blocks at most; not for content.

Spec: docs/protocol/delivery-light.md, DLC-33. Source: The Keccak reference, version 3.0.
"""

from typing import Final

HASH_BYTES: Final = 32
_RATE_BYTES: Final = 136
_LANE: Final = (1 << 64) - 1


def keccak_256(data: bytes) -> bytes:
    """Returns 32 bytes."""
    state = [0] * 25
    padded = bytearray(data)
    padded += bytes(_RATE_BYTES - len(data) % _RATE_BYTES)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    for at in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            start = at + 8 * lane
            state[lane] ^= int.from_bytes(padded[start : start + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[: HASH_BYTES // 8])


def _rotate(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _LANE


def _rotations() -> list[int]:
    """Returns by how much each lane is rotated; the lane at column x and row y is x + 5y."""
    found = [0] * 25
    x, y = 1, 0
    for step in range(24):
        found[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return found


def _round_constants() -> list[int]:
    """Returns the constants of the 24 rounds, from a register of 8 bits that shifts."""
    found, register = [], 1
    for _ in range(24):
        constant = 0
        for place in range(7):
            if register & 1:
                constant |= 1 << ((1 << place) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        found.append(constant)
    return found


_ROTATIONS: Final = _rotations()
_CONSTANTS: Final = _round_constants()


def _permute(state: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        parity = [
            state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
            for x in range(5)
        ]
        mixed = [parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for x in range(5):
            for y in range(5):
                lane = state[x + 5 * y] ^ mixed[x]
                moved[y + 5 * ((2 * x + 3 * y) % 5)] = _rotate(lane, _ROTATIONS[x + 5 * y])
        state = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5])
            for at in range(25)
        ]
        state[0] ^= constant
    return state
