"""Content identifiers: CIDv1 with sha2-256 and Logos Storage's private codecs.

Binary: varint(1) | varint(codec) | 0x12 0x20 | 32-byte digest.
Text: `z` followed by the binary form in base58btc.

Spec: docs/protocol/storage.md, STO-1 and STO-2.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from logos_crypto import base58, varint
from logos_storage.core.errors import CidCodecUnknownError, CidHashUnknownError, CidMalformedError

MANIFEST: Final = 0xCD01
BLOCK: Final = 0xCD02
TREE: Final = 0xCD03
SHA2_256: Final = 0x12
DIGEST_BYTES: Final = 32
MAX_TEXT_BYTES: Final = 128
MAX_BINARY_BYTES: Final = 64

_VERSION: Final = 1
_HASH_PREFIX: Final = bytes((SHA2_256, DIGEST_BYTES))


@dataclass(frozen=True, slots=True)
class Cid:
    """A CIDv1 over a sha2-256 digest of 32 bytes."""

    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        if len(self.digest) != DIGEST_BYTES:
            raise ValueError("a digest has 32 bytes")

    @property
    def binary(self) -> bytes:
        return prefix(self.codec) + self.digest

    def __str__(self) -> str:
        return "z" + base58.encode(self.binary)


def prefix(codec: int) -> bytes:
    """Returns what stands before the digest in every CID of a codec."""
    return varint.encode(_VERSION) + varint.encode(codec) + _HASH_PREFIX


def cid_of(codec: int, content: bytes) -> Cid:
    """Hashes content and names it."""
    return Cid(codec, hashlib.sha256(content).digest())


def parse_text(text: str, *codecs: int) -> Cid:
    """Reads the text form of a CID that has one of `codecs`. Untrusted.

    Raises:
        CidMalformedError, CidCodecUnknownError, CidHashUnknownError: STO-1.
    """
    if not text.startswith("z"):
        raise CidMalformedError("a cid starts with z (base58btc)")
    if len(text) > MAX_TEXT_BYTES:
        raise CidMalformedError(f"a cid has at most {MAX_TEXT_BYTES} characters")
    try:
        raw = base58.decode(text[1:])
    except ValueError as error:
        raise CidMalformedError(f"cid: {error}") from error
    return parse_binary(raw, *codecs)


def parse_binary(raw: bytes, *codecs: int) -> Cid:
    """Reads the binary form of a CID that has one of `codecs`. Untrusted.

    Raises:
        CidMalformedError, CidCodecUnknownError, CidHashUnknownError: STO-1.
    """
    if len(raw) > MAX_BINARY_BYTES:
        raise CidMalformedError(f"a binary cid has at most {MAX_BINARY_BYTES} bytes")
    try:
        version, offset = varint.decode(raw)
        if version != _VERSION:
            raise CidMalformedError("only version 1 of cids is known")
        codec, offset = varint.decode(raw, offset)
        if codec not in codecs:
            wanted = " or ".join(f"{one:#x}" for one in codecs)
            raise CidCodecUnknownError(f"cid has codec {codec:#x}, wanted {wanted}")
        hash_code, offset = varint.decode(raw, offset)
        size, offset = varint.decode(raw, offset)
    except ValueError as error:
        raise CidMalformedError(f"cid: {error}") from error
    if hash_code != SHA2_256 or size != DIGEST_BYTES:
        raise CidHashUnknownError("only sha2-256 with 32 bytes is known")
    if len(raw) - offset != DIGEST_BYTES:
        raise CidMalformedError("cid is too short, or has bytes after its digest")
    return Cid(codec, bytes(raw[offset:]))
