"""Rate-limiting nullifiers (RLN-v2): anonymous members with a budget of messages an epoch.

Types over the native core, which does the proving, and keeps every secret. Field
values are 32 bytes, little-endian, below the modulus of BN254's scalar field. What
breaks a rule raises the class of that rule, of `logos_crypto.rln_refusals` or
`logos_crypto.refusals`, whose `reason` is stable; what was decoded or verified is its
sender's fault. Proving and verifying release the interpreter but block the thread: call
them off the event loop.

A valid proof can be changed by anybody into another that is as valid, so the
nullifier names a message, and a proof's bytes do not.

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
    """Reads the circuits' keys now, so that the first message does not wait for them."""
    rln_load_keys()


def verifying_key_json(*, multi: bool = False) -> str:
    """A circuit's verifying key in snarkjs' JSON form, for verifiers that are not ours."""
    return rln_verifying_key_json(multi=multi)


def rate_commitment(commitment: bytes, limit: int) -> bytes:
    """The leaf of a member: `Poseidon(commitment, limit)`, the limit 1 to 65,535.

    Raises:
        LimitError, FieldLengthError, FieldValueError: As the names say.
    """
    with refusals:
        return rln_rate_commitment(commitment, _small(limit, LimitError))


def epoch_bytes(number: int) -> bytes:
    """An epoch's number of 64 bits as 32 bytes, little-endian; `EpochError` for another."""
    if not 0 <= number < 1 << 64:
        raise own_fault(EpochError)("an epoch is a number of 64 bits")
    return number.to_bytes(8, "little") + bytes(EPOCH_BYTES - 8)


def epoch_number(epoch: bytes) -> int:
    """The number of an epoch. Untrusted.

    Raises:
        EpochError: It takes more than 64 bits.
        FieldLengthError: It has not 32 bytes.
    """
    with peer_refusals:
        return rln_epoch_number(epoch)


def external_nullifier(epoch: bytes, rln_identifier: bytes, *, raw: bool = False) -> bytes:
    """What a proof is bound to, of an epoch (32 bytes) and an application (at most 32).

    Args:
        epoch: 32 bytes. Untrusted.
        rln_identifier: The application's name; zeros are added.
        raw: Reads both as field values, as the mix plugin does. By default both
            are hashed to the field first, which is defined for all bytes.

    Raises:
        IdentifierError: The identifier is too long, or no field value where `raw`.
        FieldLengthError, FieldValueError: The epoch is not what it must be.
    """
    is_value = int.from_bytes(rln_identifier, "little") < MODULUS
    if len(rln_identifier) > IDENTIFIER_BYTES or (raw and not is_value):
        raise IdentifierError(f"an rln identifier has at most {IDENTIFIER_BYTES} bytes")
    with peer_refusals:
        return rln_external_nullifier(epoch, rln_identifier, raw=raw)


def signal_x(signal: bytes) -> bytes:
    """The signal as proofs bind it: keccak256, little-endian, modulo the field."""
    return rln_signal_x(signal)


@dataclass(frozen=True, slots=True)
class Share:
    """One point of a member's line. Two points of one line give the secret away."""

    external_nullifier: bytes
    nullifier: bytes
    x: bytes
    y: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What a verifier knows of a message without its proof.

    `roots` is the window that is accepted: empty, it accepts nothing. `x` is
    computed from the message, never taken from beside the proof.
    """

    roots: Sequence[bytes]
    external_nullifier: bytes
    x: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """A secret and its commitment. The secret stays in native memory until asked for."""

    commitment: bytes
    native: RlnIdentity = field(repr=False, compare=False)

    @classmethod
    def random(cls) -> "Identity":
        """A new identity, from the operating system's randomness."""
        return cls.of_native(RlnIdentity.random())

    @classmethod
    def from_seed(cls, seed: bytes, *, extended: bool = False) -> "Identity":
        """zerokit's identity of a seed of at least 16 bytes; `extended` as Semaphore's.

        Raises:
            SeedError: It is shorter.
        """
        with refusals:
            return cls.of_native(RlnIdentity.from_seed(seed, extended=extended))

    @classmethod
    def from_secret(cls, secret: bytes) -> "Identity":
        """A stored identity: 32 bytes, a field value, not zero.

        Raises:
            SecretZeroError, FieldLengthError, FieldValueError: As the names say.
        """
        with refusals:
            return cls.of_native(RlnIdentity.from_secret(secret))

    @classmethod
    def of_native(cls, native: RlnIdentity) -> "Identity":
        """Wraps an identity of the native core."""
        return cls(native.commitment, native)

    def secret(self) -> bytes:
        """The secret, to be stored. Python cannot zero it: do not keep it."""
        return self.native.secret()

    def rate_commitment(self, limit: int) -> bytes:
        """This member's leaf; `LimitError`."""
        return rate_commitment(self.commitment, limit)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof with its public values. Whether it is valid, `verify` says."""

    root: bytes
    shares: tuple[Share, ...]
    """One for each message id used; remember them to notice a second use."""
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
        """The proof alone, 128 bytes."""
        return self.native.groth16

    @property
    def public_inputs(self) -> list[bytes]:
        """In the circuit's order: `y, root, nullifier, x, external_nullifier`.

        Of a multi proof: `4 y, root, 4 nullifiers, x, external_nullifier, 4 selectors`.
        """
        return self.native.public_inputs

    def to_bytes(self, *, big_endian_values: bool = False) -> bytes:
        """zerokit's encoding; the other of the two has the values big-endian."""
        return self.native.to_bytes(big_endian_values=big_endian_values)

    def proof_json(self) -> str:
        """The proof without its values in snarkjs' JSON form."""
        return self.native.proof_json()

    def public_json(self) -> str:
        """The public inputs in snarkjs' JSON form, in the order of `public_inputs`."""
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
        """The same; of a single proof only, `EncodingTagError` of another."""
        with refusals:
            return self.native.to_bundle()

    def verify(self, expected: Expected) -> None:
        """Checks the epoch, the root, the signal, and then the proof. Some 2 ms.

        Raises:
            ExternalNullifierError, RootUnknownError, SignalError, NullifierRepeatedError,
                ProofInvalidError: Its sender's fault.
            FieldLengthError, FieldValueError: Of `expected`, and so this node's.
        """
        with refusals:
            self.native.verify(
                roots=list(expected.roots),
                external_nullifier=expected.external_nullifier,
                x=expected.x,
            )


