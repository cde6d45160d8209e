"""`./logos up`, `down`, `status`, `logs`."""

import asyncio
import contextlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from logos_cli.console import Output, OutputOption, print_json, print_rows, sized, stderr
from logos_cli.exits import Exit, explained
from logos_cli.failure import tell_failure
from logos_cli.nodes import survey
from logos_cli.progress import watching
from logos_cli.target import chosen_testnet, complete_node, repository, state_root
from logos_testnet.endpoints import to_json
from logos_testnet.errors import NodeFailedError, OtherRuntimeError
from logos_testnet.layout import layout_of
from logos_testnet.opening import (
    Description,
    Places,
    described_by,
    open_testnet,
    remember,
    remembered,
)
from logos_testnet.state import exclusive, read_facts
from logos_testnet.testnet import LogLine, Started, Testnet

DEFAULT_TOPOLOGY: Final = Path("deploy/topologies/small.toml")


class Runtime(StrEnum):
    """Where nodes run."""

    PROCESSES = "processes"
    CONTAINERS = "containers"


TopologyOption = Annotated[
    Path | None,
    typer.Option("--topology", help="Topology file; default: deploy/topologies/small.toml."),
]
RuntimeOption = Annotated[
    Runtime | None, typer.Option("--runtime", help="Default: the last one, else processes.")
]
TestnetOption = Annotated[
    str | None, typer.Option("--testnet", envvar="LOGOS_TESTNET", help="Which, if several are up.")
]


def up(
    topology: TopologyOption = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=1, help="Number of nodes, instead of the file's.")
    ] = None,
    runtime: RuntimeOption = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Make the same identities every time. INSECURE."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Start a testnet, or what is missing of it, and wait until it is ready."""
    with explained():
        places = _places()
        description = described_by(topology or places.repository / DEFAULT_TOPOLOGY, nodes)
        testnet = open_testnet(description, places, runtime=runtime, seed=seed)
        layout = layout_of(places.state_root, testnet.plan.topology.name)
        try:
            with exclusive(layout):
                asyncio.run(_refuse_other_runtime(description, places, testnet))
                remember(description, testnet, places)
                if testnet.plan.seed is not None:
                    _warn_of_seed(testnet.plan.seed)
                with watching() as report:
                    started, memory = asyncio.run(_start(testnet, report))
        except NodeFailedError as error:
            asyncio.run(tell_failure(testnet, error))
            raise typer.Exit(Exit.FAILED) from error
    _tell_started(testnet, started, memory, output)


def down(
    topology: TopologyOption = None,
    testnet: TestnetOption = None,
    runtime: RuntimeOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Forget identities and files too.")
    ] = False,
) -> None:
    """Stop a testnet; identities and files stay, unless --purge."""
    with explained():
        opened = _open(topology, testnet, runtime)
        layout = layout_of(_places().state_root, opened.plan.topology.name)
        with exclusive(layout), watching() as report:
            had = asyncio.run(opened.down(report, purge=purge))
    name = opened.plan.topology.name
    said = "stopped" if had else "was not running"
    kept = "nothing of it is left" if purge else "`./logos up` resumes it, --purge forgets it"
    stderr.print(f"{name} {said}; {kept}", highlight=False)


