"""Verbs of `logosctl module`: installed versions of modules, and upgrades."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import installer_pb2 as pb
from logos.kernel.v1.installer_pb2_grpc import InstallerStub
from logos_cli.console import Output, print_rows, stderr
from logos_cli.exits import Exit
from logos_cli.session import FormOption, Session, session_of
from logos_testnet.client import state_name

ADVICE: Final = {
    "UPGRADE_UNDER_WAY": "`module upgrades` shows it, `module cancel ID` rolls it back",
    "VERSION_NOT_FOUND": "`module versions` shows what is installed, `module install DIR` adds one",
    "MODULE_OF_PROFILE": "`module stop NAME` stops it",
}

POLL_S: Final = 0.2
_FINAL: Final = frozenset({pb.UPGRADE_PHASE_PROMOTED, pb.UPGRADE_PHASE_ROLLED_BACK})
_VERSIONS: Final = ("module", "version", "current", "installed_at", "directory")
_OPERATIONS: Final = ("id", "module", "from", "to", "phase", "why")

NameArgument = Annotated[str, typer.Argument(help="Name of the module, e.g. storage.")]
VersionArgument = Annotated[str, typer.Argument(help="Version, e.g. 0.2.0.")]
OperationArgument = Annotated[str, typer.Argument(help="Id of an upgrade.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Stay until the upgrade has ended.")]


def install(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Folder with a module.toml.")],
    output: FormOption = None,
) -> None:
    """Install the version of a module that a folder holds."""
    session = session_of(context)
    request = pb.InstallModuleRequest(directory=str(directory.absolute()), request_id=_new_id())
    version = session.ask(lambda channel: InstallerStub(channel).InstallModule, request).version
    sentence = f"{version.module} {version.version} is installed"
    session.report(_version_record(version), sentence, output)


def list_versions(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="Only of this module.")] = "",
    output: FormOption = None,
) -> None:
    """List installed versions, and which of them run."""
    session = session_of(context)
    request = pb.ListVersionsRequest(module=module)
    found = session.ask(lambda channel: InstallerStub(channel).ListVersions, request).versions
    print_rows([_version_record(one) for one in found], _VERSIONS, session.form(output))


def load(
    context: typer.Context,
    module: NameArgument,
    version: Annotated[str, typer.Argument(help="Version; else the newest installed.")] = "",
    output: FormOption = None,
) -> None:
    """Add an installed module to the node, and start it."""
    session = session_of(context)
    request = pb.LoadModuleRequest(module=module, version=version, request_id=_new_id())
    loaded = session.ask(lambda channel: InstallerStub(channel).LoadModule, request).module
    record = {"module": loaded.name, "state": state_name(loaded)}
    session.report(record, f"{loaded.name} is {state_name(loaded)}", output)


def unload(
    context: typer.Context,
    module: NameArgument,
    *,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Also stop the modules that require it.")
    ] = False,
    output: FormOption = None,
) -> None:
    """End a module that was loaded, and remove it from the node."""
    session = session_of(context)
    request = pb.UnloadModuleRequest(module=module, cascade=cascade, request_id=_new_id())
    session.ask(lambda channel: InstallerStub(channel).UnloadModule, request)
    session.report({"module": module}, f"{module} leaves the node", output)


def reload(
    context: typer.Context,
    module: NameArgument,
    *,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Start a module again with its program and manifest as they are now."""
    session = session_of(context)
    request = pb.ReloadModuleRequest(module=module, request_id=_new_id())
    begun = session.ask(lambda channel: InstallerStub(channel).ReloadModule, request).operation
    _report(session, begun, output, wait=wait)


def upgrade(
    context: typer.Context,
    module: NameArgument,
    version: VersionArgument,
    *,
    wait: WaitOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how it would be done, without doing it.")
    ] = False,
    output: FormOption = None,
) -> None:
    """Run another version of a module; the one that runs stays if that does not get READY."""
    session = session_of(context)
    if dry_run:
        _plan(session, module, version, output)
        return
    request = pb.UpgradeModuleRequest(module=module, version=version, request_id=_new_id())
    begun = session.ask(lambda channel: InstallerStub(channel).UpgradeModule, request).operation
    _report(session, begun, output, wait=wait)


