"""DSN-1, DSN-8, DSN-9: every accepted request ends in one terminal event, whatever happens.

The process may end at every effect: before it is performed, and after that but before its outcome
is reported. What other nodes and the database have stays.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.message import Message, decode, message_hash
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER, RateLimitProof
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import (
    AskByMix,
    AskStore,
    Prove,
    Push,
    Save,
    SendRules,
)
from logos_delivery.core.sending.outcomes import PushCode, Route
from logos_delivery.core.sending.request import Event, EventKind, Outgoing, Request
from logos_delivery.core.sending.sending import Sending

TOPIC = "/waku/2/rs/66/1"
EPOCH_MS = 600_000
RULES = SendRules(identifier=RELAY_IDENTIFIER, max_pending=6, max_under_way=3)
P, S, U, E = EventKind.PROPAGATED, EventKind.SENT, EventKind.UNCONFIRMED, EventKind.ERROR
ENDS = ([P, S], [P, U], [E])
EPHEMERAL_ENDS = ([P], [E])

saves = st.sampled_from(["done", "done", "done", "failed", "crash before", "crash after"])
proofs = st.sampled_from(["made", "made", "none", "spent", "another epoch", "crash before"])
pushes = st.sampled_from(
    [
        "taken",
        "known",
        "no peers",
        "no answer",
        "refused",
        "bad proof",
        "crash before",
        "crash after",
    ]
)
asks = st.sampled_from(["all", "none", "no store", "crash before"])


@dataclass
class Outside:
    """What the end of the process does not touch."""

    requests: dict[str, Request] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    network: set[bytes] = field(default_factory=set)
    """Hashes of messages that other nodes have."""

    def save(self, effect: Save) -> None:
        self.requests[effect.request.request_id] = effect.request
        if effect.event is not None:
            self.events.append(effect.event)


class SendingUnderCrashes(RuleBasedStateMachine):
    """A node, what its world answers, and the ends of its process."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_800_000_000_000
        self.numbers = itertools.count()
        self.world = Outside()
        self.answered: dict[str, bool] = {}
        """Requests that were accepted, and whether they are ephemeral."""
        self.asked: dict[Ticket, tuple[str, bool]] = {}
        self.open: list[Any] = []
        self.start()

    def start(self) -> None:
        self.open, self.asked = [], {}
        self.machine = Sending(RULES, RateBudget(EPOCH_MS, 4))
        alive = [each for each in self.world.requests.values() if each.ended_ms is None]
        self.take(self.machine.load(alive, self.now_ms))

    def take(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Answer):
                request_id, ephemeral = self.asked.pop(effect.ticket)
                assert request_id in self.world.requests  # durable before it is answered
                self.answered[request_id] = ephemeral
            elif isinstance(effect, Refuse):
                self.asked.pop(effect.ticket)
            else:
                self.open.append(effect)

    @precondition(lambda self: self.machine.pending < RULES.max_pending)
    @rule(ephemeral=st.booleans(), via_mix=st.booleans())
    def accept(self, ephemeral: bool, via_mix: bool) -> None:  # noqa: FBT001 -- Hypothesis' values
        number = next(self.numbers)
        message = Message(b"%d" % number, "/app/1/name/proto", is_ephemeral=ephemeral)
        self.asked[Ticket(number)] = (f"r{number}", ephemeral)
        outgoing = Outgoing(TOPIC, message, via_mix)
        self.take(self.machine.accept(Ticket(number), f"r{number}", outgoing, self.now_ms))

    @rule(pause_ms=st.sampled_from([1, 1_000, 5_000, 30_000, EPOCH_MS]))
    def pass_time(self, pause_ms: int) -> None:
        self.now_ms += pause_ms
        self.take(self.machine.tick(self.now_ms))

    @rule(pause_ms=st.sampled_from([0, 15_000, 3_600_000]))
    def crash(self, pause_ms: int = 0) -> None:
        self.now_ms += pause_ms
        self.start()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def perform(self, data: st.DataObject) -> None:
        effect = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        kinds = {Save: saves, Prove: proofs, Push: pushes, AskStore: asks, AskByMix: asks}
        outcome = data.draw(kinds[type(effect)])
        if outcome == "crash before":
            self.start()
            return
        report = self.outcome_of(effect, outcome)
        if outcome == "crash after":
            self.start()
        else:
            self.take(report())

    def outcome_of(self, effect: Any, outcome: str) -> Any:
        machine, now_ms = self.machine, self.now_ms
        if isinstance(effect, Save):
            request_id = effect.request.request_id
            if outcome == "failed":
                return lambda: machine.unsaved(request_id, OSError("full"), now_ms)
            self.world.save(effect)
            return lambda: machine.saved(request_id, now_ms)
        if isinstance(effect, Prove):
            return lambda: self.proof_outcome(effect.request_id, outcome)
        if isinstance(effect, AskStore | AskByMix):
            return lambda: self.store_outcome(effect, outcome)
        if outcome in {"taken", "known", "no answer", "crash after"}:
            self.world.network.add(message_hash(TOPIC, decode(effect.raw)))
        return lambda: self.push_outcome(effect, outcome)

    def store_outcome(self, effect: AskStore | AskByMix, outcome: str) -> list[Any]:
        machine, now_ms = self.machine, self.now_ms
        known = self.world.network if outcome == "all" else set()
        if isinstance(effect, AskByMix):
            is_stored = None if outcome == "no store" else effect.message_hash in known
            return machine.asked(effect.request_id, is_stored, now_ms)
        if outcome == "no store":
            return machine.unasked(now_ms)
        return machine.stored(frozenset(known.intersection(effect.hashes)), now_ms)

    def proof_outcome(self, request_id: str, outcome: str) -> list[Any]:
        if outcome == "none":
            return self.machine.unproven(request_id, "no member", self.now_ms)
        if outcome == "spent":
            return self.machine.spent(request_id, "spent", self.now_ms)
        request = self.machine.status(request_id)
        assert request is not None
        epoch = request.message.timestamp_ns // (EPOCH_MS * 1_000_000)
        value = bytes(32)
        proof = RateLimitProof(
            bytes(128), value, epoch + (outcome != "made"), value, value, value
        ).lip144()
        return self.machine.proven(request_id, proof, self.now_ms)

    def push_outcome(self, effect: Push, outcome: str) -> list[Any]:
        if outcome == "taken" or (outcome == "known" and effect.route is not Route.RELAY):
            return self.machine.taken(effect.request_id, self.now_ms)
        if outcome == "known":
            return self.machine.known(effect.request_id, self.now_ms)
        codes = {
            "no peers": (PushCode.NO_PEERS_TO_RELAY, "no peers"),
            "no answer": (PushCode.NO_ANSWER, "no answer"),
            "refused": (PushCode.INVALID_MESSAGE, "bad"),
            "bad proof": (PushCode.INVALID_MESSAGE, "RLN validation failed"),
        }
        return self.machine.untaken(effect.request_id, *codes[outcome], self.now_ms)

    def kinds_of(self, request_id: str) -> list[EventKind]:
        return [each.kind for each in self.world.events if each.request_id == request_id]

    @invariant()
    def no_event_contradicts_another(self) -> None:
        for request_id, request in self.world.requests.items():
            kinds = self.kinds_of(request_id)
            ends = EPHEMERAL_ENDS if request.message.is_ephemeral else ENDS
            assert any(kinds == end[: len(kinds)] for end in ends), kinds

    @invariant()
    def what_is_told_of_as_propagated_travels_under_that_hash(self) -> None:
        for event in self.world.events:
            if event.kind is P:
                assert event.message_hash in self.world.network

    @invariant()
    def the_number_of_requests_is_bounded(self) -> None:
        assert self.machine.pending <= RULES.max_pending

    def teardown(self) -> None:
        """Lets all go well from now on: then every accepted request ends."""
        for _ in range(2_000):
            while self.open:
                effect = self.open.pop(0)
                good = {Save: "done", Prove: "made", Push: "taken", AskStore: "all"}
                good[AskByMix] = "all"
                self.take(self.outcome_of(effect, good[type(effect)])())
            wake_ms = self.machine.next_wake_ms()
            if wake_ms is None:
                break
            self.now_ms = max(self.now_ms, wake_ms)
            self.take(self.machine.tick(self.now_ms))
        assert self.machine.pending == 0
        for request_id, ephemeral in self.answered.items():
            assert self.kinds_of(request_id) in (EPHEMERAL_ENDS if ephemeral else ENDS)
            assert self.world.requests[request_id].ended_ms is not None


TestSendingUnderCrashes = SendingUnderCrashes.TestCase
TestSendingUnderCrashes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
