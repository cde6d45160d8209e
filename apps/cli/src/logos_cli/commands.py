"""Groups of commands that are imported when they are chosen.

Most commands need much that the others do not: importing all of them takes longer than
a call to a node.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command, or a group of them, is written."""

    module: str
    name: str
    """Of a function, or of a `typer.Typer`, in that module."""
    help: str = ""
    """Instead of its own."""


class Commands(Mapping[str, Any]):
    """The commands of a group by name; looking one up imports it."""

    def __init__(self, places: Mapping[str, Place], finish: Callable[[Any], None]) -> None:
        self._places = places
        self._finish = finish
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            command = _command_at(self._places[name], name)
            self._finish(command)
            self._found[name] = command
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Group(TyperGroup):
    """A group whose commands stand in `places`; for `typer.Typer(cls=…)`."""

    places: ClassVar[Mapping[str, Place]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.finish_each(lambda _: None)

    def finish_each(self, finish: Callable[[Any], None]) -> None:
        """Sets what is done to a command before it is used for the first time."""
        self.commands = cast(Any, Commands(self.places, finish))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - all are for every context
        """Names them without importing them."""
        return list(self.places)


def _command_at(place: Place, name: str) -> Any:
    found = getattr(import_module(place.module), place.name)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        found = single
    command = get_command(found)
    command.name = name
    command.help = place.help or command.help
    return command
