"""Arguments that go to a node: contracts have UTF-8 texts and sized integers only."""

from typing import Final

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
