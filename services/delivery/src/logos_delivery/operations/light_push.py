"""Light push: publishing for other nodes, and having others publish. Rules: DLC-16 to DLC-19."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from logos_base.errors import LogosError, MessageKnownError, NoNeighboursError
from logos_delivery.core.errors import (
    DeliveryMessageTooLargeError,
    LightPeerMissingError,
    PeerFailedError,
)
from logos_delivery.core.light import light_push as wire
from logos_delivery.core.light import light_push_v2 as old_wire
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.light_push import (
    LightPushRequest,
    LightPushResponse,
    LightPushStatus,
)
from logos_delivery.core.light.rates import ServiceLimits
from logos_delivery.core.message import Message, decode, encode
from logos_delivery.core.ports import MixRequests, Requests, Services
from logos_delivery.core.relay.errors import RateLimitProofNotJudgedError
from logos_delivery.core.sending.outcomes import PushCode
from logos_delivery.operations.relay import RelayOperations

TIMEOUT_S: Final = 10.0
MAX_TRIED: Final = 3


@dataclass(frozen=True, slots=True)
class MixTries:
    """How a mix is asked, and another one where it does not answer (DSN-10)."""

    count: int = 2
    next_s: float = 10.0
    """Until the same bytes go to another mix: their timestamp still counts there (DSN-16)."""
    timeout_s: float = 28.0
    """For an answer to any: short of half the time in which a message is tried (DSN-7)."""


MIX_TRIES: Final = MixTries()


class LightPushAnswers:
    """`ports.Answering`: publishes for light clients (DLC-17)."""

    def __init__(
        self,
        relay: RelayOperations,
        limits: ServiceLimits,
        monotonic_ms: Callable[[], int],
        *,
        cluster: int,
        shards: int,
    ) -> None:
        self._relay = relay
        self._limits = limits
        self._monotonic_ms = monotonic_ms
        self._cluster = cluster
        self._shards = shards

    async def __call__(self, peer: str, raw: bytes) -> bytes | None:
        if not self._limits.allow(peer, self._monotonic_ms()):
            return wire.encode_response(wire.too_many_requests())
        try:
            request = wire.decode_request(raw)
        except LightMessageMalformedError as error:
            return wire.encode_response(wire.malformed(error))
        return wire.encode_response(await self.publish(request))

    async def answer_old(self, peer: str, raw: bytes) -> bytes | None:
        """`ports.Answering` in the older form (DLC-19)."""
        if not self._limits.allow(peer, self._monotonic_ms()):
            return old_wire.encode_response(old_wire.too_many_requests())
        try:
            request = old_wire.decode_request(raw)
        except LightMessageMalformedError as error:
            return old_wire.encode_response(old_wire.malformed(error))
        asked = LightPushRequest(request.request_id, request.message, request.pubsub_topic)
        response = await self.publish(asked)
        is_published = response.status is LightPushStatus.OK
        return old_wire.encode_response(old_wire.relayed(request, is_published=is_published))

    async def publish(self, request: LightPushRequest) -> LightPushResponse:
        """Publishes a message for a client; returns the response."""
        topic = wire.topic_of(request, cluster=self._cluster, shards=self._shards)
        if isinstance(topic, LightPushResponse):
            return topic
        try:
            await self._relay.check(topic, encode(request.message))
            await self._relay.publish(topic, request.message)
        except (NoNeighboursError, MessageKnownError) as error:
            is_known = isinstance(error, MessageKnownError)
            return wire.relayed(request, 1 if is_known else 0)
        except LogosError as error:
            return LightPushResponse(request.request_id, status_of(error), str(error))
        neighbours = (await self._relay.followers(topic)) or 1
        return wire.relayed(request, neighbours)


def status_of(error: LogosError) -> LightPushStatus:
    """What a refusal is to a client (DLC-17)."""
    if isinstance(error, DeliveryMessageTooLargeError):
        return LightPushStatus.INVALID_MESSAGE
    if isinstance(error, RateLimitProofNotJudgedError):
        return LightPushStatus.SERVICE_UNAVAILABLE
    if error.kind.value in {"UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED"}:
        return LightPushStatus.INTERNAL_ERROR
    return LightPushStatus.INVALID_MESSAGE


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a service node says."""

    peer: str
    response: LightPushResponse


