"""The prover on jobs that only wait for the test to end them."""

import asyncio
import gc
import logging
import os
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from logos_base.errors import ErrorKind
from logos_crypto.circuits import Cancellation
from logos_crypto.prover import (
    Priority,
    ProofFailedError,
    ProverClosedError,
    ProverQueueFullError,
    WitnessError,
)
from logos_module.prover import Prover, default_workers

SECRET = "s3cr3t-witness"  # noqa: S105 - what must not be seen anywhere


@dataclass
class Job:
    """Notes when it begins, and ends when `release` is set or it is cancelled."""

    name: str
    begun: list[str]
    circuit: str = "fake"
    secret: str = SECRET
    wrong: Exception | None = None
    failure: BaseException | None = None
    obeys: bool = True
    begins: threading.Event = field(default_factory=threading.Event)
    ends: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    thread: int | None = None
    was_cancelled: bool = False

    def check(self) -> None:
        if self.wrong is not None:
            raise self.wrong

    def run(self, cancelled: Cancellation) -> bytes:
        self.begun.append(self.name)
        self.thread = threading.get_ident()
        self.begins.set()
        try:
            while not self.release.wait(0.002):
                if self.obeys and cancelled.is_cancelled:
                    self.was_cancelled = True
                    raise InterruptedError
            if self.failure is not None:
                raise self.failure
            return self.name.encode()
        finally:
            self.ends.set()


@dataclass
class Jobs:
    begun: list[str] = field(default_factory=list)
    made: list[Job] = field(default_factory=list)

    def __call__(
        self,
        name: str = "a",
        *,
        waits: bool = False,
        circuit: str = "fake",
        wrong: Exception | None = None,
        failure: BaseException | None = None,
        obeys: bool = True,
    ) -> Job:
        job = Job(name, self.begun, circuit=circuit, wrong=wrong, failure=failure, obeys=obeys)
        if not waits:
            job.release.set()
        self.made.append(job)
        return job


@pytest.fixture
def jobs():  # noqa: ANN201
    jobs = Jobs()
    yield jobs
    for job in jobs.made:  # no job is left on a thread, whatever a test did
        job.release.set()


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 60)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - metrics and queues have no events
            await asyncio.sleep(0.001)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def waiting(priority: Priority = Priority.ORDINARY) -> float:
    return metric("prover_queue_length", priority=priority.name)


async def test_a_proof_is_made_off_the_event_loop(jobs: Jobs) -> None:
    job = jobs("proof")
    before = metric("prover_seconds_count", circuit="fake")

    async with Prover(workers=1) as prover:
        proof = await prover.prove(job)

    assert proof == b"proof"
    assert job.thread not in {None, threading.get_ident()}
    assert metric("prover_seconds_count", circuit="fake") == before + 1


async def test_leadership_overtakes_what_waits(jobs: Jobs) -> None:
    running = jobs("running", waits=True)

    async with Prover(workers=1) as prover, asyncio.TaskGroup() as tasks:
        tasks.create_task(prover.prove(running))
        await happened(running.begins)
        for name in ("quota 1", "quota 2"):
            tasks.create_task(prover.prove(jobs(name)))
        await until(lambda: waiting() == 2)
        tasks.create_task(prover.prove(jobs("leader"), Priority.LEADERSHIP))
        await until(lambda: waiting(Priority.LEADERSHIP) == 1)
        running.release.set()

    assert jobs.begun == ["running", "leader", "quota 1", "quota 2"]
    assert waiting() == waiting(Priority.LEADERSHIP) == 0


async def test_as_many_run_at_once_as_there_are_workers(jobs: Jobs) -> None:
    made = [jobs(str(number), waits=True) for number in range(3)]

    async with Prover(workers=2) as prover, asyncio.TaskGroup() as tasks:
        for job in made:
            tasks.create_task(prover.prove(job))
        await happened(made[0].begins)
        await happened(made[1].begins)
        assert (waiting(), metric("prover_running")) == (1, 2)
        assert not made[2].begins.is_set()
        for job in made:
            job.release.set()

    assert sorted(jobs.begun) == ["0", "1", "2"]


