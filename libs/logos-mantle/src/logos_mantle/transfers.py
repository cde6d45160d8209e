"""TRANSFER and LEADER_CLAIM: what moves and makes notes outside of channels.

Spec: docs/protocol/mantle.md, MAN-6 and MAN-12. Source: LIP-202, Transfer and Leader Operations.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from logos_mantle import octets
from logos_mantle.notes import Note, encode_inputs, encode_outputs, read_inputs, read_outputs
from logos_mantle.octets import Reader
from logos_mantle.opcodes import Opcode


@dataclass(frozen=True, slots=True)
class Transfer:
    """Consumes notes and creates others (MAN-6)."""

    opcode: ClassVar[Opcode] = Opcode.TRANSFER

    inputs: tuple[bytes, ...]
    """Note ids, at most 255; only in a genesis block there are none."""
    outputs: tuple[Note, ...]
    """At most 255."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return encode_inputs(self.inputs) + encode_outputs(self.outputs)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(read_inputs(reader), read_outputs(reader))


@dataclass(frozen=True, slots=True)
class LeaderClaim:
    """Claims a leader's reward with a nullifier (MAN-12); three field values of 32 bytes."""

    opcode: ClassVar[Opcode] = Opcode.LEADER_CLAIM

    rewards_root: bytes
    voucher_nullifier: bytes
    public_key: bytes
    """The `ZkPublicKey` of the reward's note."""

    def payload(self) -> bytes:
        """Returns the encoding without the opcode; raises `ValueUnencodableError`."""
        return (
            octets.field(self.rewards_root, "rewards_root")
            + octets.field(self.voucher_nullifier, "voucher_nullifier")
            + octets.field(self.public_key, "public_key")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.field(), reader.field(), reader.field())
