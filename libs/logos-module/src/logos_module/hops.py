"""What a call hands on to the calls that are made while it is served (KER-33).

How many modules and kernels it has come through, so that modules that call one another in a
circle come to an end, and the trace that it belongs to (W3C Trace Context).
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_client.authorized import Credential, Metadata

HOPS_FIELD: Final = "logos-hops"
MAX_HOPS: Final = 16
MAX_TRACE: Final = 512
"""Characters of `traceparent` and of `tracestate`; longer ones are left out."""

_TRACE: Final = ("traceparent", "tracestate")

_hops: ContextVar[int] = ContextVar("hops", default=0)
_trace: ContextVar[Metadata] = ContextVar("trace", default=())


class HopLimitError(LogosError):
    """A call has come through too many modules: they call one another in a circle."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "HOP_LIMIT"


def arrive(metadata: Iterable[tuple[str, str | bytes]]) -> None:
    """Takes over what the call that this task serves has brought, or raises `HopLimitError`."""
    hops, trace = 0, []
    for key, value in metadata:
        if key == HOPS_FIELD:
            hops = _count(value)
        elif key in _TRACE and len(value) <= MAX_TRACE:
            trace.append((key, value))
    if hops > MAX_HOPS:
        raise HopLimitError(f"the call has come through more than {MAX_HOPS} modules and kernels")
    _hops.set(hops)
    _trace.set(tuple(trace))


def _count(value: str | bytes) -> int:
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if is_number and len(value) < 4 else MAX_HOPS + 1


def next_hop() -> tuple[str, str]:
    """Returns the field with one hop more."""
    return HOPS_FIELD, str(_hops.get() + 1)


class Carrying:
    """A credential whose calls also carry what the served call hands on."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def metadata(self, method: str) -> Metadata:
        """Returns what a call of `package.Service/Method` carries."""
        return (*self._credential.metadata(method), next_hop(), *_trace.get())
