"""Modules as pods: the kernel observes them, and opens their gates in order (KER-27)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster import TOKEN, FakeCluster, pod

from logos_kernel.core.errors import ClusterError, ExternalRuntimeError
from logos_kernel.core.types import Cluster, Desired, ModuleState, Runtime
from logos_kernel.core.views import View
from logos_kernel.net.kubernetes import Kubernetes
from logos_kernel.net.pods import Pods

READY, STARTING = ModuleState.READY, ModuleState.STARTING


def view(name: str, state: ModuleState, address: str, requires: Sequence[str] = ()) -> View:
    return View(
        name=name,
        version="0.1.0",
        state=state,
        desired=Desired.RUNNING,
        runtime=Runtime.KUBERNETES,
        endpoint=f"{address}:7000",
        epoch=1,
        restart_count=0,
        last_exit="",
        status_text="",
        services=(),
        requires=tuple(requires),
        pid=0,
        since_ms=0,
        described=None,
        in_flight=0,
        calls=(),
        oldest_epoch=1,
        epochs=frozenset({1}),
    )


@dataclass
class Rig:
    runtime: Kubernetes
    cluster: FakeCluster

    async def gate(self) -> tuple[str, str]:
        """The next gate that was set."""
        return await asyncio.to_thread(self.cluster.gates.get, timeout=60)

    async def until_asked(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while True:
                if sum(text in asked for asked in self.cluster.asked) >= times:
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    made = FakeCluster()
    made.pods = {
        "mixnet-0": pod("mixnet-0", "mixnet", "10.1.0.1"),
        "storage-0": pod("storage-0", "storage", "10.1.0.2"),
    }
    yield made
    made.close()


@pytest.fixture
async def rig(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Rig]:
    (tmp_path / "token").write_text(TOKEN)
    runtime = Kubernetes(Pods(Cluster(cluster.url, "logos", tmp_path / "token"), "node1"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(runtime.run())
        made = Rig(runtime, cluster)
        await made.until_asked("watch=1")
        yield made
        running.cancel()


async def test_gates_open_in_order_and_close_again(rig: Rig) -> None:
    both = (view("mixnet", STARTING, "10.1.0.1"), view("storage", READY, "10.1.0.2", ["mixnet"]))
    rig.runtime.show(both)
    rig.runtime.show((view("mixnet", READY, "10.1.0.1"), both[1]))

    assert {await rig.gate(), await rig.gate()} == {("mixnet-0", "True"), ("storage-0", "True")}
    rig.runtime.show(both)
    assert {await rig.gate(), await rig.gate()} == {("mixnet-0", "False"), ("storage-0", "False")}


async def test_a_gate_is_that_of_the_pod_that_has_registered(rig: Rig) -> None:
    newer = pod("storage-1", "storage", "10.1.0.3")
    rig.cluster.pods["storage-1"] = newer
    rig.cluster.tell("ADDED", newer)

    rig.runtime.show((view("storage", READY, "10.1.0.3"),))

    assert await rig.gate() == ("storage-1", "True")


async def test_a_pod_that_comes_with_its_gate_open_is_closed(rig: Rig) -> None:
    strange = pod("storage-9", "storage", "10.1.0.9", gate="True")
    rig.cluster.pods["storage-9"] = strange

    rig.cluster.tell("ADDED", strange)

    assert await rig.gate() == ("storage-9", "False")


async def test_a_watch_goes_on_from_where_it_ended(rig: Rig) -> None:
    bookmark = {"metadata": {"resourceVersion": "42"}}
    rig.cluster.tell("BOOKMARK", bookmark)

    rig.cluster.events.put(None)

    await rig.until_asked("resourceVersion=42")


async def test_a_watch_that_was_compacted_begins_with_the_list(rig: Rig) -> None:
    gone = {"kind": "Status", "code": 410, "message": "too old resource version"}

    rig.cluster.tell("ERROR", gone)

    await rig.until_asked("resourceVersion=10", times=2)


async def test_a_log_is_that_of_the_newest_pod(rig: Rig) -> None:
    newer = pod("storage-1", "storage", "10.1.0.3")
    newer["metadata"]["creationTimestamp"] = "2026-08-30T10:00:01Z"
    rig.cluster.logs = {"storage-0": "old\n", "storage-1": "one\ntwo\n"}
    rig.cluster.pods["storage-1"] = newer
    rig.cluster.tell("ADDED", newer)
    rig.runtime.show((view("storage", READY, "10.1.0.3"),))
    await rig.gate()  # so the pod is known

    lines = [line async for line in rig.runtime.lines("storage", tail=5, follow=False)]

    assert lines == [b"one", b"two"]
    assert "GET /api/v1/namespaces/logos/pods/storage-1/log?follow=false&tailLines=5" in (
        rig.cluster.asked
    )


async def test_a_log_is_asked_for_from_a_time_on(cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    pods = Pods(Cluster(cluster.url, "logos", tmp_path / "token"), "node1")
    cluster.logs = {"storage-0": "one\n"}

    lines = [one async for one in pods.log("storage-0", tail=0, follow=False, since_ms=1_500)]

    assert lines == [b"one"]
    (asked,) = cluster.asked
    assert asked.endswith("/log?follow=false&sinceTime=1970-01-01T00%3A00%3A01.500000%2B00%3A00")


async def test_a_module_without_a_pod_has_no_log(rig: Rig) -> None:
    with pytest.raises(ExternalRuntimeError, match="zone has no pod"):
        await anext(rig.runtime.lines("zone", tail=1, follow=False))


async def test_what_the_cluster_refuses_is_said(cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another")
    pods = Pods(Cluster(cluster.url, "logos", tmp_path / "token"), "node1")

    with pytest.raises(ClusterError, match=r"401.*Unauthorized") as refusal:
        await pods.list()

    assert refusal.value.status == 401


async def test_a_cluster_that_does_not_answer_is_said(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    pods = Pods(Cluster("http://127.0.0.1:9", "logos", tmp_path / "token"), "node1")

    with pytest.raises(ClusterError, match="does not answer"):
        await pods.list()


@pytest.mark.parametrize("since_ms", [-(2**63), 2**63 - 1])
async def test_a_time_that_the_api_cannot_say_is_the_nearest_it_can(
    cluster: FakeCluster, tmp_path: Path, since_ms: int
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    pods = Pods(Cluster(cluster.url, "logos", tmp_path / "token"), "node1")
    cluster.logs = {"storage-0": "one\n"}

    lines = [one async for one in pods.log("storage-0", tail=0, follow=False, since_ms=since_ms)]

    assert lines == [b"one"]


async def test_a_change_that_is_none_is_an_error_of_the_cluster(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    pods = Pods(Cluster(cluster.url, "logos", tmp_path / "token"), "node1")
    cluster.tell("MODIFIED", {"metadata": {}})

    with pytest.raises(ClusterError, match="no answer"):
        async for _ in pods.watch("10"):
            pass
