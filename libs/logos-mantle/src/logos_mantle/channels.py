"""The five operations on channels.

Spec: docs/protocol/mantle.md, MAN-7 and MAN-8. Source: LIP-202, Channel Operations; LIP-98, Channel
Operations.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from logos_mantle import octets
from logos_mantle.derivations import blake2b
from logos_mantle.errors import InscriptionTooLongError, MetadataTooLongError
from logos_mantle.limits import MAX_CHANNEL_KEYS, MAX_INSCRIPTION_BYTES, MAX_METADATA_BYTES
from logos_mantle.notes import Note, encode_inputs, encode_outputs, read_inputs, read_outputs
from logos_mantle.octets import HASH_BYTES, KEY_BYTES, Reader
from logos_mantle.opcodes import Opcode


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """Replaces the keys and the rules of a channel, or makes it (MAN-7)."""

    opcode: ClassVar[Opcode] = Opcode.CHANNEL_CONFIG

    channel: bytes
    """32 bytes."""
    keys: tuple[bytes, ...]
    """Ed25519 public keys of 32 bytes, at most 65,535."""
    posting_timeframe_slots: int
    """32 bits; 0: a turn never ends."""
    posting_timeout_slots: int
    """32 bits; 0: there is none."""
    configuration_threshold: int
    """16 bits."""
    transfer_threshold: int
    """16 bits."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        keys = [octets.fixed(each, KEY_BYTES, "keys") for each in self.keys]
        return b"".join(
            [
                octets.fixed(self.channel, HASH_BYTES, "channel"),
                octets.listed(keys, 2, MAX_CHANNEL_KEYS, "keys"),
                octets.number(self.posting_timeframe_slots, 4, "posting_timeframe_slots"),
                octets.number(self.posting_timeout_slots, 4, "posting_timeout_slots"),
                octets.number(self.configuration_threshold, 2, "configuration_threshold"),
                octets.number(self.transfer_threshold, 2, "transfer_threshold"),
            ]
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(
            channel=reader.take(HASH_BYTES),
            keys=_read_keys(reader),
            posting_timeframe_slots=reader.number(4),
            posting_timeout_slots=reader.number(4),
            configuration_threshold=reader.number(2),
            transfer_threshold=reader.number(2),
        )


@dataclass(frozen=True, slots=True)
class ChannelInscribe:
    """Writes a message to a channel (MAN-7)."""

    opcode: ClassVar[Opcode] = Opcode.CHANNEL_INSCRIBE

    channel: bytes
    """32 bytes."""
    inscription: bytes
    """At most 1,835,008 bytes."""
    parent: bytes
    """`message_id` of the message before it, 32 bytes; zeros for the first."""
    signer: bytes
    """Ed25519 public key, 32 bytes."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.fixed(self.channel, HASH_BYTES, "channel")
            + octets.sized(self.inscription, 4, MAX_INSCRIPTION_BYTES, "inscription")
            + octets.fixed(self.parent, HASH_BYTES, "parent")
            + octets.fixed(self.signer, KEY_BYTES, "signer")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `InscriptionTooLongError`, `TruncatedError`."""
        channel, size = reader.take(HASH_BYTES), reader.number(4)
        if size > MAX_INSCRIPTION_BYTES:
            raise InscriptionTooLongError(f"{size} bytes, at most {MAX_INSCRIPTION_BYTES}")
        return cls(channel, reader.take(size), reader.take(HASH_BYTES), reader.take(KEY_BYTES))


@dataclass(frozen=True, slots=True)
class ChannelDeposit:
    """Moves notes into a channel, under new ids (MAN-7)."""

    opcode: ClassVar[Opcode] = Opcode.CHANNEL_DEPOSIT

    channel: bytes
    """32 bytes."""
    inputs: tuple[bytes, ...]
    """Note ids, at most 255."""
    metadata: bytes
    """For the channel's zone; at most 1,835,008 bytes."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.fixed(self.channel, HASH_BYTES, "channel")
            + encode_inputs(self.inputs)
            + octets.sized(self.metadata, 4, MAX_METADATA_BYTES, "metadata")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `MetadataTooLongError`, and what its parts raise."""
        channel, inputs, size = reader.take(HASH_BYTES), read_inputs(reader), reader.number(4)
        if size > MAX_METADATA_BYTES:
            raise MetadataTooLongError(f"{size} bytes, at most {MAX_METADATA_BYTES}")
        return cls(channel, inputs, reader.take(size))


@dataclass(frozen=True, slots=True)
class ChannelWithdraw:
    """Releases notes from a channel; they keep their ids (MAN-7)."""

    opcode: ClassVar[Opcode] = Opcode.CHANNEL_WITHDRAW

    channel: bytes
    """32 bytes."""
    inputs: tuple[bytes, ...]
    """Note ids, at most 255."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return octets.fixed(self.channel, HASH_BYTES, "channel") + encode_inputs(self.inputs)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(HASH_BYTES), read_inputs(reader))


@dataclass(frozen=True, slots=True)
class ChannelTransfer:
    """Consumes notes of a channel and creates others in it (MAN-7)."""

    opcode: ClassVar[Opcode] = Opcode.CHANNEL_TRANSFER

    channel: bytes
    """32 bytes."""
    inputs: tuple[bytes, ...]
    """Note ids, at most 255."""
    outputs: tuple[Note, ...]
    """At most 255."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        channel = octets.fixed(self.channel, HASH_BYTES, "channel")
        return channel + encode_inputs(self.inputs) + encode_outputs(self.outputs)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(HASH_BYTES), read_inputs(reader), read_outputs(reader))


def message_id(message: ChannelInscribe | ChannelConfig) -> bytes:
    """Returns what a channel's tip becomes after it, 32 bytes (MAN-8).

    Source: LIP-98, CHANNEL_INSCRIBE and CHANNEL_CONFIG, Execution.
    """
    return blake2b(message.payload())


def _read_keys(reader: Reader) -> tuple[bytes, ...]:
    raw = reader.take(reader.number(2) * KEY_BYTES)
    return tuple([raw[at : at + KEY_BYTES] for at in range(0, len(raw), KEY_BYTES)])
