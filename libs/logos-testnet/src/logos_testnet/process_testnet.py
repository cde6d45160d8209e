"""A testnet of local processes: one kernel for each node; the kernels start the modules."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from logos_testnet.client import NodeView, channel_to, revive_failed
from logos_testnet.endpoints import write_endpoints
from logos_testnet.errors import NotStoppedError, UnknownNodeError
from logos_testnet.layout import Layout
from logos_testnet.log_files import read_logs
from logos_testnet.plan import NETWORK_MODULE, NodePlan, Plan
from logos_testnet.ports import holder_of, refuse_taken, taken_ports
from logos_testnet.processes import (
    KERNEL,
    NodeProcess,
    find_processes,
    proportional_bytes,
    send_signal,
)
from logos_testnet.progress import NodeProgress, Note, Report
from logos_testnet.readiness import wait_until_ready, wanted_peers
from logos_testnet.testnet import LogLine, Started, endpoints_of, node_of
from logos_testnet.together import all_of

STOP_GRACE_S: Final = 30.0
STRAY_GRACE_S: Final = 5.0
MAX_LOG_BYTES: Final = 16 * 1024 * 1024
_POLL_S: Final = 0.1


class ProcessTestnet:
    """`Testnet` over local processes."""

    runtime = "processes"

    def __init__(self, plan: Plan, layout: Layout, *, log_level: str = "INFO") -> None:
        self._plan = plan
        self._layout = layout
        self._log_level = log_level
        self._children: dict[str, int] = {}
        """Process ids of the kernels, by node."""
        self._exit_codes: dict[str, int] = {}

    @property
    def plan(self) -> Plan:
        return self._plan

    async def up(self, report: Report) -> Started:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        processes = self._processes()
        self._children |= {p.node: p.pid for p in processes if p.name == KERNEL}
        living = {(process.node, process.name) for process in processes}
        missing = [node for node in self._plan.nodes if (node.name, KERNEL) not in living]
        self._refuse_taken_ports(missing, living)
        for node in missing:
            self._write_profile(node)
        turns = asyncio.Semaphore(os.cpu_count() or 1)
        await all_of(self._start(node, report, turns, missing) for node in self._plan.nodes)
        views = await all_of(
            self._wait(node, wanted_peers(self._plan, node), report) for node in self._plan.nodes
        )
        for node, seen in zip(self._plan.nodes, views, strict=True):
            report(NodeProgress(node.name, f"ready, {seen.peers} peers", done=True))
        endpoints = endpoints_of(self._plan, self.runtime, views)
        write_endpoints(self._layout.endpoints, endpoints)
        peers = {node.name: seen.peers for node, seen in zip(self._plan.nodes, views, strict=True)}
        names = tuple(node.name for node in missing)
        return Started(endpoints, names, loop.time() - begun, peers)

    async def down(self, report: Report, *, purge: bool = False) -> bool:
        processes = self._processes()
        if processes:
            await self._stop(processes, report)
        shutil.rmtree(self._layout.sockets, ignore_errors=True)
        self._layout.endpoints.unlink(missing_ok=True)
        if purge:
            shutil.rmtree(self._layout.directory)
        self._refuse_remains(had_processes=bool(processes))
        return bool(processes)

    async def running(self) -> frozenset[tuple[str, str]]:
        return frozenset((process.node, process.name) for process in self._processes())

    async def kill(self, node: str, module: str, number: int) -> None:
        chosen = [p for p in self._processes() if (p.node, p.name) == (node, module)]
        if not chosen:
            raise UnknownNodeError(f"no process of {module} on {node}")
        send_signal(chosen, signal.Signals(number))

    async def memory_bytes(self) -> int:
        return proportional_bytes(self._processes())

    def log_lines(
        self, *, nodes: Sequence[str], module: str | None, tail: int, follow: bool
    ) -> AsyncIterator[LogLine]:
        files: list[tuple[str, str, Path]] = []
        for name in nodes:
            node = node_of(self._plan, name)
            modules = [KERNEL, *(plan.manifest.name for plan in node.modules)]
            if module is not None and module not in modules:
                raise UnknownNodeError(f"{name} has no {module}; it has {', '.join(modules)}")
            files += [
                (name, each, self._layout.log(name, each))
                for each in modules
                if module in {None, each}
            ]
        return read_logs(files, tail=tail, follow=follow)

    def _processes(self) -> list[NodeProcess]:
        self._reap()
        return find_processes(self._layout.directory)

    def _refuse_taken_ports(self, missing: list[NodePlan], living: set[tuple[str, str]]) -> None:
        """A mixnet that outlived its kernel keeps its port: the new kernel takes it over."""
        ports: dict[int, str] = {}
        for node in missing:
            ports[node.front_port] = f"front door of {node.name}"
            if (node.name, NETWORK_MODULE) not in living:
                ports[int(node.p2p_address.rpartition("/")[2])] = f"libp2p of {node.name}"
        refuse_taken(ports)

    def _write_profile(self, node: NodePlan) -> None:
        folder = self._layout.node(node.name)
        for path in (folder / "kernel", folder / "modules", self._layout.logs(node.name)):
            path.mkdir(parents=True, exist_ok=True)
        sockets = self._layout.sockets
        sockets.mkdir(mode=0o700, exist_ok=True)
        (sockets / node.name).mkdir(mode=0o700, exist_ok=True)
        (folder / "profile.toml").write_text(self._plan.profile(node), encoding="utf-8")
        for module in node.modules:
            path = folder / f"{module.manifest.name}.toml"
            path.write_text(module.manifest_text, encoding="utf-8")

    async def _start(
        self, node: NodePlan, report: Report, turns: asyncio.Semaphore, missing: list[NodePlan]
    ) -> None:
        """Starts a node and lets its modules boot before it gives its turn to the next."""
        async with turns:
            if node in missing:
                self._spawn(node)
                report(NodeProgress(node.name, "kernel started"))
            else:
                async with channel_to(node.front) as channel:
                    await revive_failed(channel)
            await self._wait(node, 0, report)
            report(NodeProgress(node.name, "modules are ready"))

    async def _wait(self, node: NodePlan, peers: int, report: Report) -> NodeView:
        return await wait_until_ready(
            node, peers=peers, report=report, obituary=lambda: self._obituary(node.name)
        )

    def _spawn(self, node: NodePlan) -> None:
        """Spawned, not forked: threads of gRPC do not survive a fork."""
        folder = self._layout.node(node.name)
        log = self._layout.log(node.name, KERNEL)
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        sockets = self._layout.sockets / node.name
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGOS_")}
        variables = {
            "GRPC_VERBOSITY": "ERROR",  # a peer that goes away is no line for a log of JSON
            "PYTHONSAFEPATH": "1",
            **kept,
            "LOGOS_TESTNET_DIR": str(self._layout.directory),
            "LOGOS_PROFILE": str(folder / "profile.toml"),
            "LOGOS_STATE_DIR": str(folder / "kernel"),
            "LOGOS_FRONT": node.front,
            "LOGOS_LISTEN": f"unix:{sockets / 'kernel.sock'}",
            "LOGOS_RUN_DIR": str(sockets),
            "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
            "LOGOS_MODULES_LOG_DIR": str(self._layout.logs(node.name)),
            "LOGOS_LOG_LEVEL": self._log_level,
        }
        self._exit_codes.pop(node.name, None)
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._children[node.name] = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "logos_kernel"],
            variables,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _reap(self) -> None:
        """Collects kernels of ours that ended, so that none stays a zombie."""
        for node, pid in list(self._children.items()):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue  # started by an earlier command
            if done:
                self._exit_codes[node] = os.waitstatus_to_exitcode(status)
                del self._children[node]

    def _obituary(self, node: str) -> str | None:
        self._reap()
        if node in self._exit_codes:
            return f"exit code {self._exit_codes[node]}"
        return None if Path(f"/proc/{self._children[node]}").exists() else "its process is gone"

    async def _stop(self, processes: list[NodeProcess], report: Report) -> None:
        kernels = [process for process in processes if process.name == KERNEL]
        report(Note(f"stopping {len(processes)} processes"))
        send_signal(kernels, signal.SIGTERM)
        if not kernels or await self._remain(STOP_GRACE_S, watched=KERNEL):
            report(Note("stopping what the kernels left"))
        strays = self._processes()
        for number in (signal.SIGTERM, signal.SIGKILL):
            send_signal(strays, number)
            strays = await self._remain(STRAY_GRACE_S)
            if not strays:
                return

    async def _remain(self, grace_s: float, watched: str | None = None) -> list[NodeProcess]:
        """Waits until no process is left, or none named `watched`; returns what is left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        while True:
            left = [p for p in self._processes() if watched in {None, p.name}]
            if not left or loop.time() > until:
                return left
            await asyncio.sleep(_POLL_S)

    def _refuse_remains(self, *, had_processes: bool) -> None:
        remains = [f"process {process.pid} ({process.name})" for process in self._processes()]
        if had_processes:
            ports = taken_ports([node.front_port for node in self._plan.nodes])
            remains += [f"port {port}: {holder_of(port)}" for port in ports]
        if self._layout.sockets.exists():
            remains.append(str(self._layout.sockets))
        if remains:
            raise NotStoppedError(f"still there: {', '.join(remains)}")
