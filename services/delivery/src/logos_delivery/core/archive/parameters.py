"""A query as parameters of HTTP: `GET /store/v3/messages`.

Spec: docs/protocol/delivery-store.md, DST-11. The texts of errors are those that the public
suites look for.
"""

from collections.abc import Mapping
from typing import Final

from logos_delivery.core.archive.errors import StoreParametersInvalidError
from logos_delivery.core.archive.types import DEFAULT_PAGE, MAX_PAGE, Query
from logos_delivery.core.message import HASH_BYTES

_I64: Final = 1 << 63
_YES: Final = frozenset({"y", "yes", "true", "1", "on"})
_NO: Final = frozenset({"n", "no", "false", "0", "off"})
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")


def query_of(parameters: Mapping[str, str]) -> Query:
    """Reads a query from decoded parameters; unknown ones are ignored, empty ones are absent.

    Raises:
        StoreParametersInvalidError: One cannot be read.
    """
    given = {name: value for name, value in parameters.items() if value}
    cursor = given.get("cursor")
    topics = given.get("contentTopics")
    return Query(
        pubsub_topic=given.get("pubsubTopic"),
        content_topics=tuple(topics.split(",")) if topics else (),
        start_ns=_time(given.get("startTime")),
        end_ns=_time(given.get("endTime")),
        hashes=tuple(dict.fromkeys(map(_hash, filter(None, given.get("hashes", "").split(","))))),
        include_data=_flag(given.get("includeData")),
        cursor=None if cursor is None else _hash(cursor),
        is_forward=given.get("ascending", "true") == "true",
        limit=_page_size(given.get("pageSize")),
    )


def _time(text: str | None) -> int | None:
    """Times that are not positive are none."""
    time_ns = None if text is None else _number(text, "time parsing error")
    return time_ns if time_ns is not None and time_ns > 0 else None


def _page_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE
    size = _number(text, "page size parsing error")
    return MAX_PAGE if size < 0 else min(size, MAX_PAGE)


def _number(text: str, problem: str) -> int:
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19):
        raise StoreParametersInvalidError(f"{problem}: invalid integer: {text[:40]}")
    value = int(text)
    if not -_I64 <= value < _I64:
        raise StoreParametersInvalidError(f"{problem}: integer out of range: {text[:40]}")
    return value


def _flag(text: str | None) -> bool:
    word = (text or "false").lower().replace("_", "")
    if word not in _YES | _NO:
        raise StoreParametersInvalidError(
            f"include data parsing error: cannot interpret as a bool: {word[:40]}"
        )
    return word in _YES


def _hash(text: str) -> bytes:
    digits = text[2:] if text[:2] in {"0x", "0X"} else text
    for one in digits:
        if one not in _HEXADECIMAL:
            raise StoreParametersInvalidError(
                f"Exception converting hex string to bytes: {one} is not a hexadecimal character"
            )
    raw = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if len(raw) != HASH_BYTES or len(digits) % 2:
        raise StoreParametersInvalidError(
            f"waku message hash parsing error: invalid hash length: {len(raw)}"
        )
    return raw
