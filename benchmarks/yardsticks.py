"""What the machine itself can do, measured in the run that is judged by it."""

import hashlib
import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
PIECE_BYTES: Final = MIB
_NOISE_PIECES: Final = 64
_HASHED_BYTES: Final = 512 * MIB


@cache
def _noise() -> list[bytes]:
    return [os.urandom(PIECE_BYTES) for _ in range(_NOISE_PIECES)]


def pieces(size_bytes: int, nonce: bytes) -> Iterator[bytes]:
    """Content that begins with the nonce, in pieces that are made before they are asked for:
    what is timed is whoever takes them.
    """
    noise = _noise()
    whole, rest = divmod(size_bytes, PIECE_BYTES)
    first = nonce + noise[0][len(nonce) :]
    between = (noise[number % _NOISE_PIECES] for number in range(1, whole))
    if not whole:
        return iter([first[:rest]])
    return chain([first], between, [noise[0][:rest]] if rest else [])


def sha256_rate() -> float:
    """Rate of one thread that hashes what lies in memory, MB/s."""
    hasher = hashlib.sha256()
    content = pieces(_HASHED_BYTES, b"")
    began = time.perf_counter()
    for piece in content:
        hasher.update(piece)
    return _HASHED_BYTES / 1e6 / (time.perf_counter() - began)


def write_rate(folder: Path, size_bytes: int) -> float:
    """Rate of one file written from end to end and fsynced, MB/s. The file is removed."""
    path = folder / "yardstick"
    content = pieces(size_bytes, b"")
    began = time.perf_counter()
    try:
        with path.open("wb", buffering=0) as file:
            for piece in content:
                file.write(piece)
            os.fsync(file.fileno())
        return size_bytes / 1e6 / (time.perf_counter() - began)
    finally:
        path.unlink(missing_ok=True)