class LightPushClient:
    """Has service nodes publish messages."""

    def __init__(
        self,
        requests: Requests,
        services: Services,
        mix: MixRequests | None = None,
        *,
        peers: Sequence[str] = (),
        mix_tries: MixTries = MIX_TRIES,
    ) -> None:
        """`peers` are asked before others; `mix` is None where this node has no mix-net."""
        self._mix_tries = mix_tries
        self._mix = mix
        self._requests = requests
        self._services = services
        self._peers = peers

    async def push(self, pubsub_topic: str, message: Message, peer: str = "") -> Pushed:
        """Has one service node publish a message; another is asked where one does not answer.

        Raises:
            LightPeerMissingError: No service node is known.
            PeerFailedError: Those that were asked do not answer.
        """
        peers = [peer] if peer else [*self._peers, *await self._services.find(wire.PROTOCOL)]
        failure: LogosError = LightPeerMissingError("no node is known that serves lightpush")
        for each in list(dict.fromkeys(peers))[:MAX_TRIED]:
            try:
                return await self._push(each, pubsub_topic, message)
            except PeerFailedError as error:
                failure = error
        raise failure

    async def reaches_one(self) -> bool:
        """Says whether a service node is connected now. NetworkUnavailableError."""
        return bool(await self._services.connected(wire.PROTOCOL))

    async def by_route(self, pubsub_topic: str, raw: bytes) -> tuple[int, str] | None:
        """`operations.sending.Pushing` by lightpush."""
        try:
            pushed = await self.push(pubsub_topic, decode(raw))
        except LightPeerMissingError as error:
            return PushCode.SERVICE_NOT_AVAILABLE, str(error)
        except PeerFailedError as error:
            return PushCode.NO_ANSWER, str(error)
        return _outcome(pushed.response)

    async def by_mix(self, pubsub_topic: str, raw: bytes) -> tuple[int, str] | None:
        """`operations.sending.Pushing` through the mix-net."""
        if self._mix is None:
            return PushCode.SERVICE_NOT_AVAILABLE, "this node has no mix-net"
        request = LightPushRequest(secrets.token_hex(16), decode(raw), pubsub_topic)
        timeout_s = self._mix_tries.timeout_s
        ask = partial(
            self._mix.ask, wire.PROTOCOL, wire.encode_request(request), timeout_s=timeout_s
        )
        try:
            async with asyncio.timeout(timeout_s):
                peer, answer = await _first_answer(ask, self._mix_tries)
            response = self._checked(peer, request, answer)
        except TimeoutError:
            return PushCode.NO_ANSWER, "no answer through the mix-net"
        except LightPeerMissingError as error:
            return PushCode.SERVICE_NOT_AVAILABLE, str(error)
        except PeerFailedError as error:
            return PushCode.NO_ANSWER, str(error)
        return _outcome(response)

    async def _push(self, peer: str, pubsub_topic: str, message: Message) -> Pushed:
        request = LightPushRequest(secrets.token_hex(16), message, pubsub_topic)
        raw = await self._requests.ask(
            peer, wire.PROTOCOL, wire.encode_request(request), timeout_s=TIMEOUT_S
        )
        return Pushed(peer, self._checked(peer, request, raw))

    @staticmethod
    def _checked(peer: str, request: LightPushRequest, raw: bytes) -> LightPushResponse:
        try:
            response = wire.decode_response(raw)
        except LightMessageMalformedError as error:
            raise PeerFailedError(f"{peer} answers lightpush with garbage: {error}") from error
        return wire.checked_response(response, request.request_id)


async def _first_answer(
    ask: Callable[[], Awaitable[tuple[str, bytes]]], tries: MixTries
) -> tuple[str, bytes]:
    """Asks again where no answer has come for a while; returns the first answer to any.

    Raises the error of the last one, where all have failed.
    """
    outcomes: asyncio.Queue[tuple[str, bytes] | LogosError] = asyncio.Queue()

    async def once() -> None:
        try:
            outcomes.put_nowait(await ask())
        except LogosError as error:
            outcomes.put_nowait(error)

    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []
        failed = 0
        while True:
            if len(tasks) < tries.count:
                tasks.append(group.create_task(once()))
            is_last = len(tasks) == tries.count
            try:
                async with asyncio.timeout(None if is_last else tries.next_s):
                    outcome = await outcomes.get()
            except TimeoutError:
                continue
            failed += isinstance(outcome, LogosError)
            if failed == tries.count or not isinstance(outcome, LogosError):
                break
        for task in tasks:
            task.cancel()
    if isinstance(outcome, LogosError):
        raise outcome
    return outcome


def _outcome(response: LightPushResponse) -> tuple[int, str] | None:
    if response.status == LightPushStatus.OK:
        return None
    return response.status, response.description or ""
