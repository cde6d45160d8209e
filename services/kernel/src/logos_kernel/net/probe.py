"""Asks a module to identify itself."""

from collections.abc import Iterable
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc
from logos_client.channels import open_channel
from logos_kernel.core.errors import ModuleUnreachableError
from logos_kernel.core.types import Described, MethodKind

DESCRIBE_TIMEOUT_S: Final = 5.0
MAX_DESCRIPTOR_SET_BYTES: Final = 4 * 1024 * 1024
_NO_SIDE_EFFECTS: Final = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
_IDEMPOTENT: Final = descriptor_pb2.MethodOptions.IDEMPOTENT


async def describe(endpoint: str, timeout_s: float = DESCRIBE_TIMEOUT_S) -> Described:
    """Returns what answers at an endpoint, or raises `ModuleUnreachableError`."""
    async with open_channel(endpoint) as channel:
        host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
        call = host.Describe(pb.DescribeRequest(), timeout=timeout_s, wait_for_ready=True)
        try:
            return described_from_pb(await call)
        except grpc.aio.AioRpcError as error:
            raise ModuleUnreachableError(
                f"no answer to ModuleHost.Describe at the endpoint: {error.code().name}"
            ) from error


def described_from_pb(response: pb.DescribeResponse) -> Described:
    """Converts a description. Descriptors that cannot be read are left out."""
    text = response.file_descriptor_set
    files = descriptor_pb2.FileDescriptorSet()
    try:
        text = text if len(text) <= MAX_DESCRIPTOR_SET_BYTES else b""
        files.ParseFromString(text)
    except DecodeError:
        text, files = b"", descriptor_pb2.FileDescriptorSet()
    return Described(
        module=response.module,
        instance_id=response.instance_id,
        file_descriptor_set=text,
        methods=dict(methods_of(files.file)),
    )


def methods_of(
    files: Iterable[descriptor_pb2.FileDescriptorProto],
) -> Iterable[tuple[str, MethodKind]]:
    """Yields the methods of all services, `/<service>/<method>`."""
    for file in files:
        for service in file.service:
            full_name = f"{file.package}.{service.name}" if file.package else service.name
            for method in service.method:
                kind = MethodKind(
                    method.client_streaming,
                    method.server_streaming,
                    method.options.idempotency_level == _NO_SIDE_EFFECTS,
                    method.options.idempotency_level == _IDEMPOTENT,
                )
                yield f"/{full_name}/{method.name}", kind
