"""The type of what a servicer's method is given beside its request."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # it takes parameters in the stubs alone
    from grpc.aio import ServicerContext

    Context: TypeAlias = ServicerContext[Any, Any]
else:
    Context = object
