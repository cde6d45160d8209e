"""Genesis jobs of modules, run once before the first start of a testnet (docs/modules.md).

`logos_module/genesis.py` runs the command of a module, in a container or as a process; here are
its input, and its run as a process.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Final

from logos_testnet.errors import GenesisError
from logos_testnet.layout import Layout
from logos_testnet.plan import ModulePlan, NodePlan, Plan
from logos_testnet.progress import Note, Report

VARIABLE: Final = "LOGOS_GENESIS"
_LAST_LINES: Final = 20


def modules_with_genesis(plan: Plan) -> dict[str, ModulePlan]:
    """Returns the modules that have a job, by name."""
    modules = (module for node in plan.nodes for module in node.modules)
    return {module.name: module for module in modules if module.manifest.needs.genesis.command}


def holders(plan: Plan, module: str) -> list[NodePlan]:
    """Returns the nodes that have a module."""
    return [node for node in plan.nodes if any(each.name == module for each in node.modules)]


def job_document(plan: Plan, module: str, public: str, folders: Mapping[str, PurePath]) -> str:
    """Returns the input of a module's job, as JSON.

    Args:
        plan: The testnet.
        module: Its name.
        public: Path of the public folder in the job.
        folders: Private folder of each node, by name.
    """
    nodes = {}
    for node in holders(plan, module):
        settings = next(each.settings for each in node.modules if each.name == module)
        nodes[node.name] = {"settings": dict(settings), "folder": str(folders[node.name])}
    return json.dumps(
        {
            "testnet": plan.topology.name,
            "module": module,
            "seed": plan.seed,
            "public": public,
            "late_nodes": modules_with_genesis(plan)[module].manifest.needs.genesis.late_nodes,
            "nodes": nodes,
        }
    )


async def run_genesis(plan: Plan, layout: Layout, report: Report) -> None:
    """Runs every job that is not done, as a local process.

    Raises:
        GenesisError: One failed, or its genesis is that of other nodes.
    """
    for name, module in modules_with_genesis(plan).items():
        public = layout.public_genesis(name)
        if not public.exists():
            report(Note(f"making the genesis of {name}"))
        private = {node.name: layout.private_genesis(node.name, name) for node in plan.nodes}
        document = job_document(plan, name, str(public), private)
        await _run(name, module.manifest.needs.genesis.command, {VARIABLE: document})


async def _run(module: str, command: Iterable[str], variables: Mapping[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGOS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(_runner()),
        *command,
        env={"PYTHONSAFEPATH": "1", **kept, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    if process.returncode != 0:
        raise genesis_failed(module, output.decode("utf-8", "replace"))


def genesis_failed(module: str, output: str) -> GenesisError:
    """Returns the error of a job, with the last lines of its output."""
    lines = output.strip().splitlines()[-_LAST_LINES:]
    return GenesisError("\n".join([f"the genesis of {module} was not made:", *lines]))


def _runner() -> Path:
    """Finds the file without importing its package: that would take longer than the job."""
    spec = find_spec("logos_module")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        return Path(folder) / "genesis.py"
    raise GenesisError("the package logos_module is not installed: no genesis job can run")
