"""What the router's operation needs of the modules that it calls (KER-29)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from logos_kernel.core.types import MethodKind

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """A READY instance of a module."""

    module: str
    version: str
    instance_id: bytes
    epoch: int
    services: tuple[str, ...]
    file_descriptor_set: bytes


class CalleeError(Exception):
    """A module's own answer to a call, to be passed on as it is."""

    def __init__(self, code: Any, details: str, trailing: Metadata, reason: str) -> None:
        super().__init__(details)
        self.code = code
        """gRPC's status code."""
        self.details = details
        self.trailing = trailing
        self.reason = reason
        """Empty if it gives none."""

    @property
    def is_unavailable(self) -> bool:
        return bool(self.code.name == "UNAVAILABLE")

    @property
    def says_nothing(self) -> bool:
        """Whether it tells of the caller's patience, and not of the module."""
        return bool(self.code.name in {"DEADLINE_EXCEEDED", "CANCELLED"})


class Method(Protocol):
    """A method of an instance."""

    permission: str
    """What a caller must be allowed (KER-17), `package.Service/Method`."""
    kind: MethodKind

    def encode(self, args: Sequence[object], payload: bytes | None, key: str) -> bytes:
        """Returns the request, or raises `InvalidArgsError`. `key`: the idempotency key."""
        ...

    def decode(self, response: bytes) -> object:
        """Returns the value of a response."""
        ...


class Callees(Protocol):
    """The READY modules of a node."""

    def find(self, module: str) -> Instance:
        """Returns an instance, or raises `UnknownModuleError` or `NotReadyError`."""
        ...

    async def method(self, instance: Instance, name: str) -> Method:
        """Returns a method by name, or raises `MethodNotFoundError`."""
        ...

    async def interface(self, instance: Instance) -> object:
        """Returns what an instance says of its Invocation; None if it serves none."""
        ...

    def metadata(self, context: Any) -> Metadata:
        """Returns what of a caller's metadata is passed on."""
        ...

    async def ask(
        self,
        instance: Instance,
        method: Method,
        request: bytes,
        *,
        timeout_s: float,
        metadata: Metadata,
    ) -> bytes:
        """Calls a method with one response; raises `CalleeError` or `NotReadyError`."""
        ...

    async def stream(self, instance: Instance, method: Method, call: Any, first: Any) -> None:
        """Passes a stream on, from its opening request to its end."""
        ...
