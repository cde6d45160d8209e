"""Methods of modules by name: typed ones by their descriptors, others of Invocation (KER-29)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from logos.module.v1 import invocation_pb2 as pb
from logos.module.v1.invocation_pb2_grpc import InvocationStub
from logos.module.v1.value_pb2 import Map, Value
from logos_kernel.core.errors import (
    InvalidArgsError,
    MalformedResponseError,
    MethodNotFoundError,
)
from logos_kernel.core.policy import invocation_of
from logos_kernel.core.types import MethodKind
from logos_kernel.net.messages import fill, told
from logos_kernel.net.router import Upstream

SERVICE: Final = pb.DESCRIPTOR.services_by_name["Invocation"].full_name
DESCRIBE_TIMEOUT_S: Final = 5.0
MAX_INTERFACE_BYTES: Final = 1024 * 1024
MAX_ARGS: Final = 64


@dataclass(frozen=True, slots=True)
class TypedMethod:
    """`package.Service/Method`. Its argument is a map with the fields of the request."""

    permission: str
    kind: MethodKind
    request_class: Any
    response_class: Any

    @property
    def path(self) -> str:
        return f"/{self.permission}"

    def encode(self, args: Sequence[Any], payload: bytes | None, _key: str) -> bytes:
        if payload is not None:
            return payload
        if len(args) > 1:
            raise InvalidArgsError(f"takes one map of fields at most, got {len(args)} arguments")
        request = self.request_class()
        fill(request, args[0] if args else Value(map_value=Map()))
        serialised: bytes = request.SerializeToString()
        return serialised

    def decode(self, response: bytes) -> Value:
        try:
            return told(self.response_class.FromString(response))
        except DecodeError as error:
            raise MalformedResponseError(f"{self.permission} answers with another type") from error


@dataclass(frozen=True, slots=True)
class NamedMethod:
    """A method of `logos.module.v1.Invocation`."""

    name: str
    permission: str
    kind: MethodKind

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{'InvokeStream' if self.kind.response_streaming else 'Invoke'}"

    def encode(self, args: Sequence[Any], payload: bytes | None, key: str) -> bytes:
        if payload is not None:
            raise InvalidArgsError(f"{self.name} takes args, not a payload")
        if len(args) > MAX_ARGS:
            raise InvalidArgsError(f"takes {MAX_ARGS} arguments at most, got {len(args)}")
        if self.kind.response_streaming:
            return pb.InvokeStreamRequest(method=self.name, args=args).SerializeToString()
        request = pb.InvokeRequest(method=self.name, args=args, idempotency_key=key)
        return request.SerializeToString()

    def decode(self, response: bytes) -> Value:
        response_class: Any = pb.InvokeResponse
        if self.kind.response_streaming:
            response_class = pb.InvokeStreamResponse
        try:
            value: Value = response_class.FromString(response).value
        except DecodeError:
            value = Value()
        if value.WhichOneof("kind") is None:
            raise MalformedResponseError(f"{self.name} answers with no value")
        return value


class _Interface(NamedTuple):
    said: pb.DescribeInterfaceResponse | None
    methods: dict[str, pb.MethodDescription]


class Methods:
    """The methods of one instance."""

    def __init__(self, upstream: Upstream, module: str) -> None:
        self.upstream = upstream
        self._module = module
        self._pool: descriptor_pool.DescriptorPool | None = None
        self._interface: _Interface | None = None
        self._asking = asyncio.Lock()

    async def find(self, name: str, services: Sequence[str]) -> TypedMethod | NamedMethod:
        """Returns a method, or raises `MethodNotFoundError`."""
        if "/" in name:
            return self._typed(name, services)
        interface = await self.interface()
        if interface.said is None:
            raise MethodNotFoundError(
                f"{self._module} has no methods by name: give package.Service/Method"
            )
        known = interface.methods.get(name)
        if known is None:
            raise MethodNotFoundError(f"{self._module} has no method {name[:64]}")
        is_safe = known.repetition == pb.REPETITION_NO_SIDE_EFFECTS
        is_repeatable = known.repetition == pb.REPETITION_IDEMPOTENT
        kind = MethodKind(
            request_streaming=False,
            response_streaming=known.streams,
            changes_nothing=is_safe,
            is_idempotent=is_repeatable,
        )
        return NamedMethod(name, f"{invocation_of(self._module)}/{name}", kind)

    async def interface(self) -> _Interface:
        """Returns what the instance says of its Invocation; asked once, and one at a time."""
        async with self._asking:
            if self._interface is None:
                said = await self._ask()
                named = {} if said is None else {method.name: method for method in said.methods}
                self._interface = _Interface(said, named)
        return self._interface

    async def _ask(self) -> pb.DescribeInterfaceResponse | None:
        stub: Any = InvocationStub(self.upstream.channel)
        request = pb.DescribeInterfaceRequest()
        try:
            said: pb.DescribeInterfaceResponse = await stub.DescribeInterface(
                request, timeout=DESCRIBE_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise
        if said.ByteSize() > MAX_INTERFACE_BYTES:
            raise MethodNotFoundError(f"{self._module} describes itself in over 1 MiB")
        return said

    def _typed(self, name: str, services: Sequence[str]) -> TypedMethod:
        service, _, method = name.rpartition("/")
        kind = self.upstream.described.methods.get(f"/{name}")
        if service not in services or kind is None:
            raise MethodNotFoundError(f"{self._module} has no method {name[:200]}")
        if self._pool is None:
            self._pool = _pool_of(self.upstream.described.file_descriptor_set)
        try:
            known = self._pool.FindServiceByName(service).methods_by_name[method]
        except (KeyError, TypeError) as error:
            raise MethodNotFoundError(f"the descriptors of {name[:200]} are broken") from error
        return TypedMethod(
            name,
            kind,
            message_factory.GetMessageClass(known.input_type),
            message_factory.GetMessageClass(known.output_type),
        )


def _pool_of(text: bytes) -> descriptor_pool.DescriptorPool:
    """Returns a pool of its own: another instance may have other files of the same name."""
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(text).file:
            pool.Add(file)
    except (TypeError, DecodeError) as error:
        raise MethodNotFoundError("the descriptors of the module are broken") from error
    return pool
