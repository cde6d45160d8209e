"""Rate-limiting nullifiers (RLN-v2): anonymous members with a budget of messages an epoch.

Types over the native core, which proves and keeps all secrets. Field values are 32 bytes,
little-endian, below the modulus of BN254's scalar field. Errors are of one class per rule, in
`logos_crypto.rln_refusals` or `logos_crypto.refusals`, with a stable `reason`; errors of decoded
or verified bytes are their sender's fault. Proving and verifying release the GIL but block the
thread: call them off the event loop.

Proofs are malleable: without any secret, a valid proof can be changed into another valid one. So
the nullifier identifies a message, and a proof's bytes do not.

Source: RLN-V2; LIP-141 (multi proofs); LIP-144 (`RateLimitProof`); zerokit 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_crypto.hashes import MODULUS
from logos_crypto.refusals import RefusedError
from logos_crypto.rln_refusals import (
    EpochError,
    IdentifierError,
    LimitError,
    MessageIdError,
    PathIndexError,
)
from logos_crypto.translation import own_fault, peer_refusals, refusals
from logos_native import (
    RlnCachedMembership,
    RlnIdentity,
    RlnMembership,
    RlnPrepared,
    RlnPreparer,
    RlnProof,
    RlnRateLimitProof,
    rln_epoch_number,
    rln_external_nullifier,
    rln_load_keys,
    rln_rate_commitment,
    rln_recover,
    rln_signal_x,
    rln_verify_all,
    rln_verifying_key_json,
)

__all__ = [
    "EPOCH_BYTES",
    "MAX_MESSAGE_LIMIT",
    "RATE_LIMIT_PROOF_BYTES",
    "TREE_DEPTH",
    "CachedMembership",
    "Expected",
    "Identity",
    "Membership",
    "Prepared",
    "Preparer",
    "Proof",
    "RateLimitProof",
    "Share",
    "epoch_bytes",
    "epoch_number",
    "external_nullifier",
    "load_keys",
    "rate_commitment",
    "recover",
    "signal_x",
    "verify_all",
    "verifying_key_json",
]

EPOCH_BYTES: Final = 32
MAX_MESSAGE_LIMIT: Final = 65_535
RATE_LIMIT_PROOF_BYTES: Final = 301
TREE_DEPTH: Final = 20
IDENTIFIER_BYTES: Final = 32


def load_keys() -> None:
    """Loads the circuits' keys now, so that the first message need not wait for them."""
    rln_load_keys()


def verifying_key_json(*, multi: bool = False) -> str:
    """Returns a circuit's verifying key in snarkjs' JSON format, for other verifiers."""
    return rln_verifying_key_json(multi=multi)


def rate_commitment(commitment: bytes, limit: int) -> bytes:
    """Returns a member's leaf: `Poseidon(commitment, limit)`, the limit 1 to 65,535.

    Raises:
        LimitError, FieldLengthError, FieldValueError.
    """
    with refusals:
        return rln_rate_commitment(commitment, _small(limit, LimitError))


def epoch_bytes(number: int) -> bytes:
    """Returns an epoch's number as 32 bytes, little-endian; `EpochError` unless it has 64 bits."""
    if not 0 <= number < 1 << 64:
        raise own_fault(EpochError)("an epoch is a number of 64 bits")
    return number.to_bytes(8, "little") + bytes(EPOCH_BYTES - 8)


def epoch_number(epoch: bytes) -> int:
    """Returns the number of an epoch. Untrusted.

    Raises:
        EpochError: It has more than 64 bits.
        FieldLengthError: The epoch does not have 32 bytes.
    """
    with peer_refusals:
        return rln_epoch_number(epoch)


