"""Who calls, and whether it may: every call of every server is asked about once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Listener(StrEnum):
    """The side of a node that a server listens on."""

    FRONT = "front"
    """Clients and operators."""
    INNER = "inner"
    """The node's own kernel and modules."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of the caller of one call, while it is served."""

    listener: Listener
    context: Any
    """gRPC's servicer context: most calls are never asked for more."""

    @property
    def peer(self) -> str:
        """Its address as gRPC has it: `ipv4:127.0.0.1:4711`, or `unix:` and nothing more."""
        return str(self.context.peer())

    @property
    def metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Of the call, with the credentials in it, if any. Keys are lower case."""
        return tuple(self.context.invocation_metadata())


class Authorizer(Protocol):
    """Decides on calls. It is asked before anything of a call is read, and must not wait."""

    def authorize(self, caller: Caller, method: str) -> None:
        """Lets a call of `/<service>/<method>` pass, or raises a new `LogosError`."""
        ...


class OpenAccess:
    """Lets every call pass."""

    def authorize(self, caller: Caller, method: str) -> None:
        """Does nothing."""
