"""The three operations of the service declaration protocol, and a node's proof of activity.

Spec: docs/protocol/mantle.md, MAN-9 to MAN-11 and MAN-15. Sources: LIP-202, SDP Operations; LIP-87;
LIP-95, Active Message.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from logos_mantle import octets
from logos_mantle.derivations import blake2b
from logos_mantle.errors import (
    ActivityUnknownError,
    LocatorCountError,
    LocatorMalformedError,
    LocatorTooLongError,
    ServiceUnknownError,
    ValueUnencodableError,
)
from logos_mantle.limits import MAX_LOCATOR_BYTES, MAX_LOCATORS
from logos_mantle.locators import check_locator
from logos_mantle.octets import GROTH16_BYTES, HASH_BYTES, KEY_BYTES, Reader
from logos_mantle.opcodes import Opcode

ACTIVITY_BYTES: Final = 230

_ACTIVITY_KIND: Final = b"\x01\x01"
"""Type of the Blend network, and version."""


class Service(IntEnum):
    """What a node can declare to serve."""

    BLEND_NETWORK = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """Proof that a node of the Blend network was active in an epoch; 230 bytes (MAN-11)."""

    epoch: int
    """32 bits."""
    signing_key: bytes
    """Ed25519 public key that the quota was proved for, 32 bytes."""
    key_nullifier: bytes
    """A field value, 32 bytes."""
    quota_proof: bytes
    """Groth16, 128 bytes."""
    selection_randomness: bytes
    """The proof of selection: a field value, 32 bytes."""

    def encode(self) -> bytes:
        """Returns 230 bytes; raises `ValueUnencodableError`."""
        return (
            _ACTIVITY_KIND
            + octets.number(self.epoch, 4, "epoch")
            + octets.fixed(self.signing_key, KEY_BYTES, "signing_key")
            + octets.field(self.key_nullifier, "key_nullifier")
            + octets.fixed(self.quota_proof, GROTH16_BYTES, "quota_proof")
            + octets.field(self.selection_randomness, "selection_randomness")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `ActivityUnknownError`, and what its parts raise."""
        kind = reader.take(len(_ACTIVITY_KIND))
        if kind != _ACTIVITY_KIND:
            raise ActivityUnknownError(f"metadata of type and version {kind.hex()}")
        return cls(
            epoch=reader.number(4),
            signing_key=reader.take(KEY_BYTES),
            key_nullifier=reader.field(),
            quota_proof=reader.take(GROTH16_BYTES),
            selection_randomness=reader.field(),
        )


@dataclass(frozen=True, slots=True)
class SdpDeclare:
    """Declares that a node serves, with a note as collateral (MAN-9)."""

    opcode: ClassVar[Opcode] = Opcode.SDP_DECLARE

    service: Service
    locators: tuple[bytes, ...]
    """Multiaddresses in their byte form (MAN-10), at most 8; the ledger refuses none at all."""
    provider_id: bytes
    """Ed25519 public key, 32 bytes."""
    zk_id: bytes
    """`ZkPublicKey`: a field value, 32 bytes."""
    locked_note_id: bytes
    """A field value, 32 bytes."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.number(self.service, 1, "service")
            + self._locators()
            + octets.fixed(self.provider_id, KEY_BYTES, "provider_id")
            + octets.field(self.zk_id, "zk_id")
            + octets.field(self.locked_note_id, "locked_note_id")
        )

    def declaration_id(self) -> bytes:
        """Returns the id that the registry keeps it under, 32 bytes (MAN-15).

        Source: LIP-87, Declaration Storage.
        """
        return blake2b(
            octets.number(self.service, 1, "service"),
            octets.fixed(self.provider_id, KEY_BYTES, "provider_id"),
            octets.field(self.zk_id, "zk_id"),
            self._locators(),
        )

    def _locators(self) -> bytes:
        try:
            for each in self.locators:
                check_locator(each)
        except LocatorMalformedError as error:
            raise ValueUnencodableError(str(error), field="locators") from error
        parts = [octets.sized(each, 2, MAX_LOCATOR_BYTES, "locators") for each in self.locators]
        return octets.listed(parts, 1, MAX_LOCATORS, "locators")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises the errors of MAN-9 and MAN-10, and what its parts raise."""
        service = reader.number(1)
        if service != Service.BLEND_NETWORK:
            raise ServiceUnknownError(f"service {service}")
        count = reader.number(1)
        if count > MAX_LOCATORS:
            raise LocatorCountError(f"{count} locators, at most {MAX_LOCATORS}")
        locators = tuple([_read_locator(reader) for _ in range(count)])
        return cls(
            service=Service.BLEND_NETWORK,
            locators=locators,
            provider_id=reader.take(KEY_BYTES),
            zk_id=reader.field(),
            locked_note_id=reader.field(),
        )


@dataclass(frozen=True, slots=True)
class SdpWithdraw:
    """Ends a declaration (MAN-9); 72 bytes."""

    opcode: ClassVar[Opcode] = Opcode.SDP_WITHDRAW

    declaration_id: bytes
    """32 bytes."""
    nonce: int
    """64 bits; above the last one of the declaration."""
    locked_note_id: bytes
    """A field value, 32 bytes."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.fixed(self.declaration_id, HASH_BYTES, "declaration_id")
            + octets.number(self.nonce, 8, "nonce")
            + octets.field(self.locked_note_id, "locked_note_id")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(HASH_BYTES), reader.number(8), reader.field())


@dataclass(frozen=True, slots=True)
class SdpActive:
    """Shows that a declared node was active (MAN-9, MAN-11); 270 bytes."""

    opcode: ClassVar[Opcode] = Opcode.SDP_ACTIVE

    declaration_id: bytes
    """32 bytes."""
    nonce: int
    """64 bits; above the last one of the declaration."""
    metadata: Activity

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.fixed(self.declaration_id, HASH_BYTES, "declaration_id")
            + octets.number(self.nonce, 8, "nonce")
            + self.metadata.encode()
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(HASH_BYTES), reader.number(8), Activity.read(reader))


def reward_operation_id(service: Service, epoch: int) -> bytes:
    """Returns what stands for an operation's id in the notes of a service's rewards (MAN-16).

    Args:
        service: The service.
        epoch: The epoch that is rewarded, 32 bits.

    Source: LIP-86, Service Reward Distribution.
    """
    return blake2b(octets.number(service, 1, "service"), octets.number(epoch, 4, "epoch"))


def _read_locator(reader: Reader) -> bytes:
    size = reader.number(2)
    if size > MAX_LOCATOR_BYTES:
        raise LocatorTooLongError(f"{size} bytes, at most {MAX_LOCATOR_BYTES}")
    raw = reader.take(size)
    check_locator(raw)
    return raw
