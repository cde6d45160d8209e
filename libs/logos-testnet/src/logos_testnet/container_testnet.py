"""A testnet of containers, by docker compose. The engine restarts what ends."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from logos_client.token_file import BEARER, read_token, replace_token_file
from logos_testnet.compose import (
    APP,
    APP_LINK_PROGRAM,
    genesis_name,
    project_name,
    render_compose,
    service_name,
)
from logos_testnet.endpoints import write_endpoints
from logos_testnet.engine import TOKEN_PROGRAM, run_docker
from logos_testnet.errors import EngineError, NodeFailedError, NotStoppedError, UnknownNodeError
from logos_testnet.front_networks import refuse_way_out
from logos_testnet.genesis import genesis_failed, modules_with_genesis
from logos_testnet.layout import Layout
from logos_testnet.mesh import Mesh
from logos_testnet.plan import NodePlan, Plan, node_count_text
from logos_testnet.ports import refuse_taken
from logos_testnet.processes import KERNEL
from logos_testnet.progress import NodeProgress, Note, Report
from logos_testnet.readiness import wait_until_ready
from logos_testnet.stopping import refuse_living, refuse_namesake
from logos_testnet.testnet import ISOLATED, LogLine, Started, endpoints_of, node_of
from logos_testnet.together import all_of

DEFAULT_COMPOSE_FILE: Final = "docker-compose.yml"
_LOG_LINE: Final = re.compile(r"^(?P<service>\S+)-\d+\s+\| ?(?P<text>.*)$")
_CURSOR: Final = re.compile(r"^(\x1b\[[0-9;]*[A-Za-z])+")
"""Compose clears each line first, in spite of `--ansi never`."""
_PROGRESS: Final = re.compile(r"Container (?P<container>\S+) +(?P<what>Started|Error)\b")
_PUBLISHED: Final = re.compile(r"127\.0\.0\.1:\d+(?=->)")
_CULPRIT: Final = re.compile(r"container (?P<container>\S+) (is unhealthy|exited)")

# Kills the module, not its init process, as a crash would: the engine does not restart
# containers that it kills itself.
_KILL: Final = (
    "import os, sys\n"
    "for entry in os.listdir('/proc'):\n"
    "    if entry.isdecimal() and int(entry) not in (1, os.getpid()):\n"
    "        stat = open(f'/proc/{entry}/stat').read().rpartition(')')[2].split()\n"
    "        if stat[1] == '1':\n"
    "            os.kill(int(entry), int(sys.argv[1]))\n"
)


class ContainerTestnet:
    """`Testnet` over docker compose."""

    runtime = "containers"

    def __init__(self, plan: Plan, layout: Layout, repository: Path) -> None:
        self._plan = plan
        self._layout = layout
        self._repository = repository

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def bearer(self) -> str | None:
        return read_token(self._layout.operator_token)

    async def up(self, report: Report) -> Started:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        file = self._write_compose_file()
        before = await self.running()
        missing = [node for node in self._plan.nodes if (node.name, KERNEL) not in before]
        refuse_taken({node.front_port: f"front door of {node.name}" for node in missing})
        extra = await self.unplanned()
        for name in extra:
            report(
                NodeProgress(name, f"is removed, its state is kept: {node_count_text(self._plan)}")
            )
        is_whole = all((node.name, each) in before for node, each in self._everything())
        await refuse_way_out(self._plan, self._project)
        if not is_whole:
            report(Note("building images; the first time this takes minutes"))
            await self._compose("build", "--quiet")
            begun = loop.time()
            report(Note(f"starting containers of {file.name}"))
        if not is_whole:
            await self._make_genesis()
        if extra or not is_whole:
            await self._start(report)
        for name in await self.isolated():
            report(NodeProgress(name, f"is healed: {ISOLATED}"))
            await self.heal(name)
        await self._copy_token()
        views = await all_of(
            wait_until_ready(node, bearer=self.bearer, report=report) for node in self._plan.nodes
        )
        for node, seen in zip(self._plan.nodes, views, strict=True):
            report(NodeProgress(node.name, f"ready, {seen.peers} peers", done=True))
        endpoints = endpoints_of(self._plan, self.runtime, views)
        write_endpoints(self._layout.endpoints, endpoints)
        peers = {node.name: seen.peers for node, seen in zip(self._plan.nodes, views, strict=True)}
        names = tuple(node.name for node in missing)
        return Started(endpoints, names, loop.time() - begun, peers, tuple(extra))

    async def start_app(self, report: Report) -> str | None:
        port = self._plan.topology.app_port
        if port is None:
            return None
        self._write_compose_file()
        if APP not in await self._services():
            refuse_taken({port: "the app"})
        report(Note("starting the app"))
        await self._compose("up", "--detach", "--build", "--no-deps", "--wait", APP)
        return await self.app_link()

    async def app_link(self) -> str | None:
        if APP not in await self._services():
            return None
        return (await self._compose("exec", "-T", APP, APP_LINK_PROGRAM)).strip()

    async def down(self, report: Report, *, purge: bool = False) -> bool:
        had = await self._services()
        if not had:
            await refuse_namesake(self._plan)
        if purge:
            refuse_living(self._layout)  # processes may have been started from the same folder
        report(Note(f"removing {len(had)} containers"))
        volumes = ["--volumes"] if purge else []
        self._write_compose_file()
        await self._compose("down", "--remove-orphans", *volumes)
        if left := await self._services():
            raise NotStoppedError(f"containers still run: {', '.join(sorted(left))}")
        self._layout.endpoints.unlink(missing_ok=True)
        await self._remove("network")
        if purge:
            await self._remove("volume")
            shutil.rmtree(self._layout.directory)
        return bool(had)

    async def _remove(self, kind: str) -> None:
        """Removes networks or volumes that the compose file does not name: of former nodes."""
        listed = await run_docker([kind, "ls", "--quiet", "--filter", self._label])
        if names := listed.split():
            await run_docker([kind, "rm", *names])

    async def running(self) -> frozenset[tuple[str, str]]:
        names = await self._services()
        return frozenset(
            (node.name, module)
            for node, module in self._everything()
            if service_name(node.name, module) in names
        )

    async def unplanned(self) -> dict[str, str]:
        planned = {node.name for node in self._plan.nodes}
        suffix = f"-{KERNEL}"
        return {
            service.removesuffix(suffix): (_PUBLISHED.search(ports) or [""])[0]
            for service, ports in (await self._services()).items()
            if service.endswith(suffix) and service.removesuffix(suffix) not in planned
        }

    async def troubles(self) -> dict[str, str]:
        # Containers use no Unix sockets that could be lost.
        return dict.fromkeys(await self.isolated(), ISOLATED)

    async def _services(self) -> dict[str, str]:
        """Returns all running services, planned or not, with their published ports."""
        form = '{{.Label "com.docker.compose.service"}}\t{{.Ports}}'
        listed = await run_docker(["ps", "--filter", self._label, "--format", form])
        pairs = (line.partition("\t") for line in listed.splitlines())
        return {service: ports for service, _, ports in pairs if service}

    @property
    def _label(self) -> str:
        return f"label=com.docker.compose.project={self._project}"

    async def kill(self, node: str, module: str, number: int) -> None:
        if module not in _modules_of(node_of(self._plan, node)):
            raise UnknownNodeError(f"{node} has no module {module}")
        program = ["python", "-I", "-S", "-c", _KILL, str(signal.Signals(number))]
        # The engine kills the program too once the container has ended: that is no failure.
        accepted = (0, 128 + signal.SIGKILL)
        await self._compose("exec", "-T", service_name(node, module), *program, accepted=accepted)

    async def isolate(self, node: str) -> None:
        mesh = Mesh(self._plan, self._project)
        await mesh.leave(node_of(self._plan, node))

    async def heal(self, node: str) -> None:
        mesh = Mesh(self._plan, self._project)
        await mesh.join(node_of(self._plan, node))

    async def isolated(self) -> frozenset[str]:
        return await Mesh(self._plan, self._project).absent(await self._services())

    async def memory_bytes(self) -> int:
        """Returns the memory that the engine charges to the containers, with their page cache."""
        ids = (await self._compose("ps", "--quiet")).split()
        if not ids:
            return 0
        listed = await run_docker(["stats", "--no-stream", "--format", "{{.MemUsage}}", *ids])
        return sum(_parse_size(line.partition("/")[0]) for line in listed.splitlines())

    async def log_lines(
        self, *, nodes: Sequence[str], module: str | None, tail: int, follow: bool
    ) -> AsyncIterator[LogLine]:
        services = {
            service_name(name, each): (name, each)
            for name in nodes
            for each in _modules_of(node_of(self._plan, name))
            if module in {None, each}
        }
        if not services:
            raise UnknownNodeError(f"no node has a module {module}")
        arguments = ["logs", "--no-color", "--tail", str(tail), *(["--follow"] if follow else [])]
        process = await asyncio.create_subprocess_exec(
            "docker",
            *self._arguments(*arguments, *services),
            cwd=self._repository,
            stdout=asyncio.subprocess.PIPE,
            limit=1024 * 1024,
        )
        try:
            if process.stdout is None:
                return
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                match = _LOG_LINE.match(_CURSOR.sub("", line))
                if match is not None and match["service"] in services:
                    yield LogLine(*services[match["service"]], match["text"])
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def configuration(self) -> dict[str, Any]:
        """Returns the compose file as the engine parses it."""
        self._write_compose_file()
        document = json.loads(await self._compose("config", "--format", "json"))
        return dict(document)

    async def compose(self, *arguments: str) -> str:
        """Runs any compose command on this testnet."""
        return await self._compose(*arguments)

    async def _make_genesis(self) -> None:
        """Runs every genesis job first: if one fails, no container was changed."""
        for module in modules_with_genesis(self._plan):
            try:
                await self._compose("run", "--rm", "--no-TTY", "--no-deps", genesis_name(module))
            except EngineError as error:
                raise genesis_failed(module, str(error).partition("\n")[2]) from error

    async def _copy_token(self) -> None:
        """Copies the operator's token out of the volume that the kernels share.

        Each time: the volume may have been removed by compose alone. If every kernel is just
        being restarted, the copy of the last start is used, and is refused if it is an old one.
        """
        for node in self._plan.nodes:
            service = service_name(node.name, KERNEL)
            try:
                printed = (await self._compose("exec", "-T", service, TOKEN_PROGRAM)).strip()
            except EngineError:
                if node is self._plan.nodes[-1] and self.bearer is None:
                    raise
                continue
            if BEARER.fullmatch(printed) is None:
                raise EngineError(f"{TOKEN_PROGRAM} in {service} prints no token of an operator")
            replace_token_file(self._layout.operator_token, printed)
            return

    async def _start(self, report: Report) -> None:
        try:
            words = ["up", "--detach", "--no-build", "--quiet-pull", "--remove-orphans"]
            nodes = [service_name(node.name, module) for node, module in self._everything()]
            await self._compose(*words, *nodes, report=report)  # not the app
        except EngineError as error:
            culprit = _CULPRIT.search(str(error))
            if culprit is None:
                raise
            node, module = self._owner(culprit["container"])
            raise NodeFailedError(
                f"{node}: the container of {module} {culprit[2]}", node=node, module=module
            ) from error

    def _owner(self, container: str) -> tuple[str, str]:
        """Returns node and module of a container."""
        for node, module in self._everything():
            if container == f"{self._project}-{service_name(node.name, module)}-1":
                return node.name, module
        return "testnet", container

    def _everything(self) -> list[tuple[NodePlan, str]]:
        return [(node, module) for node in self._plan.nodes for module in _modules_of(node)]

    @property
    def _project(self) -> str:
        return project_name(self._plan.topology.name)

    def _write_compose_file(self) -> Path:
        """Uses the repository's file if it is the same; else writes one in the testnet's folder."""
        text = render_compose(self._plan, source="the testnet's topology.toml")
        own = self._repository / DEFAULT_COMPOSE_FILE
        if own.is_file() and _body(own.read_text(encoding="utf-8")) == _body(text):
            self._layout.compose_file.unlink(missing_ok=True)
            return own
        self._layout.directory.mkdir(parents=True, exist_ok=True)
        self._layout.compose_file.write_text(text, encoding="utf-8")
        return self._layout.compose_file

    def _arguments(self, *arguments: str) -> list[str]:
        own = self._layout.compose_file
        file = own if own.is_file() else self._repository / DEFAULT_COMPOSE_FILE
        return [
            "compose",
            "--ansi",
            "never",
            "--project-name",
            self._project,
            "--project-directory",
            str(self._repository),
            "--file",
            str(file),
            *arguments,
        ]

    async def _compose(
        self, *arguments: str, report: Report | None = None, accepted: Collection[int] = (0,)
    ) -> str:
        def report_line(line: str) -> None:
            match = _PROGRESS.search(line)
            if report is None or match is None:
                return
            node, module = self._owner(match["container"])
            report(NodeProgress(node, f"container of {module}: {match['what'].lower()}"))

        return await run_docker(
            self._arguments(*arguments),
            folder=self._repository,
            on_line=report_line,
            accepted=accepted,
        )


def _modules_of(node: NodePlan) -> tuple[str, ...]:
    return (KERNEL, *(module.manifest.name for module in node.modules))


def _body(text: str) -> str:
    """Returns a compose file without the line that names its source."""
    return text.partition("\n")[2]


def _parse_size(text: str) -> int:
    """Parses e.g. `34.5MiB` into bytes."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMG]?)i?B\s*", text)
    if match is None:
        return 0
    return int(float(match[1]) * 1024 ** " KMG".index(match[2] or " "))
