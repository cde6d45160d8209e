"""Contracts of a module by others: their code and their descriptors, by protoc."""

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

from logos_cli.authoring.problem import Problem
from logos_cli.programs import ProgramFailedError
from logos_cli.target import repository

_BLAME: Final = re.compile(r"(?P<file>[^:\s]+\.proto):(?:(?P<line>\d+):\d+:)? (?P<what>.+)")


def generate(protos: Path, out: Path) -> None:
    """Writes the Python code of all contracts in a folder.

    Raises:
        ProgramFailedError: protoc is not there, or refuses them.
    """
    said = _protoc(protos, f"--python_out={out.resolve()}", f"--grpc_python_out={out.resolve()}")
    if said:
        raise ProgramFailedError(f"protoc failed: {said}")


def compile_contracts(
    protos: Path, problems: list[Problem]
) -> descriptor_pb2.FileDescriptorSet | None:
    """Returns the descriptors of all contracts in a folder.

    None, and problems, if they do not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "descriptors")
        said = _protoc(protos, "--include_imports", f"--descriptor_set_out={out}")
        if not said:
            return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    blamed = [found for line in said.splitlines() if (found := _BLAME.match(line))]
    problems += [
        Problem(str(protos / found["file"]), int(found["line"] or 1), found["what"])
        for found in blamed
    ] or [Problem(str(protos), 1, said)]
    return None


def _protoc(protos: Path, *options: str) -> str:
    """Runs protoc on all contracts in a folder; returns what it says against them.

    They may import those of the checkout that this is.
    """
    if find_spec("grpc_tools") is None:
        raise ProgramFailedError("protoc is not there: install the Python package grpcio-tools")
    files = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    shared = repository() / "proto"
    imported = [f"-I{shared}"] if shared.is_dir() else []
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *imported, *options, *files],
        cwd=protos,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""
