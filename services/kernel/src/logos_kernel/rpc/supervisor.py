"""`logos.kernel.v1.Supervisor`: what the operator wants."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

from logos.kernel.v1 import supervisor_pb2 as pb
from logos.kernel.v1 import supervisor_pb2_grpc
from logos_kernel.core.ports import Control
from logos_kernel.rpc.convert import module_to_pb

DEFAULT_TAIL: Final = 100


class SupervisorServicer(supervisor_pb2_grpc.SupervisorServicer):
    """Holds no state of its own."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def StartModule(
        self, request: pb.StartModuleRequest, context: Any
    ) -> pb.StartModuleResponse:
        return pb.StartModuleResponse(
            module=module_to_pb(await self._control.start(request.module))
        )

    async def StopModule(
        self, request: pb.StopModuleRequest, context: Any
    ) -> pb.StopModuleResponse:
        return pb.StopModuleResponse(module=module_to_pb(await self._control.stop(request.module)))

    async def RestartModule(
        self, request: pb.RestartModuleRequest, context: Any
    ) -> pb.RestartModuleResponse:
        view = await self._control.restart(request.module)
        return pb.RestartModuleResponse(module=module_to_pb(view))

    async def StreamLogs(
        self, request: pb.StreamLogsRequest, context: Any
    ) -> AsyncIterator[pb.StreamLogsResponse]:
        lines = self._control.lines(
            request.module, tail=request.tail or DEFAULT_TAIL, follow=request.follow
        )
        async with aclosing(cast("AsyncGenerator[bytes]", lines)):
            async for line in lines:
                yield pb.StreamLogsResponse(line=line.decode(errors="replace"))