def status(
    topology: TopologyOption = None,
    testnet: TestnetOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how every node of a testnet is; exit code 3 if one is not ready."""
    with explained():
        opened = _open(topology, testnet, None)
        addresses = [(node.name, node.front) for node in opened.plan.nodes]
        rows = asyncio.run(survey(addresses, 3.0))
    for row in rows:
        modules = row.get("modules", {})
        row["module_states"] = [f"{name} {state}" for name, state in modules.items()]
    columns = ("node", "address", "state", "peers", "module_states", "peer_id")
    print_rows(rows, columns, output)
    if any(row["state"] != "ready" for row in rows):
        if all(row["state"] == "unreachable" for row in rows):
            stderr.print("nothing is up; `./logos up` starts it", highlight=False)
        raise typer.Exit(Exit.UNREACHABLE)


def logs(
    node: Annotated[
        str | None, typer.Argument(help="Node; all if left out.", autocompletion=complete_node)
    ] = None,
    module: Annotated[str | None, typer.Argument(help="Module, or `kernel`.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay for new lines.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, help="Newest lines of each.")] = 50,
    testnet: TestnetOption = None,
) -> None:
    """Print the logs of nodes and modules."""
    with explained(), contextlib.suppress(KeyboardInterrupt):
        opened = _open(None, testnet, None)
        names = [node] if node else [each.name for each in opened.plan.nodes]
        asyncio.run(_print_logs(opened, names, module, tail=tail, follow=follow))


async def _print_logs(
    testnet: Testnet, nodes: list[str], module: str | None, *, tail: int, follow: bool
) -> None:
    lines = testnet.log_lines(nodes=nodes, module=module, tail=tail, follow=follow)
    async for line in lines:
        print(_labelled(line), flush=follow)


def _labelled(line: LogLine) -> str:
    return f"{line.node}/{line.module} | {line.text}"


def _places() -> Places:
    return Places(repository(), state_root())


def _open(topology: Path | None, testnet: str | None, runtime: Runtime | None) -> Testnet:
    """Opens the testnet that was named or is remembered; else the default one."""
    places = _places()
    layout = layout_of(places.state_root, chosen_testnet(testnet))
    description: Description | None = None
    if topology is not None:
        description = described_by(topology)
    elif (description := remembered(layout)) is None:
        description = described_by(places.repository / DEFAULT_TOPOLOGY)
    return open_testnet(description, places, runtime=runtime)


async def _refuse_other_runtime(description: Description, places: Places, testnet: Testnet) -> None:
    """Two runtimes of one testnet would share its ports and its endpoints file."""
    layout = layout_of(places.state_root, testnet.plan.topology.name)
    last = read_facts(layout).runtime
    if last in {"", testnet.runtime}:
        return
    other = open_testnet(remembered(layout) or description, places, runtime=last)
    if await other.running():
        name = testnet.plan.topology.name
        raise OtherRuntimeError(f"{name} runs as {last}; `./logos down` first")


async def _start(testnet: Testnet, report: Any) -> tuple[Started, int]:
    started = await testnet.up(report)
    return started, await testnet.memory_bytes()


def _warn_of_seed(seed: int) -> None:
    stderr.print(
        f"[bold red]INSECURE[/]: identities are made from seed {seed}; anyone can make the same",
        highlight=False,
    )


def _tell_started(testnet: Testnet, started: Started, memory: int, output: Output) -> None:
    if output is Output.JSON:
        document = to_json(started.endpoints)
        print_json(document | {"seconds": round(started.seconds, 2), "memory_bytes": memory})
        return
    rows = [
        {
            "node": node.name,
            "front_door": node.kernel,
            "peer_id": node.peer_id,
            "modules": node.modules,
            "peers": started.peers[node.name],
        }
        for node in started.endpoints.nodes
    ]
    print_rows(rows, ("node", "front_door", "peer_id", "modules", "peers"), output)
    name = testnet.plan.topology.name
    kind = "PSS" if testnet.runtime == "processes" else "as the engine counts it"
    if started.started:
        took = f"ready and connected in {started.seconds:.1f} s"
    else:
        took = "was up already"
    hints = [
        *_storage_hints(started),
        ("./logos status", "how every node is"),
        ("./logos logs -f", "what they say"),
        ("./logos down", "stop; `./logos up` resumes"),
    ]
    width = max(len(command) for command, _ in hints)
    lines = "".join(f"  {command:<{width}}  {what}\n" for command, what in hints)
    stderr.print(
        f"\n{name} {took}, {sized(memory)} of memory ({kind})\n\n{lines}",
        highlight=False,
        markup=False,
    )


def _storage_hints(started: Started) -> list[tuple[str, str]]:
    """The first thing to try, on the first and the last node that store files."""
    keepers = [node.name for node in started.endpoints.nodes if "storage" in node.modules]
    if not keepers:
        return [("./logos ctl module list", "the modules of the first node")]
    return [
        (f"./logos ctl --node {keepers[0]} storage put FILE", "store a file, print its CID"),
        (f"./logos ctl --node {keepers[-1]} storage get CID -o OUT", "fetch it from another node"),
    ]
