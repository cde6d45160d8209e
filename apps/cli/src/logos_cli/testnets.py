"""`./logos up`, `down`, `status`, `logs`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from logos_cli.advice import command
from logos_cli.console import (
    Output,
    OutputOption,
    print_json,
    print_json_line,
    print_rows,
    sized,
    stderr,
)
from logos_cli.exits import Exit, explained
from logos_cli.failure import print_failure
from logos_cli.progress import watching
from logos_cli.running import run_interruptibly
from logos_cli.selection import Runtime, open_chosen, places_of, refuse_other_runtime, to_start
from logos_cli.survey import survey
from logos_cli.target import complete_node
from logos_cli.tokens import token_for
from logos_testnet.choosing import known_testnets
from logos_testnet.endpoints import to_json
from logos_testnet.errors import EngineError, NodeFailedError
from logos_testnet.layout import layout_of
from logos_testnet.opening import open_testnet, remember
from logos_testnet.plan import node_count_text
from logos_testnet.state import exclusive
from logos_testnet.testnet import LogLine, Started, Testnet

_SMALLEST_MIX: Final = 4
"""Nodes that a path needs: the sender and three hops."""

TopologyOption = Annotated[
    Path | None,
    typer.Option("--topology", help="Topology file of the testnet, instead of its name."),
]
RuntimeOption = Annotated[
    Runtime | None, typer.Option("--runtime", help="Default: the last one, else processes.")
]
TestnetOption = Annotated[
    str | None,
    typer.Option("--testnet", envvar="LOGOS_TESTNET", help="Testnet, if there are several."),
]


def up(
    *,
    topology: Annotated[
        Path | None,
        typer.Option(
            "--topology",
            help="Topology file. Default: that of the existing testnet, else"
            " deploy/topologies/small.toml.",
        ),
    ] = None,
    testnet: Annotated[
        str | None,
        typer.Option("--testnet", envvar="LOGOS_TESTNET", help="Existing testnet to resume."),
    ] = None,
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=1, help="Number of nodes, instead of the file's.")
    ] = None,
    runtime: RuntimeOption = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Derive identities from this number. INSECURE."),
    ] = None,
    app: Annotated[
        bool, typer.Option("--app/--no-app", help="Start the Logos App too, if it has a port.")
    ] = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Start a testnet, or its missing nodes, and wait until it is ready."""
    with explained():
        places = places_of(make=True)
        description = to_start(places, topology, testnet, nodes)
        opened = open_testnet(description, places, runtime=runtime, seed=seed)
        layout = layout_of(places.state_root, opened.plan.topology.name)
        try:
            with exclusive(layout):
                run_interruptibly(refuse_other_runtime(places, opened))
                remember(description, opened, places)
                if opened.plan.seed is not None:
                    _warn_of_seed(opened.plan.seed)
                with watching() as report:
                    started, memory, link = run_interruptibly(_start(opened, report, app=app))
        except NodeFailedError as error:
            run_interruptibly(print_failure(opened, error))
            raise typer.Exit(Exit.FAILED) from error
    _print_started(opened, started, memory, link, output)


