"""Arguments that are sent to a node: contracts allow only UTF-8 strings and sized integers."""

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import typer

MAX_UINT32: Final = 2**32 - 1
MAX_UINT64: Final = 2**64 - 1


def utf8(text: str | None) -> str | None:
    """Refuses bytes that are not UTF-8; for the callback of an argument or option.

    Python decodes such bytes to lone surrogates, which messages cannot hold.
    """
    if text is not None and not is_utf8(text):
        raise typer.BadParameter("not UTF-8")
    return text


def is_utf8(text: str) -> bool:
    """Returns whether a text can be sent to a node."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def skip_conversion(param: Any) -> None:
    """Skips Typer's conversion of a parameter's value if it is not needed; mostly it is not.

    Typer converts by a library whose import takes longer than a call to a node.
    """
    if "get_runtime_param" not in vars(param):
        param.get_runtime_param = _Conversion(param, param.get_runtime_param).itself


@dataclass(frozen=True, slots=True)
class _Conversion:
    """Replaces Typer's conversion of one parameter."""

    param: Any
    typers: Any
    """Makes Typer's conversion."""

    def itself(self) -> "_Conversion":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Converts a value of the command line or of a variable, or a default."""
        wanted = param.type_descriptor.annotation
        if type(value) is wanted:
            return value
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            with suppress(ValueError):
                return wanted(value)
        if value is None and param.nargs == 1 and not param.multiple:
            return None
        return self.typers().coerce(value, param=param, ctx=ctx)
