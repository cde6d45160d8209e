"""A kernel for one module: it registers it, answers its heartbeats, and says what it was told.

It verifies what the module proves, and can be told to prove nothing itself.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from logos.kernel.v1 import events_pb2_grpc, module_pb2, registry_pb2, registry_pb2_grpc
from logos_base.capabilities import KERNEL, Subject
from logos_base.errors import ErrorKind, LogosError
from logos_module.access import Caller
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.authorizer import FREE, TokenAuthorizer
from logos_module.capabilities.joining import join_proof
from logos_module.capabilities.proofs import module_key
from logos_module.capabilities.verifier import Verifier
from logos_module.conformance import answers
from logos_module.conformance.broken import ContractBrokenError, expect
from logos_module.conformance.events import QuietEvents
from logos_module.server import Server

TTL_MS: Final = 3000

_FREE: Final = (
    *FREE,
    "/logos.kernel.v1.Registry/Challenge",
    "/logos.kernel.v1.Registry/Register",
)


class LeaseUnknownError(LogosError):
    """A heartbeat for a lease that is lost."""

    kind = ErrorKind.NOT_FOUND
    reason = "LEASE_UNKNOWN"


class OnlyModuleError(LogosError):
    """The module asks for another, which is not run beside it."""

    kind = ErrorKind.NOT_FOUND
    reason = "MODULE_NOT_FOUND"


class ProvingKernel(registry_pb2_grpc.RegistryServicer):
    """The `Registry` of a node with one module. All inputs are kept, in order.

    Args:
        module: Its name.
        settings: What the module gets at registration.
        neighbours: Endpoints of modules that others of its kind have started, by name.
    """

    def __init__(
        self, module: str, settings: Mapping[str, object], neighbours: Mapping[str, str]
    ) -> None:
        self._module = module
        self._neighbours = neighbours
        self._settings_json = json.dumps(settings)
        self._changed = asyncio.Condition()
        self._nonces: set[bytes] = set()
        self._began_s = time.monotonic()
        self.is_proven = True
        """Whether it proves that it knows the join secret."""
        self.epoch = 1
        """Of the next registration."""
        self.lease_id = b""
        """Of the last one; empty once it is given up, or lost."""
        self.registered: list[registry_pb2.RegisterRequest] = []
        self.beats: list[registry_pb2.SessionRequest] = []
        """On the lease of the last registration."""
        self.answer = registry_pb2.SessionResponse()
        """To each heartbeat."""
        self._fault: ContractBrokenError | None = None
        verifier = Verifier(KERNEL, answers.KERNEL_PRIVATE, self.now_s)
        verifier.trust([answers.SIGNING_KEY])
        self._authorizer = TokenAuthorizer(verifier, _FREE)

    def now_s(self) -> int:
        """Its time, in seconds since 1970 UTC."""
        return answers.NOW_S + int(time.monotonic() - self._began_s)

    def server(self) -> Server:
        """A server with this kernel, that starts to listen when it is told."""
        server = Server(self)
        server.serve(registry_pb2_grpc.add_RegistryServicer_to_server, self)
        events = QuietEvents(self._module)
        server.serve(events_pb2_grpc.add_EventsServicer_to_server, events)
        return server

    def authorize(self, caller: Caller, method: str) -> Subject | None:
        """Decides on a call of the module; one that is refused breaks the contract."""
        try:
            return self._authorizer.authorize(caller, method)
        except LogosError as error:
            self._fault = ContractBrokenError(f"its call of {method} is refused: {error}")
            raise

    def lose(self) -> None:
        """Forgets the lease: the next heartbeat is refused."""
        self.lease_id = b""

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for an input after which `is_so`; the caller limits the time.

        Raises:
            ContractBrokenError: The module has said something that is wrong.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: is_so() or self._fault is not None)
        if self._fault is not None:
            raise self._fault

    @property
    def state(self) -> "module_pb2.ModuleState.ValueType":
        """What the module said last, on its lease."""
        return self.beats[-1].state if self.beats else module_pb2.MODULE_STATE_STARTING

    async def Challenge(self, request: Any, context: Any) -> registry_pb2.ChallengeResponse:
        expect("the name in Challenge", request.module, self._module)
        nonce = secrets.token_bytes(32)
        self._nonces.add(nonce)
        return registry_pb2.ChallengeResponse(nonce=nonce)

    async def Register(self, request: Any, context: Any) -> registry_pb2.RegisterResponse:
        try:
            self._check(request)
        except ContractBrokenError as error:
            self._fault = error
            await self.tell()
            raise
        self.registered.append(request)
        self.lease_id = secrets.token_bytes(16)
        self.beats.clear()
        response = answers.grant(
            request,
            ttl_ms=TTL_MS,
            epoch=self.epoch,
            now_s=self.now_s(),
            lease_id=self.lease_id,
            settings_json=self._settings_json,
            node="node1",
            testnet="conformance",
        )
        if not self.is_proven:
            response.kernel_proof = bytes(32)
        await self.tell()
        return response

    async def Session(
        self, requests: Any, context: Any
    ) -> AsyncIterator[registry_pb2.SessionResponse]:
        async for beat in requests:
            if beat.lease_id != self.lease_id:
                raise LeaseUnknownError("the lease is lost")
            self.beats.append(beat)
            await self.tell()
            self.answer.ttl.FromMilliseconds(TTL_MS)
            yield self.answer

    async def Deregister(self, request: Any, context: Any) -> registry_pb2.DeregisterResponse:
        expect("the lease that is given up", request.lease_id, self.lease_id)
        self.lease_id = b""
        await self.tell()
        return registry_pb2.DeregisterResponse()

    async def Resolve(self, request: Any, context: Any) -> registry_pb2.ResolveResponse:
        name = request.module
        if name != KERNEL and name not in self._neighbours:
            raise OnlyModuleError(f"there is no {name} beside the module that is checked")
        key = module_key(answers.SECRET, name)
        return registry_pb2.ResolveResponse(
            endpoint=self._neighbours.get(name, ""),
            epoch=1,
            public_key=answers.KERNEL_KEY if name == KERNEL else public_key_of(key),
            token=answers.token(self.registered[-1], name, ["*"], epoch=self.epoch),
        )

    async def tell(self) -> None:
        """Wakes the waiting tasks."""
        async with self._changed:
            self._changed.notify_all()

    def _check(self, request: registry_pb2.RegisterRequest) -> None:
        """Verifies the proof of a registration (KER-15)."""
        expect("the nonce in Register", request.nonce in self._nonces, wanted=True)
        self._nonces.remove(request.nonce)
        key = public_key_of(module_key(answers.SECRET, self._module))
        expect("public_key in Register", request.public_key, key)
        proof = join_proof(
            answers.SECRET,
            nonce=request.nonce,
            module=request.module,
            instance_id=request.instance_id,
            endpoint=request.endpoint,
            public_key=request.public_key,
        )
        expect("join_proof in Register", request.join_proof, proof)
