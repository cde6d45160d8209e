"""Any operation: its code, its payload, its id.

Spec: docs/protocol/mantle.md, MAN-5 and MAN-16. Source: LIP-202, Operations; LIP-98, Opcodes.
"""

from typing import Final

from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.derivations import blake2b
from logos_mantle.errors import OpcodeUnknownError
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.octets import Reader
from logos_mantle.opcodes import Opcode
from logos_mantle.services import SdpActive, SdpDeclare, SdpWithdraw
from logos_mantle.transfers import LeaderClaim, Transfer

Operation = (
    Transfer
    | ChannelConfig
    | ChannelInscribe
    | ChannelDeposit
    | ChannelWithdraw
    | ChannelTransfer
    | SdpDeclare
    | SdpWithdraw
    | SdpActive
    | LeaderClaim
)

_CLASSES: Final[dict[int, type[Operation]]] = {
    Opcode.TRANSFER: Transfer,
    Opcode.CHANNEL_CONFIG: ChannelConfig,
    Opcode.CHANNEL_INSCRIBE: ChannelInscribe,
    Opcode.CHANNEL_DEPOSIT: ChannelDeposit,
    Opcode.CHANNEL_WITHDRAW: ChannelWithdraw,
    Opcode.CHANNEL_TRANSFER: ChannelTransfer,
    Opcode.SDP_DECLARE: SdpDeclare,
    Opcode.SDP_WITHDRAW: SdpWithdraw,
    Opcode.SDP_ACTIVE: SdpActive,
    Opcode.LEADER_CLAIM: LeaderClaim,
}


def operation_id(operation: Operation) -> bytes:
    """Returns the id that an operation's notes are derived from, 32 bytes (MAN-16).

    Source: LIP-98, Note Id, and its vectors.
    """
    return blake2b(b"OPERATION_ID_V1", operation.payload())


def encode_operation(operation: Operation) -> bytes:
    """Returns opcode and payload; raises `ValueUnencodableError`."""
    return bytes([operation.opcode]) + operation.payload()


def read_operation(reader: Reader) -> Operation:
    """Reads one; raises `OpcodeUnknownError`, and what its payload raises."""
    opcode = reader.number(1)
    if opcode not in _CLASSES:
        raise OpcodeUnknownError(f"operation {opcode:#04x}")
    return _CLASSES[opcode].read(reader)


def decode_payload(opcode: int, payload: bytes) -> Operation:
    """Decodes the payload of an operation. Untrusted; raises `MalformedError` (MAN-2)."""
    reader = Reader(payload, limit=MAX_BODY_BYTES)
    if opcode not in _CLASSES:
        raise OpcodeUnknownError(f"operation {opcode:#04x}")
    operation = _CLASSES[opcode].read(reader)
    reader.end()
    return operation
