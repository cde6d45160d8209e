"""Contents of messages: of a file, or of standard input."""

import os
import sys
from typing import Final

from logos_cli import descriptors

MOST_BYTES: Final = 1024 * 1024 + 1
"""One more than a message may have: the node refuses it, and nothing more is held here."""


async def content_of(file: str) -> bytes:
    """Reads a file, or stdin for `-`; no more than `MOST_BYTES`.

    Raises:
        OSError: It cannot be read.
    """
    if file == "-":
        name = "standard input"
        shared = descriptors.standard(sys.stdin, name)
        with descriptors.not_blocking(shared, os.O_RDONLY) as stdin:
            return await _read(name, stdin)
    with descriptors.opened_to_read(file) as descriptor:
        return await _read(file, descriptor)


async def _read(name: str, descriptor: int) -> bytes:
    content = bytearray()
    with descriptors.named(name):
        while part := await descriptors.read_some(descriptor, MOST_BYTES - len(content)):
            content += part
            if len(content) >= MOST_BYTES:
                break
    return bytes(content)
