"""The chain's circuits: keys, proofs and verification over the native core.

Values are given by the names of the circuit's layout, as integers of the field. Missing or
unknown names, wrong numbers of values and values above the modulus raise the classes of
`logos_crypto.circuit_refusals`. No repr shows secrets.

Spec: docs/protocol/zk.md, ZK-5 to ZK-14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import logos_native
from logos_base.errors import ErrorKind, LocalFaultError
from logos_crypto import circuit_refusals  # noqa: F401  so that each reason has its class
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_crypto.refusals import IndexOutOfRangeError
from logos_crypto.translation import own_fault, refusals
from logos_native import CachedPart, Cancellation, circuit_names

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
SEED_BYTES: Final = 32
MAX_DEPTH: Final = 32
"""Levels of the deepest tree."""


class LayoutError(LocalFaultError):
    """Values do not have the names, the number or the size of a circuit's layout."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CIRCUIT_LAYOUT"


@dataclass(frozen=True, slots=True)
class CircuitVerifier:
    """The verifying key of one circuit, prepared for verification."""

    native: logos_native.CircuitVerifier = field(repr=False, compare=False)

    @property
    def circuit(self) -> str:
        return self.native.circuit

    @property
    def is_insecure(self) -> bool:
        """Whether its key is (KEY-5)."""
        return self.native.is_insecure

    def to_bytes(self) -> bytes:
        """Compressed, little-endian: alpha, beta, gamma, delta, then a point for each input."""
        return self.native.to_bytes()

    def to_json(self) -> str:
        """Returns the key in snarkjs' JSON format."""
        return self.native.to_json()

    def verify(self, public: bytes, proof: bytes) -> bool:
        """Returns whether a proof is valid.

        Raises:
            ProofLengthError, ProofPointError, ProofInfinityError: It is malformed, which is its
                sender's fault.
            PublicWidthError, FieldLengthError, FieldValueError: The public inputs are not valid.
        """
        with refusals:
            return self.native.verify(public, proof)

    def verify_all(self, claims: Sequence[tuple[bytes, bytes]]) -> bool:
        """Returns whether all proofs are valid, for pairs of public inputs and proof."""
        with refusals:
            return self.native.verify_all(list(claims))


@dataclass(frozen=True, slots=True)
class CircuitKey:
    """The proving key of one circuit."""

    native: logos_native.CircuitKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, circuit: str) -> "CircuitKey":
        """Makes a key from the operating system's randomness. Takes one to two seconds.

        Raises:
            CircuitUnknownError: There is no such circuit.
        """
        with refusals:
            return cls(logos_native.CircuitKey.generate(circuit))

    @classmethod
    def insecure_from_seed(cls, circuit: str, seed: bytes) -> "CircuitKey":
        """Makes a key from a seed of 32 bytes, with which proofs can be forged.

        Raises:
            CircuitUnknownError: There is no such circuit.
            LayoutError: The seed has not 32 bytes.
        """
        if len(seed) != SEED_BYTES:
            raise LayoutError(f"a seed has {SEED_BYTES} bytes, this has {len(seed)}")
        with refusals:
            return cls(logos_native.CircuitKey.insecure_from_seed(circuit, seed))

    @property
    def circuit(self) -> str:
        return self.native.circuit

    @property
    def is_insecure(self) -> bool:
        """Whether the setup's secrets can be derived, and so false statements proven (KEY-5)."""
        return self.native.is_insecure

    @property
    def contributions(self) -> int:
        """Number of contributions in its ceremony; 0 for a setup by one party."""
        return self.native.contributions

    @property
    def verifying_key_hash(self) -> bytes:
        """32 bytes, by which a genesis names the key (KEY-2)."""
        return self.native.verifying_key_hash

    def verifier(self) -> CircuitVerifier:
        """Returns its verifying key, prepared."""
        return CircuitVerifier(self.native.verifier())

    def prove_fixed(self, public: bytes, private: bytes, cancellation: Cancellation) -> CachedPart:
        """Computes the fixed part of a witness, for all later proofs that share it.

        Raises:
            WitnessWidthError, FieldLengthError, FieldValueError, ProofCancelledError.
        """
        with refusals:
            return self.native.prove_fixed(public, private, cancellation)


@dataclass(frozen=True, slots=True)
class Witness:
    """All values of a circuit, joined for the native core."""

    circuit: str
    public: bytes
    private: bytes = field(repr=False)

    def check(self) -> None:
        """Checks that the values satisfy the circuit's relations.

        Raises:
            WitnessRelationError: They do not; its `relation` is the first broken one.
            CircuitUnknownError, WitnessWidthError, FieldLengthError, FieldValueError: The
                values are not of this circuit.
        """
        with refusals:
            logos_native.circuit_check(self.circuit, self.public, self.private)

    def prove(
        self,
        key: CircuitKey,
        cancellation: Cancellation,
        cached: CachedPart | None = None,
    ) -> bytes:
        """Returns a proof of 128 bytes; blocks, without the GIL, for up to a second.

        Raises:
            WitnessRelationError, WitnessWidthError: As `check`.
            FixedPartError: `cached` is for other fixed values.
            ProofCancelledError: `cancellation` was cancelled.
        """
        with refusals:
            return key.native.prove(self.public, self.private, cancellation, cached)


def witness(circuit: str, public: Values, private: Values) -> Witness:
    """Joins values by the layout of a circuit.

    Raises:
        CircuitUnknownError: There is no such circuit.
        LayoutError: Names, numbers or sizes are not the layout's.
    """
    public_layout, private_layout = _layouts(circuit)
    return Witness(circuit, _joined(public_layout, public), _joined(private_layout, private))


def public_inputs(circuit: str, public: Values) -> bytes:
    """Joins public inputs in the order of the verifier; raises LayoutError."""
    return _joined(_layouts(circuit)[0], public)


def selectors(index: int, depth: int) -> list[int]:
    """Returns the bits of a leaf's index, the root's level first, for circuits (ZK-5).

    Raises:
        IndexOutOfRangeError: A tree of this depth, 32 at most, has no such index.
    """
    if not 0 <= depth <= MAX_DEPTH or not 0 <= index < 1 << depth:
        raise own_fault(IndexOutOfRangeError)(f"a tree of depth {depth} has no index {index}")
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
    with refusals:
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
