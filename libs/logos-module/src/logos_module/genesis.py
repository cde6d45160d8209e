"""Genesis: the public and private files of the nodes of a testnet, made before their first start.

A module that names a genesis job in its manifest has a command that makes them. The command
calls `read_job` and writes into the folders of the job. This file, run as a program, runs the
command once, in containers and beside processes alike:

    python -I -S genesis.py COMMAND [ARGUMENT …]

It does nothing if the command has already succeeded for these nodes, or for others where nodes
that come later do without. It uses the standard library only, since it runs before every start.
Exit code 0: the genesis exists; 1: the command failed, or the genesis is that of other nodes;
2: LOGOS_GENESIS is not valid.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "LOGOS_GENESIS"
DONE = ".genesis.json"
"""In the public folder: the nodes that the genesis was made for. Written last."""


@dataclass(frozen=True)
class NodeGenesis:
    """One node of a genesis job."""

    settings: Mapping[str, Any]
    """The module's settings on the node."""
    folder: Path
    """For files that only this node may read. Exists."""


@dataclass(frozen=True)
class GenesisJob:
    """The input of a genesis command."""

    testnet: str
    module: str
    seed: int | None
    """Derive everything from this number, and warn that it is insecure; None: use randomness."""
    public: Path
    """Folder for files that every node reads. Exists."""
    nodes: Mapping[str, NodeGenesis]
    """The nodes that have the module by name, in the topology's order."""
    late_nodes: bool = False
    """Whether nodes that are added later do without a genesis."""


def read_job(variables: Mapping[str, str] = os.environ) -> GenesisJob:
    """Reads LOGOS_GENESIS.

    Raises:
        ValueError: It is not set, or is malformed.
    """
    text = variables.get(VARIABLE)
    if not text:
        raise ValueError(f"{VARIABLE} must be set; start the testnet by `./logos up` or compose")
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
            late_nodes=document.get("late_nodes", False) is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{VARIABLE} cannot be read: {type(error).__name__}: {error}") from error


def run_once(job: GenesisJob, command: Sequence[str]) -> int:
    """Runs the command unless it has already succeeded; returns an exit code."""
    try:
        made_for = _made_for(job)
    except (OSError, ValueError, KeyError, TypeError) as error:
        _print_error(
            "GENESIS_DAMAGED", f"{job.public / DONE} cannot be read: {error}; purge the testnet"
        )
        return 1
    if made_for is not None:
        missing = [name for name in job.nodes if name not in made_for and not job.late_nodes]
        if missing:
            _print_error(
                "GENESIS_MISMATCH",
                f"the genesis of {job.module} was made for {', '.join(made_for)}, and not for"
                f" {', '.join(missing)}; purge the testnet to make a new one",
            )
        return 1 if missing else 0
    for folder in _folders(job):
        _empty(folder)
    program = sys.executable if command[0] == "python" else command[0]
    try:
        code = _run([program, *command[1:]])
    except OSError as error:
        _print_error("GENESIS_FAILED", f"{program} cannot be started: {error.strerror}")
        return 1
    if code != 0:
        _print_error("GENESIS_FAILED", f"the genesis job of {job.module} ended with {code}")
        return 1
    _note_done(job)
    return 0


def _run(words: Sequence[str]) -> int:
    """Runs a program and returns its exit code; it ends with this one.

    It must not write on while a later start makes the genesis again. A SIGTERM that comes while it
    is being started waits until it can be killed.
    """
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    process = subprocess.Popen(words)  # noqa: S603 - the manifest's
    try:
        signal.signal(signal.SIGTERM, before)
        if came:
            signal.raise_signal(signal.SIGTERM)
        return process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _made_for(job: GenesisJob) -> list[str] | None:
    """Returns the nodes that the genesis was made for; None if it does not exist or is partial."""
    try:
        text = (job.public / DONE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return [str(name) for name in json.loads(text)["nodes"]]


def _folders(job: GenesisJob) -> list[Path]:
    return [job.public, *(node.folder for node in job.nodes.values())]


def _empty(folder: Path) -> None:
    """Removes the files of an interrupted run. The folder stays: it may be a mount."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _note_done(job: GenesisJob) -> None:
    """Syncs all files to disk before it writes the note."""
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


def _print_error(reason: str, text: str) -> None:
    sys.stderr.write(f"{reason}: {text}\n")


def main() -> int:
    """Runs the program; returns its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        job = read_job()
    except ValueError as error:
        _print_error("INVALID_GENESIS", str(error))
        return 2
    if len(sys.argv) < 2:
        _print_error("INVALID_GENESIS", "no command was given")
        return 2
    return run_once(job, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
