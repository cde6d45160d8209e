"""The interceptor that every call of a server passes through (KER-14).

In this order: measure, translate errors, authorize the caller, refuse what has come too far
(KER-33), refuse while draining, count as in flight, bound the time of a unary call, refuse
requests that do not decode. Proxied calls meet all of it but the measures and the bound.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from prometheus_client import Counter, Gauge, Histogram

from logos_base.capabilities import Subject
from logos_base.errors import LogosError
from logos_module.access import Authorizer, Caller
from logos_module.calls import ServedCall
from logos_module.errors import (
    DeadlineError,
    MalformedRequestError,
    MethodUnimplementedError,
    ModuleDrainingError,
    ModuleNotReadyError,
    abort,
    abort_for,
)
from logos_module.hops import arrive
from logos_module.logs import RateLimit

log = logging.getLogger(__name__)
log_malformed = logging.getLogger(f"{__name__}.malformed")
log_malformed.addFilter(RateLimit())

UNARY_LIMIT_S: Final = 300.0
"""Time limit of unary calls."""

_ALWAYS_SERVED: Final = ("/grpc.", "/logos.module.v1.ModuleHost/")

_BOUNDED_BY_THE_ROUTER: Final = "/logos.module.v1.Invocation/Invoke"

_NO_REQUEST: Final = "the call has no request"

_HANDLED = Counter("grpc_server_handled_total", "Calls ended", ["method", "code"])
_SECONDS = Histogram("grpc_server_handling_seconds", "Time of unary calls", ["method"])
_IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being served")
_MALFORMED = Counter("grpc_server_malformed_total", "Requests that do not decode", ["method"])

Handler = Any  # grpc.RpcMethodHandler: its stubs have the synchronous kind only


class Gate:
    """Admits or refuses calls, and counts those in flight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.refusal: LogosError | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def drain(self) -> None:
        """Refuses new calls from now on."""
        self.refusal = ModuleDrainingError("this module is about to stop")

    async def wait_idle(self, timeout_s: float) -> int:
        """Waits until no call is in flight; returns the number that still are."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self.in_flight

    def enter(self) -> None:
        """Counts the begin of a call."""
        self.in_flight += 1
        self._idle.clear()

    def leave(self) -> None:
        """Counts the end of a call."""
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()


@dataclass(frozen=True, slots=True)
class PassedHandler:
    """A method whose messages stay bytes, for proxies.

    Its calls meet the same rules as all others, but are neither bounded in time nor measured:
    the server behind the proxy does that. `behaviour` is called with the request, or the
    iterator of requests, and the `ServedCall`; it writes the responses if they are a stream.
    """

    behaviour: Callable[..., Awaitable[Any]]
    request_streaming: bool
    response_streaming: bool


async def _is_missing(_given: Any, _call: ServedCall) -> None:
    raise MethodUnimplementedError("this server does not implement the method")


_NOT_YET: Final = PassedHandler(_is_missing, request_streaming=True, response_streaming=True)
"""Any method of a module that is starting: it may add it, so that callers are to try again."""


class _Admission:
    """Authorizes a call, refuses it while the server drains, and translates its errors.

    Not a generator: that would cost each call more than all the work done here.
    """

    def __init__(
        self, method: str, call: ServedCall, gate: Gate, authorize: Callable[[], Subject | None]
    ) -> None:
        self._call = call
        self._authorize = authorize
        self._gate = None if method.startswith(_ALWAYS_SERVED) else gate

    async def __aenter__(self) -> None:
        try:
            self._call.caller = self._authorize()
            arrive(self._call.invocation_metadata())
        except Exception as error:  # noqa: BLE001 -- a fault of the authorizer must not leak either
            await abort_for(self._call, error, log)
        if self._gate is not None and self._gate.refusal is not None:
            await abort(self._call, self._gate.refusal)
        if self._gate is not None:
            self._gate.enter()

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if isinstance(error, Exception):
                await abort_for(self._call, error, log)
        finally:
            if self._gate is not None:
                self._gate.leave()


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, gate: Gate, authorizer: Authorizer) -> None:
        self._gate = gate
        self._authorizer = authorizer

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], details: Any
    ) -> Handler:
        handler = await continuation(details)
        if handler is None and isinstance(self._gate.refusal, ModuleNotReadyError):
            handler = _NOT_YET
        if handler is None:
            return None
        # Every method is registered with a request stream, which it is on the wire. If gRPC
        # read the single request itself, it would answer one that does not decode with UNKNOWN
        # and log a trace, and would not answer a call that ends without a request.
        method, is_stream = details.method, handler.request_streaming
        read = write = None
        if isinstance(handler, PassedHandler):
            answer = self._passed(method, handler)
        else:
            read = _deserializer(method, handler.request_deserializer)
            write = handler.response_serializer
            if handler.response_streaming:
                behaviour = handler.stream_stream or handler.unary_stream
                answer = self._stream(method, behaviour, is_stream=is_stream)
            else:
                behaviour = handler.stream_unary or handler.unary_unary
                answer = self._unary(method, behaviour, is_stream=is_stream)
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(answer, read, write)
        return grpc.stream_unary_rpc_method_handler(answer, read, write)

    def _passed(self, method: str, handler: PassedHandler) -> Callable[..., Any]:
        async def serve(_requests: Any, context: Any) -> Any:
            call = ServedCall(context)
            async with self._admitted(method, call):
                given = await _given(call, is_stream=handler.request_streaming)
                return await handler.behaviour(given, call)

        return serve

    def _unary(
        self, method: str, behaviour: Callable[..., Awaitable[Any]], *, is_stream: bool
    ) -> Callable[..., Any]:
        # Request streams have no limit but the client's deadline, and methods that are called
        # by name none but the router's: a started call may take longer (KER-29).
        is_free = is_stream or method == _BOUNDED_BY_THE_ROUTER
        limit_s = None if is_free else UNARY_LIMIT_S

        async def serve(_requests: Any, context: Any) -> Any:
            call = ServedCall(context)
            async with self._measured(method, call):
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
            async with self._measured(method, call):
                given = await _given(call, is_stream=is_stream)
                if not inspect.isasyncgenfunction(behaviour):
                    await _begin(behaviour, given, call)
                    return
                async with aclosing(behaviour(given, call)) as responses:
                    async for response in responses:
                        await call.write(response)

        return serve

    def _admitted(self, method: str, call: ServedCall) -> _Admission:
        authorize = partial(self._authorizer.authorize, Caller(call), method)
        return _Admission(method, call, self._gate, authorize)

    @asynccontextmanager
    async def _measured(self, method: str, call: ServedCall) -> AsyncGenerator[None, None]:
        if method.startswith(_ALWAYS_SERVED):
            async with self._admitted(method, call):
                yield
            return
        _IN_FLIGHT.inc()
        try:
            async with self._admitted(method, call):
                yield
        finally:
            _IN_FLIGHT.dec()
            code = call.code()
            _HANDLED.labels(method, code.name if hasattr(code, "name") else "OK").inc()


async def _given(call: ServedCall, *, is_stream: bool) -> Any:
    """Returns the argument of a behaviour: the iterator of requests, or the single request."""
    if is_stream:
        return call.requests()
    request = await call.read()
    if request is grpc.aio.EOF:
        raise MalformedRequestError(_NO_REQUEST)
    return request


def _begin(behaviour: Callable[..., Any], given: Any, call: ServedCall) -> Any:
    """Calls a behaviour; raises `MethodUnimplementedError` if it is not implemented."""
    try:
        return behaviour(given, call)
    except NotImplementedError as error:  # a generated base class raises it at the call
        raise MethodUnimplementedError("this server does not implement the method") from error


def _deserializer(
    method: str, read: Callable[[bytes], Any] | None
) -> Callable[[bytes], Any] | None:
    """Wraps a deserializer so that `context.read()` raises `MalformedRequestError`."""
    if read is None:
        return None

    def deserialize(raw: bytes) -> Any:
        try:
            return read(raw)
        except (DecodeError, ValueError) as error:
            _MALFORMED.labels(method).inc()
            log_malformed.warning("a request does not decode", extra={"method": method})
            raise MalformedRequestError(
                "a request is not a valid message of the method's type"
            ) from error

    return deserialize
