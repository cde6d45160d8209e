"""Makes proofs in threads: bounded, in order of priority, and cancellable.

`logos_crypto.prover` queues and orders the jobs; here are the threads, the clock and the
metrics. A running job is not interrupted for a more urgent one: with one worker, a leader waits
for one proof at most.
"""

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from logos_base.errors import LogosError
from logos_crypto.circuits import Cancellation
from logos_crypto.prover import (
    DEFAULT_CAPACITY,
    Priority,
    ProofFailedError,
    ProofJob,
    ProofQueue,
    ProverClosedError,
    ProverQueueFullError,
)

log = logging.getLogger(__name__)

DRAIN_S: Final = 10.0
"""How long `close` waits for jobs to end, and again after it has cancelled them."""

_QUEUE: Final = Gauge("prover_queue_length", "Proofs waiting", ["priority"])
_RUNNING: Final = Gauge("prover_running", "Proofs being made")
_SECONDS: Final = Histogram(
    "prover_seconds",
    "Time of making a proof, without waiting",
    ["circuit"],
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
_FAILURES: Final = Counter("prover_failures_total", "Proofs not made", ["circuit", "reason"])

_CANCELLED: Final = "CANCELLED"

R = TypeVar("R")


def default_workers() -> int:
    """Returns the number of usable cores, less one for the event loop."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)) - 1)
    return max(1, (os.cpu_count() or 1) - 1)


class _Entry:
    """A queued or running job. Compared and printed by identity: the job's values are secret."""

    __slots__ = ("cancelled", "job", "outcome")

    def __init__(self, job: ProofJob[Any], outcome: asyncio.Future[Any]) -> None:
        self.job = job
        self.outcome = outcome
        self.cancelled = Cancellation()


class Prover:
    """A pool of provers for one event loop. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        *,
        workers: int | None = None,
        capacity: int = DEFAULT_CAPACITY,
        drain_s: float = DRAIN_S,
    ) -> None:
        """Starts no thread before the first job.

        Args:
            workers: Proofs made at once; None for `default_workers`.
            capacity: Jobs of each priority that may wait.
            drain_s: See `DRAIN_S`.
        """
        self._workers = default_workers() if workers is None else workers
        if self._workers < 1:
            raise ValueError("workers must be at least 1")
        self._threads = ThreadPoolExecutor(self._workers, "prover")
        self._queue: ProofQueue[_Entry] = ProofQueue(capacity)
        self._running: set[_Entry] = set()
        self._drain_s = drain_s
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def prove(self, job: ProofJob[R], priority: Priority = Priority.ORDINARY) -> R:
        """Makes a proof. Cancelling the caller stops the job and frees its core.

        Raises:
            WitnessError: The witness is wrong; nothing was proved.
            ProofFailedError: Proving failed.
            ProverQueueFullError: Too many jobs wait.
            ProverClosedError: The prover is closed.
        """
        if self._is_closed:
            raise ProverClosedError("the prover is closed")
        outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        entry = _Entry(job, outcome)
        try:
            self._queue.put(entry, priority)
        except ProverQueueFullError as error:
            _FAILURES.labels(job.circuit, error.reason).inc()
            raise
        self._start_next()
        try:
            return await outcome
        except asyncio.CancelledError:
            self._cancel(entry)
            raise

    async def close(self) -> None:
        """Refuses new jobs and waits for the others to end; after `drain_s`, cancels them."""
        self._is_closed = True
        try:
            await self._is_idle_in_time()
        finally:  # at once if `close` itself is cancelled
            self._give_up()
            self._threads.shutdown(wait=False)
        if not await self._is_idle_in_time():
            log.warning("%d proofs do not stop though they were cancelled", len(self._running))

    def _give_up(self) -> None:
        while (entry := self._queue.take()) is not None:
            self._settle(entry, ProverClosedError("the prover was closed before this proof began"))
        for entry in self._running:
            entry.cancelled.cancel()
            self._settle(
                entry, ProverClosedError("the prover was closed before this proof was complete")
            )
        self._measure()

    async def _is_idle_in_time(self) -> bool:
        try:
            async with asyncio.timeout(self._drain_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _start_next(self) -> None:
        loop = asyncio.get_running_loop()
        while len(self._running) < self._workers and (entry := self._queue.take()) is not None:
            self._running.add(entry)
            work = loop.run_in_executor(self._threads, _work, entry)
            work.add_done_callback(partial(self._finish, entry))
        self._measure()

    def _finish(self, entry: _Entry, done: asyncio.Future[Any]) -> None:
        self._running.discard(entry)
        self._settle(entry, done.result())
        self._start_next()

    def _settle(self, entry: _Entry, result: Any) -> None:
        if entry.outcome.done():
            return
        if isinstance(result, LogosError):
            _FAILURES.labels(entry.job.circuit, result.reason).inc()
            entry.outcome.set_exception(result)
        else:
            entry.outcome.set_result(result)

    def _cancel(self, entry: _Entry) -> None:
        _FAILURES.labels(entry.job.circuit, _CANCELLED).inc()
        if not self._queue.remove(entry):
            entry.cancelled.cancel()
        self._measure()

    def _measure(self) -> None:
        for priority in Priority:
            _QUEUE.labels(priority.name).set(self._queue.count(priority))
        _RUNNING.set(len(self._running))
        if self._running:  # nothing waits where nothing runs
            self._idle.clear()
        else:
            self._idle.set()


def _work(entry: _Entry) -> Any:
    """Runs one job in a thread. Returns its error: a traceback would hold secret values."""
    circuit = entry.job.circuit
    try:
        if entry.cancelled.is_cancelled:  # between the queue and the thread
            return ProofFailedError(circuit, _CANCELLED)
        entry.job.check()
        started = time.perf_counter()
        proof = entry.job.run(entry.cancelled)
    except LogosError as error:
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    except BaseException as error:  # noqa: BLE001 - a panic of the native code is one too
        failure = type(error).__name__
    else:
        if not entry.cancelled.is_cancelled:
            _SECONDS.labels(circuit).observe(time.perf_counter() - started)
        return proof
    if not entry.cancelled.is_cancelled:
        log.error("proving %s failed with %s", circuit, failure)
    return ProofFailedError(circuit, failure)
