"""`logos.kernel.v1.Settings`: settings of modules, read and changed while they run."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from logos.kernel.v1 import settings_pb2 as pb
from logos.kernel.v1 import settings_pb2_grpc
from logos_kernel.core.settings import KEPT_VERSIONS, Outcome, Version
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.settings import update, watch
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import timestamp
from logos_module.contexts import Context


class SettingsServicer(settings_pb2_grpc.SettingsServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def GetSettings(
        self, request: pb.GetSettingsRequest, context: Context
    ) -> pb.GetSettingsResponse:
        self._kernel.views.one(request.module)
        own = self._kernel.settings.of(request.module)
        return pb.GetSettingsResponse(
            active=version_to_pb(own.active),
            changes_json=own.active.changes,
            schema_json=own.schema.text,
            history=map(version_to_pb, own.versions[: -KEPT_VERSIONS - 1 : -1]),
        )

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Context
    ) -> pb.UpdateSettingsResponse:
        by, name, expected = caller_of(context), request.module, request.expect_version
        tried = await update(self._kernel, by, name, request.patch_json, expected)
        return pb.UpdateSettingsResponse(tried=version_to_pb(tried))

    async def WatchSettings(
        self, request: pb.WatchSettingsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSettingsResponse]:
        versions = cast("AsyncGenerator[Version]", watch(self._kernel, request.module))
        async with aclosing(versions):
            async for version in versions:
                yield pb.WatchSettingsResponse(active=version_to_pb(version))


def version_to_pb(version: Version) -> pb.SettingsVersion:
    """Converts a version of settings."""
    outcome = pb.SETTINGS_OUTCOME_UNSPECIFIED
    if version.outcome is not Outcome.PENDING:
        outcome = pb.SettingsOutcome.Value(f"SETTINGS_OUTCOME_{version.outcome}")
    return pb.SettingsVersion(
        version=version.number,
        document_json=version.document,
        by=version.by,
        at=timestamp(version.at_ms),
        outcome=outcome,
        detail=version.detail,
    )
