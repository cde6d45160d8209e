"""Requests that fit a method's descriptors, and damage to their bytes. Seeded."""

import random  # noqa: TID251 - a seed repeats a run
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

MAX_DEPTH: Final = 4
MAX_REQUESTS: Final = 4

TEXTS: Final = (
    *("", "x", "fuzz-module", "é\0\u202e", "../..", "/fuzz/1", "node1", "\n", "*" * 300),
    *("zDvZRwzmAZMxY7KEZyfyAHdXgTujdzPMVxo8GeEqWULkSRhCq7Xn", "z" * 129, "zzzz", "text/plain"),
    "16Uiu2HAm2xnFDjRgFHwYJZTqEaJ6gK6hRzFzSUTm6RMJKwzTcTEN",
    *("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/99999", "unix:/fuzz.sock", "127.0.0.1:1"),
    *("1.2.3", "logos.fuzz.v1.Fuzz", "grpc.health.v1.Health", "a" * 70_000),
)
"""No name of a module is among them: a well-formed call must not stop one."""

INTEGERS: Final = (0, 1, 2, 7, 100, 4095, 4096, 65_536, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
SIZES: Final = (0, 1, 15, 16, 17, 32, 39, 64, 129, 5000)
FLOATS: Final = (0.0, -1.5, float("inf"), float("-inf"), float("nan"), 1e308)

_BITS: Final = {
    FieldDescriptor.CPPTYPE_UINT32: (32, False),
    FieldDescriptor.CPPTYPE_UINT64: (64, False),
    FieldDescriptor.CPPTYPE_INT32: (32, True),
    FieldDescriptor.CPPTYPE_INT64: (64, True),
}
"""Size of an integer, and whether it is signed."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method as reflection describes it."""

    service: str
    name: str
    request: type[Message]
    request_streaming: bool
    response_streaming: bool

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"

    def on(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        """Returns what begins a call; requests and responses are bytes."""
        one, many = "unary", "stream"
        kind = (
            f"{many if self.request_streaming else one}_{many if self.response_streaming else one}"
        )
        begin: Callable[..., Any] = getattr(channel, kind)(self.path)
        return begin


def methods_of(target: str) -> list[Method]:
    """Asks a server by reflection for every method of every service."""
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        return [
            Method(
                name,
                method.name,
                message_factory.GetMessageClass(method.input_type),
                method.client_streaming,
                method.server_streaming,
            )
            for name in sorted(database.get_services())
            for method in pool.FindServiceByName(name).methods
        ]


class Requests:
    """Makes requests, most of them damaged."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def some(self, method: Method) -> list[bytes]:
        """Returns what one call sends: one message, or several where the method takes them."""
        count = self._random.randint(0, MAX_REQUESTS) if method.request_streaming else 1
        return [self._one(method.request) for _ in range(count)]

    def deadline_s(self) -> float:
        """Returns how long a call may take."""
        return self._random.choice((0.001, 0.05, 0.3, 0.3, 1.0))

    def choose(self, methods: list[Method]) -> Method:
        """Returns one of the methods."""
        return self._random.choice(methods)

    def _one(self, kind: type[Message]) -> bytes:
        if self._random.random() < 0.1:
            return self._random.randbytes(self._random.choice(SIZES))
        message = kind()
        self._fill(message, 0)
        raw = bytearray(message.SerializeToString())
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 5))):
            self._damage(raw)
        return bytes(raw)

    def _fill(self, message: Message, depth: int) -> None:
        chosen = {
            oneof.name: self._random.choice(oneof.fields).name
            for oneof in message.DESCRIPTOR.oneofs
        }
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            if oneof is not None and chosen[oneof.name] != field.name:
                continue
            if depth < MAX_DEPTH and self._random.random() < 0.75:
                self._set(message, field, depth)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        is_message = field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE
        if is_message and _is_map(field.message_type):
            return  # no request of ours has one
        if field.is_repeated:
            container = getattr(message, field.name)
            for _ in range(self._random.choice((0, 1, 2, 20))):
                if is_message:
                    self._fill(container.add(), depth + 1)
                else:
                    container.append(self._scalar(field))
        elif is_message:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._fill(inner, depth + 1)
        else:
            setattr(message, field.name, self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        kind = field.cpp_type
        if kind in _BITS:
            return self._integer(*_BITS[kind])
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return self._random.choice((0, 1, 2, 3, 99, 2**31 - 1, -1))
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return self._random.random() < 0.5
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._random.randbytes(self._random.choice(SIZES))
        return self._random.choice(TEXTS if kind == FieldDescriptor.CPPTYPE_STRING else FLOATS)

    def _integer(self, bits: int, signed: bool) -> int:  # noqa: FBT001 - a pair of the table
        value = self._random.choice(INTEGERS) % 2**bits
        return value - 2 ** (bits - 1) if signed else value

    def _damage(self, raw: bytearray) -> None:
        at = self._random.randint(0, len(raw))
        match self._random.randrange(6):
            case 0:
                del raw[at:]
            case 1 if at < len(raw):
                raw[at] ^= 1 << self._random.randrange(8)
            case 2:
                raw[at:at] = self._random.randbytes(self._random.randint(1, 8))
            case 3:  # a piece of itself, elsewhere
                start = self._random.randint(0, len(raw))
                raw[at:at] = raw[start : start + 40]
            case 4:  # a number or a length without end, behind any tag
                raw[at:at] = bytes([self._random.randrange(256)]) + b"\xff" * 10 + b"\x01"
            case _:  # a group in a group in a group
                raw[at:at] = b"\x0b" * self._random.choice((1, 120))


def _is_map(kind: Descriptor) -> bool:
    return bool(kind.GetOptions().map_entry)


def told(requests: list[bytes]) -> Iterator[str]:
    """Yields requests as text for a message of failure."""
    for raw in requests:
        yield raw.hex() if len(raw) < 200 else f"{raw[:200].hex()}… ({len(raw)} bytes)"
