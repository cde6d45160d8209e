"""A place in the events of all nodes: their positions, in the order of the topology."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15}){0,99}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """One position a node."""

    positions: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.positions))

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """Reads what `str` wrote; None if it is something else."""
        if not _FORM.fullmatch(text):
            return None
        return cls(tuple(int(word) for word in text.split(".")))

    def by_name(self, names: Sequence[str]) -> dict[str, int] | None:
        """The positions by node; None if it is of another topology."""
        if len(names) != len(self.positions):
            return None
        return dict(zip(names, self.positions, strict=True))
