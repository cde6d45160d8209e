"""Content as a store gets it: in pieces."""

from collections.abc import AsyncIterator


async def pieces_of(content: bytes, step: int = 1 << 20) -> AsyncIterator[bytes]:
    """Yields content in pieces of a size."""
    for start in range(0, len(content), step):
        yield content[start : start + step]
