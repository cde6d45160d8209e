"""Groups of commands that are imported when they are used.

Commands need different libraries: importing all of them takes longer than a call to a node.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any, ClassVar, Final, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

_NAME: Final = re.compile("[a-z][a-z0-9-]*")


advice_of_modules: Final[dict[str, str]] = {}
"""Advice by the reason of a failed call, from the commands that were imported."""


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a command, or of a group of them, in the code."""

    module: str
    name: str
    """Name of a function or a `typer.Typer` in that module."""
    help: str = ""
    """Replaces its own help."""


class FoundPlaces(Mapping[str, Place]):
    """The commands that modules provide, by name (docs/modules.md, "Commands").

    Each is a Python module in a namespace package, to which every source folder may contribute.
    It has the name of the command, exports it as `command`, and may have `ADVICE`, a table of
    advice by the reason of a failed call. A name that begins with an underscore is no command's.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def __getitem__(self, name: str) -> Place:
        module = f"{self._package}.{name.replace('-', '_')}"
        if not _NAME.fullmatch(name) or find_spec(module) is None:
            raise KeyError(name)
        return Place(module, "command")

    def __iter__(self) -> Iterator[str]:
        parts = import_module(self._package).__path__
        names = (part.name for part in iter_modules(parts) if not part.name.startswith("_"))
        return iter(sorted(name.replace("_", "-") for name in names))

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
    """A group with the commands of `places`; for `typer.Typer(cls=…)`."""

    places: ClassVar[Mapping[str, Place]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.finish_each(lambda _: None)

    def finish_each(self, finish: Callable[[Any], None]) -> None:
        """Sets the function that is applied to each command before its first use."""
        self.commands = cast(Any, Commands(self.places, finish))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - all are for every context
        """Returns their names without importing them."""
        return list(self.places)


def _command_at(place: Place, name: str) -> Any:
    module = import_module(place.module)
    advice_of_modules.update(getattr(module, "ADVICE", {}))
    found = getattr(module, place.name)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        found = single
    command = get_command(found)
    command.name = name
    command.help = place.help or command.help
    return command