@dataclass(frozen=True, slots=True)
class CachedMembership:
    """A membership with the part that all its proofs share: a third of the time each."""

    root: bytes
    multi: bool
    native: RlnCachedMembership = field(repr=False, compare=False)

    def prove(self, external_nullifier: bytes, x: bytes, *message_ids: int) -> Proof:
        """As `Membership.prove`; of one id, unless cached for multi proofs."""
        ids = [_small(each, MessageIdError) for each in message_ids]
        with refusals:
            native = self.native.prove(external_nullifier=external_nullifier, x=x, message_ids=ids)
        return Proof.of_native(native)


@dataclass(frozen=True, slots=True)
class Membership:
    """One member at one root.

    It does not remember which ids were used: two messages under one id in one
    epoch give the secret away.
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
                FieldLengthError, FieldValueError: As the names say.
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
        """Proves a message under one id, 0 to one below the limit.

        Raises:
            MessageIdError: It is not, which is found before any proving.
            FieldLengthError, FieldValueError: Of the other values.
        """
        with refusals:
            native = self.native.prove(
                external_nullifier=external_nullifier,
                x=x,
                message_id=_small(message_id, MessageIdError),
            )
        return Proof.of_native(native)

    def prove_multi(self, external_nullifier: bytes, x: bytes, message_ids: Iterable[int]) -> Proof:
        """Proves a message that burns one to four different ids.

        Raises:
            MessageIdCountError, MessageIdRepeatedError, MessageIdError: As the names say.
        """
        ids = [_small(each, MessageIdError) for each in message_ids]
        with refusals:
            native = self.native.prove_multi(
                external_nullifier=external_nullifier, x=x, message_ids=ids
            )
        return Proof.of_native(native)

    def cached(self, *, multi: bool = False) -> CachedMembership:
        """Does once what all proofs of this path share. Make a new one when it changes."""
        with refusals:
            return CachedMembership(self.root, multi, self.native.cached(multi=multi))


@dataclass(frozen=True, slots=True)
class RateLimitProof:
    """LIP-144's message: a proof that says its epoch, in exactly 301 bytes."""

    epoch: bytes
    native: RlnRateLimitProof = field(repr=False, compare=False)

    @classmethod
    def of(cls, proof: Proof, epoch: bytes) -> "RateLimitProof":
        """The message of a single proof made in this epoch (32 bytes).

        Raises:
            EncodingTagError: The proof is a multi proof.
            FieldLengthError: The epoch has not 32 bytes.
        """
        with refusals:
            return cls(epoch, RlnRateLimitProof(proof.native, epoch))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "RateLimitProof":
        """Reads the one encoding there is. Untrusted.

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
        """The proof to verify, with the external nullifier of `epoch`, a field value."""
        with refusals:
            return Proof.of_native(self.native.proof(external_nullifier))


def verify_all(messages: Sequence[tuple[Proof, Expected]]) -> list[str | None]:
    """Verifies messages that arrived together, a quarter of the time each (RLN-14).

    They are not compared with each other: two under one nullifier are both accepted, and
    for whoever remembers nullifiers to find.

    Returns:
        For each, the reason that `Proof.verify` would raise; None if it is accepted.
    """
    with refusals:
        return rln_verify_all(
            [
                (proof.native, list(expected.roots), expected.external_nullifier, expected.x)
                for proof, expected in messages
            ]
        )


def recover(one: Iterable[Share], other: Iterable[Share]) -> Identity:
    """The identity that used one message id for two messages, of either circuit.

    Compare its `rate_commitment` with the leaf before anybody is slashed.

    Raises:
        SharesOfDifferentEpochsError, SharesOfDifferentNullifiersError,
            SharesOfOneMessageError, SharesInconsistentError: As the names say.
        FieldLengthError, FieldValueError: A share's value is no field value.
    """
    with refusals:
        return Identity.of_native(
            rln_recover([_parts(share) for share in one], [_parts(s) for s in other])
        )


def _parts(share: Share) -> tuple[bytes, bytes, bytes, bytes]:
    return share.external_nullifier, share.nullifier, share.x, share.y


def _small(number: int, beyond: type[RefusedError]) -> int:
    """Returns a number that the native core can take; of its range, the core is the judge."""
    if not 0 <= number < 1 << 32:
        raise beyond(f"{number} is negative or too large")
    return number
