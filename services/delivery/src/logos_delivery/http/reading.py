"""Bodies of requests: strict JSON (DHT-5).

Nothing is guessed: a field that is unknown, given twice, or of another type refuses the request.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from logos_delivery.http.answers import JSON, TEXT, Refused

T = TypeVar("T")

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
BODY_TIMEOUT_S: Final = 30.0
MAX_DIGITS: Final = 20
"""Of a number: over 64 bits it is refused, however long."""
MAX_DEPTH: Final = 64
"""Of what is nested. The decoder recurses, and only the interpreter's limit would stop it."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_I64: Final = 1 << 63
_U32: Final = 1 << 32


class UnreadableError(ValueError):
    """A body is not what it must be; the text says why."""


async def body_of(request: Request) -> bytes:
    """Reads a body. Refuses one of over 16 MiB, and one that takes over 30 s."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > MAX_DIGITS or int(length) > MAX_BODY_BYTES:
        raise Refused(f"a body has at most {MAX_BODY_BYTES} bytes", 413)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise Refused(f"a body has at most {MAX_BODY_BYTES} bytes", 413)
    except TimeoutError as error:
        raise Refused("the body did not come in time", 408) from error
    except ClientDisconnect as error:
        raise Refused("the body did not come") from error
    return bytes(body)


async def read(
    request: Request, convert: Callable[[Any], T], types: Collection[str] = (JSON, TEXT)
) -> T:
    """Reads the body as JSON and converts it; refuses what cannot be read with the reason."""
    raw = await body_of(request)
    if not raw:
        raise Refused("Missing content body")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in types:
        expected = " or ".join(types)
        raise Refused(f"Wrong Content-Type, expected {expected}")
    try:
        return convert(parse(raw))
    except UnreadableError as error:
        raise Refused(f"Invalid content body, could not decode: {error}") from error


def parse(raw: bytes) -> Any:
    """Reads JSON; raises UnreadableError."""
    try:
        text_of_body = raw.decode()
        _check_depth(text_of_body)
        return json.loads(
            text_of_body,
            object_pairs_hook=_fields_once,
            parse_constant=_no_constant,
            parse_int=_short_number,
        )
    except ValueError as error:
        raise UnreadableError(f"Unable to deserialize data: {str(error)[:200]}") from error


def _check_depth(body: str) -> None:
    depth = 0
    for found in _BRACKET.finditer(_STRING.sub("", body)):
        depth += 1 if found[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")


def fields(value: Any, known: Collection[str]) -> dict[str, Any]:
    """Returns the fields of an object that may have these and no others."""
    if not isinstance(value, dict):
        raise UnreadableError("Unable to deserialize data: an object is expected")
    for name in value:
        if name not in known:
            raise UnreadableError(f"Unable to deserialize data: unexpected field `{name[:40]}`")
    return value


def text(value: Any, name: str) -> str:
    """Returns a text; one that has no UTF-8 is none."""
    if not isinstance(value, str):
        raise UnreadableError(f"Field `{name}` is not a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UnreadableError(f"Field `{name}` is not a text") from error
    return value


def filled_text(found: dict[str, Any], name: str) -> str:
    """Returns a field that must be there, and not be blank."""
    value = text(found[name], name) if name in found else ""
    if not value.strip():
        raise UnreadableError(f"Field `{name}` is missing or empty")
    return value


def texts(value: Any) -> list[str]:
    """Returns a list of texts."""
    if not isinstance(value, list):
        raise UnreadableError("Unable to deserialize data: a list is expected")
    return [text(each, "of a list") for each in value]


def flag(value: Any, name: str) -> bool:
    """Returns true or false."""
    if not isinstance(value, bool):
        raise UnreadableError(f"Field `{name}` is not true or false")
    return value


def number(value: Any, name: str, *, is_signed: bool) -> int:
    """Returns a number of 64 bits with a sign, or of 32 bits without."""
    least, beyond = (-_I64, _I64) if is_signed else (0, _U32)
    if type(value) is not int or not least <= value < beyond:
        raise UnreadableError(f"Field `{name}` is not a number from {least} to {beyond - 1}")
    return value


def unbase64(value: str) -> bytes:
    """Reads base64 with its padding; raises ValueError."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("Incorrect base64 string") from error


def _fields_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"Multiple `{name[:40]}` fields found")
        found[name] = value
    return found


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _short_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number has at most 64 bits")
    return int(digits)
