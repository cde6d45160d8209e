"""Makes a module: manifest, contract, code, tests, Dockerfile, README."""

import keyword
import re
import shutil
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_cli.authoring.contracts import generate
from logos_cli.exits import UsageError
from logos_testnet.topology import MODULE, RESERVED_MODULES

_NAMES: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN: Final = ("logos", "google", "grpc")
"""Packages of others, which a package of that name would hide."""


class FolderExistsError(LogosError):
    """There is something where the module should be made."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "FOLDER_EXISTS"


def make_module(name: str, directory: Path) -> Path:
    """Makes a folder with a new module, whole or not at all; returns its path.

    Raises:
        UsageError: The name cannot be that of a module.
        FolderExistsError: There is such a folder.
        ProgramFailedError: The code of the contract cannot be generated.
    """
    words = _words_for(name)
    folder = directory / name
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise FolderExistsError(f"{folder} is there already: choose another name") from error
    try:
        for place, template in _templates(words):
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(template).substitute(words), encoding="utf-8")
        (folder / "generate").chmod(0o755)
        generate(folder / "proto", folder / "src")
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _words_for(name: str) -> dict[str, str]:
    """Returns what the templates name, or raises `UsageError`."""
    if not (MODULE.fullmatch(name) and _NAMES.fullmatch(name)):
        raise UsageError(
            f"{name!r} cannot be a module's name: 1 to 64 of a-z, 0-9 and single -, a letter first"
        )
    proto = name.replace("-", "_")
    if name in RESERVED_MODULES or proto in _TAKEN or keyword.iskeyword(proto):
        raise UsageError(f"{name!r} is reserved: choose another name")
    service = "".join(part.capitalize() for part in name.split("-"))
    return {"name": name, "package": f"logos_{proto}", "proto": proto, "service": service}


def _templates(words: dict[str, str]) -> list[tuple[Path, str]]:
    """Returns the files of a new module, each with its template."""
    root = resources.files(__package__) / "template"
    package, proto = words["package"], words["proto"]
    places = {
        Path("README.md"): "README.md",
        Path("Dockerfile"): "Dockerfile",
        Path("generate"): "generate",
        Path("pyproject.toml"): "pyproject.toml",
        Path("proto", proto, "v1", f"{proto}.proto"): "contract.proto",
        Path("src", package, "module.toml"): "module.toml",
        Path("src", package, "__main__.py"): "main.py",
        Path("tests", f"test_{proto}.py"): "test_module.py",
    }
    found = [
        (place, (root / f"{name}.tmpl").read_text(encoding="utf-8"))
        for place, name in places.items()
    ]
    return [*found, (Path("src", package, "__init__.py"), "")]
