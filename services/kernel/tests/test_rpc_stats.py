"""KER-43 and KER-44: figures of modules over gRPC, and the page of all."""

import asyncio
import os
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kernel_process import Node, made_node
from observing_kernel import FakeModule, Kernel, refusal
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from logos.kernel.v1 import module_pb2, registry_pb2, supervisor_pb2
from logos.kernel.v1 import stats_pb2 as pb
from logos_kernel.core.stats import Figures
from logos_kernel.net.page import Page
from logos_kernel.net.usage import usage_of
from logos_kernel.operations import stats
from own_topology import claim_ports

TEXT = """# HELP grpc_server_handled_total Calls
# TYPE grpc_server_handled_total counter
grpc_server_handled_total{method="/test.base.Echo/Get",code="OK"} 9
grpc_server_handled_total{method="/test.base.Echo/Get",code="INTERNAL",module="liar"} 1
# TYPE grpc_server_handling_seconds histogram
grpc_server_handling_seconds_bucket{method="/test.base.Echo/Get",le="0.5"} 10
grpc_server_handling_seconds_bucket{method="/test.base.Echo/Get",le="+Inf"} 10
# TYPE grpc_server_in_flight gauge
grpc_server_in_flight 4
"""


@pytest.fixture
def texts(kernel: Kernel) -> dict[str, str]:
    """What modules answer when they are asked for their metrics."""
    given: dict[str, str] = {}

    async def metrics(module: str, endpoint: str) -> str:
        return given.get(module, "")

    kernel.node.kernel.settings.hosts.metrics = metrics  # type: ignore[method-assign]
    return given


@pytest.fixture
async def base(kernel: Kernel, start: Any) -> AsyncIterator[FakeModule]:
    module: FakeModule = await start("base")
    session = await kernel.make_ready(module)
    yield module
    session.cancel()


async def ask(kernel: Kernel, *names: str) -> list[pb.ModuleStats]:
    request = pb.GetStatsRequest(modules=names)
    return list((await kernel.supervisor.GetStats(request, timeout=60)).stats)


async def test_figures_of_all_modules_and_of_the_kernel(
    kernel: Kernel, base: FakeModule, texts: dict[str, str]
) -> None:
    texts["base"] = TEXT

    own, one, other = await ask(kernel)

    assert [own.module, one.module, other.module] == ["kernel", "base", "top"]
    assert own.usage.rss_bytes > 1024**2
    assert "logos.kernel.v1.Registry/Register" in {each.method for each in own.methods}
    assert (one.epoch, one.in_flight, one.HasField("usage")) == (1, 4, False)
    method = pb.MethodStats(
        method="test.base.Echo/Get", calls=10, failed=1, p50_seconds=0.5, p99_seconds=0.5
    )
    assert list(one.methods) == [method]
    assert (other.state, list(other.methods)) == (module_pb2.MODULE_STATE_STARTING, [])


async def test_a_module_of_the_sdk_gives_its_metrics_itself(
    kernel: Kernel, base: FakeModule
) -> None:
    (one,) = await ask(kernel, "base", "base")

    assert one.module == "base"
    assert one.methods, "this process serves the kernel, too, and its metrics are all of it"


async def test_calls_in_flight_are_those_of_the_last_heartbeat_where_nothing_else_is_known(
    kernel: Kernel, start: Any, texts: dict[str, str]
) -> None:
    top = await start("top")
    grant = await kernel.register(top)
    session = top.registry.Session()
    beat = registry_pb2.SessionRequest(
        lease_id=grant.lease_id, state=module_pb2.MODULE_STATE_READY, in_flight=7
    )
    await session.write(beat)
    await session.read()

    (one,) = await ask(kernel, "top")

    assert one.in_flight == 7
    session.cancel()


@pytest.mark.parametrize("text", ["\0", 'a{b="', "x 1 2 3 4", "# TYPE a a\na{} nine\n", "a\n" * 9])
async def test_metrics_that_cannot_be_read_are_left_out(
    kernel: Kernel, base: FakeModule, texts: dict[str, str], text: str
) -> None:
    texts["base"] = text

    (one,) = await ask(kernel, "base")

    assert list(one.methods) == []


