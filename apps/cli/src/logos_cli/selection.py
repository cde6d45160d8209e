"""Selects the testnet of a command by its options."""

import contextlib
import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from logos_base.errors import LogosError
from logos_cli.console import stderr
from logos_cli.target import repository, state_root
from logos_testnet.choosing import chosen, chosen_to_start
from logos_testnet.errors import (
    AmbiguousTestnetError,
    EngineError,
    OtherRuntimeError,
    UnreadableStateError,
)
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, described_by, open_testnet, remembered
from logos_testnet.state import read_facts
from logos_testnet.testnet import Testnet

DEFAULT_TOPOLOGY: Final = Path("deploy/topologies/small.toml")


class Runtime(StrEnum):
    """Where nodes run."""

    PROCESSES = "processes"
    CONTAINERS = "containers"


def places_of(*, make: bool = False) -> Places:
    """Returns the folders that commands work in; with `make`, they need not exist."""
    return Places(repository(), state_root(make=make))


def to_start(
    places: Places, topology: Path | None, testnet: str | None, nodes: int | None
) -> Description:
    """Returns the given topology; else that of the existing testnet; else the default topology."""
    if topology is not None:
        return _given(topology, testnet, nodes)
    default = places.repository / DEFAULT_TOPOLOGY
    name = chosen_to_start(places.state_root, testnet)
    held = remembered(layout_of(places.state_root, name)) if name else None
    if held is None:
        return described_by(default, nodes)
    _print_changed(held, default)
    return held if nodes is None else replace(held, node_count=nodes)


def open_chosen(
    places: Places, topology: Path | None, testnet: str | None, runtime: Runtime | None
) -> Testnet:
    """Opens the named testnet, or the only candidate; else the default one.

    Raises:
        UnknownTestnetError: No testnet has that name.
        AmbiguousTestnetError: There are several candidates.
        UnreadableStateError: Its state cannot be read.
    """
    description: Description | None = None
    if topology is not None:
        description = _given(topology, testnet)
        with contextlib.suppress(UnreadableStateError):  # the given file is used instead
            held = remembered(layout_of(places.state_root, description.topology().name))
            if held is not None and held.text == description.text:
                description = held  # with its number of nodes
    elif name := chosen(places.state_root, testnet):
        description = remembered(layout_of(places.state_root, name))
    if description is None:
        description = described_by(places.repository / DEFAULT_TOPOLOGY)
    return open_testnet(description, places, runtime=runtime)


async def refuse_other_runtime(places: Places, testnet: Testnet) -> None:
    """Refuses a second runtime: it would share ports, folder and endpoints file.

    Raises:
        OtherRuntimeError: It runs on the other runtime.
    """
    name = testnet.plan.topology.name
    layout = layout_of(places.state_root, name)
    last = read_facts(layout).runtime
    if last in {"", testnet.runtime}:
        return
    held = remembered(layout)
    if held is None:
        return
    other = open_testnet(held, places, runtime=last)
    with contextlib.suppress(EngineError):  # no engine, no containers
        if await other.running():
            raise OtherRuntimeError(
                f"{name} runs as {last}; `./logos down --testnet {name}` stops it"
            )


def _given(topology: Path, testnet: str | None, nodes: int | None = None) -> Description:
    """Reads a given topology file; the name of the testnet, if given too, must agree."""
    description = described_by(topology, nodes)
    name = description.topology().name
    if testnet is not None and testnet != name:
        raise AmbiguousTestnetError(
            f"{topology} is that of {name}, but --testnet or LOGOS_TESTNET is {testnet!r}"
        )
    return description


def _print_changed(held: Description, default: Path) -> None:
    """Prints a note if the default topology has changed: the testnet resumes with the old one."""
    with contextlib.suppress(OSError, LogosError):
        now = described_by(default)
        name = now.topology().name
        if now.text != held.text and name == held.topology().name:
            file = os.path.relpath(default)
            stderr().print(
                f"{name} resumes with the topology that it was started with; {file} has changed"
                f" since: `./logos up --topology {file}` applies it",
                highlight=False,
                markup=False,
            )
