"""The module that is checked: its folder, its manifest and the command that starts it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logos_base.errors import ConfigError
from logos_base.manifest import Manifest, parse_manifest
from logos_base.module_folder import manifest_of


@dataclass(frozen=True, slots=True)
class Subject:
    """A module, as its kernel would start it."""

    manifest: Manifest
    command: tuple[str, ...]
    """Program and arguments."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What the profile of its node would say."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment, beside those of the kernel."""


def subject_of(folder: Path, settings: Mapping[str, object] | None = None) -> Subject:
    """Reads the module in a folder.

    Raises:
        ConfigError: It has no manifest, more than one, or a wrong one, or that has no command.
    """
    folder = folder.resolve()
    path = manifest_of(folder)
    manifest = parse_manifest(path.read_text(encoding="utf-8"))
    if not manifest.command:
        raise ConfigError([f"{path}: command: must be given, to start the module by"])
    program, *arguments = manifest.command
    if program == "python":
        program = sys.executable
    elif program.startswith("./"):
        program = str(path.parent / program)
    variables = {"PYTHONPATH": str(folder / "src")} if (folder / "src").is_dir() else {}
    return Subject(manifest, (program, *arguments), settings or {}, variables)
