"""Sends the messages of this node's applications: a machine (`logos_base.machine`).

A request is durable before it is answered, charged to the budget before it is proven, and proven
before it leaves. It goes by relay, else by lightpush; or through the mix-net alone. What can be
tried again is, in rounds of a second, until a store node has it or its time is over. State and
event are stored in one transaction, so that each event is told once, over any end of the process.

Of each request one effect is under way at most, and its outcome must be reported.

Spec: docs/protocol/delivery-sending.md, DSN-1 to DSN-10.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.errors import DeliveryMessageTooLargeError
from logos_delivery.core.message import Message, check_size, encode
from logos_delivery.core.relay import proof as proofs
from logos_delivery.core.relay.errors import RateLimitProofMalformedError
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import (
    AskByMix,
    AskStore,
    Effect,
    Prove,
    Push,
    Save,
    SendRules,
)
from logos_delivery.core.sending.errors import SendsFullError
from logos_delivery.core.sending.outcomes import Fate, PushCode, Route, fate_of
from logos_delivery.core.sending.pending import OF_ROUNDS, Entry, Pending, Step
from logos_delivery.core.sending.request import Outgoing, Request, RequestState, Stamps

ROUND_MS: Final = 1_000
ASK_STORE_MS: Final = 3_000
WINDOW_MS: Final = 60_000
FRESH_MS: Final = 10_000
MAX_GAP_MS: Final = 20_000
MAX_ASKED: Final = 100
"""Hashes in one query: a page of the store."""
MAX_ASKED_BY_MIX: Final = 8
"""Queries through the mix-net at a time, each for one hash."""
MAX_REPROVEN: Final = 60
MAX_TEXT: Final = 512
"""Characters of another node's text that are kept."""
WINDOW_TEXT: Final = "Unable to send within retry time window"
"""The reference's (DSN-7)."""
UNCONFIRMED_TEXT: Final = "no store node has confirmed it within the time window"


