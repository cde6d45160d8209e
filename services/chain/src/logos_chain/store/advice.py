"""What an operator is told of a database whose rows are not those that were written.

Spec: docs/protocol/chain-store.md, CHS-10.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from logos_chain.core.ports import ChainStoreDamagedError
from logos_module.database import database_files, set_aside_command


@dataclass(frozen=True, slots=True)
class Advice:
    """The way out for one database."""

    name: str
    """Of the database in messages, without secrets."""
    place: Path | str
    """Its file, or its URL."""

    @contextmanager
    def given(self) -> Iterator[None]:
        """Names the database in an error of damage, and the way out."""
        try:
            yield
        except ChainStoreDamagedError as error:
            raise ChainStoreDamagedError(f"{self.name}: {error}; {self._way_out()}") from error

    def _way_out(self) -> str:
        if isinstance(self.place, str):
            return "restore it from a backup, or begin again with an empty database"
        command = set_aside_command(self.place.parent, database_files(self.place))
        return f"restore it from a backup, or begin again without it: {command}"
