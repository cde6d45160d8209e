"""`logos.kernel.v1.Supervisor`: what operators want."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from logos.kernel.v1 import stats_pb2, supervisor_pb2_grpc
from logos.kernel.v1 import supervisor_pb2 as pb
from logos_kernel.core.journal import Transition
from logos_kernel.core.stats import Stats
from logos_kernel.operations.exits import exits
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.operate import kill, logs, reset_failed, restart, start, stop
from logos_kernel.operations.plan import plan
from logos_kernel.operations.stats import MIN_INTERVAL_MS, read
from logos_kernel.operations.stats import watch as watch_stats
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
from logos_kernel.rpc.stats import stats_to_pb
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

    async def KillModule(
        self, request: pb.KillModuleRequest, context: Context
    ) -> pb.KillModuleResponse:
        view = await kill(self._kernel, caller_of(context), request.module)
        return pb.KillModuleResponse(module=module_to_pb(view))

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

    async def GetStats(
        self, request: stats_pb2.GetStatsRequest, context: Context
    ) -> stats_pb2.GetStatsResponse:
        figures = await read(self._kernel, request.modules)
        return stats_pb2.GetStatsResponse(stats=[stats_to_pb(one.stats) for one in figures])

    async def WatchStats(
        self, request: stats_pb2.WatchStatsRequest, context: Context
    ) -> AsyncIterator[stats_pb2.WatchStatsResponse]:
        interval_ms = MIN_INTERVAL_MS
        if request.HasField("interval"):
            interval_ms = _milliseconds(request.interval)
        watched = watch_stats(self._kernel, request.modules, interval_ms)
        async with aclosing(cast("AsyncGenerator[list[Stats]]", watched)) as rounds:
            async for stats in rounds:
                yield stats_pb2.WatchStatsResponse(stats=map(stats_to_pb, stats))

    async def StreamLogs(
        self, request: pb.StreamLogsRequest, context: Context
    ) -> AsyncIterator[pb.StreamLogsResponse]:
        name, tail, since_ms = request.module, request.tail, None
        if request.HasField("since"):
            since_ms = _milliseconds(request.since)
        elif not tail:
            tail = DEFAULT_TAIL
        lines = logs(self._kernel, name, tail=tail, follow=request.follow, since_ms=since_ms)
        async with aclosing(cast("AsyncGenerator[bytes]", lines)):
            async for line in lines:
                yield pb.StreamLogsResponse(line=line.decode(errors="replace"))


def _milliseconds(time: Duration | Timestamp) -> int:
    """Converts what a caller has sent: the library's own raises for what is out of range."""
    return 1000 * time.seconds + time.nanos // 10**6
