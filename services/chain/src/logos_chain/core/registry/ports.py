"""What the registry asks of the rest of the node."""

from typing import Protocol


class RegistryStore(Protocol):
    """The kept state of registries, by channel, so that a start is short.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def load(self, channel: bytes) -> bytes | None:
        """Returns what was kept for a channel, 32 bytes; None: nothing."""
        ...

    async def keep(self, channel: bytes, state: bytes) -> None:
        """Keeps a state in place of the former."""
        ...
