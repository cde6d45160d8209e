"""The chain's circuits: keys, proofs and verification over the native core.

Values go in by the names of the circuit's layout, as integers of the field; what is
missing, too many or not below the modulus is refused. Secrets are in no repr.

Spec: docs/protocol/zk.md, ZK-5 to ZK-14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import logos_native
from logos_base.errors import ErrorKind, LogosError
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_native import CachedPart, Cancellation, CircuitKey, CircuitVerifier, circuit_names

__all__ = [
    "CachedPart",
    "Cancellation",
    "CircuitKey",
    "CircuitVerifier",
    "LayoutError",
    "Witness",
    "circuit_names",
    "key_halves",
    "public_inputs",
    "selectors",
    "witness",
]

Values = Mapping[str, int | Sequence[int]]
"""One value or several for each name of a layout."""

KEY_HALF_BYTES: Final = 16


class LayoutError(LogosError):
    """Values do not have the names, the number or the size that a circuit's layout says."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CIRCUIT_LAYOUT"


@dataclass(frozen=True, slots=True)
class Witness:
    """Values for all of a circuit, joined as the native core takes them."""

    circuit: str
    public: bytes
    private: bytes = field(repr=False)

    def check(self) -> None:
        """Raises `ZkError` that names the first relation that the values do not keep."""
        logos_native.circuit_check(self.circuit, self.public, self.private)

    def prove(
        self,
        key: CircuitKey,
        cancellation: Cancellation,
        cached: CachedPart | None = None,
    ) -> bytes:
        """Returns a proof of 128 bytes; blocks, without the interpreter, for up to a second."""
        return key.prove(self.public, self.private, cancellation, cached)


def witness(circuit: str, public: Values, private: Values) -> Witness:
    """Joins values by the layout of a circuit.

    Raises:
        LayoutError: Names, numbers or sizes are not the layout's.
    """
    public_layout, private_layout = _layouts(circuit)
    return Witness(circuit, _joined(public_layout, public), _joined(private_layout, private))


def public_inputs(circuit: str, public: Values) -> bytes:
    """Joins public inputs in the order that a verifier takes; LayoutError."""
    return _joined(_layouts(circuit)[0], public)


def selectors(index: int, depth: int) -> list[int]:
    """Bits of a leaf's index, the root's level first, as circuits take them (ZK-5)."""
    return [index >> (depth - 1 - level) & 1 for level in range(depth)]


def key_halves(key: bytes) -> tuple[int, int]:
    """Splits an Ed25519 key into its two public inputs, low half first, little-endian."""
    if len(key) != 2 * KEY_HALF_BYTES:
        raise LayoutError("a key has 32 bytes")
    low, high = key[:KEY_HALF_BYTES], key[KEY_HALF_BYTES:]
    return int.from_bytes(low, "little"), int.from_bytes(high, "little")


Layout = tuple[tuple[str, int], ...]


@cache
def _layouts(circuit: str) -> tuple[Layout, Layout]:
    public, private = logos_native.circuit_layout(circuit)
    return tuple(public), tuple(private)


def _joined(layout: Layout, values: Values) -> bytes:
    names = {name for name, _ in layout}
    if names != values.keys():
        wrong = sorted(names ^ values.keys())
        raise LayoutError(f"missing or unknown: {', '.join(wrong)}")
    return b"".join(_encoded(name, count, values[name]) for name, count in layout)


def _encoded(name: str, count: int, value: int | Sequence[int]) -> bytes:
    numbers = [value] if isinstance(value, int) else list(value)
    if len(numbers) != count:
        raise LayoutError(f"{name} has {len(numbers)} values, the circuit takes {count}")
    if not all(0 <= number < MODULUS for number in numbers):
        raise LayoutError(f"{name} is not below the modulus of the field")
    return b"".join(number.to_bytes(FIELD_BYTES, "little") for number in numbers)
