"""Values as JSON, both ways (KER-28)."""

import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Any, Final

from logos.module.v1.value_pb2 import List, Map, Null, Result, Value
from logos_base.errors import ErrorKind, LogosError

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
MAX_DEPTH: Final = 32

_DOUBLES: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_TAGS: Final = ("_bytes", "_double", "_map", "_result")


class InvalidValueError(LogosError):
    """A JSON text stands for no value."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ARGS"


def value_of(said: Any, depth: int = 0) -> Value:
    """Returns what a decoded JSON text stands for, or raises `InvalidValueError`."""
    if depth > MAX_DEPTH:
        raise InvalidValueError(f"a value nests deeper than {MAX_DEPTH}")
    if isinstance(said, list):
        return Value(list_value=List(values=[value_of(each, depth + 1) for each in said]))
    if isinstance(said, dict):
        return _value_of_object(said, depth)
    return _value_of_scalar(said)


def json_of(value: Value) -> Any:
    """Returns a value as `json.dumps` takes it."""
    match value.WhichOneof("kind"):
        case "bytes_value":
            return {"_bytes": urlsafe_b64encode(value.bytes_value).rstrip(b"=").decode()}
        case "double_value":
            return _json_of_double(value.double_value)
        case "list_value":
            return [json_of(each) for each in value.list_value.values]
        case "map_value":
            named = value.map_value.values
            found = {name: json_of(named[name]) for name in sorted(named)}
            return {"_map": found} if len(found) == 1 and next(iter(found)) in _TAGS else found
        case "result_value":
            result = value.result_value
            inner = json_of(result.value)
            return {"_result": {"ok": result.ok, "value": inner, "error": result.error}}
        case kind:
            return None if kind in {None, "null_value"} else getattr(value, str(kind))


def _value_of_scalar(said: Any) -> Value:
    match said:
        case None:
            return Value(null_value=Null())
        case bool():
            return Value(bool_value=said)
        case int() if INT_MIN <= said <= INT_MAX:
            return Value(int_value=said)
        case int() if 0 < said <= UINT_MAX:
            return Value(uint_value=said)
        case float():
            return Value(double_value=said)
        case str():
            return Value(string_value=said)
    raise InvalidValueError(f"{said} is out of the range of 64 bits")


def _value_of_object(said: dict[str, Any], depth: int) -> Value:
    tag = next(iter(said)) if len(said) == 1 else ""
    if tag not in _TAGS:
        return _map_of(said, depth)
    match tag, said[tag]:
        case "_bytes", str(text):
            return Value(bytes_value=_bytes_of(text))
        case "_double", str(text) if text in _DOUBLES:
            return Value(double_value=_DOUBLES[text])
        case "_result", {"ok": bool(ok), "value": inner, "error": str(error)}:
            result = Result(ok=ok, value=value_of(inner, depth + 1), error=error)
            return Value(result_value=result)
        case "_map", dict(named):
            return _map_of(named, depth)
    raise InvalidValueError(f"{tag} stands for a value, and its content does not")


def _map_of(named: dict[str, Any], depth: int) -> Value:
    values = {name: value_of(each, depth + 1) for name, each in named.items()}
    return Value(map_value=Map(values=values))


def _bytes_of(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Error, ValueError) as error:
        raise InvalidValueError("_bytes is not base64url") from error


def _json_of_double(number: float) -> Any:
    if math.isfinite(number):
        return number
    return {"_double": "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"}
