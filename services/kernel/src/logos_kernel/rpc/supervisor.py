"""`logos.kernel.v1.Supervisor`: what operators want."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, cast

from logos.kernel.v1 import supervisor_pb2 as pb
from logos.kernel.v1 import supervisor_pb2_grpc
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.operate import logs, restart, start, stop
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import module_to_pb
from logos_module.contexts import Context

DEFAULT_TAIL: Final = 100


class SupervisorServicer(supervisor_pb2_grpc.SupervisorServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def StartModule(
        self, request: pb.StartModuleRequest, context: Context
    ) -> pb.StartModuleResponse:
        view = await start(self._kernel, caller_of(context), request.module)
        return pb.StartModuleResponse(module=module_to_pb(view))

    async def StopModule(
        self, request: pb.StopModuleRequest, context: Context
    ) -> pb.StopModuleResponse:
        view = await stop(self._kernel, caller_of(context), request.module)
        return pb.StopModuleResponse(module=module_to_pb(view))

    async def RestartModule(
        self, request: pb.RestartModuleRequest, context: Context
    ) -> pb.RestartModuleResponse:
        view = await restart(self._kernel, caller_of(context), request.module)
        return pb.RestartModuleResponse(module=module_to_pb(view))

    async def StreamLogs(
        self, request: pb.StreamLogsRequest, context: Context
    ) -> AsyncIterator[pb.StreamLogsResponse]:
        tail = request.tail or DEFAULT_TAIL
        lines = logs(self._kernel, request.module, tail=tail, follow=request.follow)
        async with aclosing(cast("AsyncGenerator[bytes]", lines)):
            async for line in lines:
                yield pb.StreamLogsResponse(line=line.decode(errors="replace"))
