"""The chain's circuits: keys, proofs and verification over the native core.

Values go in by the names of the circuit's layout, as integers of the field; what is
missing, too many or not below the modulus is refused, with the classes of
`logos_crypto.circuit_refusals`. Secrets are in no repr.

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
    """Values do not have the names, the number or the size that a circuit's layout says."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CIRCUIT_LAYOUT"


@dataclass(frozen=True, slots=True)
class CircuitVerifier:
    """The verifying key of one circuit, prepared."""

    native: logos_native.CircuitVerifier = field(repr=False, compare=False)

    @property
    def circuit(self) -> str:
        return self.native.circuit

    @property
    def is_insecure(self) -> bool:
        """As of its key (KEY-5)."""
        return self.native.is_insecure

    def to_bytes(self) -> bytes:
        """Compressed, little-endian: alpha, beta, gamma, delta, then a point for each input."""
        return self.native.to_bytes()

    def to_json(self) -> str:
        """As snarkjs writes it."""
        return self.native.to_json()

    def verify(self, public: bytes, proof: bytes) -> bool:
        """Returns whether a proof holds.

        Raises:
            ProofLengthError, ProofPointError, ProofInfinityError: It is none, which is its
                sender's fault.
            PublicWidthError, FieldLengthError, FieldValueError: Of the public inputs.
        """
        with refusals:
            return self.native.verify(public, proof)

    def verify_all(self, claims: Sequence[tuple[bytes, bytes]]) -> bool:
        """Returns whether all proofs hold, for public inputs and proofs of this circuit."""
        with refusals:
            return self.native.verify_all(list(claims))


@dataclass(frozen=True, slots=True)
class CircuitKey:
    """The proving key of one circuit."""

    native: logos_native.CircuitKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, circuit: str) -> "CircuitKey":
        """Makes one from the randomness of the operating system. A second or two.

        Raises:
            CircuitUnknownError: There is no such circuit.
        """
        with refusals:
            return cls(logos_native.CircuitKey.generate(circuit))

    @classmethod
    def insecure_from_seed(cls, circuit: str, seed: bytes) -> "CircuitKey":
        """Makes one from 32 bytes: the same each time, and those who know them can forge proofs.

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
        """Contributions of the ceremony that it came out of; 0 for a setup by one party."""
        return self.native.contributions

    @property
    def verifying_key_hash(self) -> bytes:
        """32 bytes: what a genesis names (KEY-2)."""
        return self.native.verifying_key_hash

    def verifier(self) -> CircuitVerifier:
        """Returns its verifying key, prepared."""
        return CircuitVerifier(self.native.verifier())

    def prove_fixed(self, public: bytes, private: bytes, cancellation: Cancellation) -> CachedPart:
        """Sums the fixed part of a witness, for every later proof that shares it.

        Raises:
            WitnessWidthError, FieldLengthError, FieldValueError, ProofCancelledError: As the
                names say.
        """
        with refusals:
            return self.native.prove_fixed(public, private, cancellation)


@dataclass(frozen=True, slots=True)
class Witness:
    """Values for all of a circuit, joined as the native core takes them."""

    circuit: str
    public: bytes
    private: bytes = field(repr=False)

    def check(self) -> None:
        """Finds out whether the values keep the circuit's relations.

        Raises:
            WitnessRelationError: They do not; its `relation` is the first of those broken.
            CircuitUnknownError, WitnessWidthError, FieldLengthError, FieldValueError: They
                are not values of this circuit.
        """
        with refusals:
            logos_native.circuit_check(self.circuit, self.public, self.private)

    def prove(
        self,
        key: CircuitKey,
        cancellation: Cancellation,
        cached: CachedPart | None = None,
    ) -> bytes:
        """Returns a proof of 128 bytes; blocks, without the interpreter, for up to a second.

        Raises:
            WitnessRelationError, WitnessWidthError: As `check`.
            FixedPartError: `cached` is of other fixed values.
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
    """Joins public inputs in the order that a verifier takes; LayoutError."""
    return _joined(_layouts(circuit)[0], public)


def selectors(index: int, depth: int) -> list[int]:
    """Bits of a leaf's index, the root's level first, as circuits take them (ZK-5).

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
