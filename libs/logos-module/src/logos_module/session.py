"""A module's side of its registration: register, send heartbeats, register again.

If the kernel goes away, the module keeps serving and retries until a kernel is back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from logos.kernel.v1 import module_pb2, registry_pb2, registry_pb2_grpc
from logos_base.errors import ErrorKind, LogosError
from logos_base.manifest import Manifest
from logos_module.capabilities.identity import Identity
from logos_module.environment import Environment
from logos_module.errors import reason_of
from logos_module.settings import Settings

log = logging.getLogger(__name__)

RETRY_MIN_S: Final = 0.1
RETRY_MAX_S: Final = 2.0
REGISTER_TIMEOUT_S: Final = 10.0
_FINAL_REASONS: Final = frozenset({"STALE_EPOCH", "MODULE_NOT_FOUND", "INVALID_REGISTRATION"})

REGISTERED = module_pb2.MODULE_STATE_REGISTERED
READY = module_pb2.MODULE_STATE_READY
DRAINING = module_pb2.MODULE_STATE_DRAINING


MAX_STATUS_BYTES: Final = 200
"""Of a status text, in UTF-8 (KER-4)."""


def _cut(text: str) -> str:
    return text.encode()[:MAX_STATUS_BYTES].decode(errors="ignore")


class RegistrationRefusedError(LogosError):
    """The kernel will never register this process."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "REGISTRATION_REFUSED"


@dataclass(slots=True)
class Condition:
    """The condition of the module, sent in every heartbeat."""

    state: "module_pb2.ModuleState.ValueType" = REGISTERED
    text: str = ""
    trouble: str = ""
    """Why it cannot be reached; shown before `text`."""
    is_serving: bool = True
    """Whether the module holds itself for healthy, once it is READY."""


class KernelSession:
    """Keeps one process registered."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        environment: Environment,
        manifest: Manifest,
        identity: Identity,
        in_flight: Callable[[], int],
    ) -> None:
        self._registry: Any = registry_pb2_grpc.RegistryStub(channel)
        self._environment = environment
        self._manifest = manifest
        self._identity = identity
        self._in_flight = in_flight
        self._changed = asyncio.Event()
        self._lease_id = b""
        self._ttl_s = 15.0
        self.condition = Condition()
        self._progress = 0
        self._counts_itself = False
        """Whether the module counts its progress, rather than each heartbeat."""
        self.epoch = environment.epoch
        self.node = ""
        self.testnet = ""
        self.settings = Settings(environment.log_level)

    @property
    def key(self) -> bytes:
        """The module's own key, 32 bytes."""
        return self._identity.key

    @property
    def services(self) -> tuple[str, ...]:
        """The services of the manifest."""
        return self._manifest.services

    def update(
        self,
        *,
        state: "module_pb2.ModuleState.ValueType | None" = None,
        text: str | None = None,
        trouble: str | None = None,
        is_serving: bool | None = None,
    ) -> None:
        """Changes the condition, and sends a heartbeat at once."""
        if state is not None:
            self.condition.state = state
        if text is not None:
            self.condition.text = _cut(text)
        if trouble is not None:
            self.condition.trouble = _cut(trouble)
        if is_serving is not None:
            self.condition.is_serving = is_serving
        self._changed.set()

    def get_on(self) -> None:
        """Counts progress of the module; heartbeats no longer do."""
        self._progress += 1
        self._counts_itself = True

    async def register(self) -> None:
        """Registers, retrying until a kernel answers; raises if the kernel refuses for good."""
        delay_s = RETRY_MIN_S
        is_waiting = False
        while True:
            try:
                await self._register_once()
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if reason in _FINAL_REASONS:
                    raise RegistrationRefusedError(f"{reason}: {error.details()}") from error
                if not is_waiting:  # success is logged by `_register_once`
                    is_waiting = True
                    why = {"code": error.code().name, "why": error.details()}
                    extra = {"kernel": self._environment.kernel, **why}
                    log.warning("kernel does not register this module, retrying", extra=extra)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_MAX_S)
            else:
                return

    async def _register_once(self) -> None:
        asked = registry_pb2.ChallengeRequest(module=self._manifest.name)
        challenge = await self._registry.Challenge(asked, timeout=REGISTER_TIMEOUT_S)
        request = registry_pb2.RegisterRequest(
            module=self._manifest.name,
            version=self._manifest.version,
            instance_id=self._identity.instance_id,
            endpoint=self._environment.listen,
            epoch=self.epoch,
            services=self._manifest.services,
        )
        self._identity.sign(request, challenge.nonce)
        response = await self._registry.Register(request, timeout=REGISTER_TIMEOUT_S)
        self._identity.accept(response, challenge.nonce)
        self._lease_id = response.lease_id
        self._ttl_s = response.ttl.ToNanoseconds() / 1e9
        self.epoch = response.epoch
        self.node, self.testnet = response.node, response.testnet
        self.settings.offer(response.settings_version, response.settings_json)
        log.info("registered", extra={"epoch": self.epoch})

    async def run(self, stop: Callable[[], None], renew: Callable[[], Awaitable[None]]) -> None:
        """Sends heartbeats until cancelled.

        Args:
            stop: Called when the kernel wants the process to end.
            renew: Called after each answer of the kernel.
        """
        while True:
            try:
                async for response in self._registry.Session(self._heartbeats()):
                    if response.stop:
                        stop()
                    self._identity.revoke(response.revocations)
                    if response.signing_keys:
                        self._identity.trust(response.signing_keys)
                    if response.renew:
                        self._identity.expire()
                    await renew()
            except grpc.aio.AioRpcError as error:
                log.info("session ended", extra={"code": error.code().name})
                if reason_of(error) == "STALE_EPOCH":
                    raise RegistrationRefusedError("a newer instance was started") from error
            await asyncio.sleep(RETRY_MIN_S)
            await self.register()

    async def _heartbeats(self) -> AsyncIterator[registry_pb2.SessionRequest]:
        while True:
            self._changed.clear()
            self._progress += not self._counts_itself
            yield registry_pb2.SessionRequest(
                lease_id=self._lease_id,
                state=self.condition.state,
                status_text=self.condition.trouble or self.condition.text,
                in_flight=self._in_flight(),
                progress=self._progress,
                not_serving=self.condition.state == READY and not self.condition.is_serving,
            )
            try:
                async with asyncio.timeout(self._interval_s()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _interval_s(self) -> float:
        """Returns a third of the lease, or of the watchdog's time if that is shorter."""
        watchdog_ms = self._manifest.watchdog_ms
        watchdog_s = self._ttl_s if watchdog_ms is None else watchdog_ms / 1000
        return min(self._ttl_s, watchdog_s) / 3

    async def leave(self) -> None:
        """Releases the lease, unless the kernel is gone."""
        try:
            await self._registry.Deregister(
                registry_pb2.DeregisterRequest(lease_id=self._lease_id), timeout=1.0
            )
        except grpc.aio.AioRpcError:
            log.debug("no kernel to deregister from")
