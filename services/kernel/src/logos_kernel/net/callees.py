"""The READY modules of a node, for the router's operation (KER-29)."""

import asyncio
from typing import Any

import grpc

from logos.kernel.v1 import router_pb2 as pb
from logos_kernel.core.callees import CalleeError, Instance, Metadata
from logos_kernel.core.errors import InvalidArgsError, MalformedMetadataError, NotReadyError
from logos_kernel.core.views import Views
from logos_kernel.net.methods import Methods
from logos_kernel.net.router import LOST, Router, behaviour, is_metadata_sound, metadata_of
from logos_module.errors import error_info_of


class RoutedCallees:
    """The instances that the front door has channels to."""

    def __init__(self, router: Router, views: Views) -> None:
        self._router = router
        self._views = views
        self._methods: dict[str, Methods] = {}
        """By module, of its newest instance."""

    def find(self, module: str) -> Instance:
        view = self._views.ready(module)
        upstream = self._router.upstream(module)
        if upstream is None:
            raise NotReadyError(f"{module} is not there any more")
        known = self._methods.get(module)
        if known is None or known.upstream is not upstream:
            self._methods[module] = Methods(upstream, module)
        return Instance(
            module,
            view.version,
            upstream.described.instance_id,
            view.epoch,
            view.services,
            upstream.described.file_descriptor_set,
        )

    async def method(self, instance: Instance, name: str) -> Any:
        return await self._asked(instance, self._of(instance).find(name, instance.services))

    async def interface(self, instance: Instance) -> object:
        return (await self._asked(instance, self._of(instance).interface())).said

    def metadata(self, context: Any) -> Metadata:
        if not is_metadata_sound(context):
            raise MalformedMetadataError("metadata must be printable ASCII")
        return metadata_of(context)

    async def ask(
        self,
        instance: Instance,
        method: Any,
        request: bytes,
        *,
        timeout_s: float,
        metadata: Metadata,
    ) -> bytes:
        channel = self._of(instance).upstream.channel
        begin: Any = channel.unary_unary(method.path)
        call = begin(request, timeout=timeout_s, metadata=metadata)
        return bytes(await self._asked(instance, call))

    async def stream(self, instance: Instance, method: Any, call: Any, first: Any) -> None:
        channel = self._of(instance).upstream.channel
        passed = _Translated(call, method, first)
        serve = behaviour(channel, method.path, method.kind)
        request = None if method.kind.request_streaming else await passed.read()
        if request is grpc.aio.EOF:
            raise InvalidArgsError("the method takes a request, and the stream was opened without")
        response = await serve(request, passed)
        if response is not None:
            await passed.write(response)

    def _of(self, instance: Instance) -> Methods:
        methods = self._methods.get(instance.module)
        if methods is None or methods.upstream.described.instance_id != instance.instance_id:
            raise NotReadyError(f"{instance.module} was replaced")
        return methods

    async def _asked(self, instance: Instance, asking: Any) -> Any:
        """Awaits a call; what comes of it is the module's, or says that it cannot be reached."""
        channel = self._of(instance).upstream.channel
        try:
            return await asking
        except grpc.aio.AioRpcError as error:
            trailing = tuple(error.trailing_metadata() or ())
            is_lost = channel.get_state() is not grpc.ChannelConnectivity.READY
            if error.code() in LOST and is_lost and not trailing:
                raise NotReadyError(f"{instance.module} cannot be reached") from error
            info = error_info_of(error)
            reason = "" if info is None else info.reason
            raise CalleeError(error.code(), error.details() or "", trailing, reason) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise NotReadyError(f"{instance.module} is gone") from None  # its channel was closed


class _Translated:
    """A `CallStream` as the call that it stands for. All else is the call's own."""

    def __init__(self, call: Any, method: Any, first: pb.CallRequest) -> None:
        self._call = call
        self._method = method
        self._first: pb.CallRequest | None = first
        self._is_payload = first.HasField("payload")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    async def read(self) -> Any:
        """Returns the next request, serialised, or EOF."""
        first, self._first = self._first, None
        if first is not None and (first.args or self._is_payload or not self._takes_many()):
            payload = first.payload if self._is_payload else None
            return self._method.encode(first.args, payload, first.idempotency_key)
        request = await self._call.read()
        if request is grpc.aio.EOF:
            return request
        match request.WhichOneof("part"):
            case "value":
                return self._method.encode([request.value], None, "")
            case "payload":
                self._is_payload = True
                return self._method.encode([], request.payload, "")
        raise InvalidArgsError("the first request of a stream opens it, and no other does")

    async def write(self, response: bytes) -> None:
        """Sends a response."""
        if self._is_payload:
            await self._call.write(pb.CallStreamResponse(payload=response))
            return
        value = self._method.decode(response)
        await self._call.write(pb.CallStreamResponse(value=value))

    def _takes_many(self) -> bool:
        return bool(self._method.kind.request_streaming)
