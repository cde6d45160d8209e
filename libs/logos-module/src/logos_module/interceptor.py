"""What every call of a server passes through: one layer, in one place (KER-14).

In this order: refuse while draining, bound the time of a unary call, count it
as in flight, measure it, refuse what does not decode, translate errors.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from prometheus_client import Counter, Gauge, Histogram

from logos_base.errors import LogosError
from logos_module.calls import ServedCall
from logos_module.errors import (
    DeadlineError,
    MalformedRequestError,
    MethodUnimplementedError,
    ModuleDrainingError,
    abort,
    translated,
)
from logos_module.logs import RateLimit

log = logging.getLogger(__name__)
log_malformed = logging.getLogger(f"{__name__}.malformed")
log_malformed.addFilter(RateLimit())

UNARY_LIMIT_S: Final = 300.0
"""A unary call without a deadline of its own is ended after this."""

_ALWAYS_SERVED: Final = ("/grpc.", "/logos.module.v1.ModuleHost/")

_NO_REQUEST: Final = "the call has no request"

_HANDLED = Counter("grpc_server_handled_total", "Calls ended", ["method", "code"])
_SECONDS = Histogram("grpc_server_handling_seconds", "Time of unary calls", ["method"])
_IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being served")
_MALFORMED = Counter("grpc_server_malformed_total", "Requests that do not decode", ["method"])

Handler = Any  # grpc.RpcMethodHandler: its stubs know the synchronous kind only


class Gate:
    """Whether calls are let in, and how many are inside."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.refusal: LogosError | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def drain(self) -> None:
        """Refuses new calls from now on."""
        self.refusal = ModuleDrainingError("this module is about to stop")

    async def wait_idle(self, timeout_s: float) -> int:
        """Waits until nothing is in flight; returns how many calls still are."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self.in_flight

    def enter(self) -> None:
        """Counts a call in."""
        self.in_flight += 1
        self._idle.clear()

    def leave(self) -> None:
        """Counts a call out."""
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()


class PassedHandler:
    """A handler that the interceptor leaves alone: it takes and returns bytes as they are.

    It counts its calls at the gate, bounds their time and ends them with a
    status itself. For what passes calls through, and must not cost a layer.
    """

    request_streaming = True
    """For gRPC, as in `Interceptor.intercept_service`."""
    request_deserializer = None
    response_serializer = None
    unary_unary = unary_stream = None

    def __init__(
        self, behaviour: Callable[..., Any], *, request_streaming: bool, response_streaming: bool
    ) -> None:
        self.response_streaming = response_streaming
        serve = _given_all(behaviour) if request_streaming else _given_one(behaviour)
        self.stream_unary = None if response_streaming else serve
        self.stream_stream = serve if response_streaming else None


def _given_all(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def serve(_requests: Any, context: Any) -> Any:
        call = ServedCall(context)
        return await behaviour(call.requests(), call)

    return serve


def _given_one(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def serve(_requests: Any, context: Any) -> Any:
        call = ServedCall(context)
        request = await call.read()
        if request is grpc.aio.EOF:
            await abort(call, MalformedRequestError(_NO_REQUEST))
        return await behaviour(request, call)

    return serve


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], details: Any
    ) -> Handler:
        handler = await continuation(details)
        if handler is None or isinstance(handler, PassedHandler):
            return handler
        # To gRPC every method takes a stream, as every one does on the wire: where it reads a
        # single request itself, it answers one that does not decode with UNKNOWN, and a trace
        # in the log, and a call that ends without a request not at all.
        method, is_stream = details.method, handler.request_streaming
        read = _deserializer(method, handler.request_deserializer)
        if handler.response_streaming:
            answer = self._stream(
                method, handler.stream_stream or handler.unary_stream, is_stream=is_stream
            )
            return grpc.stream_stream_rpc_method_handler(answer, read, handler.response_serializer)
        answer = self._unary(
            method, handler.stream_unary or handler.unary_unary, is_stream=is_stream
        )
        return grpc.stream_unary_rpc_method_handler(answer, read, handler.response_serializer)

    def _unary(
        self, method: str, behaviour: Callable[..., Awaitable[Any]], *, is_stream: bool
    ) -> Callable[..., Any]:
        # A client's stream may be as long as it likes: its deadline is the client's.
        limit_s = None if is_stream else UNARY_LIMIT_S

        async def serve(_requests: Any, context: Any) -> Any:
            call = ServedCall(context)
            async with self._served(method, call):
                started = time.perf_counter()
                limit = asyncio.timeout(limit_s)
                try:
                    async with limit:
                        given = await _given(call, is_stream=is_stream)
                        return await _begin(behaviour, given, call)
                except TimeoutError as error:
                    if limit.expired():
                        raise DeadlineError(f"took longer than {limit_s} s") from error
                    raise
                finally:
                    _SECONDS.labels(method).observe(time.perf_counter() - started)
            raise AssertionError("unreachable: an error aborts the call")

        return serve

    def _stream(
        self, method: str, behaviour: Callable[..., Any], *, is_stream: bool
    ) -> Callable[..., Awaitable[None]]:
        async def serve(_requests: Any, context: Any) -> None:
            call = ServedCall(context)
            async with self._served(method, call):
                given = await _given(call, is_stream=is_stream)
                if not inspect.isasyncgenfunction(behaviour):
                    await _begin(behaviour, given, call)
                    return
                async with aclosing(behaviour(given, call)) as responses:
                    async for response in responses:
                        await call.write(response)

        return serve

    @asynccontextmanager
    async def _served(self, method: str, context: Any) -> AsyncGenerator[None, None]:
        if self._gate.refusal is not None and not method.startswith(_ALWAYS_SERVED):
            _HANDLED.labels(method, self._gate.refusal.reason).inc()
            await abort(context, self._gate.refusal)
        if method.startswith(_ALWAYS_SERVED):  # open for as long as a watcher likes
            async with translated(context, log):
                yield
            return
        self._gate.enter()
        _IN_FLIGHT.inc()
        try:
            async with translated(context, log):
                yield
        finally:
            self._gate.leave()
            _IN_FLIGHT.dec()
            code = context.code()
            _HANDLED.labels(method, code.name if hasattr(code, "name") else "OK").inc()


async def _given(call: ServedCall, *, is_stream: bool) -> Any:
    """Returns what a behaviour is called with: all requests of the call, or its one."""
    if is_stream:
        return call.requests()
    request = await call.read()
    if request is grpc.aio.EOF:
        raise MalformedRequestError(_NO_REQUEST)
    return request


def _begin(behaviour: Callable[..., Any], given: Any, call: ServedCall) -> Any:
    """Calls a behaviour, if there is one."""
    try:
        return behaviour(given, call)
    except NotImplementedError as error:  # a generated base class: no coroutine, it raises here
        raise MethodUnimplementedError("this server does not have the method") from error


def _deserializer(
    method: str, read: Callable[[bytes], Any] | None
) -> Callable[[bytes], Any] | None:
    """Returns a method's deserializer, but for its errors; they pass through `context.read()`."""
    if read is None:
        return None

    def deserialize(raw: bytes) -> Any:
        try:
            return read(raw)
        except (DecodeError, ValueError) as error:
            _MALFORMED.labels(method).inc()
            log_malformed.warning("a request does not decode", extra={"method": method})
            raise MalformedRequestError("a request is no message of the method's type") from error

    return deserialize