async def test_a_full_queue_refuses_but_still_takes_a_leader(jobs: Jobs) -> None:
    running = jobs("running", waits=True)
    before = metric("prover_failures_total", circuit="fake", reason="PROVER_QUEUE_FULL")

    async with Prover(workers=1, capacity=1) as prover, asyncio.TaskGroup() as tasks:
        tasks.create_task(prover.prove(running))
        await happened(running.begins)
        tasks.create_task(prover.prove(jobs("waits")))
        await until(lambda: waiting() == 1)
        with pytest.raises(ProverQueueFullError):
            await prover.prove(jobs("too many"))
        leader = tasks.create_task(prover.prove(jobs("leader"), Priority.LEADERSHIP))
        running.release.set()

    assert leader.result() == b"leader"
    assert "too many" not in jobs.begun
    after = metric("prover_failures_total", circuit="fake", reason="PROVER_QUEUE_FULL")
    assert after == before + 1


async def test_what_is_cancelled_while_it_waits_never_begins(jobs: Jobs) -> None:
    running = jobs("running", waits=True)

    async with Prover(workers=1, capacity=1) as prover, asyncio.TaskGroup() as tasks:
        tasks.create_task(prover.prove(running))
        await happened(running.begins)
        unwanted = tasks.create_task(prover.prove(jobs("unwanted")))
        await until(lambda: waiting() == 1)
        unwanted.cancel()
        await asyncio.wait([unwanted])
        assert waiting() == 0
        tasks.create_task(prover.prove(jobs("in its place")))
        await until(lambda: waiting() == 1)
        running.release.set()

    assert unwanted.cancelled()
    assert jobs.begun == ["running", "in its place"]


async def test_cancelling_what_runs_stops_it_and_frees_its_core(jobs: Jobs) -> None:
    unwanted = jobs("unwanted", waits=True)
    failed = metric("prover_failures_total", circuit="fake", reason="PROOF_FAILED")

    async with Prover(workers=1) as prover, asyncio.TaskGroup() as tasks:
        proving = tasks.create_task(prover.prove(unwanted))
        await happened(unwanted.begins)
        proving.cancel()
        proof = await prover.prove(jobs("next"))

    assert proving.cancelled()
    assert unwanted.was_cancelled
    assert proof == b"next"
    assert metric("prover_failures_total", circuit="fake", reason="PROOF_FAILED") == failed


async def test_a_core_is_not_lent_out_before_the_cancelled_job_left_it(jobs: Jobs) -> None:
    stubborn = jobs("stubborn", waits=True, obeys=False)

    async with Prover(workers=1) as prover, asyncio.TaskGroup() as tasks:
        unwanted = tasks.create_task(prover.prove(stubborn))
        await happened(stubborn.begins)
        unwanted.cancel()
        await asyncio.wait([unwanted])
        following = jobs("next")
        tasks.create_task(prover.prove(following))
        await until(lambda: waiting() == 1)
        assert not following.begins.is_set()
        stubborn.release.set()

    assert jobs.begun == ["stubborn", "next"]


async def test_a_wrong_witness_is_named_and_nothing_proved(jobs: Jobs) -> None:
    job = jobs(wrong=WitnessError("pol", "aged_membership"))

    async with Prover(workers=1) as prover:
        with pytest.raises(WitnessError) as raised:
            await prover.prove(job)

    assert raised.value.relation == "aged_membership"
    assert jobs.begun == []


class PanicError(BaseException):
    """As the native code raises one: no Exception."""


@pytest.mark.parametrize(
    "failure", [RuntimeError(SECRET), PanicError(SECRET), StopIteration(SECRET), SystemExit(SECRET)]
)
async def test_a_worker_survives_whatever_a_job_does(jobs: Jobs, failure: BaseException) -> None:
    before = metric("prover_failures_total", circuit="fake", reason="PROOF_FAILED")

    async with Prover(workers=1) as prover:
        with pytest.raises(ProofFailedError) as raised:
            await prover.prove(jobs("broken", failure=failure))
        proof = await prover.prove(jobs("next"))

    assert raised.value.failure == type(failure).__name__
    assert raised.value.kind is ErrorKind.INTERNAL
    assert proof == b"next"
    after = metric("prover_failures_total", circuit="fake", reason="PROOF_FAILED")
    assert after == before + 1


def leaky_witness_error() -> WitnessError:
    error = WitnessError("pol", "quota")
    error.__cause__ = ValueError(SECRET)
    return error


