"""A disk that keeps, over a crash, what was synchronised and any part of the rest."""

from collections.abc import Iterator

from logos_simulation.chance import Chance


class Disk:
    """Values by key. A write is seen at once and durable after `sync`."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._durable: dict[object, object] = {}
        self._written: dict[object, object] = {}
        self.is_full = False

    def write(self, key: object, value: object) -> None:
        """Writes; OSError where the disk is full."""
        if self.is_full:
            raise OSError("no space left on device")
        self._written[key] = value

    def sync(self) -> None:
        """Makes durable what was written."""
        self._durable |= self._written
        self._written.clear()

    def read(self, key: object) -> object | None:
        """Returns what was written last, or None."""
        return self._written.get(key, self._durable.get(key))

    def __iter__(self) -> Iterator[object]:
        """Yields the keys of all that is there."""
        yield from (*self._durable, *(key for key in self._written if key not in self._durable))

    def crash(self) -> None:
        """Loses what was not durable, but for some of it: a page may have been written anyway."""
        for key, value in self._written.items():
            if self._chance.hits(50):
                self._durable[key] = value
        self._written.clear()
