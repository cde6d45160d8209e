"""A disk that keeps, over a crash, synchronised writes and any part of the others."""

from collections import defaultdict
from collections.abc import Iterator

from logos_simulation.chance import Chance


class Disk:
    """Files of values by key. A write is durable after a `sync` of its file."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._durable: defaultdict[str, dict[int, object]] = defaultdict(dict)
        self._written: defaultdict[str, dict[int, object]] = defaultdict(dict)
        self.is_full = False

    def write(self, file: str, key: int, value: object) -> None:
        """Writes a value; raises OSError if the disk is full."""
        if self.is_full:
            raise OSError("no space left on device")
        self._written[file][key] = value

    def sync(self, file: str) -> None:
        """Makes the writes to a file durable."""
        self._durable[file] |= self._written.pop(file, {})

    def read(self, file: str, key: int) -> object | None:
        """Returns the value written last, or None."""
        return self._written[file].get(key, self._durable[file].get(key))

    def keys(self, file: str) -> Iterator[int]:
        """Yields the keys of a file."""
        yield from self._durable[file].keys() | self._written[file].keys()

    def crash(self) -> None:
        """Loses writes that are not durable, except any that reached the disk anyway."""
        for file, values in self._written.items():
            for key, value in values.items():
                if self._chance.hits(50):
                    self._durable[file][key] = value
        self._written.clear()
