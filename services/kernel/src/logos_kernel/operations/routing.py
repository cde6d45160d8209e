"""Calls that the router passes on: permission, turn, attempts, and those that outlive callers."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from logos_base.capabilities import KERNEL, OperatorSubject, Role, Subject
from logos_base.errors import LogosError
from logos_base.machine import Answer, Ticket
from logos_kernel.core.audit import actor_of
from logos_kernel.core.breaker import Breaker
from logos_kernel.core.budget import MAX_RETRIES, RetryBudget
from logos_kernel.core.callees import CalleeError, Callees, Instance, Metadata, Method
from logos_kernel.core.errors import (
    CircuitOpenError,
    InvalidArgsError,
    NotReadyError,
    PolicyDeniedError,
    RoleDeniedError,
)
from logos_kernel.core.started import CALL_ID_BYTES, CallState, StartedCall, StartedCalls
from logos_kernel.core.turns import Turns
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.gate import Gate
from logos_module.errors import DeadlineError, InternalError

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 300.0
"""Of a call whose caller sets none."""
MAX_TIMEOUT_S: Final = 3600.0
"""Of a started call."""
MAX_KEY_BYTES: Final = 64
RETRY_MS: Final = 50
"""Delay before the first retry; each is twice the last, ±50 %."""


@dataclass(frozen=True, slots=True)
class RoutedCall:
    """What is asked, and for whom."""

    target: str
    method: str
    args: Sequence[object]
    payload: bytes | None
    key: str
    """The idempotency key."""
    caller: Subject
    metadata: Metadata
    """As `Callees.metadata` gives it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of a call."""

    response: bytes
    value: object
    """None if the request was a payload."""
    instance: Instance


@dataclass(slots=True)
class Lane:
    """What is known of the calls to one module."""

    unary: Turns = field(default_factory=Turns)
    streams: Turns = field(default_factory=Turns)
    budget: RetryBudget = field(default_factory=RetryBudget)
    breaker: Breaker = field(default_factory=Breaker)
    instance_id: bytes = b""
    """Of the instance that the breaker is about."""

    def follow(self, instance: Instance) -> None:
        """Begins anew where another instance has come."""
        if self.instance_id != instance.instance_id:
            self.instance_id, self.breaker = instance.instance_id, Breaker()


class Routing:
    """Passes calls on. `random`: from 0 to 1; `now_ms`: monotonic."""

    def __init__(
        self,
        callees: Callees,
        gate: Gate,
        audit: Audit,
        *,
        now_ms: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self.callees: Final = callees
        self._gate = gate
        self._audit = audit
        self._now_ms = now_ms
        self._random = random
        self._lanes: dict[str, Lane] = {}
        """By module of the profile: no other has one."""
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._tickets = map(Ticket, count())
        self._started = StartedCalls()
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Runs started calls. Until cancelled; they end with it."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    def waiting(self, module: str) -> int:
        """Returns how many calls to a module wait for their turn."""
        return self._lanes[module].unary.count if module in self._lanes else 0

    async def call(self, call: RoutedCall, timeout_s: float) -> Answered:
        """Calls a method with one response.

        Raises:
            CalleeError: The module's own answer.
            LogosError: The router's.
        """
        timeout_s = min(timeout_s, MAX_TIMEOUT_S)
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await self._call(call, self._now_ms() + int(1000 * timeout_s))
        except TimeoutError as error:
            raise DeadlineError(f"took longer than {timeout_s:g} s") from error

    async def stream(self, call: RoutedCall, context: Any, opened: Any) -> None:
        """Passes a stream on, to its end. `opened` is its first request."""
        instance, method = await self._found(call)
        lane = self._lane(instance)
        async with self._turn(lane.streams, call.caller):
            _refuse_if_open(lane.breaker.wait_ms(self._now_ms()))
            try:
                await self.callees.stream(instance, method, context, opened)
            except NotReadyError:
                lane.breaker.ended(self._now_ms(), is_reached=False)
                raise

    async def start(self, call: RoutedCall, timeout_s: float) -> bytes:
        """Begins a call that outlives its caller; returns its id, 16 bytes."""
        if not 0 < timeout_s <= MAX_TIMEOUT_S:
            raise InvalidArgsError(
                f"timeout: must be from 0 to {MAX_TIMEOUT_S:g} s", field="timeout"
            )
        _, method = await self._found(call)
        self._check_single(call, method)
        if self._tasks is None:
            raise NotReadyError("the kernel is starting")
        call_id = secrets.token_bytes(CALL_ID_BYTES)
        self._started.begin(call_id, actor_of(call.caller), self._now_ms())
        self._running[call_id] = self._tasks.create_task(self._run(call_id, call, timeout_s))
        return call_id

    def get(self, call_id: bytes, asker: Subject) -> StartedCall:
        """Returns a started call, or raises `UnknownCallError`."""
        is_admin = isinstance(asker, OperatorSubject) and asker.role is Role.ADMIN
        return self._started.find(call_id, actor_of(asker), self._now_ms(), is_admin=is_admin)

    def cancel(self, call_id: bytes, asker: Subject) -> None:
        """Cancels a started call, or raises `UnknownCallError`."""
        self.get(call_id, asker)
        if call_id in self._running:
            self._running[call_id].cancel()

    async def _run(self, call_id: bytes, call: RoutedCall, timeout_s: float) -> None:
        state, size = CallState.CANCELLED, 0
        outcome: Answered | Exception | None = None
        try:
            outcome = await self.call(call, timeout_s)
            state, size = CallState.SUCCEEDED, len(outcome.response)
        except (LogosError, CalleeError) as error:
            state, outcome = CallState.FAILED, error
        except Exception:
            log.exception("unexpected error in a started call")
            state, outcome = CallState.FAILED, InternalError("internal error; see the kernel's log")
        finally:
            del self._running[call_id]
            self._started.end(call_id, state, outcome, size, self._now_ms())

    async def _call(self, call: RoutedCall, ends_ms: int) -> Answered:
        instance, method = await self._found(call)
        self._check_single(call, method)
        request = method.encode(call.args, call.payload, call.key)
        async with self._turn(self._lane(instance).unary, call.caller):
            response, instance = await self._attempt(call, method, request, ends_ms)
        value = None if call.payload is not None else method.decode(response)
        return Answered(response, value, instance)

    async def _attempt(
        self, call: RoutedCall, method: Method, request: bytes, ends_ms: int
    ) -> tuple[bytes, Instance]:
        """Calls the newest instance, again where that is allowed and may help (KER-31)."""
        retries = 0
        while True:
            instance = self.callees.find(call.target)
            lane = self._lane(instance)
            _refuse_if_open(lane.breaker.admit(self._now_ms()))
            try:
                response = await self._ask(
                    lane, instance, method, request, call=call, ends_ms=ends_ms
                )
            except (CalleeError, NotReadyError) as error:
                is_unavailable = not isinstance(error, CalleeError) or error.is_unavailable
                may_retry = is_unavailable and method.kind.may_repeat and retries < MAX_RETRIES
                if not may_retry or not lane.budget.spend():
                    raise
            else:
                if retries == 0:
                    lane.budget.earn()
                return response, instance
            await asyncio.sleep(RETRY_MS * 2**retries * (0.5 + self._random()) / 1000)
            retries += 1

    async def _ask(
        self,
        lane: Lane,
        instance: Instance,
        method: Method,
        request: bytes,
        *,
        call: RoutedCall,
        ends_ms: int,
    ) -> bytes:
        """Calls once, and tells the breaker how that went."""
        timeout_s = max(ends_ms - self._now_ms(), 0) / 1000
        try:
            response = await self.callees.ask(
                instance, method, request, timeout_s=timeout_s, metadata=call.metadata
            )
        except NotReadyError:
            lane.breaker.ended(self._now_ms(), is_reached=False)
            raise
        except CalleeError as error:
            if error.says_nothing:
                lane.breaker.withdrawn()
            else:
                lane.breaker.ended(self._now_ms(), is_reached=not error.is_unavailable)
            raise
        except BaseException:
            lane.breaker.withdrawn()
            raise
        lane.breaker.ended(self._now_ms(), is_reached=True)
        return response

    async def _found(self, call: RoutedCall) -> tuple[Instance, Method]:
        """Returns the method, if the caller may call it."""
        if len(call.key.encode()) > MAX_KEY_BYTES:
            raise InvalidArgsError("idempotency_key: over 64 bytes", field="idempotency_key")
        instance = self.callees.find(call.target)
        method = await self.callees.method(instance, call.method)
        self._check(call, method)
        return instance, method

    def _check(self, call: RoutedCall, method: Method) -> None:
        is_operator = isinstance(call.caller, OperatorSubject)
        decision = self._gate.authority.policy.decide(
            call.caller,
            KERNEL if is_operator else call.target,
            method.permission,
            is_read_only=method.kind.changes_nothing,
        )
        if not decision.is_allowed:
            error = (RoleDeniedError if is_operator else PolicyDeniedError)(decision.rule)
            self._audit.refuse_call(actor_of(call.caller), method.permission, error)
            raise error

    def _check_single(self, call: RoutedCall, method: Method) -> None:
        if method.kind.request_streaming or method.kind.response_streaming:
            raise InvalidArgsError(f"{call.method[:200]} is a stream: use CallStream")

    def _lane(self, instance: Instance) -> Lane:
        lane = self._lanes.setdefault(instance.module, Lane())
        lane.follow(instance)
        return lane

    @asynccontextmanager
    async def _turn(self, turns: Turns, caller: Subject) -> AsyncGenerator[None, None]:
        """Waits for a turn, and holds it (KER-30)."""
        ticket = next(self._tickets)
        self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            self._tell(turns.ask(ticket, actor_of(caller)))
            await self._turns[ticket]
            yield
        finally:
            del self._turns[ticket]
            self._tell(turns.leave(ticket))

    def _tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._turns[answer.ticket].set_result(None)


def _refuse_if_open(wait_ms: int) -> None:
    if wait_ms:
        raise CircuitOpenError(
            f"the module has not answered for some time: try again in {wait_ms / 1000:g} s",
            retry_after_ms=wait_ms,
        )
