"""Generates the code of the contracts: `proto/` to `libs/logos-api`."""

import tempfile
from pathlib import Path
from typing import Final

from logos_cli.programs import ProgramFailedError, capture, tool

GENERATED: Final = Path("libs/logos-api/src")


def generate(root: Path, target: Path | None = None) -> list[str]:
    """Generates all code into `target`, by default the committed folder.

    Returns:
        The contracts that it was generated from.
    """
    out = target or root / GENERATED
    files = sorted(str(path.relative_to(root / "proto")) for path in root.glob("proto/**/*.proto"))
    code, output = capture(
        [
            *(tool("python"), "-m", "grpc_tools.protoc", "--proto_path=proto"),
            *(f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")),
            *files,
        ],
        root,
    )
    if code != 0:
        raise ProgramFailedError(f"protoc failed:\n{output}")
    return [f"proto/{file}" for file in files]


def drift(root: Path) -> list[str]:
    """Returns the generated files that are out of date."""
    committed = root / GENERATED
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(root, fresh)
        wanted = {path.relative_to(fresh): path for path in fresh.rglob("*.py*")}
        held = {
            path.relative_to(committed)
            for path in committed.rglob("*_pb2*.py*")
            if path.suffix in {".py", ".pyi"}
        }
        changed = [
            place
            for place, path in wanted.items()
            if place not in held or (committed / place).read_bytes() != path.read_bytes()
        ]
        return sorted(str(GENERATED / place) for place in [*changed, *(held - wanted.keys())])
