"""Starts the kernels of a testnet's nodes as processes, and collects their exit codes."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from logos_testnet.fork_server import ForkServer
from logos_testnet.layout import Layout
from logos_testnet.plan import NodePlan, Plan
from logos_testnet.processes import KERNEL, NodeProcess

MAX_LOG_BYTES: Final = 16 * 1024 * 1024


class Kernels:
    """Starts kernels; they start their modules."""

    def __init__(self, plan: Plan, layout: Layout, *, log_level: str) -> None:
        self._plan = plan
        self._layout = layout
        self._log_level = log_level
        self._pids: dict[str, int] = {}
        """Process ids of the kernels, by node."""
        self._exit_codes: dict[str, int] = {}
        self.sockets = layout.sockets_of(
            (node.name, name)
            for node in plan.nodes
            for name in (KERNEL, *(module.manifest.name for module in node.modules))
        )
        """Holds a folder for each node."""
        self.fork_server = ForkServer(plan, layout, self.sockets)

    def socket(self, node: str) -> Path:
        """The socket of a node's kernel, for its modules."""
        return self.sockets / node / f"{KERNEL}.sock"

    def adopt(self, processes: Iterable[NodeProcess]) -> None:
        """Registers kernels that an earlier command has started."""
        self._pids |= {each.node: each.pid for each in processes if each.name == KERNEL}

    def is_current(self, process: NodeProcess) -> bool:
        """Returns whether a process was started with the current paths and addresses.

        False after the testnet's folder was moved, or its ports were changed.
        """
        node = next(node for node in self._plan.nodes if node.name == process.node)
        if process.name == KERNEL:
            wanted = self._variables(node)
            del wanted["LOGOS_LOG_LEVEL"]
            return wanted.items() <= process.variables.items()
        is_here = process.folder == self._layout.directory
        return is_here and process.sockets == self.sockets / node.name

    def spawn(self, node: NodePlan) -> None:
        """Starts a kernel: by the fork server, else by its own command."""
        self._write_profile(node)
        log = self._layout.log(node.name, KERNEL)
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGOS_")}
        variables = {
            "GRPC_VERBOSITY": "ERROR",  # logs are JSON; gRPC logs each lost peer as text
            "PYTHONSAFEPATH": "1",
            **kept,
            **self._variables(node),
            **self.fork_server.variables,
        }
        self._exit_codes.pop(node.name, None)
        forked = self.fork_server.start_kernel(node.name, variables, log)
        self._pids[node.name] = forked or self._execute(variables, log)

    def _execute(self, variables: dict[str, str], log: Path) -> int:
        """Starts a kernel by its own command, without fork: this process has threads."""
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
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

    def reap(self) -> None:
        """Collects exit codes of our kernels, so that none stays a zombie."""
        for node, code in self.fork_server.reap().items():
            self._exit_codes[node] = code
            del self._pids[node]
        for node, pid in list(self._pids.items()):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue  # started by an earlier command
            if done:
                self._exit_codes[node] = os.waitstatus_to_exitcode(status)
                del self._pids[node]

    def exit_reason(self, node: str) -> str | None:
        """Returns how a node's kernel ended; None while it runs."""
        self.reap()
        if node in self._exit_codes:
            return f"exit code {self._exit_codes[node]}"
        return None if Path(f"/proc/{self._pids[node]}").exists() else "its process is gone"

    def _variables(self, node: NodePlan) -> dict[str, str]:
        folder = self._layout.node(node.name)
        return {
            "LOGOS_TESTNET_DIR": str(self._layout.directory),
            "LOGOS_PROFILE": str(folder / "profile.toml"),
            "LOGOS_STATE_DIR": str(folder / "kernel"),
            "LOGOS_OPERATOR_TOKEN": str(self._layout.operator_token),
            "LOGOS_FRONT": node.front,
            "LOGOS_LISTEN": f"unix:{self.socket(node.name)}",
            "LOGOS_RUN_DIR": str(self.sockets / node.name),
            "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
            "LOGOS_MODULES_LOG_DIR": str(self._layout.logs(node.name)),
            "LOGOS_LOG_LEVEL": self._log_level,
            "LOGOS_METRICS_LISTEN": f"127.0.0.1:{node.metrics_port}" if node.metrics_port else "",
        }

    def _write_profile(self, node: NodePlan) -> None:
        folder = self._layout.node(node.name)
        for path in (folder / "kernel", folder / "modules", self._layout.logs(node.name)):
            path.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        (self.sockets / node.name).mkdir(mode=0o700, exist_ok=True)
        (folder / "profile.toml").write_text(self._plan.profile(node), encoding="utf-8")
        for module in node.modules:
            if module.manifest_path is not None:
                continue
            path = folder / f"{module.manifest.name}.toml"
            path.write_text(module.manifest_text, encoding="utf-8")
