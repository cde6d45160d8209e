"""Genesis: what the nodes of a testnet share, or hold each alone, before their first start.

A module that names a genesis job in its manifest has a command of its own that makes it.
That command calls `read_job` and writes into the folders which that names. This file run as
a program makes sure that it is done once, in a container and beside processes alike:

    python -I -S genesis.py COMMAND [ARGUMENT …]

It runs the command, unless it has already ended well for these nodes. The standard library
alone: it runs before every start. Exit code 0: all is there; 1: the command failed, or the
genesis is that of other nodes; 2: LOGOS_GENESIS cannot be used.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "LOGOS_GENESIS"
DONE = ".genesis.json"
"""In the public folder: for which nodes it was made. Written last."""


@dataclass(frozen=True)
class NodeGenesis:
    """One node, as the job is told of it."""

    settings: Mapping[str, Any]
    """The module's settings there."""
    folder: Path
    """For what only this node may read. Exists."""


@dataclass(frozen=True)
class GenesisJob:
    """What a genesis job is told."""

    testnet: str
    module: str
    seed: int | None
    """Make everything from this number, and say that it is insecure; None: from randomness."""
    public: Path
    """Folder for what every node reads. Exists."""
    nodes: Mapping[str, NodeGenesis]
    """By name, in the topology's order: those that have the module."""


def read_job(variables: Mapping[str, str] = os.environ) -> GenesisJob:
    """Reads LOGOS_GENESIS.

    Raises:
        ValueError: It is not set, or not what a testnet sets it to.
    """
    text = variables.get(VARIABLE)
    if not text:
        raise ValueError(f"{VARIABLE} must be set; a testnet sets it")
    try:
        document = json.loads(text)
        nodes = {
            name: NodeGenesis(dict(node["settings"]), Path(node["folder"]))
            for name, node in document["nodes"].items()
        }
        return GenesisJob(
            testnet=str(document["testnet"]),
            module=str(document["module"]),
            seed=document["seed"],
            public=Path(document["public"]),
            nodes=nodes,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{VARIABLE} cannot be read: {type(error).__name__}: {error}") from error


def run_once(job: GenesisJob, command: Sequence[str]) -> int:
    """Runs the command where its work is not done; returns an exit code."""
    try:
        made_for = _made_for(job)
    except (OSError, ValueError, KeyError, TypeError) as error:
        _say("GENESIS_DAMAGED", f"{job.public / DONE} cannot be read: {error}; purge the testnet")
        return 1
    if made_for is not None:
        strange = [name for name in job.nodes if name not in made_for]
        if strange:
            _say(
                "GENESIS_MISMATCH",
                f"the genesis of {job.module} was made for {', '.join(made_for)}, and not for"
                f" {', '.join(strange)}; a testnet that is purged makes a new one",
            )
        return 1 if strange else 0
    for folder in _folders(job):
        _empty(folder)
    program = sys.executable if command[0] == "python" else command[0]
    try:
        ended = subprocess.run([program, *command[1:]], check=False)  # noqa: S603 - the manifest's
    except OSError as error:
        _say("GENESIS_FAILED", f"{program} cannot be started: {error.strerror}")
        return 1
    if ended.returncode != 0:
        _say("GENESIS_FAILED", f"the genesis job of {job.module} ended with {ended.returncode}")
        return 1
    _note_done(job)
    return 0


def _made_for(job: GenesisJob) -> list[str] | None:
    """The nodes that it was made for; None if it was not, or not to the end."""
    try:
        text = (job.public / DONE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return [str(name) for name in json.loads(text)["nodes"]]


def _folders(job: GenesisJob) -> list[Path]:
    return [job.public, *(node.folder for node in job.nodes.values())]


def _empty(folder: Path) -> None:
    """Removes what a run that broke off has left. The folder may be a mount: it stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _note_done(job: GenesisJob) -> None:
    """All that was written is on the disk before the note that says so."""
    for folder in _folders(job):
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() or path.is_file():
                _flush(path)
    written = job.public / f"{DONE}.part"
    written.write_text(json.dumps({"nodes": list(job.nodes)}), encoding="utf-8")
    _flush(written)
    written.replace(job.public / DONE)
    _flush(job.public)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _say(reason: str, text: str) -> None:
    sys.stderr.write(f"{reason}: {text}\n")


def main() -> int:
    """The program."""
    try:
        job = read_job()
    except ValueError as error:
        _say("INVALID_GENESIS", str(error))
        return 2
    if len(sys.argv) < 2:
        _say("INVALID_GENESIS", "no command was given")
        return 2
    return run_once(job, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
