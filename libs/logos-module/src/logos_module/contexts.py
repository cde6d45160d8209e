"""The type of the context parameter of servicer methods."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # only the stubs have type parameters
    from grpc.aio import ServicerContext

    Context: TypeAlias = ServicerContext[Any, Any]
else:
    Context = object