def _plan(session: Session, module: str, version: str, output: Output | None) -> None:
    request = pb.PlanUpgradeRequest(module=module, version=version)
    planned = session.ask(lambda channel: InstallerStub(channel).PlanUpgrade, request)
    phase = _phase(planned.first_phase)
    how = "beside the one that runs" if phase == "beside" else "after the one that runs has ended"
    record = {"module": module, "version": version, "first_phase": phase}
    session.report(record, f"{version} of {module} would start {how}", output)


def list_upgrades(
    context: typer.Context,
    upgrade_id: Annotated[str, typer.Argument(metavar="[ID]", help="Only this one.")] = "",
    output: FormOption = None,
) -> None:
    """List the last upgrade of each module, or show one."""
    session = session_of(context)
    if upgrade_id:
        one = pb.GetOperationRequest(id=upgrade_id)
        got = session.ask(lambda channel: InstallerStub(channel).GetOperation, one)
        found = [got.operation]
    else:
        every = pb.ListOperationsRequest()
        listed = session.ask(lambda channel: InstallerStub(channel).ListOperations, every)
        found = list(listed.operations)
    print_rows([_record(one) for one in found], _OPERATIONS, session.form(output))


def cancel(context: typer.Context, name: OperationArgument, output: FormOption = None) -> None:
    """Roll an upgrade back, unless it has ended."""
    session = session_of(context)
    request = pb.CancelOperationRequest(id=name)
    ended = session.ask(lambda channel: InstallerStub(channel).CancelOperation, request).operation
    session.report(_record(ended), _sentence(ended), output)


def _report(
    session: Session, begun: pb.ModuleOperation, output: Output | None, *, wait: bool
) -> None:
    """Reports an upgrade, at its end if that is waited for; a roll-back is a failure."""
    if wait and begun.phase not in _FINAL:
        stderr().print(f"{session.node}: {_sentence(begun)}", markup=False, highlight=False)
        begun = session.call(lambda channel: _until_ended(channel, begun.id))
    session.report(_record(begun), _sentence(begun), output)
    if begun.phase == pb.UPGRADE_PHASE_ROLLED_BACK:
        raise typer.Exit(Exit.FAILED)


async def _until_ended(channel: grpc.aio.Channel, name: str) -> pb.ModuleOperation:
    stub: Any = InstallerStub(channel)
    while True:
        response = await stub.GetOperation(pb.GetOperationRequest(id=name))
        found: pb.ModuleOperation = response.operation
        if found.phase in _FINAL:
            return found
        await asyncio.sleep(POLL_S)


def _sentence(one: pb.ModuleOperation) -> str:
    to = one.to_version or "the profile's version"
    why = f": {one.why}" if one.why else ""
    return f"upgrade of {one.module} to {to} is {_phase(one.phase)}{why}"


def _phase(value: pb.UpgradePhase.ValueType) -> str:
    return pb.UpgradePhase.Name(value).removeprefix("UPGRADE_PHASE_").lower()


def _record(one: pb.ModuleOperation) -> dict[str, Any]:
    return {
        "id": one.id,
        "module": one.module,
        "from": one.from_version,
        "to": one.to_version,
        "phase": _phase(one.phase),
        "why": one.why,
    }


def _version_record(one: pb.ModuleVersion) -> dict[str, Any]:
    return {
        "module": one.module,
        "version": one.version,
        "current": one.current,
        "installed_at": one.installed_at.ToJsonString(),
        "directory": one.directory,
    }


def _new_id() -> str:
    return secrets.token_hex(16)


VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "install": install,
    "versions": list_versions,
    "load": load,
    "unload": unload,
    "reload": reload,
    "upgrade": upgrade,
    "upgrades": list_upgrades,
    "cancel": cancel,
}
"""By name; `module` adds them to its own."""
