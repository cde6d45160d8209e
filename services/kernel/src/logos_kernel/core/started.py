"""Calls that outlive their callers, and what is kept of them (KER-29)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_kernel.core.errors import TooManyCallsError, UnknownCallError

MAX_RUNNING: Final = 64
MAX_KEPT: Final = 256
MAX_KEPT_BYTES: Final = 64 * 1024 * 1024
KEPT_MS: Final = 600_000
CALL_ID_BYTES: Final = 16


class CallState(StrEnum):
    """What has become of a started call."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(slots=True)
class StartedCall:
    """One of them."""

    call_id: bytes
    owner: str
    """Who started it, as the audit log names callers."""
    started_ms: int
    state: CallState = CallState.RUNNING
    outcome: object = None
    """Its response, or its error."""
    size_bytes: int = 0
    """Of the outcome."""
    ended_ms: int = 0


class StartedCalls:
    """Those of one kernel. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._calls: dict[bytes, StartedCall] = {}
        self._ended: dict[bytes, StartedCall] = {}
        """Those that have ended, in that order."""
        self._size_bytes = 0

    def begin(self, call_id: bytes, owner: str, now_ms: int) -> None:
        """Notes a call that begins, or raises `TooManyCallsError`."""
        self._forget(now_ms)
        if len(self._calls) - len(self._ended) >= MAX_RUNNING:
            raise TooManyCallsError(f"{MAX_RUNNING} started calls run: wait for one to end")
        self._calls[call_id] = StartedCall(call_id, owner, now_ms)

    def end(
        self, call_id: bytes, state: CallState, outcome: object, size_bytes: int, now_ms: int
    ) -> None:
        """Notes how a call has ended."""
        call = self._calls[call_id]
        call.state, call.outcome, call.size_bytes = state, outcome, size_bytes
        call.ended_ms = now_ms
        self._ended[call_id] = call
        self._size_bytes += size_bytes
        self._forget(now_ms)

    def find(self, call_id: bytes, asker: str, now_ms: int, *, is_admin: bool) -> StartedCall:
        """Returns a call of the asker's, or of anybody's for an admin; else `UnknownCallError`."""
        self._forget(now_ms)
        call = self._calls.get(call_id)
        if call is None or not (is_admin or call.owner == asker):
            raise UnknownCallError("no such call of yours is known: they are kept for 10 minutes")
        return call

    def _forget(self, now_ms: int) -> None:
        while self._ended:
            oldest = next(iter(self._ended.values()))
            is_old = oldest.ended_ms + KEPT_MS <= now_ms
            is_much = len(self._ended) > MAX_KEPT or self._size_bytes > MAX_KEPT_BYTES
            if not is_old and not is_much:
                return
            del self._ended[oldest.call_id], self._calls[oldest.call_id]
            self._size_bytes -= oldest.size_bytes