async def test_what_is_not_there_is_refused(kernel: Kernel) -> None:
    for name in ("gone", "", "../base", "base\0"):
        assert await refusal(ask(kernel, "base", name)) == ("NOT_FOUND", "MODULE_NOT_FOUND")
    hours = pb.WatchStatsRequest(interval={"seconds": 2**63 - 1, "nanos": 2**31 - 1})
    for ms in (0, 999, 3_600_001, -1000, None):
        request = pb.WatchStatsRequest() if ms is not None else hours
        if ms is not None:
            request.interval.FromMilliseconds(ms)
        watched = kernel.supervisor.WatchStats(request)
        assert await refusal(watched.read()) == ("INVALID_ARGUMENT", "INVALID_INTERVAL")


async def test_figures_come_again(kernel: Kernel, texts: dict[str, str]) -> None:
    watched = kernel.supervisor.WatchStats(pb.WatchStatsRequest(modules=["kernel"]))

    first, second = await watched.read(), await watched.read()

    assert second.stats[0].usage.cpu_seconds >= first.stats[0].usage.cpu_seconds
    watched.cancel()


async def test_one_page_has_the_metrics_of_all(
    kernel: Kernel, base: FakeModule, texts: dict[str, str]
) -> None:
    texts["base"] = TEXT
    texts["top"] = "never asked: it is not there"
    registry = CollectorRegistry()

    async def read() -> list[Figures]:
        return await stats.read(kernel.node.kernel)

    registry.register(Page(read, asyncio.get_running_loop()))
    text = (await asyncio.to_thread(generate_latest, registry)).decode()

    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    named = {(one.name, *sorted(one.labels.items())): one.value for one in samples}
    method = ("method", "/test.base.Echo/Get")
    handled = "grpc_server_handled_total"
    assert named[handled, ("code", "OK"), method, ("module", "base")] == 9
    exported = ("exported_module", "liar")
    assert named[handled, ("code", "INTERNAL"), exported, method, ("module", "base")] == 1
    assert named["grpc_server_in_flight", ("module", "base")] == 4
    assert ("grpc_server_in_flight", ("module", "kernel")) in named
    assert named["kernel_module_state", ("module", "top"), ("state", "STARTING")] == 1
    assert named["kernel_module_in_flight", ("module", "base")] == 4
    assert ("kernel_module_rss_bytes", ("module", "kernel")) in named
    assert text.count("# TYPE grpc_server_handled_total") == 1


def test_a_process_uses_time_memory_and_disks() -> None:
    own = usage_of(os.getpid())

    assert own is not None
    assert own.cpu_s > 0
    assert own.rss_bytes > 1024**2
    assert own.pss_bytes > 1024**2
    assert own.read_bytes is not None


def test_a_process_that_is_not_there_uses_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert usage_of(ended.pid) is None


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


@pytest.mark.integration
async def test_a_node_has_one_page(node: Node) -> None:
    node.add("base")
    node.write_profile()
    port = claim_ports().front + 1  # the first one is held
    node.start(LOGOS_METRICS_LISTEN=f"127.0.0.1:{port}")
    await node.until_ready()

    def fetched() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    text = await asyncio.to_thread(fetched)

    assert 'kernel_module_state{module="base",state="READY"} 1.0' in text
    assert 'kernel_module_rss_bytes{module="base"}' in text
    assert 'process_cpu_seconds_total{module="base"}' in text
    assert 'kernel_modules_failed{module="kernel"} 0.0' in text
    stats_of = await node.supervisor().GetStats(pb.GetStatsRequest(modules=["base"]), timeout=60)
    assert stats_of.stats[0].usage.rss_bytes > 1024**2


@pytest.mark.integration
@pytest.mark.stress  # the kernel looks every 10 s
async def test_the_log_of_a_running_module_is_put_aside(node: Node) -> None:
    node.add("base")
    node.write_profile()
    node.start()
    await node.until_ready()
    path = node.root / "logs" / "base.log"

    os.truncate(path, 17 * 1024**2)
    async with asyncio.timeout(60):
        while path.stat().st_size > 1024**2:  # noqa: ASYNC110 -- a file is not waited for otherwise
            await asyncio.sleep(0.1)
    await node.supervisor().RestartModule(
        supervisor_pb2.RestartModuleRequest(module="base"), timeout=60
    )
    await node.until(lambda status: status.modules[0].epoch == 2 and status.ready)

    assert path.with_name("base.log.1").stat().st_size == 17 * 1024**2
    assert b'"stopping"' in path.read_bytes(), "the process goes on where the log begins"
    assert not path.read_bytes().startswith(b"\0")
