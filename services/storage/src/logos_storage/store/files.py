"""The files of one tree: data, packed tree and, while it is partial, a bitmap.

Blocking calls for worker threads; offsets are explicit, so several threads may
use one object. Nothing is verified here: blocks are checked before they
are written, and again after they were read.

Spec: docs/protocol/storage.md, STO-11 to STO-15.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from logos_base.errors import DiskFullError
from logos_module.disk import disk_full, is_full
from logos_storage.core import merkle
from logos_storage.core.batch import VerifiedBlock, runs_of
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import BadDataError
from logos_storage.core.types import TreeShape

DATA: Final = "data"
TREE: Final = "tree"
BITMAP: Final = "bitmap"

_CHUNK_NODES: Final = 32 * 1024
"""Nodes of a layer that are hashed at a time: 1 MiB."""
_MAX_VECTORS: Final = 512
"""Below the kernel's limit of 1024 buffers a call."""


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns a full disk into DiskFullError, a failing one into BadDataError."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise disk_full() from error
        if error.errno == errno.EIO:
            raise BadDataError(
                "the disk of this node fails to read or write; check its health"
            ) from error
        raise


def write_at(file: int, views: Sequence[bytes | memoryview], offset: int) -> None:
    """Writes all of the buffers, one after the other, from an offset on."""
    with disk_errors():
        for start in range(0, len(views), _MAX_VECTORS):
            some = list(views[start : start + _MAX_VECTORS])
            left = sum(len(view) for view in some)
            written = os.pwritev(file, some, offset)
            offset += written
            if written < left:  # rare: a signal, or the last bytes of a full disk
                rest = b"".join(some)[written:]
                while rest:
                    step = os.pwrite(file, rest, offset)
                    rest = rest[step:]
                    offset += step


def read_at(file: int, size: int, offset: int) -> bytearray:
    """Reads `size` bytes; what lies after the end of the file reads as zeros."""
    data = bytearray(size)
    view = memoryview(data)
    with disk_errors():
        while view:
            step = os.preadv(file, [view], offset)
            if step == 0:
                break
            view = view[step:]
            offset += step
    return data


def disk_free(place: int | Path) -> int:
    """Returns how many bytes this process may still write to a disk."""
    report = os.statvfs(place)
    return report.f_bavail * report.f_frsize


def check_room(place: int | Path, size_bytes: int, headroom_bytes: int) -> None:
    """Raises DiskFullError before the disk is completely full: the catalogue needs room too."""
    free_bytes = disk_free(place)
    if size_bytes + headroom_bytes > free_bytes:
        raise DiskFullError(
            f"the disk of this node has {free_bytes} bytes left; make room and try again"
        )


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with disk_errors():
            os.fsync(file)
    finally:
        os.close(file)


def remove_folder(path: Path) -> None:
    """Removes a folder and its contents, if it exists."""
    shutil.rmtree(path, ignore_errors=True)


class TreeFiles:
    """Open files of one folder. Closed by its owner, or with the last reference."""

    def __init__(self, folder: Path, *, create: bool = False, headroom_bytes: int = 0) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        self.folder = folder
        self._headroom_bytes = headroom_bytes
        self._data = self._tree = -1
        with disk_errors():
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            self._data = os.open(folder / DATA, flags, 0o600)
            self._tree = os.open(folder / TREE, flags, 0o600)

    def close(self) -> None:
        files, self._data, self._tree = (self._data, self._tree), -1, -1
        for file in files:
            if file >= 0:
                os.close(file)

    def __del__(self) -> None:
        self.close()

    def write_data(self, views: Sequence[bytes | memoryview], offset: int) -> None:
        check_room(self._data, sum(len(view) for view in views), self._headroom_bytes)
        write_at(self._data, views, offset)

    def write_leaves(self, leaves: bytes, first: int) -> None:
        write_at(self._tree, [leaves], first * merkle.NODE_BYTES)

    def write_blocks(
        self, blocks: Sequence[VerifiedBlock], shape: TreeShape, size_bytes: int
    ) -> None:
        """Writes blocks in ascending order, without the padding of the last."""
        by_index = {block.index: block.data for block in blocks}
        for first, end in runs_of(by_index):
            offset = first * shape.block_size_bytes
            views = [by_index[index] for index in range(first, end)]
            excess = end * shape.block_size_bytes - size_bytes
            if excess > 0:
                views[-1] = views[-1][:-excess]
            self.write_data(views, offset)

    def write_nodes(self, nodes: dict[int, bytes]) -> None:
        """Writes nodes of the packed tree at their positions."""
        for first, end in runs_of(sorted(nodes)):
            joined = b"".join(nodes[position] for position in range(first, end))
            write_at(self._tree, [joined], first * merkle.NODE_BYTES)

    def read_blocks(self, first: int, end: int, shape: TreeShape) -> bytearray:
        size = shape.block_size_bytes
        return read_at(self._data, (end - first) * size, first * size)

    def read_nodes(self, first: int, end: int, shape: TreeShape) -> dict[int, bytes]:
        """Reads every node that proofs of the blocks [first, end) consist of."""
        nodes: dict[int, bytes] = {}
        start = 0
        for size in merkle.layer_sizes(shape.block_count):
            low, high = first & ~1, min(((end - 1) | 1) + 1, size)
            nodes.update(enumerate(self._read_nodes(start + low, high - low), start + low))
            start += size
            first, end = first >> 1, ((end - 1) >> 1) + 1
        return nodes

    def build_layers(self, leaf_count: int) -> bytes:
        """Writes all layers above the leaves, and returns the root. Memory: a chunk."""
        start, above = 0, [merkle.EMPTY_ROOT]
        for size in merkle.layer_sizes(leaf_count)[:-1]:
            for first in range(0, size, _CHUNK_NODES):
                nodes = self._read_nodes(start + first, min(_CHUNK_NODES, size - first))
                above = merkle.parents_of(nodes, is_bottom=start == 0)
                offset = (start + size + first // 2) * merkle.NODE_BYTES
                write_at(self._tree, [b"".join(above)], offset)
            start += size
        return above[-1]

    def _read_nodes(self, position: int, count: int) -> list[bytes]:
        size = merkle.NODE_BYTES
        raw = bytes(read_at(self._tree, count * size, position * size))
        return [raw[at : at + size] for at in range(0, len(raw), size)]

    def sync_data(self) -> None:
        with disk_errors():
            os.fdatasync(self._data)

    def sync(self) -> None:
        """Makes data and tree durable."""
        with disk_errors():
            os.fdatasync(self._data)
            os.fdatasync(self._tree)

    def write_bitmap(self, bits: bytes) -> None:
        """Notes which blocks there are; they were made durable before (STO-14).

        It is overwritten in place: bits are only ever added, so a torn write lists too few
        blocks, never too many.
        """
        with disk_errors():
            file = os.open(self.folder / BITMAP, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                write_at(file, [bits], 0)
            finally:
                os.close(file)


def read_bitfield(folder: Path, shape: TreeShape) -> Bitfield:
    """Reads the bitmap of a partial tree; none, or one of a wrong length, is empty."""
    try:
        raw = (folder / BITMAP).read_bytes()
    except FileNotFoundError:
        return Bitfield(shape.block_count)
    if len(raw) != (shape.block_count + 7) // 8:
        return Bitfield(shape.block_count)
    return Bitfield(shape.block_count, raw)
