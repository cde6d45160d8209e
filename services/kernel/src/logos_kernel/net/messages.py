"""Messages of modules as values, by their descriptors (KER-29)."""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from logos.module.v1.value_pb2 import List, Map, Value
from logos_kernel.core.errors import InvalidArgsError
from logos_module.invocation.values import MAX_DEPTH, kind_of, to_value

_VALUE: Final = Value.DESCRIPTOR.full_name
_KINDS: Final = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "double",
    FieldDescriptor.CPPTYPE_FLOAT: "double",
}


def fill(message: Message, value: Value, where: str = "", depth: int = 0) -> None:
    """Sets the fields of a message from a map; null leaves a field unset.

    Raises:
        InvalidArgsError: There is no such field, or a value does not fit.
    """
    if message.DESCRIPTOR.full_name == _VALUE:
        message.MergeFromString(value.SerializeToString())
        return
    _expect(value, "map", where or "the request", depth)
    fields = message.DESCRIPTOR.fields_by_name
    for name in value.map_value.values:
        each, at = value.map_value.values[name], f"{where}.{name}".lstrip(".")
        if name not in fields:
            raise InvalidArgsError(f"{message.DESCRIPTOR.full_name} has no field {name[:64]}")
        if kind_of(each) != "null":
            _fill_field(message, fields[name], each, at, depth)


def told(message: Message) -> Value:
    """Returns a message as a map. Fields that say whether they are set are left out if not."""
    if message.DESCRIPTOR.full_name == _VALUE:
        return Value.FromString(message.SerializeToString())
    values = {}
    for field in message.DESCRIPTOR.fields:
        if not field.has_presence or message.HasField(field.name):
            values[field.name] = _told_field(field, getattr(message, field.name))
    return Value(map_value=Map(values=values))


def _fill_field(message: Message, field: Any, value: Value, at: str, depth: int) -> None:
    target = getattr(message, field.name)
    if _is_map(field):
        _expect(value, "map", at, depth)
        of_key, of_value = field.message_type.fields_by_name.values()
        for key in value.map_value.values:
            each, typed = value.map_value.values[key], _key(of_key, key, at)
            if of_value.message_type is not None:
                fill(target[typed], each, f"{at}.{key}", depth + 1)
            else:
                _set(target.__setitem__, typed, of_value, each, f"{at}.{key}")
    elif field.is_repeated:
        _expect(value, "list", at, depth)
        for number, each in enumerate(value.list_value.values):
            if field.message_type is not None:
                fill(target.add(), each, f"{at}[{number}]", depth + 1)
            else:
                _append(target, field, each, f"{at}[{number}]")
    elif field.message_type is not None:
        target.SetInParent()
        fill(target, value, at, depth + 1)
    else:
        _set(lambda name, said: setattr(message, name, said), field.name, field, value, at)


def _append(target: Any, field: Any, value: Value, at: str) -> None:
    _set(lambda _key, said: target.append(said), None, field, value, at)


def _set(put: Callable[[Any, Any], None], key: Any, field: Any, value: Value, at: str) -> None:
    try:
        put(key, _scalar(field, value, at))
    except (ValueError, TypeError) as error:  # out of the range of the field
        raise InvalidArgsError(f"{at}: out of range") from error


def _scalar(field: Any, value: Value, at: str) -> object:
    kind = kind_of(value)
    said: object = getattr(value, f"{kind}_value")
    if field.enum_type is not None and kind == "string":
        number = field.enum_type.values_by_name.get(str(said))
        if number is None:
            raise InvalidArgsError(f"{at}: {field.enum_type.full_name} has no {str(said)[:64]}")
        return number.number
    if field.type == FieldDescriptor.TYPE_BYTES:
        fits = kind == "bytes"
    elif field.type == FieldDescriptor.TYPE_STRING:
        fits = kind == "string"
    elif field.cpp_type in _KINDS:
        fits = kind == _KINDS[field.cpp_type]
    else:
        fits = kind in {"int", "uint"}
    if not fits:
        raise InvalidArgsError(f"{at}: a {kind} does not fit")
    return said


def _told_field(field: Any, said: Any) -> Value:
    if _is_map(field):
        of_value = field.message_type.fields_by_name["value"]
        values = {str(key): _told_one(of_value, said[key]) for key in said}
        return Value(map_value=Map(values=values))
    if field.is_repeated:
        return Value(list_value=List(values=[_told_one(field, each) for each in said]))
    return _told_one(field, said)


def _told_one(field: Any, said: Any) -> Value:
    if field.message_type is not None:
        return told(said)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(said)
        return to_value(said if known is None else known.name)
    return to_value(said)


def _is_map(field: Any) -> bool:
    message = field.message_type
    return bool(field.is_repeated and message is not None and message.GetOptions().map_entry)


def _key(field: Any, text: str, at: str) -> object:
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if field.type == FieldDescriptor.TYPE_BOOL and text in {"True", "False"}:
        return text == "True"
    try:
        return int(text)
    except ValueError as error:
        raise InvalidArgsError(f"{at}: {text[:64]} is no key") from error


def _expect(value: Value, kind: str, at: str, depth: int) -> None:
    if kind_of(value) != kind:
        raise InvalidArgsError(f"{at}: expected a {kind}, got {kind_of(value)}")
    if depth > MAX_DEPTH:
        raise InvalidArgsError(f"{at}: nests deeper than {MAX_DEPTH}")