def external_nullifier(epoch: bytes, rln_identifier: bytes, *, raw: bool = False) -> bytes:
    """Returns the value that binds a proof to an epoch and an application.

    Args:
        epoch: 32 bytes. Untrusted.
        rln_identifier: The application's name, at most 32 bytes; padded with zeros.
        raw: Reads both as field values, as the mix plugin does. By default both are first
            hashed to the field, which is defined for all bytes.

    Raises:
        IdentifierError: The identifier is too long, or with `raw` not a field value.
        FieldLengthError, FieldValueError: The epoch is not valid.
    """
    is_value = int.from_bytes(rln_identifier, "little") < MODULUS
    if len(rln_identifier) > IDENTIFIER_BYTES or (raw and not is_value):
        raise IdentifierError(f"an rln identifier has at most {IDENTIFIER_BYTES} bytes")
    with peer_refusals:
        return rln_external_nullifier(epoch, rln_identifier, raw=raw)


def signal_x(signal: bytes) -> bytes:
    """Returns the signal's field value: keccak256, little-endian, modulo the field."""
    return rln_signal_x(signal)


@dataclass(frozen=True, slots=True)
class Share:
    """One point of a member's line. Two points of the same line reveal the secret."""

    external_nullifier: bytes
    nullifier: bytes
    x: bytes
    y: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """The values that a verifier has without the proof.

    `roots` is the window of accepted roots: if it is empty, nothing is accepted. `x` must be
    computed from the message, never read from the sender's data.
    """

    roots: Sequence[bytes]
    external_nullifier: bytes
    x: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """A secret and its commitment. The secret stays in native memory until `secret` is called."""

    commitment: bytes
    native: RlnIdentity = field(repr=False, compare=False)

    @classmethod
    def random(cls) -> "Identity":
        """Makes an identity from the operating system's randomness."""
        return cls.of_native(RlnIdentity.random())

    @classmethod
    def from_seed(cls, seed: bytes, *, extended: bool = False) -> "Identity":
        """Returns zerokit's identity of a seed of at least 16 bytes; `extended` as Semaphore's.

        Raises:
            SeedError: It is shorter.
        """
        with refusals:
            return cls.of_native(RlnIdentity.from_seed(seed, extended=extended))

    @classmethod
    def from_secret(cls, secret: bytes) -> "Identity":
        """Restores an identity from its secret: 32 bytes, a field value, not zero.

        Raises:
            SecretZeroError, FieldLengthError, FieldValueError.
        """
        with refusals:
            return cls.of_native(RlnIdentity.from_secret(secret))

    @classmethod
    def of_native(cls, native: RlnIdentity) -> "Identity":
        """Wraps an identity of the native core."""
        return cls(native.commitment, native)

    def secret(self) -> bytes:
        """Returns the secret, to store it. Python cannot erase it: do not keep it in memory."""
        return self.native.secret()

    def rate_commitment(self, limit: int) -> bytes:
        """Returns this member's leaf; raises `LimitError`."""
        return rate_commitment(self.commitment, limit)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof with its public values, not yet verified."""

    root: bytes
    shares: tuple[Share, ...]
    """One for each message id used; keep them to detect a second use."""
    multi: bool
    native: RlnProof = field(repr=False, compare=False)

    @classmethod
    def from_bytes(
        cls, raw: bytes, *, multi: bool = False, big_endian_values: bool = False
    ) -> "Proof":
        """Reads zerokit's encoding: 289 bytes, or 509 of a multi proof. Untrusted.

        Raises:
            RemoteFaultError: It is malformed: `ENCODING_*`, `POINT_*`, `FIELD_*` and others.
        """
        with peer_refusals:
            native = RlnProof.from_bytes(raw, multi=multi, big_endian_values=big_endian_values)
        return cls.of_native(native)

    @classmethod
    def of_native(cls, native: RlnProof) -> "Proof":
        """Wraps a proof of the native core."""
        shares = tuple(Share(*share) for share in native.shares)
        return cls(native.root, shares, native.multi, native)

    @property
    def groth16(self) -> bytes:
        """The proof without its values, 128 bytes."""
        return self.native.groth16

    @property
    def public_inputs(self) -> list[bytes]:
        """Public inputs in the circuit's order: `y, root, nullifier, x, external_nullifier`.

        Of a multi proof: `4 y, root, 4 nullifiers, x, external_nullifier, 4 selectors`.
        """
        return self.native.public_inputs

    def to_bytes(self, *, big_endian_values: bool = False) -> bytes:
        """Returns zerokit's encoding, optionally its variant with big-endian values."""
        return self.native.to_bytes(big_endian_values=big_endian_values)

    def proof_json(self) -> str:
        """Returns the proof without its values in snarkjs' JSON format."""
        return self.native.proof_json()

    def public_json(self) -> str:
        """Returns the public inputs in snarkjs' JSON format, in the order of `public_inputs`."""
        return self.native.public_json()

    @classmethod
    def from_bundle(cls, raw: bytes) -> "Proof":
        """Reads the 288 bytes that zerokit wrote up to 0.9 (RLN-15). Untrusted.

        Raises:
            RemoteFaultError: As `from_bytes`.
        """
        with peer_refusals:
            return cls.of_native(RlnProof.from_bundle(raw))

    def to_bundle(self) -> bytes:
        """Returns that encoding; raises `EncodingTagError` for a multi proof."""
        with refusals:
            return self.native.to_bundle()

    def verify(self, expected: Expected) -> None:
        """Checks the epoch, the root, the signal, then the proof. Takes about 2 ms.

        Raises:
            ExternalNullifierError, RootUnknownError, SignalError, NullifierRepeatedError,
                ProofInvalidError: Its sender's fault.
            FieldLengthError, FieldValueError: `expected` is not valid: this node's fault.
        """
        with refusals:
            self.native.verify(
                roots=list(expected.roots),
                external_nullifier=expected.external_nullifier,
                x=expected.x,
            )


