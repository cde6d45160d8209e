"""`logos.kernel.v1.Installer`: versions of modules, and upgrades."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from logos.kernel.v1 import installer_pb2 as pb
from logos.kernel.v1 import installer_pb2_grpc
from logos_kernel.core.audit import actor_of
from logos_kernel.core.upgrade import Phase, Upgrade
from logos_kernel.core.versions import ModuleVersion
from logos_kernel.operations import install
from logos_kernel.operations.install import Installer
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import module_to_pb, timestamp
from logos_module.contexts import Context

T = TypeVar("T")


class InstallerServicer(installer_pb2_grpc.InstallerServicer):
    def __init__(self, installer: Installer) -> None:
        self._installer = installer

    async def InstallModule(
        self, request: pb.InstallModuleRequest, context: Context
    ) -> pb.InstallModuleResponse:
        by = caller_of(context)

        async def work() -> pb.InstallModuleResponse:
            version = await install.install(self._installer, by, request.directory)
            return pb.InstallModuleResponse(version=self._version(version))

        return await self._once(request, context, work)

    async def ListVersions(
        self, request: pb.ListVersionsRequest, context: Context
    ) -> pb.ListVersionsResponse:
        versions = self._installer.versions
        listed = versions.of(request.module) if request.module else versions
        return pb.ListVersionsResponse(versions=map(self._version, listed))

    async def LoadModule(
        self, request: pb.LoadModuleRequest, context: Context
    ) -> pb.LoadModuleResponse:
        by = caller_of(context)

        async def work() -> pb.LoadModuleResponse:
            view = await install.load(self._installer, by, request.module, request.version)
            return pb.LoadModuleResponse(module=module_to_pb(view))

        return await self._once(request, context, work)

    async def UnloadModule(
        self, request: pb.UnloadModuleRequest, context: Context
    ) -> pb.UnloadModuleResponse:
        by = caller_of(context)

        async def work() -> pb.UnloadModuleResponse:
            name, is_cascade = request.module, request.cascade
            await install.unload(self._installer, by, name, is_cascade=is_cascade)
            return pb.UnloadModuleResponse()

        return await self._once(request, context, work)

    async def ReloadModule(
        self, request: pb.ReloadModuleRequest, context: Context
    ) -> pb.ReloadModuleResponse:
        by = caller_of(context)

        async def work() -> pb.ReloadModuleResponse:
            begun = await install.reload(self._installer, by, request.module)
            return pb.ReloadModuleResponse(operation=operation_to_pb(begun))

        return await self._once(request, context, work)

    async def UpgradeModule(
        self, request: pb.UpgradeModuleRequest, context: Context
    ) -> pb.UpgradeModuleResponse:
        by = caller_of(context)

        async def work() -> pb.UpgradeModuleResponse:
            begun = await install.upgrade(self._installer, by, request.module, request.version)
            return pb.UpgradeModuleResponse(operation=operation_to_pb(begun))

        return await self._once(request, context, work)

    async def PlanUpgrade(
        self, request: pb.PlanUpgradeRequest, context: Context
    ) -> pb.PlanUpgradeResponse:
        phase = install.plan_upgrade(self._installer, request.module, request.version)
        return pb.PlanUpgradeResponse(first_phase=phase_to_pb(phase))

    async def GetOperation(
        self, request: pb.GetOperationRequest, context: Context
    ) -> pb.GetOperationResponse:
        found = install.operation(self._installer, request.id)
        return pb.GetOperationResponse(operation=operation_to_pb(found))

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Context
    ) -> pb.ListOperationsResponse:
        found = map(operation_to_pb, install.operations(self._installer))
        return pb.ListOperationsResponse(operations=found)

    async def CancelOperation(
        self, request: pb.CancelOperationRequest, context: Context
    ) -> pb.CancelOperationResponse:
        ended = await install.cancel(self._installer, caller_of(context), request.id)
        return pb.CancelOperationResponse(operation=operation_to_pb(ended))

    async def _once(self, request: Any, context: Context, work: Callable[[], Awaitable[T]]) -> T:
        said = type(request).__name__.encode() + request.SerializeToString(deterministic=True)
        actor = actor_of(caller_of(context))
        return await self._installer.once.run(actor, request.request_id, said, work)

    def _version(self, version: ModuleVersion) -> pb.ModuleVersion:
        return pb.ModuleVersion(
            module=version.manifest.name,
            version=version.manifest.version,
            directory=version.directory,
            installed_at=timestamp(version.installed_ms),
            current=self._installer.is_current(version),
        )


def phase_to_pb(phase: Phase) -> pb.UpgradePhase.ValueType:
    """Converts a phase."""
    return pb.UpgradePhase.Value(f"UPGRADE_PHASE_{phase}")


def operation_to_pb(upgrade: Upgrade) -> pb.ModuleOperation:
    """Converts an upgrade."""
    return pb.ModuleOperation(
        id=upgrade.operation,
        module=upgrade.module,
        from_version=upgrade.old,
        to_version=upgrade.new,
        phase=phase_to_pb(upgrade.phase),
        why=upgrade.why,
        started_at=timestamp(upgrade.started_ms),
        ended_at=timestamp(upgrade.ended_ms) if upgrade.is_over else None,
    )
