"""Install: versions of modules, which of them run, and upgrades (KER-48 to KER-51)."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from logos_base.capabilities import OperatorSubject, Role, Subject
from logos_base.errors import ConfigError, LogosError
from logos_kernel.core.audit import actor_of
from logos_kernel.core.errors import (
    InvalidInstallError,
    InvalidSettingsError,
    RoleDeniedError,
    UnknownVersionError,
    UpgradeRefusedError,
)
from logos_kernel.core.ports import ModuleStore
from logos_kernel.core.registry import RESERVED_SERVICES
from logos_kernel.core.schema import Schema
from logos_kernel.core.upgrade import Phase, Upgrade
from logos_kernel.core.versions import ModuleVersion, Versions
from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.once import Once

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folders:
    """How folders are read, and where operators who are no admins may install from."""

    real: Callable[[str], Path]
    is_below: Callable[[Path, Path | None], bool]
    manifest: Callable[[Path], str]
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Installer:
    """What these operations work with."""

    kernel: Kernel
    store: ModuleStore
    folders: Folders
    once: Once
    wall_ms: Callable[[], int]
    make_join_secret: Callable[[str], None]
    """Writes the join secret of a module that is loaded."""

    @property
    def versions(self) -> Versions:
        """The installed ones."""
        return self.kernel.views.modules.versions

    def is_current(self, version: ModuleVersion) -> bool:
        """Says whether a version is the one that its module runs."""
        name, number = version.key
        views = self.kernel.views
        return views.has(name) and views.modules.find(name).installed == number


async def install(installer: Installer, by: Subject, path: str) -> ModuleVersion:
    """Keeps the manifest of a folder as a version; loads it where a module waits for it.

    Raises:
        InvalidInstallError: The folder or its manifest cannot be used.
        RoleDeniedError: It is for admins alone to install from there.
        TooManyVersionsError: There is no place.
        DiskFullError, StoreFailedError: It cannot be saved; nothing has changed.
    """
    return await _audited(
        installer, by, "module.install", path, lambda: _install(installer, by, path)
    )


async def _install(installer: Installer, by: Subject, path: str) -> ModuleVersion:
    folders, modules = installer.folders, installer.kernel.views.modules
    folder = folders.real(path)
    is_admin = isinstance(by, OperatorSubject) and by.role is Role.ADMIN
    if not is_admin and not folders.is_below(folder, folders.root):
        raise RoleDeniedError(
            f"{folder} is not below LOGOS_MODULES_DIR: only an admin may install from there"
        )
    version = _read(installer, folder)
    name = version.manifest.name
    used = set[str]()
    if name in modules.requires:
        module = modules.find(name)
        last = () if module.upgrade is None else (module.upgrade.old, module.upgrade.new)
        used = {module.installed, *last}
    displaced = installer.versions.displaced(version, used)
    await installer.store.save_version(version, displaced)
    installer.versions.put(version, displaced)
    is_missed = any(name in needed for needed in modules.requires.values())
    if is_missed and name not in modules.requires:
        await load(installer, by, name, version.manifest.version)
    return version


def _read(installer: Installer, folder: Path) -> ModuleVersion:
    try:
        version = ModuleVersion.of(
            installer.folders.manifest(folder), str(folder), installer.wall_ms()
        )
    except ConfigError as error:
        text = "; ".join(error.problems)
        raise InvalidInstallError(f"{folder}/module.toml: {text}", field="directory") from error
    if not version.manifest.command:
        raise InvalidInstallError("command: must name a program", field="directory")
    try:
        Schema(version.manifest.settings)
    except ValueError as error:
        raise InvalidInstallError(str(error), field="directory") from error
    for service in version.manifest.services:
        if service.startswith(RESERVED_SERVICES):
            raise InvalidInstallError(f"services: {service} is reserved", field="directory")
    return version


async def load(installer: Installer, by: Subject, name: str, version: str) -> View:
    """Adds an installed module to the node, and starts it (KER-50).

    Raises:
        UnknownVersionError: It is not installed.
        UpgradeRefusedError, DependencyCycleError: The node cannot do with it.
        DiskFullError, StoreFailedError: The desired state cannot be saved.
    """
    kernel = installer.kernel
    if version and kernel.views.has(name):
        runs = kernel.views.modules.find(name).plan.manifest.version
        if runs != version:
            raise UpgradeRefusedError(f"{name} runs version {runs}: upgrade it to {version}")
    if not version and not kernel.views.has(name):
        installed = installer.versions.of(name)
        if not installed:
            raise UnknownVersionError(f"{name[:64]} is not installed")
        version = installed[-1].manifest.version
    if not kernel.views.has(name):
        installer.versions.find(name, version)
        _check_settings(installer, name, version)
        installer.make_join_secret(name)
    ask, step = kernel.driver.ask, kernel.supervisor.load
    await _audited(installer, by, "module.load", name, lambda: ask(step, name, version))
    return kernel.views.one(name)


async def unload(installer: Installer, by: Subject, name: str, *, is_cascade: bool) -> None:
    """Ends a loaded module, and then removes it from the node (KER-50).

    Raises:
        OfProfileError, HasDependentsError: It cannot be.
        DiskFullError, StoreFailedError: The desired state cannot be saved.
    """
    ask, supervisor = installer.kernel.driver.ask, installer.kernel.supervisor
    step = supervisor.unload_all if is_cascade else supervisor.unload
    await _audited(installer, by, "module.unload", name, lambda: ask(step, name))


async def reload(installer: Installer, by: Subject, name: str) -> Upgrade:
    """Starts a module again with its program and manifest as they are now (KER-50).

    The manifest of an installed version is read again from its folder. That of the profile was
    read when the kernel was started, and stays.

    Raises what `install` and `upgrade` do.
    """
    module = installer.kernel.views.modules.find(name)
    version = module.installed
    if version:
        before = installer.versions.find(name, version)
        after = _read(installer, installer.folders.real(before.directory))
        if after.manifest.name != name:
            is_now = f"{before.directory} holds {after.manifest.name} now"
            raise InvalidInstallError(f"{is_now}, and not {name}", field="module")
        if after.text != before.text:
            await install(installer, by, before.directory)
        if after.key != before.key:
            return await upgrade(installer, by, name, after.manifest.version)
    operation = secrets.token_hex(16)
    _check_settings(installer, name, version, exact=True)
    ask, step = installer.kernel.driver.ask, installer.kernel.supervisor.reload
    begun: Upgrade = await _audited(
        installer, by, "module.reload", name, lambda: ask(step, operation, name)
    )
    return begun


async def upgrade(installer: Installer, by: Subject, name: str, version: str) -> Upgrade:
    """Begins an upgrade; returns it as it is now (KER-48).

    Raises:
        UnknownVersionError: It is not installed.
        UpgradeUnderWayError, UpgradeRefusedError, DependencyCycleError: It cannot be.
        DiskFullError, StoreFailedError: It cannot be saved; nothing has changed.
    """
    operation = secrets.token_hex(16)
    installer.kernel.views.modules.find(name)
    _check_settings(installer, name, version)
    ask, step = installer.kernel.driver.ask, installer.kernel.supervisor.upgrade
    begun: Upgrade = await _audited(
        installer, by, "module.upgrade", name, lambda: ask(step, operation, name, version)
    )
    return begun


def plan_upgrade(installer: Installer, name: str, version: str) -> Phase:
    """Returns how an upgrade would begin now; raises what `upgrade` would."""
    installer.kernel.views.modules.find(name)
    _check_settings(installer, name, version)
    return installer.kernel.views.modules.upgrades.plan(name, version)


def _check_settings(installer: Installer, name: str, version: str, *, exact: bool = False) -> None:
    """Raises `UpgradeRefusedError` if a version does not take what the profile sets."""
    modules = installer.kernel.views.modules
    _, plan = modules.plan_at(name, version, exact=exact)
    try:
        Schema(plan.manifest.settings).complete(json.loads(plan.settings_json))
    except InvalidSettingsError as error:
        number = plan.manifest.version
        raise UpgradeRefusedError(
            f"{name} {number} refuses settings of the profile: {error}"
        ) from error


def operation(installer: Installer, name: str) -> Upgrade:
    """Returns an upgrade, or raises `OperationNotFoundError`."""
    found = installer.kernel.views.modules.upgrades.find(name).upgrade
    assert found is not None  # noqa: S101 -- it was found by it
    return found


def operations(installer: Installer) -> list[Upgrade]:
    """Returns the last upgrade of each module, by module."""
    found = (module.upgrade for module in installer.kernel.views.modules)
    return sorted((one for one in found if one is not None), key=lambda one: one.module)


async def cancel(installer: Installer, by: Subject, name: str) -> Upgrade:
    """Rolls an upgrade back, or raises `OperationNotFoundError`."""
    ask, step = installer.kernel.driver.ask, installer.kernel.supervisor.cancel
    ended: Upgrade = await _audited(installer, by, "module.cancel", name, lambda: ask(step, name))
    return ended


async def _audited(
    installer: Installer, by: Subject, action: str, what: str, work: Callable[[], Awaitable[T]]
) -> T:
    """Does something, and notes in the audit log who did it and what came of it."""
    audit, actor = installer.kernel.audit, actor_of(by)
    try:
        done = await work()
    except LogosError as error:
        audit.refuse(actor, action, what, error)
        raise
    audit.note(actor, action, what)
    return done
