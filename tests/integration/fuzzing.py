"""Requests for any method, by its descriptor: valid, odd, and damaged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random  # noqa: TID251 - a seed repeats a run
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message

TEXTS = (
    "",
    "a",
    "a\0b",
    "grüße \U0001f600",
    "%s%n{0}",
    "../../etc/passwd",
    "x" * 5000,
    "\0" * 3000,
    "nobody",
    "1.2.3",
    "unix:/nowhere",
    "127.0.0.1:1",
    "localhost:99999",
    "/ip4/127.0.0.1/tcp/1",
    "/ip4/127.0.0.1/tcp/65536/p2p/x",
    "/dns4/nowhere.invalid/tcp/1",
    "/logos/fuzz/1",
    "16Uiu2HAmUnknownUnknownUnknown",
    "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
    "zDvZRwzkzkd2mRsEqoYjKX7YJbQc6K2s3v1bTYeqQjXm5WxYbPzP",
    "ffffffffffffffff",
    "7fffffffffffffff",
    "grpc.health.v1.Health",
    "google/protobuf/timestamp.proto",
    ".",
)
NUMBERS = (0, 1, 2, 3, 100, 4096, 65536, 2**31 - 1, 2**32 - 1, 2**53, 2**63 - 1, 2**64 - 1)
SIZES = (0, 1, 16, 20, 32, 128, 5000)
MAX_DEPTH = 3

_BITS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}


class Method:
    """A method as reflection describes it."""

    def __init__(self, described: MethodDescriptor) -> None:
        self.path = f"/{described.containing_service.full_name}/{described.name}"
        self.request: type[Message] = message_factory.GetMessageClass(described.input_type)

    def read(self, raw: bytes) -> Any:
        """The message that bytes are; None if they are none."""
        try:
            return self.request.FromString(raw)
        except DecodeError:
            return None


def methods_of(files: Sequence[bytes], services: Sequence[str]) -> Iterator[Method]:
    """The methods of services, from the files of their descriptors in any order."""
    pool = descriptor_pool.DescriptorPool()
    waiting = {
        file.name: file for file in map(descriptor_pb2.FileDescriptorProto.FromString, files)
    }

    def add(name: str) -> None:
        file = waiting.pop(name, None)
        if file is not None:
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(waiting):
        add(name)
    for service in services:
        yield from map(Method, pool.FindServiceByName(service).methods)


class Requests:
    """Makes requests; the same ones for the same randomness."""

    def __init__(self, rng: Random, known: Mapping[str, Sequence[str]]) -> None:
        """`known` holds texts that mean something, by the name of the field."""
        self._rng = rng
        self._known = known

    def next(self, method: Method) -> bytes:
        """One request: one in three valid, the others damaged."""
        raw = self._message(method.request.DESCRIPTOR, 0)
        for _ in range(self._rng.choice((0, 0, 1, 1, 2, 5))):
            raw = self._rng.choice(DAMAGES)(self._rng, raw)
        return raw

    def _message(self, descriptor: Descriptor, depth: int) -> bytes:
        message = message_factory.GetMessageClass(descriptor)()
        chosen = {self._rng.choice(oneof.fields).name for oneof in descriptor.oneofs}
        for field in descriptor.fields:
            is_open = field.containing_oneof is None or field.name in chosen
            if is_open and self._rng.random() < 0.75:
                self._fill(message, field, depth)
        return message.SerializeToString()

    def _fill(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._fill_map(getattr(message, field.name), field.message_type, depth)
        elif field.message_type is not None:
            if depth < MAX_DEPTH:
                for _ in range(self._count(field)):
                    part = getattr(message, field.name)
                    part = part.add() if field.is_repeated else part
                    part.MergeFromString(self._message(field.message_type, depth + 1))
        elif field.is_repeated:
            getattr(message, field.name).extend(
                self._value(field) for _ in range(self._count(field))
            )
        else:
            setattr(message, field.name, self._value(field))

    def _fill_map(self, entries: Any, entry: Descriptor, depth: int) -> None:
        key, value = (entry.fields_by_name[name] for name in ("key", "value"))
        for _ in range(self._rng.choice((0, 1, 2, 30)) if depth < MAX_DEPTH else 0):
            name = self._value(key)
            if value.message_type is None:
                entries[name] = self._value(value)
            else:
                entries[name].MergeFromString(self._message(value.message_type, depth + 1))

    def _count(self, field: FieldDescriptor) -> int:
        return self._rng.choice((0, 1, 2, 30)) if field.is_repeated else 1

    def _value(self, field: FieldDescriptor) -> Any:
        rng = self._rng
        if field.type == FieldDescriptor.TYPE_STRING:
            known = self._known.get(field.name, ())
            return rng.choice(known if known and rng.random() < 0.5 else TEXTS)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return rng.randbytes(rng.choice(SIZES))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return rng.random() < 0.5
        if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
            return rng.choice((0.0, -1.0, 1e308, float("nan"), float("inf")))
        low, high = _BITS[field.type]
        return max(low, min(high, rng.choice((1, 1, -1)) * rng.choice(NUMBERS)))


def _flip(rng: Random, raw: bytes) -> bytes:
    damaged = bytearray(raw or b"\0")
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _truncate(rng: Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _splice(rng: Random, raw: bytes) -> bytes:
    at, start = rng.randrange(len(raw) + 1), rng.randrange(len(raw) + 1)
    return raw[:at] + raw[start : start + rng.randrange(1, 40)] + raw[at:]


def _noise(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.randbytes(rng.choice((1, 3, 11, 200))) + raw[at:]


def _wrong_type(rng: Random, raw: bytes) -> bytes:
    """A field of a small number in another wire type than it has, perhaps."""
    tag = rng.randrange(1, 9) << 3 | rng.randrange(8)
    return raw + bytes([tag]) + rng.choice((b"\x01", b"\x02ab", bytes(4), bytes(8), b""))


def _huge_varint(rng: Random, raw: bytes) -> bytes:
    tag = rng.randrange(1, 9) << 3 | rng.choice((0, 2))
    return raw + bytes([tag]) + b"\xff" * rng.choice((4, 9, 10, 12)) + b"\x01"


def _deep(rng: Random, raw: bytes) -> bytes:
    """The message within itself, up to far deeper than protobuf reads."""
    tag = bytes([rng.randrange(1, 9) << 3 | 2])
    for _ in range(rng.choice((2, 20, 120))):
        size, length = len(raw), b""
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        raw = tag + length + bytes([size]) + raw
    return raw


def _not_utf8(_rng: Random, raw: bytes) -> bytes:
    return raw + b"\x0a\x04\xed\xa0\x80\xff"


DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip,
    _truncate,
    _splice,
    _noise,
    _wrong_type,
    _huge_varint,
    _deep,
    _not_utf8,
)
