"""`logos.broker.v1.Broker`: convert, call, convert."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, cast

from logos.broker.v1 import broker_pb2 as pb
from logos.broker.v1 import broker_pb2_grpc
from logos_base.capabilities import NodeSubject
from logos_broker.core.containers import Signal, State, last_lines
from logos_broker.core.errors import InvalidSignalError, TooManyStreamsError
from logos_broker.operations.containers import Containers
from logos_module.contexts import Context

MAX_STREAMS: Final = 16
"""Of a node and a kind, at once."""

_SIGNALS: Final = {pb.SIGNAL_TERM: Signal.TERM, pb.SIGNAL_KILL: Signal.KILL}


class BrokerServicer(broker_pb2_grpc.BrokerServicer):
    """Serves kernels; which node is theirs says their proof, never a request."""

    def __init__(self, containers: Containers, start_id: bytes) -> None:
        self._containers = containers
        self._start_id = start_id
        self._streams: Counter[tuple[str, str]] = Counter()

    async def GetBroker(
        self, request: pb.GetBrokerRequest, context: Context
    ) -> pb.GetBrokerResponse:
        return pb.GetBrokerResponse(start_id=self._start_id)

    async def StartContainer(
        self, request: pb.StartContainerRequest, context: Context
    ) -> pb.StartContainerResponse:
        state, log = await self._containers.start(_node_of(context), request.module)
        return pb.StartContainerResponse(container=_to_pb(request.module, state, log))

    async def SignalContainer(
        self, request: pb.SignalContainerRequest, context: Context
    ) -> pb.SignalContainerResponse:
        signal = _SIGNALS.get(request.signal)
        if signal is None:
            raise InvalidSignalError("signal: must be TERM or KILL", field="signal")
        node, start = _node_of(context), request.started_at_ns
        await self._containers.signal(node, request.module, start, signal)
        return pb.SignalContainerResponse()

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        usage = await self._containers.usage(
            _node_of(context), request.module, request.started_at_ns
        )
        return pb.GetUsageResponse(
            cpu_ns=usage.cpu_ns,
            memory_bytes=usage.memory_bytes,
            read_bytes=usage.read_bytes,
            written_bytes=usage.written_bytes,
        )

    async def ReadLog(
        self, request: pb.ReadLogRequest, context: Context
    ) -> AsyncIterator[pb.ReadLogResponse]:
        node = _node_of(context)
        lines = self._containers.lines(
            node,
            request.module,
            tail=request.tail,
            follow=request.follow,
            since_ns=request.since_ns,
        )
        with self._counted(node, "log"):
            async with aclosing(cast("AsyncGenerator[bytes]", lines)):
                async for line in lines:
                    yield pb.ReadLogResponse(line=line)

    async def WatchContainers(
        self, request: pb.WatchContainersRequest, context: Context
    ) -> AsyncIterator[pb.WatchContainersResponse]:
        node = _node_of(context)
        with self._counted(node, "watch"):
            seen = self._containers.watch(node)
            async with aclosing(cast("AsyncGenerator[tuple[str, State, bytes]]", seen)):
                async for module, state, log in seen:
                    yield pb.WatchContainersResponse(container=_to_pb(module, state, log))

    @contextmanager
    def _counted(self, node: str, kind: str) -> Iterator[None]:
        if self._streams[node, kind] >= MAX_STREAMS:
            raise TooManyStreamsError(f"{node} has {MAX_STREAMS} streams of this kind already")
        self._streams[node, kind] += 1
        try:
            yield
        finally:
            self._streams[node, kind] -= 1


def _node_of(context: Context) -> str:
    """Returns the node whose kernel calls."""
    subject = context.caller  # type: ignore[attr-defined] # a ServedCall
    if not isinstance(subject, NodeSubject):
        raise TypeError("a call without a proven node must not get here")
    return subject.name


def _to_pb(module: str, state: State, log: bytes = b"") -> pb.Container:
    return pb.Container(
        module=module,
        running=state.is_running,
        pid=state.pid,
        started_at_ns=state.started_at_ns,
        exit_code=state.exit_code,
        oom_killed=state.is_oom,
        last_lines=last_lines(log),
        seen_at_ns=state.seen_at_ns,
    )
