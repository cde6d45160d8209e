"""Arguments that go to a node: contracts have UTF-8 texts and sized integers only."""

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import typer

MAX_UINT32: Final = 2**32 - 1
MAX_UINT64: Final = 2**64 - 1


def utf8(text: str | None) -> str | None:
    """Refuses bytes that are not UTF-8; for the callback of an argument or option.

    Python keeps such bytes as lone surrogates, which no message can hold.
    """
    if text is not None and not is_utf8(text):
        raise typer.BadParameter("not UTF-8")
    return text


def is_utf8(text: str) -> bool:
    """Whether a text can go to a node."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def skip_conversion(param: Any) -> None:
    """Leaves alone a parameter's value that needs no conversion; most need none.

    Typer converts by a library that takes longer to import than a call to a node takes.
    """
    if "get_runtime_param" not in vars(param):
        param.get_runtime_param = _Conversion(param, param.get_runtime_param).itself


@dataclass(frozen=True, slots=True)
class _Conversion:
    """Stands in for Typer's conversion of one parameter."""

    param: Any
    typers: Any
    """Makes Typer's own."""

    def itself(self) -> "_Conversion":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Converts a value of the command line, of a variable, or a default."""
        wanted = param.type_descriptor.annotation
        if type(value) is wanted:
            return value
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            with suppress(ValueError):
                return wanted(value)
        if value is None and param.nargs == 1 and not param.multiple:
            return None
        return self.typers().coerce(value, param=param, ctx=ctx)
