"""A testnet of local processes: one kernel for each node; the kernels start the modules."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from logos_client.channels import channel_to
from logos_client.token_file import make_token_file, read_token
from logos_testnet.app_process import AppProcess
from logos_testnet.client import (
    NodeView,
    cut_off,
    heal,
    is_cut_off,
    refuses_token,
    revive_failed,
)
from logos_testnet.endpoints import write_endpoints
from logos_testnet.errors import GenesisError, NotStoppedError, UnknownNodeError
from logos_testnet.fork_server import starts_by_fork
from logos_testnet.genesis import run_genesis
from logos_testnet.kernels import Kernels
from logos_testnet.layout import Layout
from logos_testnet.log_files import Logs, read_logs
from logos_testnet.plan import NodePlan, Plan, node_count_text
from logos_testnet.ports import holder_of, refuse_taken, taken_ports
from logos_testnet.processes import (
    KERNEL,
    NodeProcess,
    find_processes,
    proportional_bytes,
    send_signal,
)
from logos_testnet.progress import NodeProgress, Note, Report
from logos_testnet.readiness import wait_until_ready
from logos_testnet.sockets import lost_sockets, socket_folders
from logos_testnet.stopping import refuse_living, refuse_namesake, stop_processes
from logos_testnet.testnet import ISOLATED, LogLine, Started, endpoints_of, front_door, node_of
from logos_testnet.together import all_of

SOCKET_TIMEOUT_S: Final = 10.0
"""Servers bind lost sockets again by themselves, within seconds."""
_POLL_S: Final = 0.5


class ProcessTestnet:
    """`Testnet` over local processes."""

    runtime = "processes"

    def __init__(self, plan: Plan, layout: Layout, *, log_level: str = "INFO") -> None:
        self._plan = plan
        self._layout = layout
        self._kernels = Kernels(plan, layout, log_level=log_level)
        self._app = AppProcess(plan, layout)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def bearer(self) -> str | None:
        return read_token(self._layout.operator_token)

    async def up(self, report: Report) -> Started:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        starts_by_fork(os.environ)  # refuses before anything is stopped
        make_token_file(self._layout.operator_token)
        stopped = tuple(await self.unplanned())
        missing = await self._make_room(report)
        await self._prepare(report, missing)
        turns = asyncio.Semaphore(self._kernels.fork_server.turns)
        await all_of(self._start(node, report, turns, missing) for node in self._plan.nodes)
        views = await all_of(self._wait(node, report) for node in self._plan.nodes)
        for node, seen in zip(self._plan.nodes, views, strict=True):
            report(NodeProgress(node.name, f"ready, {seen.peers} peers", done=True))
        endpoints = endpoints_of(self._plan, self.runtime, views)
        write_endpoints(self._layout.endpoints, endpoints)
        peers = {node.name: seen.peers for node, seen in zip(self._plan.nodes, views, strict=True)}
        names = tuple(node.name for node in missing)
        return Started(endpoints, names, loop.time() - begun, peers, stopped)

    async def _prepare(self, report: Report, missing: Collection[NodePlan]) -> None:
        """Makes the genesis while the fork server loads: each takes a core for a while."""
        server = self._kernels.fork_server
        genesis = [run_genesis(self._plan, self._layout, report)] if missing else []
        try:
            await all_of([server.begin(report), *genesis])
        except GenesisError:
            if not self._processes():
                await server.end()  # nothing was started
            raise

    async def start_app(self, report: Report) -> str | None:
        if self._plan.topology.app_port is not None:
            report(Note("starting the app"))
        return await self._app.start()

    async def app_link(self) -> str | None:
        return self._app.link() if self._app.processes() else None

    async def down(self, report: Report, *, purge: bool = False) -> bool:
        await self._app.stop()
        processes = self._processes()
        taken: list[str] = []
        if processes:
            await stop_processes(self._processes, report)
            ports = taken_ports([node.front_port for node in self._plan.nodes])
            taken = [f"port {port}: {holder_of(port)}" for port in ports]
        await self._kernels.fork_server.end()
        refuse_living(self._layout, also=taken)
        if not processes:
            await refuse_namesake(self._plan)
        self._remove_sockets(processes)
        self._layout.endpoints.unlink(missing_ok=True)
        if purge:
            shutil.rmtree(self._layout.directory)
        return bool(processes)

    async def running(self) -> frozenset[tuple[str, str]]:
        return frozenset((process.node, process.name) for process in self._processes())

    async def unplanned(self) -> dict[str, str]:
        planned = {node.name for node in self._plan.nodes}
        fronts = {p.node: "" for p in self._processes() if p.node not in planned}
        for process in self._processes():
            if process.node in fronts and process.name == KERNEL:
                fronts[process.node] = process.variables.get("LOGOS_FRONT", "")
        return fronts

    async def troubles(self) -> dict[str, str]:
        processes = self._processes()
        outdated = {each.node: each.folder for each in self._outdated(processes)}
        troubles = {}
        for node in self._plan.nodes:
            if node.name in outdated:
                troubles[node.name] = f"it runs with old paths, from {outdated[node.name]}"
            elif (node.name, KERNEL) in {(each.node, each.name) for each in processes}:
                if await refuses_token(node.front, self.bearer):
                    troubles[node.name] = self._describe_refusal()
                elif lost := await self._lost_sockets(node):
                    troubles[node.name] = self._describe_lost(node, lost)
                elif await is_cut_off(node.front, self.bearer):
                    troubles[node.name] = ISOLATED
        return troubles

    async def kill(self, node: str, module: str, number: int) -> None:
        found = [p for p in self._processes() if (p.node, p.name) == (node, module)]
        if not found:
            raise UnknownNodeError(f"no process of {module} on {node}")
        send_signal(found, signal.Signals(number))

    async def isolate(self, node: str) -> None:
        async with front_door(self, node) as channel:
            await cut_off(channel)

    async def heal(self, node: str) -> None:
        async with front_door(self, node) as channel:
            await heal(channel)

    async def isolated(self) -> frozenset[str]:
        nodes = self._plan.nodes
        answers = await all_of(is_cut_off(node.front, self.bearer) for node in nodes)
        return frozenset(node.name for node, yes in zip(nodes, answers, strict=True) if yes)

    async def memory_bytes(self) -> int:
        return proportional_bytes(
            [
                *self._processes(),
                *self._kernels.fork_server.processes(),
                *self._app.processes(),
            ]
        )

    def log_lines(
        self, *, nodes: Sequence[str], module: str | None, tail: int, follow: bool
    ) -> AsyncIterator[LogLine]:
        for name in nodes:
            modules = self._modules_of(name)
            if module is not None and module not in modules:
                raise UnknownNodeError(
                    f"{name} has no module {module}; it has {', '.join(modules)}"
                )

        def logs() -> Logs:
            return [
                (name, each, self._layout.log(name, each))
                for name in nodes
                for each in ([module] if module is not None else self._logs_of(name))
            ]

        return read_logs(logs, tail=tail, follow=follow)

    def _modules_of(self, node: str) -> list[str]:
        return [KERNEL, *(m.manifest.name for m in node_of(self._plan, node).modules)]

    def _logs_of(self, node: str) -> list[str]:
        """Returns the modules of a node, and others that have a log."""
        there = sorted(path.stem for path in self._layout.logs(node).glob("*.log"))
        return list(dict.fromkeys([*self._modules_of(node), *there]))

    def _processes(self, nodes: Collection[str] | None = None) -> list[NodeProcess]:
        """Returns the processes of these nodes, or all."""
        self._kernels.reap()
        found = find_processes(self._layout.directory)
        return [each for each in found if nodes is None or each.node in nodes]

    def _outdated(self, processes: list[NodeProcess]) -> list[NodeProcess]:
        """Returns processes of planned nodes that were started with other paths or addresses."""
        planned = {node.name for node in self._plan.nodes}
        return [p for p in processes if p.node in planned and not self._kernels.is_current(p)]

    async def _make_room(self, report: Report) -> list[NodePlan]:
        """Stops nodes that must not keep running; returns the nodes to start."""
        processes = self._processes()
        doomed = await self._to_stop(processes, report)
        living = {(p.node, p.name) for p in processes if p.node not in doomed}
        missing = [node for node in self._plan.nodes if (node.name, KERNEL) not in living]
        leaving = [each for each in processes if each.node in doomed]
        self._refuse_taken_ports(missing, living, {each.pid for each in leaving})
        for name, why in doomed.items():
            report(NodeProgress(name, why))
        if leaving:
            await stop_processes(lambda: self._processes(doomed), report)
            if left := self._processes(doomed):
                raise NotStoppedError(
                    f"still running: {', '.join(f'process {p.pid}' for p in left)}"
                )
            if not self._processes():
                self._remove_sockets(leaving)
        self._kernels.adopt(p for p in processes if p.node not in doomed)
        return missing

    def _remove_sockets(self, ended: list[NodeProcess]) -> None:
        for folder in socket_folders(self._layout, ended):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)

    async def _to_stop(self, processes: list[NodeProcess], report: Report) -> dict[str, str]:
        """Returns the running nodes to stop first, with the reasons."""
        planned = [node.name for node in self._plan.nodes]
        doomed = {}
        for process in processes:
            if process.node not in planned:
                doomed[process.node] = (
                    f"is stopped, its state is kept: {node_count_text(self._plan)}"
                )
        for process in self._outdated(processes):
            doomed[process.node] = f"is restarted: it ran from {process.folder}"
            if process.folder == self._layout.directory:
                doomed[process.node] = "is restarted: its addresses have changed"
        kernels = [p.node for p in processes if p.name == KERNEL and p.node not in doomed]
        faults = await all_of(
            self._fault_of(node, report) for node in self._plan.nodes if node.name in kernels
        )
        names = [node.name for node in self._plan.nodes if node.name in kernels]
        doomed |= {
            name: f"is restarted: {text}" for name, text in zip(names, faults, strict=True) if text
        }
        return doomed

    async def _fault_of(self, node: NodePlan, report: Report) -> str:
        """Returns why a running node must be started again; empty if it need not."""
        if await refuses_token(node.front, self.bearer):
            return self._describe_refusal()
        return await self._lost_for_good(node, report)

    async def _lost_for_good(self, node: NodePlan, report: Report) -> str:
        """Returns a text on sockets of a running node that stay lost; empty if none do."""
        loop = asyncio.get_running_loop()
        until, reported = loop.time() + SOCKET_TIMEOUT_S, ""
        while lost := await self._lost_sockets(node):
            text = self._describe_lost(node, lost)
            if loop.time() > until:
                return text
            if text != reported:
                report(NodeProgress(node.name, f"{text}; waiting for them to come back"))
                reported = text
            await asyncio.sleep(_POLL_S)
        return ""

    async def _lost_sockets(self, node: NodePlan) -> list[str]:
        return await lost_sockets(node.front, self.bearer, self._kernels.socket(node.name))

    def _describe_refusal(self) -> str:
        return f"it refuses the token in {self._layout.operator_token}"

    def _describe_lost(self, node: NodePlan, lost: list[str]) -> str:
        folder = self._kernels.socket(node.name).parent
        return f"the sockets of {', '.join(lost)} in {folder} do not answer"

    def _refuse_taken_ports(
        self, missing: list[NodePlan], living: set[tuple[str, str]], leaving: set[int]
    ) -> None:
        """Ports of running modules are not checked: a new kernel adopts such modules."""
        ports: dict[int, str] = {}
        for node in missing:
            ports[node.front_port] = f"front door of {node.name}"
            if node.metrics_port is not None:
                ports[node.metrics_port] = f"metrics of {node.name}"
            for module in node.modules:
                if (node.name, module.name) not in living:
                    for name, port in module.ports.items():
                        ports[port] = f"{name} of {module.name} on {node.name}"
        refuse_taken(ports, leaving=leaving)

    async def _start(
        self, node: NodePlan, report: Report, turns: asyncio.Semaphore, missing: list[NodePlan]
    ) -> None:
        """Starts a node and waits until its modules have booted, in turn with other nodes."""
        async with turns:
            if node in missing:
                self._kernels.spawn(node)
                report(NodeProgress(node.name, "kernel started"))
            else:
                async with channel_to(node.front, self.bearer) as channel:
                    await revive_failed(channel)
            seen = await self._wait(node, report, figures=False)
            report(NodeProgress(node.name, "modules are ready"))
            if seen.is_isolated:
                report(NodeProgress(node.name, f"is healed: {ISOLATED}"))
                await self.heal(node.name)

    async def _wait(self, node: NodePlan, report: Report, *, figures: bool = True) -> NodeView:
        return await wait_until_ready(
            node,
            bearer=self.bearer,
            report=report,
            figures=figures,
            exit_reason=lambda: self._kernels.exit_reason(node.name),
        )
