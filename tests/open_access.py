"""Allows every call: for servers of tests and benchmarks, which no product has."""

from typing import Any


class OpenAccess:
    """An `Authorizer` that asks for nothing."""

    def authorize(self, caller: Any, method: str) -> None:
        """Allows the call; the caller is not known."""
