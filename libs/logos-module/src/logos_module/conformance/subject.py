"""The module that is checked: its folder, its manifest and the command that starts it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logos_base.errors import ConfigError
from logos_base.manifest import Manifest, parse_manifest
from logos_base.module_folder import manifest_of
from logos_base.needs import ADDRESSES_OF_OTHERS, TARGET_PEERS


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

    Args:
        folder: Its manifest is at its top or in `src`.
        settings: What a profile would say, beside those that its manifest derives: these are of
            a node alone, which listens at ports that are free.

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
    given = {**_derived(manifest), **(settings or {})}
    return Subject(manifest, (program, *arguments), given, variables)


def _derived(manifest: Manifest) -> dict[str, object]:
    """Returns the settings that a testnet of one node would derive; none from a genesis."""
    derived: dict[str, object] = {}
    for setting, value in manifest.needs.settings.items():
        kind = value.rpartition(".")[2]
        if value == TARGET_PEERS:
            derived[setting] = 0
        elif kind == "listen":
            derived[setting] = ["/ip4/127.0.0.1/tcp/0"]
        elif kind == "address":
            derived[setting] = "127.0.0.1:0"
        elif kind in ADDRESSES_OF_OTHERS:
            derived[setting] = []
    return derived
