"""Bodies of requests: strict JSON (DHT-5).

Nothing is guessed: a field that is unknown, given twice, or of another type refuses the request.
"""

import base64
import binascii
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from starlette.requests import Request

from logos_delivery.http.answers import JSON, TEXT, Refused
from logos_module.http.bodies import BODY_TIMEOUT_S, read_body, strict_json
from logos_module.http.refusals import RequestRefusedError

T = TypeVar("T")

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_I64: Final = 1 << 63
_U32: Final = 1 << 32


class UnreadableError(ValueError):
    """A body is not what it must be; the text says why."""


async def body_of(request: Request) -> bytes:
    """Reads a body. Refuses one of over 16 MiB, and one that takes over 30 s."""
    try:
        return await read_body(request, max_bytes=MAX_BODY_BYTES, timeout_s=BODY_TIMEOUT_S)
    except RequestRefusedError as error:
        raise Refused(error.refusal.text, error.refusal.status) from error


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
        return strict_json(raw)
    except ValueError as error:
        raise UnreadableError(f"Unable to deserialize data: {str(error)[:200]}") from error


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