@pytest.mark.parametrize("where", ["wrong", "failure"])
async def test_no_secret_is_seen_where_a_job_fails(
    jobs: Jobs, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    job = jobs(wrong=leaky_witness_error()) if where == "wrong" else jobs(failure=OSError(SECRET))
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)

    async with Prover(workers=1) as prover:
        with pytest.raises((WitnessError, ProofFailedError)) as raised:
            await prover.prove(job)
        shown = [repr(prover), *map(repr, vars(prover).values())]

    error = raised.value
    shown += [repr(error), str(error), *traceback.format_exception(error), caplog.text]
    assert SECRET in repr(job)
    assert SECRET not in "".join(shown)


async def test_no_secret_is_seen_while_a_job_waits_or_runs(jobs: Jobs) -> None:
    running, behind = jobs("running", waits=True), jobs("behind")

    async with Prover(workers=1) as prover, asyncio.TaskGroup() as tasks:
        tasks.create_task(prover.prove(running))
        await happened(running.begins)
        tasks.create_task(prover.prove(behind))
        await until(lambda: waiting() == 1)
        state = [repr(prover), *map(repr, vars(prover).values())]
        state += [
            repr(vars(value)) for value in vars(prover).values() if hasattr(value, "_waiting")
        ]
        running.release.set()

    assert "_Entry" in "".join(state)
    assert SECRET not in "".join(state)


async def test_jobs_are_let_go_when_they_end(jobs: Jobs) -> None:
    gone = threading.Event()

    class OneJob:
        circuit = "fake"

        def check(self) -> None: ...

        def run(self, cancelled: Cancellation) -> bytes:
            return b""

        def __del__(self) -> None:
            gone.set()

    async with Prover(workers=1) as prover:
        await prover.prove(OneJob())
        await prover.prove(jobs("another, so that the thread has moved on"))
        gc.collect()

        assert gone.is_set()


async def test_closing_lets_what_is_there_end(jobs: Jobs) -> None:
    running = jobs("running", waits=True)
    prover = Prover(workers=1)

    async with asyncio.TaskGroup() as tasks:
        proofs = [tasks.create_task(prover.prove(running))]
        await happened(running.begins)
        proofs.append(tasks.create_task(prover.prove(jobs("waits"))))
        await until(lambda: waiting() == 1)
        closing = tasks.create_task(prover.close())
        await asyncio.sleep(0)
        with pytest.raises(ProverClosedError) as refused:
            await prover.prove(jobs("late"))
        running.release.set()

    assert closing.done()
    assert [proof.result() for proof in proofs] == [b"running", b"waits"]
    assert refused.value.kind is ErrorKind.UNAVAILABLE
    assert jobs.begun == ["running", "waits"]


async def test_closing_cancels_what_does_not_end_in_time(jobs: Jobs) -> None:
    running = jobs("running", waits=True)
    prover = Prover(workers=1, drain_s=0.05)

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(outcome(prover, running))
        await happened(running.begins)
        second = tasks.create_task(outcome(prover, jobs("waits")))
        await until(lambda: waiting() == 1)
        await prover.close()

    assert (first.result(), second.result()) == ("PROVER_CLOSED", "PROVER_CLOSED")
    assert running.was_cancelled
    assert jobs.begun == ["running"]
    assert (waiting(), metric("prover_running")) == (0, 0)


async def test_closing_does_not_hang_on_a_job_that_will_not_stop(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    stubborn = jobs("stubborn", waits=True, obeys=False)
    prover = Prover(workers=1, drain_s=0.02)

    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(outcome(prover, stubborn))
        await happened(stubborn.begins)
        await prover.close()

    assert ended.result() == "PROVER_CLOSED"
    assert "1 proofs do not stop" in caplog.text
    stubborn.release.set()
    await happened(stubborn.ends)


async def test_a_closing_that_is_cancelled_gives_everything_up(jobs: Jobs) -> None:
    running = jobs("running", waits=True)
    prover = Prover(workers=1, drain_s=60)

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(outcome(prover, running))
        await happened(running.begins)
        second = tasks.create_task(outcome(prover, jobs("waits")))
        await until(lambda: waiting() == 1)
        closing = tasks.create_task(prover.close())
        await asyncio.sleep(0)
        closing.cancel()

    assert (first.result(), second.result()) == ("PROVER_CLOSED", "PROVER_CLOSED")
    await happened(running.ends)
    assert running.was_cancelled


async def outcome(prover: Prover, job: Job) -> str:
    try:
        await prover.prove(job)
    except ProverClosedError as error:
        return error.reason
    return "proved"


def test_a_core_is_left_to_the_event_loop() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    assert default_workers() == max(1, (cores or 1) - 1)


async def test_a_prover_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Prover(workers=0)
