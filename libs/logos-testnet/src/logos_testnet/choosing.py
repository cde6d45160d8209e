"""Which testnet a command means: the one that is named, else the only one that can be meant.

A testnet exists when its folder below the state root holds the topology that was
started last. Nothing here guesses: several are a question, an unknown name is an error.
"""

import asyncio
from pathlib import Path

from logos_testnet.compose import project_name
from logos_testnet.engine import run_docker
from logos_testnet.errors import (
    AmbiguousTestnetError,
    EngineError,
    UnknownTestnetError,
    UnreadableStateError,
)
from logos_testnet.layout import Layout, layout_of
from logos_testnet.processes import find_processes
from logos_testnet.state import CONTAINERS, read_facts


def known_testnets(state_root: Path) -> list[str]:
    """The names of all testnets that exist."""
    return sorted(path.parent.name for path in state_root.glob("*/topology.toml"))


def named(state_root: Path, name: str) -> str:
    """The testnet of that name.

    Raises:
        UnknownTestnetError: There is none; the message says which there are.
    """
    known = known_testnets(state_root)
    if name in known:
        return name
    there = f"there are {', '.join(known)}" if known else "there is none"
    raise UnknownTestnetError(f"there is no testnet {name!r} in {state_root}; {there}")


def chosen(state_root: Path, name: str | None) -> str | None:
    """The testnet that a command works on.

    Args:
        state_root: `.logos`.
        name: What the user said, if anything.

    Returns:
        The one that was named; else the only one that is up; else the only one there
        is; None if there is none.

    Raises:
        UnknownTestnetError: None has that name.
        AmbiguousTestnetError: Several could be meant.
    """
    if name is not None:
        return named(state_root, name)
    known = known_testnets(state_root)
    if len(known) <= 1:
        return next(iter(known), None)
    up = [each for each in known if is_up(layout_of(state_root, each))]
    if len(up) == 1:
        return up[0]
    if up:
        raise _question("several testnets are up", up)
    raise _question("several testnets are here, none of them up", known)


def chosen_to_start(state_root: Path, name: str | None) -> str | None:
    """The testnet that is started again: as `chosen`, but whatever is up."""
    if name is not None:
        return named(state_root, name)
    known = known_testnets(state_root)
    if len(known) > 1:
        raise _question("several testnets are here", known)
    return next(iter(known), None)


def is_up(layout: Layout) -> bool:
    """Whether a testnet was started and not stopped since, or anything of it runs."""
    return (
        layout.endpoints.exists()
        or bool(find_processes(layout.directory))
        or _has_containers(layout)
    )


def _has_containers(layout: Layout) -> bool:
    """An `up` that was interrupted leaves containers and no endpoints."""
    label = f"label=com.docker.compose.project={project_name(layout.directory.name)}"
    try:
        if read_facts(layout).runtime != CONTAINERS:
            return False
        return bool(asyncio.run(run_docker(["ps", "--quiet", "--filter", label])).strip())
    except (EngineError, UnreadableStateError):
        return False  # whoever works on this very testnet is told


def _question(why: str, names: list[str]) -> AmbiguousTestnetError:
    return AmbiguousTestnetError(
        f"{why}: {', '.join(names)}; say which with --testnet NAME, or in LOGOS_TESTNET"
    )
