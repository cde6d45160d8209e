"""A disk that keeps, over a crash, what was synchronised and any part of the rest."""

from collections import defaultdict
from collections.abc import Iterator

from logos_simulation.chance import Chance


class Disk:
    """Files of values by key. A write is seen at once, and durable after a `sync` of its file."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._durable: defaultdict[str, dict[int, object]] = defaultdict(dict)
        self._written: defaultdict[str, dict[int, object]] = defaultdict(dict)
        self.is_full = False

    def write(self, file: str, key: int, value: object) -> None:
        """Writes; OSError where the disk is full."""
        if self.is_full:
            raise OSError("no space left on device")
        self._written[file][key] = value

    def sync(self, file: str) -> None:
        """Makes durable what was written to a file."""
        self._durable[file] |= self._written.pop(file, {})

    def read(self, file: str, key: int) -> object | None:
        """Returns what was written last, or None."""
        return self._written[file].get(key, self._durable[file].get(key))

    def keys(self, file: str) -> Iterator[int]:
        """Yields all that a file has."""
        yield from self._durable[file].keys() | self._written[file].keys()

    def crash(self) -> None:
        """Loses what was not durable, but for some of it: pages may have been written anyway."""
        for file, values in self._written.items():
            for key, value in values.items():
                if self._chance.hits(50):
                    self._durable[file][key] = value
        self._written.clear()
