"""Modules as pods: the kubelet starts and restarts them, this kernel observes (KER-27).

It opens the readiness gate of a pod once the module in it is READY, and all that it requires, and
closes it again: so a Service leads to no module before its turn.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from logos_kernel.core.errors import ClusterError, ExternalRuntimeError
from logos_kernel.core.types import ModuleState
from logos_kernel.core.views import View
from logos_kernel.net.external import External
from logos_kernel.net.pods import GONE, Pod, Pods

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
DELETED: Final = "DELETED"


class Kubernetes(External):
    """The pods of one node. For use on one event loop, while `run` runs."""

    def __init__(self, pods: Pods) -> None:
        self._api = pods
        self._pods: dict[str, Pod] = {}
        self._version = ""
        """Of the last change seen; empty before the first list."""
        self._open: frozenset[str] = frozenset()
        """Addresses whose gates are to be open."""
        self._has_changed = asyncio.Event()

    async def run(self) -> None:
        """Watches the pods and gates them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._keep_gates())

    def show(self, views: Sequence[View]) -> None:
        """Takes the modules as they are now."""
        ready = {view.name for view in views if view.state is ModuleState.READY}
        in_turn = (view for view in views if view.name in ready and ready.issuperset(view.requires))
        self._open = frozenset(_host(view.endpoint) for view in in_turn)
        self._has_changed.set()

    async def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams the log of a module's newest pod."""
        own = [pod for pod in self._pods.values() if pod.module == module]
        if not own:
            raise ExternalRuntimeError(f"{module} has no pod")
        newest = max(own, key=lambda pod: (pod.created_at, pod.name))
        async for line in self._api.log(newest.name, tail=tail, follow=follow, since_ms=since_ms):
            yield line

    async def _follow(self) -> None:
        """Lists the pods, and watches from there on: again from the list where that is lost."""
        while True:
            try:
                if not self._version:
                    self._pods, self._version = await self._api.list()
                    self._has_changed.set()
                async with aclosing(self._api.watch(self._version)) as changes:
                    async for kind, pod, self._version in changes:
                        self._see(kind, pod)
            except ClusterError as error:
                if error.status == GONE:
                    self._version = ""
                log.warning("pods are not watched", extra={"why": str(error)})
                await asyncio.sleep(RETRY_S)

    def _see(self, kind: str, pod: Pod | None) -> None:
        if pod is None:
            return
        if kind == DELETED:
            self._pods.pop(pod.name, None)
        else:
            self._pods[pod.name] = pod
            self._has_changed.set()

    async def _keep_gates(self) -> None:
        """Sets each gate that is not as it is to be, until all are."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            for pod in list(self._pods.values()):
                is_open = pod.address in self._open
                if pod.is_open != is_open:
                    await self._gate(pod, is_open=is_open)

    async def _gate(self, pod: Pod, *, is_open: bool) -> None:
        try:
            await self._api.gate(pod.name, is_open=is_open)
        except ClusterError as error:
            log.warning("gate not set", extra={"pod": pod.name, "why": str(error)})
            await asyncio.sleep(RETRY_S)
            self._has_changed.set()


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")
