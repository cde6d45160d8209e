"""Page sizes and page tokens of listings.

A token is the start of the next page, in a form that only the server that made it reads.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from logos_base.errors import ErrorKind, LogosError

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000

_NUMBER_BYTES: Final = 8
_NUMBERS: Final = range(1 << 63)

T = TypeVar("T")


class InvalidPageError(LogosError):
    """A page size or page token that is not valid."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PAGE"


def page_size(asked: int) -> int:
    """Returns the size of a page: 0 means 100, more than 1000 means 1000.

    Raises:
        InvalidPageError: The size is negative.
    """
    if asked < 0:
        raise InvalidPageError("page size must not be negative", field="page_size")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def page_start(token: str, parse: Callable[[str], T]) -> T | None:
    """Returns the start of a page; None for an empty token, which means the first page.

    Args:
        token: The token of the request.
        parse: Reads a token; raises `LogosError` or `ValueError` if it is not valid.

    Raises:
        InvalidPageError: The token is not of this listing.
    """
    if not token:
        return None
    try:
        return parse(token)
    except (LogosError, ValueError) as error:
        raise InvalidPageError(
            "page token is not valid; use the next_page_token of a response", field="page_token"
        ) from error


def number_to_token(number: int) -> str:
    """Writes a number below 2^63 as 16 hexadecimal digits, big-endian."""
    return number.to_bytes(_NUMBER_BYTES, "big").hex()


def token_to_number(token: str) -> int:
    """Reads a token of `number_to_token`; raises ValueError for anything else."""
    raw = bytes.fromhex(token)
    number = int.from_bytes(raw, "big")
    if len(raw) != _NUMBER_BYTES or number not in _NUMBERS:
        raise ValueError(f"{token!r} is not a number of {_NUMBER_BYTES} bytes below 2^63")
    return number
