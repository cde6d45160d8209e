"""The front door: passes calls through to the modules that serve them (KER-9).

Messages pass as bytes. Where the descriptors of a module give the kind of a
method, the cheapest pair of calls is used; anything else goes as a stream in
both directions, which every kind is on the wire.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc.aio import EOF

from logos_base.capabilities import Subject
from logos_client.channels import write
from logos_kernel.core.errors import MalformedMetadataError, NotReadyError, UnknownServiceError
from logos_kernel.core.types import Described, MethodKind, ModuleState
from logos_kernel.core.views import View
from logos_module.capabilities.callers import caller_to_bytes
from logos_module.capabilities.metadata import CALLER_FIELD
from logos_module.hops import next_hop
from logos_module.interceptor import PassedHandler

log = logging.getLogger(__name__)

_BOTH_STREAM: Final = MethodKind(request_streaming=True, response_streaming=True)
_HOP_KEYS: Final = frozenset(
    {"te", "content-type", "user-agent", "connection", "host", "authorization"}
)
"""Metadata of one hop, like all that begins with `grpc-` or `logos-`."""

_HOP_PREFIXES: Final = ("grpc-", "logos-")

LOST: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""What gRPC itself says when a connection breaks, or a channel is closed under a call."""

Metadata = tuple[tuple[str, str | bytes], ...]
Behaviour = Callable[[Any, Any], Awaitable[Any]]
OpenAuthorized = Callable[[str, str], grpc.aio.Channel]


@dataclass(slots=True)
class Upstream:
    """One instance of a module, and the one channel to it."""

    endpoint: str
    described: Described
    channel: grpc.aio.Channel
    handlers: dict[str, PassedHandler] = field(default_factory=dict)
    """By method; only of methods whose kind is known, so that it stays small."""

    def serves(self, endpoint: str, instance_id: bytes) -> bool:
        return (self.endpoint, self.described.instance_id) == (endpoint, instance_id)


class Router(grpc.GenericRpcHandler):
    """Finds the module that serves a method, and passes the call to it.

    Args:
        promised: Services of the modules of the profile, and the names of those.
        open_authorized: Opens a channel to an address of a module, of this name.
    """

    def __init__(self, promised: Mapping[str, str], open_authorized: OpenAuthorized) -> None:
        self._profile = promised
        self._open = open_authorized
        self.promised = promised
        self.routes: Mapping[str, Upstream] = {}
        """Services of READY modules."""
        self._upstreams: dict[str, Upstream] = {}
        """The instances of modules, by module."""

    def update(self, views: Sequence[View]) -> list[grpc.aio.Channel]:
        """Routes to the modules as they are now; returns the channels that it has given up."""
        given_up: list[grpc.aio.Channel] = []
        routes: dict[str, Upstream] = {}
        promised = dict(self._profile)
        for view in views:
            promised |= dict.fromkeys(view.services, view.name)
            held = self._upstreams.pop(view.name, None)
            upstream = self._follow(view, held)
            if held is not None and (upstream is None or upstream.channel is not held.channel):
                given_up.append(held.channel)
            if upstream is None:
                continue
            self._upstreams[view.name] = upstream
            if view.state is ModuleState.READY:
                routes |= dict.fromkeys(view.services, upstream)
        self.routes, self.promised = routes, promised
        return given_up

    async def close(self) -> None:
        """Closes all channels."""
        for upstream in self._upstreams.values():
            await upstream.channel.close()

    def service(self, handler_call_details: Any) -> Any:
        method: str = handler_call_details.method
        service = method[1 : method.rfind("/")]
        upstream = self.routes.get(service)
        if upstream is None:
            return self._refusing(service)
        return upstream.handlers.get(method) or self._passing(upstream, method)

    def upstream(self, module: str) -> Upstream | None:
        """Returns the instance of a module; None if there is none."""
        return self._upstreams.get(module)

    def kind_of(self, method: str) -> MethodKind | None:
        """Returns what is known of a method of a READY module, `package.Service/Method`."""
        upstream = self.routes.get(method.rpartition("/")[0])
        return None if upstream is None else upstream.described.methods.get(f"/{method}")

    def _follow(self, view: View, held: Upstream | None) -> Upstream | None:
        """Returns the instance of a module now; one that comes back keeps its channel."""
        if held is not None and view.described is held.described:
            return held
        if view.described is None or not view.endpoint:
            return None
        if held is not None and held.serves(view.endpoint, view.described.instance_id):
            return Upstream(held.endpoint, view.described, held.channel)
        channel = self._open(view.name, view.endpoint)
        channel.get_state(try_to_connect=True)
        return Upstream(view.endpoint, view.described, channel)

    def _refusing(self, service: str) -> PassedHandler:
        async def refuse(_requests: Any, _call: Any) -> None:
            if service in self.promised:
                name = self.promised[service]
                raise NotReadyError(f"{name}, which serves {service}, is not READY")
            raise UnknownServiceError(f"no module of this node serves {service[:200]}")

        return PassedHandler(refuse, request_streaming=True, response_streaming=True)

    def _passing(self, upstream: Upstream, method: str) -> PassedHandler:
        known = upstream.described.methods.get(method)
        kind = known or _BOTH_STREAM
        pass_on = behaviour(upstream.channel, method, kind)

        async def serve(request: Any, call: Any) -> Any:
            if not is_metadata_sound(call):
                raise MalformedMetadataError("metadata must be printable ASCII")
            now = self.routes.get(method[1 : method.rfind("/")], upstream)
            if now.channel is not upstream.channel:  # it has moved since this call came in (KER-52)
                return await behaviour(now.channel, method, kind)(request, call)
            return await pass_on(request, call)

        handler = PassedHandler(serve, kind.request_streaming, kind.response_streaming)
        if known is not None:
            upstream.handlers[method] = handler
        return handler


