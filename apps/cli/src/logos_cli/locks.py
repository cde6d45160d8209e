"""Lock files: every package with its hashes, without download addresses.

Users install from a registry of their choice; the hashes guarantee the contents.
"""

import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from logos_cli.console import stderr
from logos_cli.programs import ProgramFailedError, capture, tool

RUNTIME: Final = "requirements.lock"
BUILD: Final = "requirements-build.lock"
DEVELOPER: Final = "requirements-dev.lock"
OLDEST_PYTHON: Final = "3.11"

_HEAD: Final = "# Written by `./logos lock` from the pyproject.toml files. Hashes, no addresses.\n"


def write_locks(root: Path, *, upgrade: bool) -> list[str]:
    """Resolves all dependencies, for every platform and Python from 3.11 on.

    Args:
        root: The checkout.
        upgrade: Take the newest versions; else those that are locked stay where they can.

    Returns:
        Names of the written files.
    """
    groups = _read(root / "pyproject.toml")["dependency-groups"]
    options = ["--upgrade"] if upgrade else []
    _write(root, RUNTIME, runtime_requirements(root), options)
    options += ["--constraint", RUNTIME]
    _write(root, BUILD, groups["build"], options)
    options += ["--constraint", BUILD]
    _write(root, DEVELOPER, groups["dev"], options)
    return [RUNTIME, BUILD, DEVELOPER]


def runtime_requirements(root: Path) -> list[str]:
    """Returns the external requirements of the members of the workspace, with their extras."""
    members = _read(root / "pyproject.toml")["tool"]["uv"]["workspace"]["members"]
    wanted: set[str] = set()
    for pattern in members:
        for folder in root.glob(pattern):
            file = folder / "pyproject.toml"
            if file.is_file():
                project = _read(file)["project"]
                for some in (
                    project["dependencies"],
                    *project.get("optional-dependencies", {}).values(),
                ):
                    wanted |= set(some)
    return sorted(each for each in wanted if not each.startswith("logos-"))


def _write(root: Path, name: str, requirements: list[str], options: list[str]) -> None:
    stderr().print(f"resolving {name}", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder, name)
        if (root / name).exists():
            shutil.copyfile(root / name, resolved)  # uv keeps the versions that it finds there
        code, said = capture(
            [
                *(tool("uv"), "pip", "compile", "--quiet", "--universal", "--no-config"),
                *("--python-version", OLDEST_PYTHON, "--generate-hashes"),
                *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
                *("--output-file", str(resolved), *options, "-"),
            ],
            root,
            text="\n".join(requirements),
        )
        if code != 0:
            raise ProgramFailedError(f"{name} cannot be resolved:\n{said}")
        text = resolved.read_text(encoding="utf-8")
    (root / name).write_text(_HEAD + text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