class Sending:
    """The machine. `accept` is answered with the `Request`. Times are Unix time."""

    def __init__(self, rules: SendRules, budget: RateBudget) -> None:
        """Raises ValueError if there is no route."""
        if not rules.routes:
            raise ValueError("a node sends by one route at least")
        self._rules = rules
        self._budget = budget
        self._stamps = Stamps()
        self._pending = Pending()
        self._asking: dict[bytes, str] | None = None
        """The requests of the query under way, by hash."""
        self._asked_ms: int | None = None
        self._round_ms: int | None = None
        """When the next round is due."""

    def load(self, requests: Iterable[Request], now_ms: int) -> list[Effect]:
        """Goes on with the stored requests that have not ended, oldest first (DSN-9)."""
        effects: list[Effect] = []
        for request in requests:
            entry = Entry(request, since_ms=now_ms, is_doubtful=True)
            self._pending.add(entry)
            self._stamps.skip(request.message.timestamp_ns)
            effects += self._go_on(entry, now_ms)
        return effects + self._pump(now_ms)

    def accept(
        self, ticket: Ticket, request_id: str, outgoing: Outgoing, now_ms: int
    ) -> list[Effect]:
        """Accepts a message; its timestamp is set here.

        Refused with `SendsFullError`, or with what `unsaved` was given.
        """
        if self._pending.get(request_id) is not None:
            raise ValueError(f"request {request_id} was accepted before")
        self._check_room(outgoing.message, now_ms)
        stamp_ns = self._stamps.take(now_ms)
        entry = Entry(outgoing.request(request_id, stamp_ns, now_ms), ticket=ticket)
        self._pending.add(entry)
        return [Save(entry.request, None)]

    def saved(self, request_id: str, now_ms: int) -> list[Effect]:
        """A request is durable as it was given to be stored."""
        entry = self._pending[request_id]
        effects: list[Effect] = []
        if entry.ticket is not None:
            effects.append(Answer(entry.ticket, entry.request))
            entry.ticket = None
        if entry.request.ended_ms is not None:
            self._pending.forget(entry)
        else:
            effects += self._go_on(entry, now_ms)
        return effects + self._pump(now_ms)

    def unsaved(self, request_id: str, error: Exception, now_ms: int) -> list[Effect]:
        """A request could not be stored: it is refused, or stored in another round."""
        entry = self._pending[request_id]
        if entry.ticket is not None:
            self._pending.forget(entry)
            return [Refuse(entry.ticket, error)]
        self._move(entry, Step.UNSAVED, now_ms)
        return []

    def proven(self, request_id: str, proof: bytes, now_ms: int) -> list[Effect]:
        """The mixnet has made a proof, 301 bytes."""
        entry = self._pending[request_id]
        request = entry.request
        try:
            made = proofs.of_lip144(proof, self._rules.identifier or b"")
        except RateLimitProofMalformedError as error:
            return self._retry(entry, str(error), now_ms)
        if made.epoch != proofs.epoch_of(request.message, self._rules.period_ms):
            return self._prove_again(entry, "the epoch ended meanwhile", now_ms)
        entry.request = replace(request, message=replace(request.message, proof=made.encode()))
        return [self._push(entry, now_ms), *self._pump(now_ms)]

    def unproven(self, request_id: str, text: str, now_ms: int) -> list[Effect]:
        """There is no proof now."""
        return self._retry(self._pending[request_id], text, now_ms)

    def spent(self, request_id: str, text: str, now_ms: int) -> list[Effect]:
        """There is no proof in this epoch: this node's message ids are spent."""
        entry = self._pending[request_id]
        self._budget.exhaust(now_ms)
        entry.request = replace(entry.request, state=RequestState.PARKED, error=text)
        self._move(entry, Step.PARKED, now_ms)
        return self._pump(now_ms)

    def taken(self, request_id: str, now_ms: int) -> list[Effect]:
        """At least one other node has taken it."""
        entry = self._pending[request_id]
        if entry.is_propagated:
            self._move(entry, Step.WAITING, now_ms)
            return self._pump(now_ms)
        return self._propagated(entry, now_ms)

    def known(self, request_id: str, now_ms: int) -> list[Effect]:
        """Relay says that its neighbours were given the same bytes before."""
        entry = self._pending[request_id]
        if not entry.is_propagated:
            return self._propagated(entry, now_ms)
        return self._other_route(entry, now_ms)

    def untaken(self, request_id: str, code: int, text: str, now_ms: int) -> list[Effect]:
        """It was not taken, or not as far as this node knows: `PushCode`, and why."""
        entry = self._pending[request_id]
        if entry.is_propagated:  # one node has it: another's refusal does not end it
            return self._other_route(entry, now_ms)
        text = text[:MAX_TEXT]
        entry.is_doubtful = entry.is_doubtful or code == PushCode.NO_ANSWER
        entry.request = replace(entry.request, error=text)
        fate = fate_of(code, text)
        if fate is Fate.RETRY:
            return self._other_route(entry, now_ms)
        if fate is Fate.PROVE_AGAIN and self._rules.identifier is not None:
            return self._prove_again(entry, text, now_ms)
        return self._end(entry, RequestState.FAILED, text or f"refused with {code}", now_ms)

    def stored(self, found: frozenset[bytes], now_ms: int) -> list[Effect]:
        """A store node has these of the hashes that it was asked for."""
        asked, self._asking = self._asking or {}, None
        effects: list[Effect] = []
        for digest, request_id in asked.items():
            entry = self._pending.get(request_id)
            if entry is None or entry.step is not Step.WAITING:  # its time was over meanwhile
                continue
            if digest in found:
                effects += self._end(entry, RequestState.SENT, "", now_ms)
            else:
                self._move(entry, Step.RETRY, now_ms)
        return effects

    def unasked(self, _now_ms: int) -> list[Effect]:
        """No store node could be asked."""
        self._asking = None
        return []

    def asked(self, request_id: str, is_stored: bool | None, now_ms: int) -> list[Effect]:  # noqa: FBT001
        """A store node has it, or has not, as it says through the mix-net; None: none answers."""
        entry = self._pending[request_id]
        if is_stored:
            return self._end(entry, RequestState.SENT, "", now_ms)
        self._move(entry, Step.WAITING if is_stored is None else Step.RETRY, now_ms)
        return []

    def limited(self, member_limit: int | None, now_ms: int) -> list[Effect]:
        """Takes how many messages an epoch this node's membership allows; None: it has none."""
        self._budget.tighten(member_limit)
        return self._pump(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Holds a round if it is due: ends what is too late, tries the rest again."""
        effects: list[Effect] = []
        if self._round_ms is not None and now_ms >= self._round_ms:
            self._round_ms = None
            effects += self._hold_round(now_ms)
        effects += self._pump(now_ms)
        self._plan_round(now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the next round is due."""
        return self._round_ms

    def status(self, request_id: str) -> Request | None:
        """Returns a request that has not ended, as it is now; None: there is none."""
        entry = self._pending.get(request_id)
        return entry.request if entry else None

    @property
    def pending(self) -> int:
        """How many requests have not ended."""
        return len(self._pending)

    def _check_room(self, message: Message, now_ms: int) -> None:
        size = self._pending.size_bytes + len(message.payload)
        has_room = size <= self._rules.max_pending_bytes
        if len(self._pending) < self._rules.max_pending and has_room:
            return
        all_parked = len(self._pending.parked) == len(self._pending)
        wait_ms = self._budget.refill_ms(now_ms) - now_ms if all_parked else ROUND_MS
        raise SendsFullError(
            f"{len(self._pending)} messages are being sent; try again later",
            retry_after_ms=wait_ms,
        )

    def _move(self, entry: Entry, step: Step, now_ms: int) -> None:
        self._pending.move(entry, step)
        if step is Step.QUEUED:
            entry.routes = [Route.MIX] if entry.request.via_mix else list(self._rules.routes)
        self._plan_round(now_ms)

    def _plan_round(self, now_ms: int) -> None:
        if self._pending.count(*OF_ROUNDS):
            due_ms = now_ms + ROUND_MS
        elif self._pending.parked:
            due_ms = self._budget.refill_ms(now_ms)
        else:
            self._round_ms = None
            return
        self._round_ms = due_ms if self._round_ms is None else min(self._round_ms, due_ms)

    def _go_on(self, entry: Entry, now_ms: int) -> list[Effect]:
        """Continues with a request that is stored."""
        if entry.request.state is RequestState.PARKED:
            try:
                self._check_size(entry.request.message)
            except DeliveryMessageTooLargeError as error:
                return self._end(entry, RequestState.FAILED, str(error), now_ms)
        steps = {RequestState.PARKED: Step.PARKED, RequestState.SENDING: Step.QUEUED}
        self._move(entry, steps.get(entry.request.state, Step.WAITING), now_ms)
        return []

    def _check_size(self, message: Message) -> None:
        if self._rules.identifier is not None:
            message = replace(message, proof=bytes(proofs.PROOF_BYTES))
        check_size(encode(message), self._rules.max_message_bytes)

    def _save(self, entry: Entry, now_ms: int) -> Effect:
        self._move(entry, Step.SAVING, now_ms)
        return Save(entry.request, entry.event)

    def _propagated(self, entry: Entry, now_ms: int) -> list[Effect]:
        is_last = entry.request.message.is_ephemeral or not self._rules.is_confirmed
        entry.since_ms = now_ms
        entry.request = replace(
            entry.request,
            state=RequestState.PROPAGATED,
            propagated_ms=now_ms,
            ended_ms=now_ms if is_last else None,
            error="",
        )
        return [self._save(entry, now_ms), *self._pump(now_ms)]

    def _end(self, entry: Entry, state: RequestState, text: str, now_ms: int) -> list[Effect]:
        entry.request = replace(entry.request, state=state, ended_ms=now_ms, error=text)
        return [self._save(entry, now_ms)]

    def _retry(self, entry: Entry, text: str, now_ms: int) -> list[Effect]:
        entry.request = replace(entry.request, error=text)
        self._move(entry, Step.RETRY, now_ms)
        return self._pump(now_ms)

    def _other_route(self, entry: Entry, now_ms: int) -> list[Effect]:
        if entry.routes:
            return [self._push(entry, now_ms)]
        self._move(entry, Step.WAITING if entry.is_propagated else Step.RETRY, now_ms)
        return self._pump(now_ms)

    def _prove_again(self, entry: Entry, text: str, now_ms: int) -> list[Effect]:
        """Charges the budget again: a new proof spends a message id. The timestamp is renewed."""
        entry.reproven += 1
        if entry.reproven >= MAX_REPROVEN:
            return self._end(entry, RequestState.FAILED, WINDOW_TEXT, now_ms)
        entry.is_doubtful = False
        request = entry.request.stamped(self._stamps.take(now_ms))
        entry.request = replace(request, state=RequestState.PARKED, error=text)
        return self._retry(entry, text, now_ms)

    def _hold_round(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for entry in self._pending:
            is_late = now_ms - entry.since_ms > WINDOW_MS
            if entry.step is Step.UNSAVED:
                effects.append(self._save(entry, now_ms))
            elif entry.step not in OF_ROUNDS:
                continue
            elif is_late and entry.is_propagated:
                effects += self._end(entry, RequestState.UNCONFIRMED, UNCONFIRMED_TEXT, now_ms)
            elif entry.step is Step.RETRY and entry.request.state is RequestState.PARKED:
                self._move(entry, Step.PARKED, now_ms)
            elif entry.step is Step.RETRY and is_late:
                effects += self._end(entry, RequestState.FAILED, WINDOW_TEXT, now_ms)
            elif entry.step is Step.RETRY:
                self._move(entry, Step.QUEUED, now_ms)
        if not self._rules.is_confirmed:
            return effects
        return [*effects, *self._ask_store(now_ms), *self._ask_by_mix(now_ms)]

    def _unconfirmed(self, now_ms: int, *, via_mix: bool) -> list[Entry]:
        """What was propagated over three seconds ago, those first that wait longest."""
        waiting = [
            entry
            for entry in self._pending
            if entry.step is Step.WAITING
            and entry.request.via_mix is via_mix
            and self._is_past(entry.request.propagated_ms, now_ms)
            and self._is_past(entry.asked_ms, now_ms)
        ]
        return sorted(waiting, key=lambda entry: entry.asked_ms or 0)

    def _ask_by_mix(self, now_ms: int) -> list[Effect]:
        """Asks for each alone: one query for several would tell that they have one sender."""
        room = max(0, MAX_ASKED_BY_MIX - self._pending.count(Step.ASKING))
        effects: list[Effect] = []
        for entry in self._unconfirmed(now_ms, via_mix=True)[:room]:
            entry.asked_ms = now_ms
            self._move(entry, Step.ASKING, now_ms)
            effects.append(AskByMix(entry.request.request_id, entry.request.message_hash))
        return effects

    def _ask_store(self, now_ms: int) -> list[Effect]:
        if self._asking is not None or not self._is_past(self._asked_ms, now_ms):
            return []
        waiting = self._unconfirmed(now_ms, via_mix=False)
        if not waiting:
            return []
        self._asked_ms = now_ms if len(waiting) <= MAX_ASKED else None
        self._asking = {}
        for entry in waiting[:MAX_ASKED]:
            entry.asked_ms = now_ms
            self._asking[entry.request.message_hash] = entry.request.request_id
        return [AskStore(tuple(self._asking))]

    @staticmethod
    def _is_past(then_ms: int | None, now_ms: int) -> bool:
        """Whether that long ago; a time ahead is of a clock that was set back."""
        return then_ms is None or not 0 <= now_ms - then_ms < ASK_STORE_MS

    def _pump(self, now_ms: int) -> list[Effect]:
        """Admits what the budget allows, and begins what there is room for."""
        self._admit(now_ms)
        under_way = self._pending.count(Step.PROVING, Step.PUSHING)
        room = max(0, self._rules.max_under_way - under_way)
        turns = list(islice(self._pending.queued, room))
        return [self._begin(self._pending[each], now_ms) for each in turns]

    def _admit(self, now_ms: int) -> None:
        for request_id in list(self._pending.parked):
            if not self._budget.admit(now_ms):
                return
            entry = self._pending[request_id]
            entry.since_ms = now_ms
            entry.request = replace(entry.request, state=RequestState.SENDING)
            self._move(entry, Step.QUEUED, now_ms)

    def _begin(self, entry: Entry, now_ms: int) -> Effect:
        request = entry.request
        gap_ms = MAX_GAP_MS if entry.is_doubtful else FRESH_MS
        if not entry.is_propagated and not request.stamp_is_within(gap_ms, now_ms):
            entry.request = request.stamped(self._stamps.take(now_ms))
            entry.is_doubtful = False
            return self._save(entry, now_ms)  # before it leaves under another hash
        if self._rules.identifier is not None and not request.message.proof:
            self._move(entry, Step.PROVING, now_ms)
            signal = proofs.signal_of(request.message)
            return Prove(request.request_id, self._rules.identifier, signal)
        return self._push(entry, now_ms)

    def _push(self, entry: Entry, now_ms: int) -> Effect:
        entry.request = replace(entry.request, attempts=entry.request.attempts + 1)
        if entry.step is not Step.PUSHING:
            self._move(entry, Step.PUSHING, now_ms)
        request = entry.request
        return Push(
            request.request_id, entry.routes.pop(0), request.pubsub_topic, encode(request.message)
        )
