"""`logos.kernel.v1.Registry`: where modules register and renew their leases."""

import asyncio
from collections.abc import AsyncIterator

from google.protobuf.duration_pb2 import Duration

from logos.kernel.v1 import registry_pb2 as pb
from logos.kernel.v1 import registry_pb2_grpc
from logos_base.capabilities import KERNEL, ModuleSubject
from logos_kernel.core.errors import InvalidRegistrationError
from logos_kernel.core.types import Beat
from logos_kernel.operations.access import issue
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.lease import deregister, heartbeat, news, session_ended, wait_stop
from logos_kernel.operations.register import challenge, register
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import (
    duration,
    introduction_from_pb,
    joined_to_pb,
    proof_from_pb,
    revocation_to_pb,
    state_from_pb,
    token_to_pb,
)
from logos_module.contexts import Context


class RegistryServicer(registry_pb2_grpc.RegistryServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def Challenge(
        self, request: pb.ChallengeRequest, context: Context
    ) -> pb.ChallengeResponse:
        return pb.ChallengeResponse(nonce=challenge(self._kernel, request.module))

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        introduction, proof = introduction_from_pb(request), proof_from_pb(request)
        joined = await register(self._kernel, introduction, proof)
        return joined_to_pb(joined, self._kernel.identity)

    async def Session(  # type: ignore[override]  # a coroutine that writes does as well
        self, request_iterator: AsyncIterator[pb.SessionRequest], context: Context
    ) -> None:
        lease_id = b""
        turn = asyncio.Lock()  # three tasks answer, and gRPC takes one message at a time
        passing: list[asyncio.Task[None]] = []
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
                    if not passing:
                        lease_id = request.lease_id
                        passing = [
                            tasks.create_task(self._pass_stop(lease_id, context, turn)),
                            tasks.create_task(self._pass_news(context, turn)),
                        ]
            finally:
                session_ended(self._kernel, lease_id)
            for task in passing:
                task.cancel()

    async def _renew(self, request: pb.SessionRequest) -> Duration:
        said = state_from_pb(request.state)
        if said is None:
            raise InvalidRegistrationError(
                "state: must be REGISTERED, READY or DRAINING", field="state"
            )
        beat = Beat(
            said,
            request.status_text,
            request.progress,
            not request.not_serving,
            request.in_flight,
        )
        return duration(await heartbeat(self._kernel, request.lease_id, beat))

    async def _pass_stop(self, lease_id: bytes, context: Context, turn: asyncio.Lock) -> None:
        await wait_stop(self._kernel, lease_id)
        async with turn:
            await context.write(pb.SessionResponse(stop=True))

    async def _pass_news(self, context: Context, turn: asyncio.Lock) -> None:
        async for one in news(self._kernel, caller_of(context).name):
            revocations = map(revocation_to_pb, one.revocations)
            async with turn:
                await context.write(
                    pb.SessionResponse(
                        revocations=revocations, signing_keys=one.signing_keys, renew=one.renew
                    )
                )

    async def Deregister(
        self, request: pb.DeregisterRequest, context: Context
    ) -> pb.DeregisterResponse:
        await deregister(self._kernel, request.lease_id)
        return pb.DeregisterResponse()

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        name, caller = request.module, caller_of(context)
        if not isinstance(caller, ModuleSubject):
            raise InvalidRegistrationError("only modules of this node resolve addresses")
        response = pb.ResolveResponse()
        if name != KERNEL:
            view = self._kernel.views.ready(name)
            response.endpoint, response.epoch = view.endpoint, view.epoch
        response.public_key = self._kernel.gate.public_key(name)
        issued = issue(self._kernel, caller, name)
        response.token.CopyFrom(token_to_pb(issued, self._kernel.gate.now_s()))
        return response
