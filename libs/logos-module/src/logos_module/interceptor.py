"""What every call of a server passes through: one layer, in one place.

In this order: refuse while draining, bound the time of a unary call, count it
as in flight, measure it, translate errors.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import grpc
from prometheus_client import Counter, Gauge, Histogram

from logos_base.errors import LogosError
from logos_module.calls import ServedCall, sparing
from logos_module.errors import DeadlineError, ModuleDrainingError, abort, translated

log = logging.getLogger(__name__)

UNARY_LIMIT_S: Final = 300.0
"""A unary call without a deadline of its own is ended after this."""

_ALWAYS_SERVED: Final = ("/grpc.", "/logos.module.v1.ModuleHost/")

_HANDLED = Counter("grpc_server_handled_total", "Calls ended", ["method", "code"])
_SECONDS = Histogram("grpc_server_handling_seconds", "Time of unary calls", ["method"])
_IN_FLIGHT = Gauge("grpc_server_in_flight", "Calls being served")

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

    request_deserializer = None
    response_serializer = None

    def __init__(
        self, behaviour: Callable[..., Any], *, request_streaming: bool, response_streaming: bool
    ) -> None:
        self.request_streaming = request_streaming
        self.response_streaming = response_streaming
        kind = (request_streaming, response_streaming)
        self.unary_unary = behaviour if kind == (False, False) else None
        self.unary_stream = behaviour if kind == (False, True) else None
        self.stream_unary = behaviour if kind == (True, False) else None
        self.stream_stream = behaviour if kind == (True, True) else None


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
        method = details.method
        if handler.response_streaming:
            wrapped = self._stream(method, _writing(handler.stream_stream or handler.unary_stream))
        else:
            # A client's stream may be as long as it likes: its deadline is the client's.
            limit_s = None if handler.request_streaming else UNARY_LIMIT_S
            wrapped = self._unary(method, handler.stream_unary or handler.unary_unary, limit_s)
        kind = _FACTORIES[handler.request_streaming, handler.response_streaming]
        return kind(wrapped, sparing(handler.request_deserializer), handler.response_serializer)

    def _unary(
        self, method: str, behaviour: Callable[..., Awaitable[Any]], limit_s: float | None
    ) -> Callable[..., Any]:
        async def serve(request: Any, context: Any) -> Any:
            call = ServedCall(context, method)
            async with self._served(method, call):
                started = time.perf_counter()
                limit = asyncio.timeout(limit_s)
                try:
                    async with limit:
                        return await behaviour(call.told(request), call)
                except TimeoutError as error:
                    if limit.expired():
                        raise DeadlineError(f"took longer than {limit_s} s") from error
                    raise
                finally:
                    _SECONDS.labels(method).observe(time.perf_counter() - started)
            raise AssertionError("unreachable: an error aborts the call")

        return serve

    def _stream(
        self, method: str, behaviour: Callable[..., Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        async def serve(request: Any, context: Any) -> None:
            call = ServedCall(context, method)
            async with self._served(method, call):
                await behaviour(call.told(request), call)

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


def _writing(behaviour: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """Returns a behaviour that writes its responses, for one that may yield them."""
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour

    async def write(request: Any, call: ServedCall) -> None:
        async with aclosing(behaviour(request, call)) as responses:
            async for response in responses:
                await call.write(response)

    return write


_FACTORIES: Final[dict[tuple[bool, bool], Callable[..., Handler]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