def down(
    *,
    topology: TopologyOption = None,
    testnet: TestnetOption = None,
    runtime: RuntimeOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove identities and files too.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop a testnet; identities and files are kept, unless --purge."""
    with explained():
        places = places_of()
        opened = open_chosen(places, topology, testnet, runtime)
        name = opened.plan.topology.name
        with exclusive(layout_of(places.state_root, name)), watching() as report:
            run_interruptibly(refuse_other_runtime(places, opened))
            had = run_interruptibly(opened.down(report, purge=purge))
        if output is Output.JSON:
            print_json({"testnet": name, "was_running": had, "purged": purge})
        text = f"{name} stopped" if had else f"{name} was not running"
        if purge:
            text += "; its state was removed"
        elif name in known_testnets(places.state_root):
            text += f"; `{command('up', name)}` resumes it,"
            text += f" `{command('down', name, '--purge')}` removes its state"
        stderr().print(text, highlight=False, markup=False)


def status(
    *,
    topology: TopologyOption = None,
    testnet: TestnetOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the status of every node of a testnet; exit code 3 if one is not ready."""
    with explained():
        opened = open_chosen(places_of(), topology, testnet, None)
        rows = run_interruptibly(_survey(opened))
        columns = ("node", "address", "state", "peers", "module_states", "peer_id")
        print_rows(rows, columns, output)
        name = opened.plan.topology.name
        for row in rows:
            if row["trouble"]:
                text = f"{row['node']}: {row['trouble']}; `{command('up', name)}` repairs it"
                stderr().print(text, highlight=False, markup=False)
        if all(row["state"] == "ready" for row in rows):
            return
        if all(row["state"] == "unreachable" for row in rows):
            stderr().print(f"nothing is up; `{command('up', name)}` starts it", highlight=False)
        raise typer.Exit(Exit.UNREACHABLE)


async def _survey(testnet: Testnet) -> list[dict[str, Any]]:
    """Returns the status of every node of the plan, and of others that run."""
    addresses = {node.name: node.front for node in testnet.plan.nodes}
    extra: dict[str, str] = {}
    with contextlib.suppress(EngineError):  # the nodes can be asked without the engine
        extra = await testnet.unplanned()
    troubles = await testnet.troubles()
    addresses |= {name: address for name, address in extra.items() if address}
    bearer = await token_for(testnet.plan.nodes[0].front, None)  # also if compose alone started it
    rows = await survey(list(addresses.items()), bearer, 3.0)
    headless = [name for name in extra if name not in addresses]  # modules without a kernel
    rows += [{"node": name, "address": "", "state": "unreachable"} for name in headless]
    for name, row in zip([*addresses, *headless], rows, strict=True):
        modules = row.get("modules", {})
        row["module_states"] = [f"{module} {state}" for module, state in modules.items()]
        refused = "it refuses the operator's token" if row["state"] == "refused" else ""
        row["trouble"] = troubles.get(name, refused)
        if name in extra:
            row["trouble"] = "it runs, but is no longer a node of the testnet"
        if row["trouble"] and row["state"] == "ready":
            row["state"] = "degraded"
    return rows


def logs(
    *,
    node: Annotated[
        str | None, typer.Argument(help="Node; default: all.", autocompletion=complete_node)
    ] = None,
    module: Annotated[str | None, typer.Argument(help="Module, or `kernel`.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines.")] = False,
    tail: Annotated[
        int, typer.Option("--tail", "-n", min=1, help="Number of newest lines of each log.")
    ] = 50,
    testnet: TestnetOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the logs of nodes and modules."""
    with explained():
        opened = open_chosen(places_of(), None, testnet, None)
        names = [node] if node is not None else [each.name for each in opened.plan.nodes]
        lines = opened.log_lines(nodes=names, module=module, tail=tail, follow=follow)
        run_interruptibly(_print_logs(lines, output, flush=follow))


async def _print_logs(lines: AsyncIterator[LogLine], output: Output, *, flush: bool) -> None:
    async for line in lines:
        if output is Output.JSON:
            print_json_line({"node": line.node, "module": line.module, "line": line.text})
        else:
            print(f"{line.node}/{line.module} | {line.text}", flush=flush)


async def _start(testnet: Testnet, report: Any, *, app: bool) -> tuple[Started, int, str | None]:
    started = await testnet.up(report)
    link = await testnet.start_app(report) if app else None
    return started, await testnet.memory_bytes(), link


def _warn_of_seed(seed: int) -> None:
    stderr().print(
        f"[bold red]INSECURE[/]: identities are derived from seed {seed}, and can be forged",
        highlight=False,
    )


def _print_started(
    testnet: Testnet, started: Started, memory: int, link: str | None, output: Output
) -> None:
    if output is Output.JSON:
        document = to_json(started.endpoints)
        document |= {"stopped": started.stopped, "memory_bytes": memory, "app": link}
        print_json(document | {"seconds": round(started.seconds, 2)})
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
        *_storage_hints(name, started),
        *_message_hints(name, started),
        *_token_hints(name, started),
        *_mix_hints(name, started),
        (command("status", name), "the status of every node"),
        (command("logs", name, "-f"), "follow the logs"),
        (command("down", name), f"stop; `{command('up', name)}` resumes"),
    ]
    width = max(len(typed) for typed, _ in hints)
    lines = "".join(f"  {typed:<{width}}  {what}\n" for typed, what in hints)
    for node in started.stopped:
        stderr().print(f"{node} was stopped, its state is kept: {node_count_text(testnet.plan)}")
    stderr().print(
        f"\n{name} {took}, {sized(memory)} of memory ({kind})\n\n{lines}",
        highlight=False,
        markup=False,
    )
    if link is not None:
        stderr().print(
            f"The app, in a browser of this machine; opens once, within ten minutes:\n\n  {link}\n",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _storage_hints(name: str, started: Started) -> list[tuple[str, str]]:
    """Returns first commands to try, on the first and the last node with storage."""
    keepers = [node.name for node in started.endpoints.nodes if "storage" in node.modules]
    if not keepers:
        first = started.endpoints.nodes[0].name
        return [(command("ctl", name, f"--node {first} module list"), f"the modules of {first}")]
    put = f"--node {keepers[0]} storage put FILE"
    get = f"--node {keepers[-1]} storage get CID -o OUT"
    return [
        (command("ctl", name, put), "store a file, print its CID"),
        (command("ctl", name, get), "fetch it from another node"),
    ]


def _message_hints(name: str, started: Started) -> list[tuple[str, str]]:
    """Returns a message from the first node that sends some."""
    senders = [node.name for node in started.endpoints.nodes if "delivery" in node.modules]
    if not senders:
        return []
    send = f"--node {senders[0]} delivery send /demo/1/chat/proto hello"
    return [(command("ctl", name, send), "send a message, see how far it comes")]


def _token_hints(name: str, started: Started) -> list[tuple[str, str]]:
    """Returns a payment by the faucet to the first node with a wallet."""
    payees = [node.name for node in started.endpoints.nodes if "chain" in node.modules]
    if not payees:
        return []
    first, last = payees[0], payees[-1]
    address = command("ctl", name, f"--node {last} wallet address")
    send = f'--node {first} wallet send "$({address})" 100'
    return [(command("ctl", name, send), "transfer tokens to another node's wallet")]


def _mix_hints(name: str, started: Started) -> list[tuple[str, str]]:
    """Returns a ping over the mix, from the first node to one that is far from it."""
    mixes = [node.name for node in started.endpoints.nodes if "mixnet" in node.modules]
    if len(mixes) < _SMALLEST_MIX:
        return []
    ping = f"--node {mixes[0]} mix ping {mixes[_SMALLEST_MIX - 1]}"
    return [(command("ctl", name, ping), "ask it something that nobody can trace")]
