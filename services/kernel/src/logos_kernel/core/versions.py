"""Installed versions of modules: manifests that an operator has given to a node (KER-49)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from logos_base.manifest import Manifest, parse_manifest
from logos_kernel.core.errors import TooManyVersionsError, UnknownVersionError

MAX_VERSIONS: Final = 4
"""Of one module: the one that runs, the one before, and those to come."""

MAX_INSTALLED: Final = 256
"""Modules of a node of which versions are installed."""


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """One installed version of a module."""

    manifest: Manifest
    text: str
    """Its manifest, as it was read; at most 64 KiB."""
    directory: str
    """Absolute path of the folder that it was installed from, where its program is."""
    installed_ms: int
    """Wall clock, milliseconds since 1970 UTC."""

    @classmethod
    def of(cls, text: str, directory: str, installed_ms: int) -> "ModuleVersion":
        """Reads a manifest, or raises `ConfigError`."""
        return cls(parse_manifest(text), text, directory, installed_ms)

    @property
    def key(self) -> tuple[str, str]:
        """Module and version."""
        return self.manifest.name, self.manifest.version


class Versions:
    """All of a node, by module and version."""

    def __init__(self, versions: Iterable[ModuleVersion] = ()) -> None:
        self._versions = {one.key: one for one in versions}

    def __iter__(self) -> Iterator[ModuleVersion]:
        return iter(sorted(self._versions.values(), key=lambda one: (one.key[0], one.installed_ms)))

    def of(self, module: str) -> list[ModuleVersion]:
        """Returns those of a module, the oldest first."""
        return [one for one in self if one.manifest.name == module]

    def find(self, module: str, version: str) -> ModuleVersion:
        """Returns one, or raises `UnknownVersionError`."""
        found = self._versions.get((module, version))
        if found is None:
            known = ", ".join(one.manifest.version for one in self.of(module)) or "none"
            raise UnknownVersionError(f"{module} {version} is not installed; installed: {known}")
        return found

    def displaced(self, new: ModuleVersion, used: Iterable[str]) -> ModuleVersion | None:
        """Returns what makes place for another version: the oldest that is not in `used`.

        Raises:
            TooManyVersionsError: There is no place.
        """
        others = [one for one in self.of(new.manifest.name) if one.key != new.key]
        modules = {name for name, _ in self._versions} | {new.manifest.name}
        if len(modules) > MAX_INSTALLED:
            raise TooManyVersionsError(f"{MAX_INSTALLED} modules are installed, and no more can be")
        if len(others) < MAX_VERSIONS:
            return None
        kept = set(used)
        for one in others:
            if one.manifest.version not in kept:
                return one
        raise TooManyVersionsError(f"all {MAX_VERSIONS} versions of {new.manifest.name} are in use")

    def put(self, new: ModuleVersion, displaced: ModuleVersion | None) -> None:
        """Adds one, in place of the one that it displaces and of an equal one."""
        if displaced is not None:
            del self._versions[displaced.key]
        self._versions[new.key] = new
