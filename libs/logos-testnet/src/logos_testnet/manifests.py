"""Finds the manifests of a topology's modules, without importing their code."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from logos_base.errors import ConfigError
from logos_base.manifest import Manifest, parse_manifest
from logos_base.module_folder import MANIFEST, manifest_of
from logos_testnet.agreement import contradictions
from logos_testnet.errors import TopologyError
from logos_testnet.topology import Topology


@dataclass(frozen=True, slots=True)
class FoundManifest:
    """A manifest and its text."""

    manifest: Manifest
    text: str
    path: Path | None = None
    """Of a module with a folder of its own: its kernel reads it there."""


def load_manifests(topology: Topology) -> Mapping[str, FoundManifest]:
    """Reads the manifest of every module of a topology, by module name.

    Raises:
        TopologyError: A package or its manifest is missing or not valid, or contradicts the
            topology: see `agreement`.
    """
    problems: list[str] = []
    found: dict[str, FoundManifest] = {}
    for node in topology.nodes:
        for module in node.modules:
            if module.name in found:
                continue
            try:
                path = None if module.folder is None else manifest_of(module.folder)
                text = _read(module.package) if path is None else _text(path)
                manifest = parse_manifest(text)
            except ConfigError as error:
                problems += [f"module {module.name}: {problem}" for problem in error.problems]
                continue
            if manifest.name != module.name:
                where = path or module.package
                problems.append(
                    f"module {module.name}: the manifest of {where} is for {manifest.name}"
                )
            found[module.name] = FoundManifest(manifest, text, path)
    manifests = {name: each.manifest for name, each in found.items()}
    problems += contradictions(topology, manifests)
    if problems:
        raise TopologyError(list(dict.fromkeys(problems)))
    return found


def _read(package: str) -> str:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / MANIFEST
        if path.is_file():
            return _text(path)
    if spec is None:
        raise ConfigError([f"the Python package {package} is not installed"])
    raise ConfigError([f"the Python package {package} has no module.toml"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path} is not UTF-8"]) from error
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}"]) from error
