"""The published cases of logos-test-modules, as values (kernel.md 14.17)."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance_interface import EXTENDED, FULL
from logos.module.v1.value_pb2 import Value
from logos_cli.values import json_of, value_of

FOLDER: Final = Path(__file__).parent.parent / "vectors" / "logos-test-modules"
REFUSED: Final = "INVALID_ARGS"
"""What upstream calls `dispatch_failed`."""

_STRICTER: Final = frozenset({"[bstr]/lenient-plain-string"})
"""Upstream's two providers disagree on text where bytes belong; ours refuses it."""

_ALL_BYTES: Final = urlsafe_b64encode(bytes(range(256))).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Case:
    """One call, and what comes of it."""

    id: str
    method: str
    args: list[Any]
    """As `logosctl call` takes them."""
    expected: str
    """`REFUSED`, or the result as JSON: it tells 1 from 1.0 and from true."""

    def values(self) -> list[Value]:
        """Returns the arguments."""
        return [value_of(arg) for arg in self.args]


def said(value: Value) -> str:
    """Returns a result as in `Case.expected`."""
    return json.dumps(json_of(value), sort_keys=True)


def cases(table: str) -> list[Case]:
    """Returns the cases of `cases` or `ext-cases`."""
    read = json.loads((FOLDER / f"{table}.json").read_text(encoding="utf-8"))
    provider = FULL if table == "cases" else EXTENDED
    return [_case(one, provider) for one in read["cases"]]


def _case(one: dict[str, Any], provider: str) -> Case:
    is_raw = bool(one.get("raw"))
    expect = one["expect_by_provider"][provider] if "expect_by_provider" in one else one["expect"]
    args = [_told(arg, is_raw=is_raw) for arg in one["args"]]
    if one["id"] in _STRICTER or (isinstance(expect, dict) and "__error__" in expect):
        return Case(one["id"], one["method"], args, REFUSED)
    if one["type"] == "result":
        outcome = {"ok": expect["success"], "value": expect["value"], "error": expect["error"]}
        expect = {"_result": {**outcome, "error": outcome["error"] or ""}}
    if one["type"] == "void":
        expect = None  # upstream's boolean tells only that the call was made
    told = _told(expect, is_raw=is_raw)
    return Case(one["id"], one["method"], args, said(value_of(told)))


def _told(one: Any, *, is_raw: bool) -> Any:
    if is_raw and isinstance(one, dict):
        return {"_map": one}
    text = json.dumps(one).replace('"__ALL_BYTES__"', f'"{_ALL_BYTES}"')
    return json.loads(text)
