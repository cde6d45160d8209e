"""Between the contract's fetches and the core's."""

import time
from dataclasses import replace
from typing import Final

from google.protobuf import duration_pb2, timestamp_pb2

from logos.storage.v1 import storage_pb2
from logos_base.errors import LogosError
from logos_module.errors import MAX_TEXT_BYTES
from logos_storage.core.keeping import FetchState, Progress
from logos_storage.rpc import convert

_STATES: Final = {
    FetchState.QUEUED: storage_pb2.FETCH_STATE_QUEUED,
    FetchState.FETCHING: storage_pb2.FETCH_STATE_FETCHING,
    FetchState.WAITING: storage_pb2.FETCH_STATE_WAITING,
    FetchState.DONE: storage_pb2.FETCH_STATE_DONE,
    FetchState.FAILED: storage_pb2.FETCH_STATE_FAILED,
    FetchState.CANCELLED: storage_pb2.FETCH_STATE_CANCELLED,
}

_WALL_MS: Final = time.time_ns() // 1_000_000 - time.monotonic_ns() // 1_000_000
"""From the monotonic clock to 1970, once: a time that was told once stays as it is."""


def to_patience_ms(request: storage_pb2.FetchRequest) -> int | None:
    """Reads how long a caller waits for a block; None where it says nothing."""
    return request.patience.ToMilliseconds() if request.HasField("patience") else None


def from_progress(progress: Progress) -> storage_pb2.FetchProgress:
    message = storage_pb2.FetchProgress(
        cid=str(progress.cid),
        state=_STATES[progress.state],
        held_bytes=progress.seen.held_bytes,
        bytes_per_second=progress.bytes_per_second,
        providers=progress.seen.providers,
        started_at=_from_ms(progress.started_ms),
        next_try_at=_from_ms(progress.next_try_ms),
        ended_at=_from_ms(progress.ended_ms),
    )
    if progress.record is not None:
        record = replace(progress.record, blocks_held=progress.seen.blocks_held)
        message.dataset.CopyFrom(convert.from_record(record))
        message.total_bytes = record.manifest.size_bytes
    if progress.time_left_ms is not None:
        left = duration_pb2.Duration()
        left.FromMilliseconds(min(progress.time_left_ms, _LONGEST_MS))
        message.time_left.CopyFrom(left)
    if isinstance(progress.error, LogosError):
        message.reason = progress.error.reason
        raw = str(progress.error).encode(errors="replace")[:MAX_TEXT_BYTES]
        message.detail = raw.decode(errors="ignore")
    return message


_LONGEST_MS: Final = 315_576_000_000_000
"""The most that a Duration holds: 10,000 years."""


def _from_ms(at_ms: int | None) -> timestamp_pb2.Timestamp | None:
    if at_ms is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    stamp.FromMilliseconds(_WALL_MS + at_ms)
    return stamp
