"""Checks of how a module starts, drains and ends (KER-3, KER-5, KER-7, KER-8)."""

import signal
from typing import Any

from logos.module.v1 import module_host_pb2, module_host_pb2_grpc
from logos_module.conformance import answers
from logos_module.conformance.bench import Bench, Running
from logos_module.conformance.broken import broken, expect
from logos_module.conformance.caller import TIMEOUT_S, Tester, outcome_of
from logos_module.conformance.contract import describe, methods_of


async def drains(bench: Bench) -> None:
    """After PrepareStop it is NOT_SERVING, and refuses new calls so that callers try again."""
    async with bench.ready() as running:
        name = running.subject.manifest.name
        channel = answers.authorized(running.channel, name)
        host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
        request = module_host_pb2.PrepareStopRequest()
        request.grace.FromSeconds(1)
        for _ in range(2):  # it is idempotent
            stopped = await host.PrepareStop(request, timeout=TIMEOUT_S)
            expect("in_flight after PrepareStop", stopped.in_flight, 0)
        tester = Tester(name, running.kernel.now_s())
        for method in methods_of(await describe(running))[:1]:
            outcome = await outcome_of(running.channel, method, tester.metadata(method))
            found = (outcome.code.name, outcome.reason, outcome.has_retry_info)
            expect("a call of a draining module", found, ("UNAVAILABLE", "MODULE_DRAINING", True))
        await _expect_end(running, signal.SIGTERM)


async def ends_on_term(bench: Bench) -> None:
    """SIGTERM ends it with exit code 0, and it gives its lease up."""
    async with bench.ready() as running:
        await _expect_end(running, signal.SIGTERM)
        expect("the lease after a clean end", running.kernel.lease_id, b"")


async def ends_when_told(bench: Bench) -> None:
    """So does `stop` in the session."""
    async with bench.ready() as running:
        running.kernel.answer.stop = True
        await _expect_end(running)


async def waits_for_its_kernel(bench: Bench) -> None:
    """Without a kernel it asks callers to try again, and ends with exit code 0 on SIGTERM."""
    async with bench.process() as running:
        await running.until_it_listens()
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        for method in methods_of(await describe(running))[:1]:
            outcome = await outcome_of(running.channel, method, tester.metadata(method))
            found = (outcome.code.name, outcome.reason, outcome.has_retry_info)
            wanted = ("UNAVAILABLE", "MODULE_NOT_READY", True)
            expect("a call before the module is registered", found, wanted)
        await _expect_end(running, signal.SIGTERM)


async def starts_again(bench: Bench) -> None:
    """Killed, it starts again at the same address: another instance, of the next epoch."""
    async with bench.serving():
        async with bench.process() as running:
            await running.until_ready()
            running.signal(signal.SIGKILL)
            await running.ended()
        first = bench.kernel.registered[-1]
        bench.kernel.epoch += 1
        bench.kernel.lose()
        bench.kernel.beats.clear()
        async with bench.process() as running:
            await running.until_ready()
            second = bench.kernel.registered[-1]
            expect("epoch of the second start", second.epoch, bench.kernel.epoch)
            if first.instance_id == second.instance_id:
                broken("the instance_id of two processes is the same")


async def survives_its_kernel(bench: Bench) -> None:
    """While its kernel is away it serves, and then registers again as what it was."""
    async with bench.ready() as running:
        before = running.kernel.registered[-1]
        await bench.fall_silent()
        running.kernel.lose()
        await describe(running)
        await bench.serve()
        await running.until(lambda: len(running.kernel.registered) > 1, "does not register again")
        await running.until_ready()
        after = running.kernel.registered[-1]
        expect("instance_id of the same process", after.instance_id, before.instance_id)
        expect("epoch of the same process", after.epoch, running.kernel.epoch)


async def renews_a_lost_lease(bench: Bench) -> None:
    """Where its lease is not known, it registers again."""
    async with bench.ready() as running:
        running.kernel.lose()
        await running.until(lambda: len(running.kernel.registered) > 1, "does not register again")
        await running.until_ready()


async def _expect_end(running: Running, number: signal.Signals | None = None) -> None:
    if number is not None:
        running.signal(number)
    expect("the exit code", await running.ended(), 0)
