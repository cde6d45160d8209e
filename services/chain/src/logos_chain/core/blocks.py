"""Blocks between their encoding (`logos_mantle`) and what consensus and the store take of them.

Spec: docs/protocol/chain-following.md, FOL-1, FOL-2.
"""

from typing import Final

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.types import BlockId, Candidate, Header, SignedHeader
from logos_chain.core.consensus.validation import VERSION
from logos_chain.core.ports import KeptBlock
from logos_mantle import headers
from logos_mantle.blocks import Block, body_root
from logos_mantle.errors import (
    BodyTooLargeError,
    InputTooLongError,
    MalformedError,
    TransactionCountError,
    UncleCountError,
    VersionUnknownError,
)
from logos_mantle.headers import HEADER_BYTES, SIGNED_HEADER_BYTES
from logos_mantle.octets import SIGNATURE_BYTES

_COUNTS_BYTES: Final = 3
"""Of uncles and of transactions."""
_REASONS: Final[tuple[tuple[type[MalformedError], RejectReason], ...]] = (
    (InputTooLongError, RejectReason.BODY_TOO_LARGE),
    (VersionUnknownError, RejectReason.WRONG_VERSION),
    (BodyTooLargeError, RejectReason.BODY_TOO_LARGE),
    (TransactionCountError, RejectReason.TOO_MANY_TRANSACTIONS),
    (UncleCountError, RejectReason.TOO_MANY_UNCLES),
)


def unreadable(raw: bytes, error: MalformedError) -> tuple[BlockId | None, RejectReason]:
    """Returns which block bytes would be that are none, and why they are rejected (FOL-1)."""
    try:
        found = headers.Header.decode(raw[:HEADER_BYTES])
    except MalformedError:
        block, other = None, RejectReason.MALFORMED_HEADER
    else:
        block, other = BlockId(found.id), RejectReason.INVALID_BODY
    reasons = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return block, next(reasons, other)


def candidate_of(block: Block, block_bytes: int) -> Candidate:
    """Returns what consensus looks at.

    Args:
        block: Decoded.
        block_bytes: Of its encoding.
    """
    around = HEADER_BYTES + SIGNATURE_BYTES + _COUNTS_BYTES
    hashes = [each.hash for each in block.transactions]
    return Candidate(
        signed=SignedHeader(_header(block.header), block.signature),
        transactions=len(hashes),
        body_bytes=block_bytes - around - SIGNED_HEADER_BYTES * len(block.uncles),
        body_root=body_root(block.uncles, hashes),
        uncles=tuple([SignedHeader(_header(each.header), each.signature) for each in block.uncles]),
    )


def signed_bytes(header: Header) -> bytes:
    """Returns what a header's leader signs: its encoding, 297 bytes (MAN-23)."""
    return _encodable(header).encoded


def uncle_of(signed: SignedHeader) -> headers.SignedHeader:
    """Returns an uncle as a block carries it (MAN-25)."""
    return headers.SignedHeader(_encodable(signed.header), signed.signature)


def kept_block(block: Block, raw: bytes, height: int) -> KeptBlock:
    """Returns what is stored of a block (FOL-8).

    Args:
        block: Decoded.
        raw: As it came.
        height: Its parent's, and one.
    """
    return KeptBlock(
        id=BlockId(block.id),
        parent=BlockId(block.header.parent),
        height=height,
        slot=block.header.slot,
        raw=raw,
        transactions=tuple([each.hash for each in block.transactions]),
    )


def _encodable(header: Header) -> headers.Header:
    leadership = headers.ProofOfLeadership(
        header.voucher, header.entropy, header.proof, header.leader_key
    )
    return headers.Header(header.parent, header.slot, header.body_root, leadership)


def _header(header: headers.Header) -> Header:
    leadership = header.leadership
    return Header(
        id=BlockId(header.id),
        version=VERSION,
        parent=BlockId(header.parent),
        slot=header.slot,
        body_root=header.body_root,
        voucher=leadership.voucher,
        entropy=leadership.entropy,
        proof=leadership.proof,
        leader_key=leadership.leader_key,
    )
