"""The codes of operations. Spec: docs/protocol/mantle.md, MAN-5. Source: LIP-98, Opcodes."""

from enum import IntEnum


class Opcode(IntEnum):
    """The first byte of an operation."""

    TRANSFER = 0x00
    CHANNEL_CONFIG = 0x10
    CHANNEL_INSCRIBE = 0x11
    CHANNEL_DEPOSIT = 0x12
    CHANNEL_WITHDRAW = 0x13
    CHANNEL_TRANSFER = 0x14
    SDP_DECLARE = 0x20
    SDP_WITHDRAW = 0x21
    SDP_ACTIVE = 0x22
    LEADER_CLAIM = 0x30