@dataclass(frozen=True, slots=True)
class CachedMembership:
    """A membership with the shared part of all its proofs: each takes a third of the time."""

    root: bytes
    multi: bool
    native: RlnCachedMembership = field(repr=False, compare=False)

    def prove(self, external_nullifier: bytes, x: bytes, *message_ids: int) -> Proof:
        """Like `Membership.prove`; several ids only if cached for multi proofs."""
        ids = [_small(each, MessageIdError) for each in message_ids]
        with refusals:
            native = self.native.prove(external_nullifier=external_nullifier, x=x, message_ids=ids)
        return Proof.of_native(native)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A proof up to its message, for one message id of one epoch (RLN-16).

    Secret. It stays in native memory, is zeroised when dropped, and cannot be pickled or copied.
    """

    native: RlnPrepared = field(repr=False, compare=False)

    def finish(self, x: bytes) -> Proof:
        """Returns the proof for a message, in about a millisecond. Once.

        Raises:
            PreparationSpentError: It was finished before.
            FieldLengthError, FieldValueError: `x` is not valid; the preparation is kept.
        """
        with refusals:
            return Proof.of_native(self.native.finish(x))


@dataclass(frozen=True, slots=True)
class Preparer:
    """A membership with the part of its proofs that no epoch changes."""

    root: bytes
    native: RlnPreparer = field(repr=False, compare=False)

    def prepare(self, external_nullifier: bytes, message_id: int) -> Prepared:
        """Makes a proof up to its message; takes a third of the time of a whole proof.

        It does not record used ids: two that are finished for one id of an epoch reveal the
        secret.

        Raises:
            MessageIdError: The id is not below the limit; raised before proving.
            FieldLengthError, FieldValueError: The external nullifier is not valid.
        """
        with refusals:
            native = self.native.prepare(
                external_nullifier=external_nullifier,
                message_id=_small(message_id, MessageIdError),
            )
        return Prepared(native)


@dataclass(frozen=True, slots=True)
class Membership:
    """One member at one root.

    It does not record used ids: two messages with the same id in an epoch reveal the secret.
    """

    root: bytes
    native: RlnMembership = field(repr=False, compare=False)

    @classmethod
    def of(
        cls, identity: Identity, *, limit: int, siblings: Sequence[bytes], index: int, root: bytes
    ) -> "Membership":
        """Checks that the member's leaf is at `index` under `root`.

        Raises:
            PathNotToRootError, PathLengthError, PathIndexError, LimitError,
                FieldLengthError, FieldValueError.
        """
        with refusals:
            native = RlnMembership(
                identity.native,
                limit=_small(limit, LimitError),
                siblings=list(siblings),
                index=_small(index, PathIndexError),
                root=root,
            )
        return cls(root, native)

    def prove(self, external_nullifier: bytes, x: bytes, message_id: int) -> Proof:
        """Proves a message with an id from 0 to one below the limit.

        Raises:
            MessageIdError: The id is not; raised before proving.
            FieldLengthError, FieldValueError: Another value is not valid.
        """
        with refusals:
            native = self.native.prove(
                external_nullifier=external_nullifier,
                x=x,
                message_id=_small(message_id, MessageIdError),
            )
        return Proof.of_native(native)

    def prove_multi(self, external_nullifier: bytes, x: bytes, message_ids: Iterable[int]) -> Proof:
        """Proves a message that uses one to four different ids.

        Raises:
            MessageIdCountError, MessageIdRepeatedError, MessageIdError.
        """
        ids = [_small(each, MessageIdError) for each in message_ids]
        with refusals:
            native = self.native.prove_multi(
                external_nullifier=external_nullifier, x=x, message_ids=ids
            )
        return Proof.of_native(native)

    def cached(self, *, multi: bool = False) -> CachedMembership:
        """Computes the shared part of all proofs of this path. Repeat it if the path changes."""
        with refusals:
            return CachedMembership(self.root, multi, self.native.cached(multi=multi))

    def preparer(self) -> Preparer:
        """Computes what all prepared proofs of this path share. Repeat it if the path changes."""
        return Preparer(self.root, self.native.preparer())


@dataclass(frozen=True, slots=True)
class RateLimitProof:
    """LIP-144's message: a proof with its epoch, in exactly 301 bytes."""

    epoch: bytes
    native: RlnRateLimitProof = field(repr=False, compare=False)

    @classmethod
    def of(cls, proof: Proof, epoch: bytes) -> "RateLimitProof":
        """Makes the message of a single proof of this epoch (32 bytes).

        Raises:
            EncodingTagError: The proof is a multi proof.
            FieldLengthError: The epoch does not have 32 bytes.
        """
        with refusals:
            return cls(epoch, RlnRateLimitProof(proof.native, epoch))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "RateLimitProof":
        """Reads its only encoding. Untrusted.

        Raises:
            RemoteFaultError: As `Proof.from_bytes`.
        """
        with peer_refusals:
            native = RlnRateLimitProof.from_bytes(raw)
        return cls(native.epoch, native)

    def to_bytes(self) -> bytes:
        """301 bytes."""
        return self.native.to_bytes()

    def proof(self, external_nullifier: bytes) -> Proof:
        """Returns the proof to verify, with the external nullifier of `epoch`, a field value."""
        with refusals:
            return Proof.of_native(self.native.proof(external_nullifier))


