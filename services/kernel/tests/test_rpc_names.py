"""kernel.md 14.16: a name that is none is refused wherever it enters."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from observing_kernel import Kernel

from logos.kernel.v1 import (
    capability_pb2,
    kernel_pb2,
    registry_pb2,
    settings_pb2,
    supervisor_pb2,
)
from logos_module.errors import reason_of

FILES = (capability_pb2, kernel_pb2, registry_pb2, settings_pb2, supervisor_pb2)
FIELDS = {"module", "target", "caller"}
NAMES = ("../base", "b" * 65, "", "base\0", "bаse", "Base", "base ")  # noqa: RUF001 - meant
REFUSED = {"NOT_FOUND", "INVALID_ARGUMENT"}


def _entries() -> Iterator[tuple[Any, str]]:
    """All methods of a kernel that take the name of a module, and in which field."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for field in method.input_type.fields:
                    if field.name in FIELDS:
                        yield method, field.name
                    elif field.message_type is not None and not field.is_repeated:
                        names = FIELDS & set(field.message_type.fields_by_name)
                        yield from ((method, f"{field.name}.{name}") for name in sorted(names))


ENTRIES = list(_entries())


def _request(method: Any, path: str, name: str) -> Any:
    """A request that would do something if `name` were that of a module."""
    request = method.input_type._concrete_class()
    holder = request
    *outer, last = path.split(".")
    for part in outer:
        holder = getattr(holder, part)
    for other in FIELDS & set(holder.DESCRIPTOR.fields_by_name):
        setattr(holder, other, "base")
    if "methods" in holder.DESCRIPTOR.fields_by_name:
        holder.methods.append("*")
    setattr(holder, last, name)
    return request


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("method", "path"), ENTRIES, ids=[f"{method.full_name}-{path}" for method, path in ENTRIES]
)
async def test_no_other_name_is_a_module(
    kernel: Kernel, start: Any, method: Any, path: str, name: str
) -> None:
    module = await start("top")
    await kernel.register(module)
    is_inner = method.containing_service.name == "Registry"
    channel = module.to_kernel if is_inner else kernel.channel
    call: Any = channel.unary_stream(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=bytes,
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in call(_request(method, path, name), timeout=30):
            pass

    assert refused.value.code().name in REFUSED, reason_of(refused.value)
    assert reason_of(refused.value) not in {None, ""}


def test_all_entries_are_found() -> None:
    assert len(ENTRIES) > 12
