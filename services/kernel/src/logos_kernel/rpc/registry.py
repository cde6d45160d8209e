"""`logos.kernel.v1.Registry`: where modules register and renew their leases."""

import asyncio
from collections.abc import AsyncIterator

from google.protobuf.duration_pb2 import Duration

from logos.kernel.v1 import registry_pb2 as pb
from logos.kernel.v1 import registry_pb2_grpc
from logos_kernel.core.errors import InvalidRegistrationError
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.lease import deregister, heartbeat, session_ended, wait_stop
from logos_kernel.operations.register import register
from logos_kernel.rpc.convert import duration, grant_to_pb, introduction_from_pb, state_from_pb
from logos_module.contexts import Context


class RegistryServicer(registry_pb2_grpc.RegistryServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        grant = await register(self._kernel, introduction_from_pb(request))
        return grant_to_pb(grant, self._kernel.identity)

    async def Session(  # type: ignore[override]  # a coroutine that writes does as well
        self, request_iterator: AsyncIterator[pb.SessionRequest], context: Context
    ) -> None:
        lease_id, stopper = b"", None
        turn = asyncio.Lock()  # two tasks answer, and gRPC takes one message at a time
        async with asyncio.TaskGroup() as tasks:
            try:
                async for request in request_iterator:
                    if lease_id and request.lease_id != lease_id:
                        raise InvalidRegistrationError(
                            "lease_id: must be the same in all heartbeats of a session",
                            field="lease_id",
                        )
                    ttl = await self._renew(request)
                    async with turn:
                        await context.write(pb.SessionResponse(ttl=ttl))
                    if stopper is None:
                        lease_id = request.lease_id
                        stopper = tasks.create_task(self._pass_stop(lease_id, context, turn))
            finally:
                session_ended(self._kernel, lease_id)
            if stopper is not None:
                stopper.cancel()

    async def _renew(self, request: pb.SessionRequest) -> Duration:
        said = state_from_pb(request.state)
        if said is None:
            raise InvalidRegistrationError(
                "state: must be REGISTERED, READY or DRAINING", field="state"
            )
        return duration(await heartbeat(self._kernel, request.lease_id, said, request.status_text))

    async def _pass_stop(self, lease_id: bytes, context: Context, turn: asyncio.Lock) -> None:
        await wait_stop(self._kernel, lease_id)
        async with turn:
            await context.write(pb.SessionResponse(stop=True))

    async def Deregister(
        self, request: pb.DeregisterRequest, context: Context
    ) -> pb.DeregisterResponse:
        await deregister(self._kernel, request.lease_id)
        return pb.DeregisterResponse()

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        view = self._kernel.views.ready(request.module)
        return pb.ResolveResponse(endpoint=view.endpoint, epoch=view.epoch)
