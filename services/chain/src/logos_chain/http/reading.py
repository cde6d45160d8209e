"""What requests give: ids, numbers and bodies. Nothing is guessed (HTP-5)."""

import asyncio
import re
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from starlette.requests import Request

from logos_chain.http.errors import RequestInvalidError
from logos_module.http.bodies import read_body, strict_json

T = TypeVar("T")

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
"""The reference's. The largest transaction takes 7.5 MB of JSON."""
MAX_CONTAINERS: Final = 100_000
"""Objects and lists of a body: over the 53,000 that the largest transaction has."""
MAX_TEXTS: Final = 250_000
"""With names of fields; the largest transaction has 160,000."""
MAX_U64: Final = (1 << 64) - 1
ID_BYTES: Final = 32

_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)")


def hexadecimal(value: Any, name: str, size: int | None = None) -> bytes:
    """Reads bytes in hexadecimal, with or without `0x`; raises `RequestInvalidError`.

    Args:
        value: Of JSON, a path or a parameter.
        name: Of it, for people.
        size: Bytes that it must have; None: any number.
    """
    found = _HEX.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise RequestInvalidError("not hexadecimal", field=name)
    raw = bytes.fromhex(found[1])
    if size is not None and len(raw) != size:
        raise RequestInvalidError(f"{size} bytes in hexadecimal, not {len(raw)}", field=name)
    return raw


def identifier(value: Any, name: str) -> bytes:
    """Reads an id, a hash or a key, 32 bytes; raises `RequestInvalidError`."""
    return hexadecimal(value, name, ID_BYTES)


def number(value: Any, name: str, most: int = MAX_U64, least: int = 0) -> int:
    """Reads a whole number of JSON; raises `RequestInvalidError`."""
    if type(value) is not int or not least <= value <= most:
        raise RequestInvalidError(f"a whole number from {least} to {most}", field=name)
    return value


def octets(value: Any, name: str, most: int) -> bytes:
    """Reads a list of byte values; raises `RequestInvalidError`."""
    try:
        return bytes(items(value, name, most))
    except (TypeError, ValueError) as error:
        raise RequestInvalidError("a list of numbers from 0 to 255", field=name) from error


def items(value: Any, name: str, most: int) -> list[Any]:
    """Returns a list; raises `RequestInvalidError`."""
    if not isinstance(value, list) or len(value) > most:
        raise RequestInvalidError(f"a list of at most {most}", field=name)
    return value


def fields(
    value: Any, name: str, needed: Collection[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    """Returns the fields of an object that has these and no others.

    Raises:
        RequestInvalidError
    """
    if not isinstance(value, dict):
        raise RequestInvalidError("an object is expected", field=name)
    for each in value:
        if each not in needed and each not in optional:
            raise RequestInvalidError(f"there is no field `{each[:40]}`", field=name)
    for each in needed:
        if each not in value:
            raise RequestInvalidError(f"the field `{each}` is missing", field=name)
    return value


class Parameters:
    """The parameters of a request's query."""

    def __init__(self, request: Request, known: Collection[str]) -> None:
        """Raises `RequestInvalidError` for one that is not known, or is there twice."""
        self._found: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in known:
                raise RequestInvalidError("there is no such parameter", field=name[:40])
            if name in self._found:
                raise RequestInvalidError("it is given twice", field=name)
            self._found[name] = value

    def identifier(self, name: str) -> bytes | None:
        """Returns an id; None: it is not given. Raises `RequestInvalidError`."""
        return identifier(self._found[name], name) if name in self._found else None

    def number(self, name: str, most: int = MAX_U64, least: int = 0) -> int | None:
        """Returns a number; None: it is not given. Raises `RequestInvalidError`."""
        text = self._found.get(name)
        if text is None:
            return None
        is_short = text.isascii() and text.isdecimal() and len(text) <= 20
        return number(int(text) if is_short else None, name, most, least)

    def one_of(self, name: str, values: Collection[str]) -> str | None:
        """Returns one of some texts; None: it is not given. Raises `RequestInvalidError`."""
        text = self._found.get(name)
        if text is not None and text not in values:
            raise RequestInvalidError(f"one of {', '.join(values)}", field=name)
        return text


class Bodies:
    """Reads bodies; what their JSON becomes is in memory of one at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def read(self, request: Request, convert: Callable[[Any], T]) -> T:
        """Reads the body as JSON, and converts it in a thread.

        Raises:
            RequestRefusedError: It is too large, or does not come in time.
            RequestInvalidError: It is no JSON, or what `convert` raises.
        """
        raw = await read_body(request, max_bytes=MAX_BODY_BYTES)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise RequestInvalidError("application/json is expected", field="content-type")

        def read() -> T:
            try:
                value = strict_json(raw, max_containers=MAX_CONTAINERS, max_texts=MAX_TEXTS)
            except ValueError as error:
                raise RequestInvalidError(f"no JSON: {str(error)[:200]}", field="body") from error
            return convert(value)

        async with self._turn:
            return await asyncio.to_thread(read)
