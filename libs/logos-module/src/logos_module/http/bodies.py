"""Bodies of requests: bounded in size, time and what their JSON becomes.

Nothing is guessed: what JSON does not say in one way alone is refused.
"""

import asyncio
import json
import re
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from logos_module.http.refusals import Refusal, RequestRefusedError

BODY_TIMEOUT_S: Final = 30.0
MAX_DIGITS: Final = 20
"""Of a number: over 64 bits it is refused, however long."""
MAX_DEPTH: Final = 64
"""Of what is nested. The decoder recurses, and only the interpreter's limit would stop it."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")


async def read_body(
    request: Request, *, max_bytes: int, timeout_s: float = BODY_TIMEOUT_S
) -> bytes:
    """Reads a body; raises `RequestRefusedError` if it is too large, late, or does not come."""
    length = request.headers.get("content-length", "0")
    too_large = Refusal(413, "BODY_TOO_LARGE", f"a body has at most {max_bytes} bytes")
    if not length.isdecimal() or len(length) > MAX_DIGITS or int(length) > max_bytes:
        raise RequestRefusedError(too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise RequestRefusedError(too_large)
    except TimeoutError as error:
        late = Refusal(408, "BODY_LATE", "the body did not come in time")
        raise RequestRefusedError(late) from error
    except ClientDisconnect as error:
        gone = Refusal(400, "BODY_MISSING", "the body did not come")
        raise RequestRefusedError(gone) from error
    return bytes(body)


def strict_json(
    raw: bytes, *, max_containers: int | None = None, max_texts: int | None = None
) -> Any:
    """Reads JSON.

    Args:
        raw: Untrusted.
        max_containers: Of objects and lists in it; None: any number.
        max_texts: Of texts in it, names of fields included; None: any number.

    Raises:
        ValueError: It is not JSON, or is nested over 64 deep, or has a field twice, a number of
            over 20 digits, `NaN` or an infinity, or more parts than allowed.
    """
    text = raw.decode()
    _check_parts(text, max_containers, max_texts)
    return json.loads(
        text,
        object_pairs_hook=_fields_once,
        parse_constant=_no_constant,
        parse_int=_short_number,
    )


def _check_parts(body: str, max_containers: int | None, max_texts: int | None) -> None:
    rest, texts = _STRING.subn("", body)
    if max_texts is not None and texts > max_texts:
        raise ValueError(f"it has over {max_texts} texts")
    depth = containers = 0
    for found in _BRACKET.finditer(rest):
        is_begin = found[0] in "[{"
        depth += 1 if is_begin else -1
        containers += is_begin
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        if max_containers is not None and containers > max_containers:
            raise ValueError(f"it has over {max_containers} objects and lists")


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
