"""Detects whether a testnet is up."""

import asyncio

from logos_testnet.compose import project_name
from logos_testnet.engine import run_docker
from logos_testnet.errors import EngineError, UnreadableStateError
from logos_testnet.layout import Layout
from logos_testnet.processes import find_processes
from logos_testnet.state import CONTAINERS, read_facts


def is_up(layout: Layout) -> bool:
    """Returns whether a testnet was started and not stopped since, or anything of it runs."""
    return (
        layout.endpoints.exists()
        or bool(find_processes(layout.directory))
        or _has_containers(layout)
    )


def _has_containers(layout: Layout) -> bool:
    """Finds containers without endpoints: an interrupted `up` leaves them."""
    label = f"label=com.docker.compose.project={project_name(layout.directory.name)}"
    try:
        if read_facts(layout).runtime != CONTAINERS:
            return False
        return bool(asyncio.run(run_docker(["ps", "--quiet", "--filter", label])).strip())
    except (EngineError, UnreadableStateError):
        return False  # a command for this testnet reports it
