"""`logos.kernel.v1.Supervisor`: what operators want."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, cast

from logos.kernel.v1 import supervisor_pb2 as pb
from logos.kernel.v1 import supervisor_pb2_grpc
from logos_kernel.core.journal import Transition
from logos_kernel.operations.exits import exits
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.operate import logs, reset_failed, restart, start, stop
from logos_kernel.operations.plan import plan
from logos_kernel.operations.watch import Snapshot, watch
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import (
    exit_to_pb,
    module_to_pb,
    operation_from_pb,
    snapshot_to_pb,
    step_to_pb,
    transition_to_pb,
)
from logos_module.contexts import Context

DEFAULT_TAIL: Final = 100

Watched = AsyncGenerator[Snapshot | Transition]


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
        by = caller_of(context)
        view = await stop(self._kernel, by, request.module, is_cascade=request.cascade)
        return pb.StopModuleResponse(module=module_to_pb(view))

    async def RestartModule(
        self, request: pb.RestartModuleRequest, context: Context
    ) -> pb.RestartModuleResponse:
        view = await restart(self._kernel, caller_of(context), request.module)
        return pb.RestartModuleResponse(module=module_to_pb(view))

    async def PlanOperation(
        self, request: pb.PlanOperationRequest, context: Context
    ) -> pb.PlanOperationResponse:
        operation = operation_from_pb(request.operation)
        steps = plan(self._kernel, operation, request.module, is_cascade=request.cascade)
        return pb.PlanOperationResponse(steps=map(step_to_pb, steps))

    async def ResetFailed(
        self, request: pb.ResetFailedRequest, context: Context
    ) -> pb.ResetFailedResponse:
        view = await reset_failed(self._kernel, caller_of(context), request.module)
        return pb.ResetFailedResponse(module=module_to_pb(view))

    async def ListExits(
        self, request: pb.ListExitsRequest, context: Context
    ) -> pb.ListExitsResponse:
        return pb.ListExitsResponse(exits=map(exit_to_pb, exits(self._kernel, request.module)))

    async def WatchTransitions(
        self, request: pb.WatchTransitionsRequest, context: Context
    ) -> AsyncIterator[pb.WatchTransitionsResponse]:
        async with aclosing(cast("Watched", watch(self._kernel, request.from_revision))) as watched:
            async for one in watched:
                if isinstance(one, Snapshot):
                    yield pb.WatchTransitionsResponse(snapshot=snapshot_to_pb(one))
                else:
                    yield pb.WatchTransitionsResponse(transition=transition_to_pb(one))

    async def StreamLogs(
        self, request: pb.StreamLogsRequest, context: Context
    ) -> AsyncIterator[pb.StreamLogsResponse]:
        tail = request.tail or DEFAULT_TAIL
        lines = logs(self._kernel, request.module, tail=tail, follow=request.follow)
        async with aclosing(cast("AsyncGenerator[bytes]", lines)):
            async for line in lines:
                yield pb.StreamLogsResponse(line=line.decode(errors="replace"))
