"""`logos.module.v1.Value` and Python's own values (KER-28)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logos.module.v1.value_pb2 import List, Map, Null, Result, Value
from logos_module.invocation.errors import InvalidArgsError

MAX_DEPTH: Final = 32
"""Of lists, maps and results; what protobuf itself reads ends a little deeper."""
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method says of its success: a value, not an error of the call."""

    ok: bool
    value: object = None
    error: str = ""


def to_value(said: object, depth: int = 0) -> Value:
    """Returns a value of the kind that fits.

    Integers over 2^63 - 1 become uints, others ints.

    Raises:
        TypeError: It is of no type that a value can be.
        ValueError: An integer is out of range, or it nests deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"a value nests deeper than {MAX_DEPTH}")
    match said:
        case Outcome(ok, value, error):
            inner = to_value(value, depth + 1)
            return Value(result_value=Result(ok=ok, value=inner, error=error))
        case list() | tuple():
            return Value(list_value=List(values=[to_value(each, depth + 1) for each in said]))
        case Mapping():
            return Value(map_value=Map(values=_named(said, depth + 1)))
    return _plain(said)


def _plain(said: object) -> Value:
    match said:
        case None:
            return Value(null_value=Null())
        case bool():
            return Value(bool_value=said)
        case int():
            return _integer(said)
        case float():
            return Value(double_value=said)
        case str():
            return Value(string_value=said)
        case bytes():
            return Value(bytes_value=said)
    raise TypeError(f"{type(said).__name__} is no type of a value")


def from_value(value: Value, depth: int = 0) -> object:
    """Returns it as None, bool, int, float, str, bytes, list, dict or `Outcome`.

    Raises:
        InvalidArgsError: It has no kind, or nests deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise InvalidArgsError(f"a value nests deeper than {MAX_DEPTH}")
    kind = kind_of(value)
    if kind == "null":
        return None
    if kind == "list":
        return [from_value(each, depth + 1) for each in value.list_value.values]
    if kind == "map":
        named = value.map_value.values
        return {name: from_value(named[name], depth + 1) for name in named}
    if kind == "result":
        result = value.result_value
        inner = from_value(result.value, depth + 1) if result.HasField("value") else None
        return Outcome(result.ok, inner, result.error)
    plain: object = getattr(value, f"{kind}_value")
    return plain


def kind_of(value: Value) -> str:
    """Returns its kind, such as `int`; raises `InvalidArgsError` if it has none."""
    kind = value.WhichOneof("kind")
    if kind is None:
        raise InvalidArgsError("a value has no kind")
    return kind.removesuffix("_value")


def _integer(number: int) -> Value:
    if INT_MIN <= number <= INT_MAX:
        return Value(int_value=number)
    if number <= UINT_MAX and number > 0:
        return Value(uint_value=number)
    raise ValueError("an integer is out of the range of 64 bits")


def _named(said: Mapping[object, object], depth: int) -> dict[str, Value]:
    found = {}
    for name, each in said.items():
        if not isinstance(name, str):
            raise TypeError("the names of a map must be str")
        found[name] = to_value(each, depth)
    return found