def behaviour(channel: grpc.aio.Channel, method: str, kind: MethodKind) -> Behaviour:
    """Returns what passes a call of a method: its requests, its responses and how it ends."""
    openers = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    begin: Any = openers[kind.request_streaming, kind.response_streaming](method)
    pass_back = _pass_responses if kind.response_streaming else _pass_response

    async def serve_one(request: bytes, context: Any) -> Any:
        call = begin(request, timeout=context.time_remaining(), metadata=metadata_of(context))
        try:
            response = await pass_back(call, context)
        finally:
            call.cancel()  # no effect on a call that has ended
        await _finish(channel, call, context)
        return response

    async def serve_all(_requests: Any, context: Any) -> Any:
        call = begin(timeout=context.time_remaining(), metadata=metadata_of(context))
        async with asyncio.TaskGroup() as tasks:
            pump = tasks.create_task(_pass_requests(context, call))
            try:
                response = await pass_back(call, context)
            finally:
                pump.cancel()
                call.cancel()
        await _finish(channel, call, context)
        return response

    return serve_all if kind.request_streaming else serve_one


async def _pass_requests(context: Any, call: Any) -> None:
    """Passes requests on until the caller half-closes or the call is over.

    One message at a time: a callee that does not read stops the caller. Of a call that
    broke off no half-close is passed on: the callee would take what came for the whole.
    """
    while (message := await context.read()) is not EOF:
        if not await write(call, message):
            return  # the call has ended, and `_finish` passes its status on
    with suppress(grpc.aio.InternalError):
        await call.done_writing()


async def _pass_responses(call: Any, context: Any) -> None:
    """Passes the initial metadata and all responses on."""
    await context.send_initial_metadata(tuple(await call.initial_metadata()))
    try:
        while (message := await call.read()) is not EOF:
            await context.write(message)
    except grpc.aio.AioRpcError:
        pass  # the status says it all
    except asyncio.CancelledError:
        _raise_if_cancelled()


async def _pass_response(call: Any, context: Any) -> bytes | None:
    """Returns the one response, after its initial metadata; None if the call failed."""
    response: bytes | None = None
    try:
        response = await call
    except grpc.aio.AioRpcError:
        pass  # the status says it all
    except asyncio.CancelledError:
        _raise_if_cancelled()
    if initial := await call.initial_metadata():
        await context.send_initial_metadata(tuple(initial))
    return response


def _raise_if_cancelled() -> None:
    """Ends this task if its caller has cancelled it.

    gRPC raises the same error where the channel was closed under a call, since
    the instance at its other end is gone. `_finish` reports that.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise asyncio.CancelledError


async def _finish(channel: grpc.aio.Channel, call: Any, context: Any) -> None:
    """Ends a call with the status that the callee gave it."""
    code, details = await call.code(), await call.details()
    trailing = await call.trailing_metadata()
    if code is grpc.StatusCode.OK:
        if trailing:
            context.set_trailing_metadata(tuple(trailing))
        if details:
            context.set_details(details)
        return
    is_lost = channel.get_state() is not grpc.ChannelConnectivity.READY
    if code in LOST and is_lost and not trailing:
        raise NotReadyError(f"the module cannot be reached: {details}")
    await context.abort(code, details or "", tuple(trailing or ()))


def is_metadata_sound(context: Any) -> bool:
    """Returns whether it may be sent on: gRPC receives values that it then refuses to send."""
    return all(
        isinstance(value, bytes) or (value.isascii() and value.isprintable())
        for _key, value in context.invocation_metadata()
    )


def metadata_of(context: Any) -> Metadata:
    """Returns what of a caller's metadata is passed on, with who calls and one hop more."""
    passed = tuple(
        (key, value)
        for key, value in context.invocation_metadata()
        if key not in _HOP_KEYS and not key.startswith(_HOP_PREFIXES)
    )
    if context.caller is None:
        return (*passed, next_hop())
    return (*passed, next_hop(), _caller_field(context.caller))


def _caller_field(caller: Subject) -> tuple[str, bytes]:
    """Returns the metadata field that names the original caller."""
    return CALLER_FIELD, caller_to_bytes(caller)
