"""The manifest of a dataset: what its CID is the hash of.

A Protocol Buffers message with one field, whose bytes are the header. Two
layouts of the header are alive; they differ in field 1, which is a number in the
newer one and bytes in the older. The newer is written, both are read.

Spec: docs/protocol/storage.md, STO-8 and STO-9.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_crypto import varint
from logos_storage.core import merkle
from logos_storage.core.cid import BLOCK, SHA2_256, TREE, Cid, parse_binary
from logos_storage.core.errors import (
    InvalidBlockSizeError,
    InvalidFilenameError,
    InvalidMimetypeError,
    ManifestMalformedError,
)
from logos_storage.core.types import MAX_DATASET_BYTES, TreeShape, block_count_of, check_block_size

MAX_BYTES: Final = 64 * 1024
MAX_FILENAME_BYTES: Final = 255
MAX_MIMETYPE_BYTES: Final = 127

_CID_V1_ORDINAL: Final = 2
"""CIDv1 is written as its place in an enumeration, not as 1."""

_MIMETYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dataset is: its tree, its sizes and its name."""

    tree_cid: Cid
    size_bytes: int
    block_size_bytes: int
    filename: str = ""
    mimetype: str = ""

    @property
    def shape(self) -> TreeShape:
        count = block_count_of(self.size_bytes, self.block_size_bytes)
        return TreeShape(self.tree_cid, self.block_size_bytes, count)


def check_filename(filename: str) -> None:
    """Raises InvalidFilenameError unless STO-9 allows the name. Empty is none."""
    if len(filename.encode()) > MAX_FILENAME_BYTES:
        raise InvalidFilenameError(
            f"file name is over {MAX_FILENAME_BYTES} bytes", field="header.filename"
        )
    if filename in {".", ".."} or "/" in filename or _has_control(filename):
        raise InvalidFilenameError(
            "file name is `.` or `..`, or has a `/` or a control character",
            field="header.filename",
        )


def _has_control(text: str) -> bool:
    return any(one < " " or "\x7f" <= one <= "\x9f" for one in text)


def check_mimetype(mimetype: str) -> None:
    """Raises InvalidMimetypeError unless STO-9 allows the type. Empty is none."""
    if len(mimetype.encode()) > MAX_MIMETYPE_BYTES:
        raise InvalidMimetypeError(
            f"mime type is over {MAX_MIMETYPE_BYTES} bytes", field="header.mimetype"
        )
    if mimetype and _MIMETYPE.fullmatch(mimetype) is None:
        raise InvalidMimetypeError("mime type is not type/subtype", field="header.mimetype")


def encode(manifest: Manifest) -> bytes:
    """Writes a manifest. Zeros are written, empty texts are not."""
    header = bytearray()
    header += _number(1, 0)
    header += _text(2, manifest.tree_cid.binary)
    header += _number(3, manifest.block_size_bytes)
    header += _number(4, manifest.size_bytes)
    header += _number(5, BLOCK)
    header += _number(6, SHA2_256)
    header += _number(7, _CID_V1_ORDINAL)
    if manifest.filename:
        header += _text(8, manifest.filename.encode())
    if manifest.mimetype:
        header += _text(9, manifest.mimetype.encode())
    return _text(1, bytes(header))


def _number(field: int, value: int) -> bytes:
    return varint.encode(field << 3 | _VARINT) + varint.encode(value)


def _text(field: int, value: bytes) -> bytes:
    return varint.encode(field << 3 | _BYTES) + varint.encode(len(value)) + value


def decode(raw: bytes, tree_codec: int = TREE) -> Manifest:
    """Reads a manifest in either layout. Untrusted.

    Args:
        raw: The whole manifest.
        tree_codec: The codec that the tree's CID must have; published fixtures have another.

    Raises:
        ManifestMalformedError: It breaks STO-8 or STO-9.
    """
    if len(raw) > MAX_BYTES:
        raise ManifestMalformedError(f"manifest is over {MAX_BYTES} bytes")
    try:
        outer = dict(_fields(raw))
        header = outer.get(1)
        if not isinstance(header, bytes):
            raise ManifestMalformedError("manifest has no header")
        return _read_header(dict(_fields(header)), tree_codec)
    except ManifestMalformedError:
        raise
    except (ValueError, LogosError) as error:
        raise ManifestMalformedError(f"manifest: {error}") from error


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields field numbers and values, except of fields with a fixed width."""
    offset = 0
    while offset < len(raw):
        tag, offset = varint.decode(raw, offset, minimal=False)
        field, wire_type = tag >> 3, tag & 7
        if field == 0:
            raise ManifestMalformedError("manifest has a field number of zero")
        match wire_type:
            case 0:  # a number
                value, offset = varint.decode(raw, offset, minimal=False)
                yield field, value
            case 2:  # bytes
                size, offset = varint.decode(raw, offset, minimal=False)
                if size > len(raw) - offset:
                    raise ManifestMalformedError("manifest is cut off")
                yield field, raw[offset : offset + size]
                offset += size
            case 1 | 5:  # fixed width: no field that is read
                offset += 8 if wire_type == _FIXED64 else 4
                if offset > len(raw):
                    raise ManifestMalformedError("manifest is cut off")
            case _:
                raise ManifestMalformedError("manifest has an unknown wire type")


def _read_header(fields: dict[int, int | bytes], tree_codec: int) -> Manifest:
    first = 1
    if isinstance(fields.get(1), int):
        first = 2
        if fields[1] != 0:
            raise ManifestMalformedError("manifest has an unknown version")
    expected = ((first + 3, BLOCK), (first + 4, SHA2_256), (first + 5, _CID_V1_ORDINAL))
    if any(fields.get(field) != value for field, value in expected):
        raise ManifestMalformedError("manifest names another codec, hash or cid version")
    manifest = Manifest(
        tree_cid=parse_binary(_bytes_in(fields, first), tree_codec),
        block_size_bytes=_number_in(fields, first + 1),
        size_bytes=_number_in(fields, first + 2),
        filename=_bytes_in(fields, first + 6, b"").decode("utf-8"),
        mimetype=_bytes_in(fields, first + 7, b"").decode("utf-8"),
    )
    _check(manifest)
    return manifest


def _number_in(fields: dict[int, int | bytes], field: int) -> int:
    value = fields.get(field)
    if not isinstance(value, int):
        raise ManifestMalformedError(f"manifest lacks number {field}")
    return value


def _bytes_in(fields: dict[int, int | bytes], field: int, default: bytes | None = None) -> bytes:
    value = fields.get(field, default)
    if not isinstance(value, bytes):
        raise ManifestMalformedError(f"manifest lacks bytes {field}")
    return value


def _check(manifest: Manifest) -> None:
    try:
        check_block_size(manifest.block_size_bytes)
        check_filename(manifest.filename)
    except (InvalidBlockSizeError, InvalidFilenameError) as error:
        raise ManifestMalformedError(f"manifest: {error}") from error
    # Others write parameters after the type; so this is laxer than for a put.
    mimetype = manifest.mimetype
    if len(mimetype.encode()) > MAX_MIMETYPE_BYTES or _has_control(mimetype):
        raise ManifestMalformedError("manifest has a mime type that is not text")
    if manifest.size_bytes > MAX_DATASET_BYTES:
        raise ManifestMalformedError("manifest has a size of 2**63 or more")
    if manifest.size_bytes == 0 and manifest.tree_cid.digest != merkle.EMPTY_ROOT:
        raise ManifestMalformedError("manifest has a tree over no blocks")
