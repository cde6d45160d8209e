"""Server reflection, v1 and v1alpha, for a set of services that may change.

The PyPI package implements v1alpha only. The versions differ only in their package name, so v1
is derived from it.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection"
V1: Final = "grpc.reflection.v1.ServerReflection"
HEALTH: Final = "grpc.health.v1.Health"
_METHOD: Final = "ServerReflectionInfo"


def describe(services: Iterable[str]) -> descriptor_pb2.FileDescriptorSet:
    """Returns the files of services whose generated code is loaded, imports first.

    Raises:
        KeyError: No generated code for one of them is loaded.
    """
    found: dict[str, FileDescriptor] = {}
    for service in services:
        _collect(descriptor_pool.Default().FindServiceByName(service).file, found)
    described = descriptor_pb2.FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(described.file.add())
    return described


def _collect(file: FileDescriptor, found: dict[str, FileDescriptor]) -> None:
    if file.name in found:
        return
    for dependency in file.dependencies:
        _collect(dependency, found)
    found[file.name] = file


def _v1_file() -> descriptor_pb2.FileDescriptorProto:
    text = reflection_pb2.DESCRIPTOR.serialized_pb
    file = descriptor_pb2.FileDescriptorProto.FromString(text)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", "grpc.reflection.v1"
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
        method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
    return file


class _Pool:
    """A pool that finds methods by name too, as the reflection protocol requires."""

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self._pool = pool

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


class Reflection:
    """Serves reflection for the services of the last `replace`."""

    def __init__(self) -> None:
        self.replace([], [])

    def replace(
        self, services: Iterable[str], described: Iterable[descriptor_pb2.FileDescriptorSet]
    ) -> None:
        """Replaces the reflected services; health and reflection itself are always reflected.

        Raises:
            TypeError: Two files of the same name differ, or an import is missing.
        """
        pool = descriptor_pool.DescriptorPool()
        added: set[str] = set()
        for files in (describe([HEALTH, V1ALPHA]), *described):
            for file in files.file:
                if file.name not in added:
                    pool.Add(file)
                    added.add(file.name)
        pool.Add(_v1_file())
        self._servicer = ReflectionServicer([*services, HEALTH, V1, V1ALPHA], _Pool(pool))

    def add_to(self, server: Any) -> None:
        """Registers both versions with a server."""
        handler = grpc.stream_stream_rpc_method_handler(
            self._answer,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        for service in (V1, V1ALPHA):
            server.add_registered_method_handlers(service, {_METHOD: handler})

    async def _answer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for response in self._servicer.ServerReflectionInfo(requests, context):
            yield response
