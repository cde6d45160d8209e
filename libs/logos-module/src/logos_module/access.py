"""Authorization of callers: checked once for every call of every server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from logos_base.capabilities import Subject


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one call. Valid while the call is served."""

    context: Any
    """gRPC's servicer context, read lazily: most calls are authorized without it."""

    @property
    def metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """The metadata of the call, with its credentials, if any. Keys are lower case."""
        return tuple(self.context.invocation_metadata())


class Authorizer(Protocol):
    """Decides on calls. Called before any request is read; must not block."""

    def authorize(self, caller: Caller, method: str) -> Subject | None:
        """Allows a call of `/<service>/<method>`, or raises a new `LogosError`.

        Returns the caller's identity; None if it is not known.
        """
        ...
