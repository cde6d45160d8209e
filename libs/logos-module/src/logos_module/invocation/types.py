"""Types of parameters and results: from annotations, to values and back (KER-28).

Each type reads a value into what a function takes, and writes what it returns. Reading is
strict: no number becomes another kind of number, and nothing becomes text.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from logos.module.v1.value_pb2 import List, Map, Null, Value
from logos_module.invocation.errors import InvalidArgsError
from logos_module.invocation.values import (
    INT_MAX,
    INT_MIN,
    MAX_DEPTH,
    UINT_MAX,
    Outcome,
    from_value,
    kind_of,
    to_value,
)

Uint = Annotated[int, "uint"]
"""An integer from 0 to 2^64 - 1; a plain `int` is from -2^63 to 2^63 - 1."""

Records = dict[str, "Record"]

Read = Callable[[Value, str, int], object]
Write = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class ValueType:
    """One type. `read` takes a value, where it stands, for messages, and how deep."""

    name: str
    """In LIDL: `tstr`, `[int]`, `?bstr`."""
    read: Read
    write: Write

    @property
    def is_optional(self) -> bool:
        return self.name.startswith("?")


@dataclass(slots=True)
class Record:
    """A dataclass as a type; its fields may mention itself."""

    made: Callable[..., object]
    fields: dict[str, ValueType]


def type_of(hint: Any, records: Records) -> ValueType:
    """Returns the type of an annotation; notes the records that it mentions.

    Raises:
        TypeError: Values have no such type.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        left = [one for one in args if one is not type(None)]
        if len(left) == 1:
            return _optional(type_of(left[0], records))
    if origin is list:
        return _list_of(type_of(args[0], records))
    if origin is dict and args[0] is str:
        return _map_of(type_of(args[1], records))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _record(hint, records)
    raise TypeError(f"{hint} is no type of a value: see docs/modules.md, Methods by name")


def _fault(where: str, expected: str, value: Value) -> InvalidArgsError:
    return InvalidArgsError(f"{where}: expected {expected}, got {kind_of(value)}")


def _scalar(name: str, kind: str, taken: type) -> ValueType:
    field = f"{kind}_value"

    def read(value: Value, where: str, _depth: int) -> object:
        if value.WhichOneof("kind") != field:
            raise _fault(where, name, value)
        found: object = getattr(value, field)
        return found

    def write(said: object) -> Value:
        if type(said) is not taken:
            raise TypeError(f"expected {name}, got {type(said).__name__}")
        return to_value(said)

    return ValueType(name, read, write)


def _integer(name: str, low: int, high: int, *, is_signed: bool) -> ValueType:
    def read(value: Value, where: str, _depth: int) -> object:
        kind = kind_of(value)
        if kind not in {"int", "uint"}:
            raise _fault(where, name, value)
        number: int = value.int_value if kind == "int" else value.uint_value
        if not low <= number <= high:
            raise InvalidArgsError(f"{where}: {number} is out of the range of {name}")
        return number

    def write(said: object) -> Value:
        if type(said) is not int or not low <= said <= high:
            raise TypeError(f"expected {name}, got {type(said).__name__}")
        return Value(int_value=said) if is_signed else Value(uint_value=said)

    return ValueType(name, read, write)


def _read_result(value: Value, where: str, depth: int) -> object:
    if kind_of(value) != "result":
        raise _fault(where, "result", value)
    return from_value(value, depth)


def _write_nothing(said: object) -> Value:
    if said is not None:
        raise TypeError(f"expected nothing, got {type(said).__name__}")
    return Value(null_value=Null())


_ANY: Final = ValueType("any", lambda value, _where, depth: from_value(value, depth), to_value)
_PLAIN: Final[dict[Any, ValueType]] = {
    Any: _ANY,
    object: _ANY,
    str: _scalar("tstr", "string", str),
    bytes: _scalar("bstr", "bytes", bytes),
    bool: _scalar("bool", "bool", bool),
    float: _scalar("float64", "double", float),
    int: _integer("int", INT_MIN, INT_MAX, is_signed=True),
    Uint: _integer("uint", 0, UINT_MAX, is_signed=False),
    Outcome: ValueType("result", _read_result, to_value),
    type(None): ValueType("void", lambda *_: None, _write_nothing),
}


def _optional(inner: ValueType) -> ValueType:
    def read(value: Value, where: str, depth: int) -> object:
        return None if kind_of(value) == "null" else inner.read(value, where, depth)

    def write(said: object) -> Value:
        return _write_nothing(None) if said is None else inner.write(said)

    return ValueType(f"?{inner.name}", read, write)


def _list_of(inner: ValueType) -> ValueType:
    def read(value: Value, where: str, depth: int) -> object:
        if kind_of(value) != "list":
            raise _fault(where, "a list", value)
        _check_depth(where, depth)
        values = value.list_value.values
        return [inner.read(each, f"{where}[{at}]", depth + 1) for at, each in enumerate(values)]

    def write(said: Any) -> Value:
        return Value(list_value=List(values=[inner.write(each) for each in said]))

    return ValueType(f"[{inner.name}]", read, write)


def _map_of(inner: ValueType) -> ValueType:
    def read(value: Value, where: str, depth: int) -> object:
        if kind_of(value) != "map":
            raise _fault(where, "a map", value)
        _check_depth(where, depth)
        named = value.map_value.values
        return {name: inner.read(named[name], f"{where}.{name}", depth + 1) for name in named}

    def write(said: Mapping[str, Any]) -> Value:
        return Value(map_value=Map(values={name: inner.write(said[name]) for name in said}))

    return ValueType(f"{{tstr: {inner.name}}}", read, write)


def _record(made: type, records: Records) -> ValueType:
    name = made.__name__
    record = records.get(name)
    if record is None:
        record = records[name] = Record(made, {})
        for field, hint in get_type_hints(made, include_extras=True).items():
            record.fields[field] = type_of(hint, records)
    elif record.made is not made:
        raise TypeError(f"two records are named {name}")
    known = record

    def read(value: Value, where: str, depth: int) -> object:
        if kind_of(value) != "map":
            raise _fault(where, name, value)
        _check_depth(where, depth)
        return made(**_fields_of(known, value, where, depth + 1))

    def write(said: Any) -> Value:
        values = {}
        for field, kind in known.fields.items():
            if (one := getattr(said, field)) is not None or not kind.is_optional:
                values[field] = kind.write(one)
        return Value(map_value=Map(values=values))

    return ValueType(name, read, write)


def _fields_of(record: Record, value: Value, where: str, depth: int) -> dict[str, object]:
    named = value.map_value.values
    if unknown := sorted(named.keys() - record.fields.keys()):
        raise InvalidArgsError(f"{where}: no field {unknown[0][:64]}")
    found: dict[str, object] = {}
    for field, kind in record.fields.items():
        if field in named:
            found[field] = kind.read(named[field], f"{where}.{field}", depth)
        elif kind.is_optional:
            found[field] = None
        else:
            raise InvalidArgsError(f"{where}: {field} is missing")
    return found


def _check_depth(where: str, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidArgsError(f"{where}: nests deeper than {MAX_DEPTH}")
