"""`logos.kernel.v1.Router`: calls to modules by name."""

from typing import Any, Final, NoReturn

from grpc.aio import EOF

from logos.kernel.v1 import router_pb2 as pb
from logos.kernel.v1 import router_pb2_grpc
from logos_base.errors import LogosError
from logos_kernel.core.callees import CalleeError, Instance
from logos_kernel.core.errors import InvalidArgsError
from logos_kernel.core.started import CallState, StartedCall
from logos_kernel.operations.routing import TIMEOUT_S, Answered, RoutedCall, Routing
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import timestamp
from logos_module.contexts import Context
from logos_module.errors import to_status

_MAX_NAME: Final = 512


class RouterServicer(router_pb2_grpc.RouterServicer):
    """`to_wall_ms` converts a monotonic time."""

    def __init__(self, routing: Routing, to_wall_ms: Any) -> None:
        self._routing = routing
        self._to_wall_ms = to_wall_ms

    async def Call(self, request: pb.CallRequest, context: Any) -> pb.CallResponse:
        remaining = context.time_remaining()
        timeout_s = TIMEOUT_S if remaining is None else max(remaining, 0)
        try:
            answered = await self._routing.call(self._call(request, context), timeout_s)
        except CalleeError as error:
            await _pass_on(error, context)
        return _response(answered)

    async def CallStream(  # type: ignore[override]  # writes its responses itself
        self, requests: Any, context: Any
    ) -> None:
        opened = await context.read()
        if opened is EOF or opened.WhichOneof("part") != "open":
            raise InvalidArgsError("the first request of a stream opens it")
        try:
            await self._routing.stream(self._call(opened.open, context), context, opened.open)
        except CalleeError as error:
            await _pass_on(error, context)

    async def StartCall(
        self, request: pb.StartCallRequest, context: Context
    ) -> pb.StartCallResponse:
        timeout_s = TIMEOUT_S
        if request.HasField("timeout"):
            timeout_s = request.timeout.ToNanoseconds() / 1e9
        try:
            call_id = await self._routing.start(self._call(request.call, context), timeout_s)
        except CalleeError as error:
            await _pass_on(error, context)
        return pb.StartCallResponse(call_id=call_id)

    async def GetCall(self, request: pb.GetCallRequest, context: Context) -> pb.GetCallResponse:
        call = self._routing.get(request.call_id, caller_of(context))
        return self._started(call)

    async def CancelCall(
        self, request: pb.CancelCallRequest, context: Context
    ) -> pb.CancelCallResponse:
        self._routing.cancel(request.call_id, caller_of(context))
        return pb.CancelCallResponse()

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.DescribeResponse:
        callees = self._routing.callees
        instance = callees.find(request.target)
        try:
            interface: Any = await callees.interface(instance)
        except CalleeError as error:
            await _pass_on(error, context)
        return pb.DescribeResponse(
            module=instance.module,
            version=instance.version,
            served_by=_served_by(instance),
            services=instance.services,
            file_descriptor_set=instance.file_descriptor_set,
            interface=interface,
        )

    def _call(self, request: pb.CallRequest, context: Any) -> RoutedCall:
        if len(request.target) > _MAX_NAME or len(request.method) > _MAX_NAME:
            raise InvalidArgsError(f"target and method have at most {_MAX_NAME} characters")
        has_payload = request.HasField("payload")
        if has_payload and request.args:
            raise InvalidArgsError("a call has args or a payload, not both")
        return RoutedCall(
            target=request.target,
            method=request.method,
            args=request.args,
            payload=request.payload if has_payload else None,
            key=request.idempotency_key,
            caller=caller_of(context),
            metadata=self._routing.callees.metadata(context),
        )

    def _started(self, call: StartedCall) -> pb.GetCallResponse:
        state = pb.GetCallResponse.State.Value(f"STATE_{call.state}")
        started = timestamp(self._to_wall_ms(call.started_ms))
        response = pb.GetCallResponse(state=state, started_at=started)
        if call.state is not CallState.RUNNING:
            response.ended_at.CopyFrom(timestamp(self._to_wall_ms(call.ended_ms)))
        match call.outcome:
            case Answered() as answered:
                response.response.CopyFrom(_response(answered))
            case CalleeError() as error:
                response.failure.code = error.code.value[0]
                response.failure.reason, response.failure.message = error.reason, error.details
            case LogosError() as error:
                response.failure.code = to_status(error).code
                response.failure.reason, response.failure.message = error.reason, str(error)
        return response


def _response(answered: Answered) -> pb.CallResponse:
    response = pb.CallResponse(served_by=_served_by(answered.instance))
    if answered.value is None:
        response.payload = answered.response
    else:
        value: Any = answered.value
        response.value.CopyFrom(value)
    return response


def _served_by(instance: Instance) -> pb.ServedBy:
    return pb.ServedBy(instance_id=instance.instance_id, epoch=instance.epoch)


async def _pass_on(error: CalleeError, context: Context) -> NoReturn:
    """Ends the call as the module has."""
    await context.abort(error.code, error.details, error.trailing)
    raise AssertionError("unreachable: abort raises")