def verify_all(messages: Sequence[tuple[Proof, Expected]]) -> list[str | None]:
    """Verifies a batch of messages, in a quarter of the time each (RLN-14).

    They are not compared with each other: two with the same nullifier are both accepted, and
    the caller must detect them.

    Returns:
        For each, the reason of the error of `Proof.verify`; None if it is accepted.
    """
    with refusals:
        return rln_verify_all(
            [
                (proof.native, list(expected.roots), expected.external_nullifier, expected.x)
                for proof, expected in messages
            ]
        )


def recover(one: Iterable[Share], other: Iterable[Share]) -> Identity:
    """Recovers the identity that used a message id for two messages, of either circuit.

    Compare its `rate_commitment` with the leaf before slashing.

    Raises:
        SharesOfDifferentEpochsError, SharesOfDifferentNullifiersError,
            SharesOfOneMessageError, SharesInconsistentError.
        FieldLengthError, FieldValueError: A value of a share is not a field value.
    """
    with refusals:
        return Identity.of_native(
            rln_recover([_parts(share) for share in one], [_parts(s) for s in other])
        )


def _parts(share: Share) -> tuple[bytes, bytes, bytes, bytes]:
    return share.external_nullifier, share.nullifier, share.x, share.y


def _small(number: int, beyond: type[RefusedError]) -> int:
    """Returns the number if it fits into 32 bits; the native core checks its range."""
    if not 0 <= number < 1 << 32:
        raise beyond(f"{number} is negative or too large")
    return number
