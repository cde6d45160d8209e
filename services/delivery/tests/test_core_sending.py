"""DSN-1 to DSN-10: what becomes of a request, step by step."""

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.message import Message, decode, message_hash
from logos_delivery.core.relay.proof import (
    RELAY_IDENTIFIER,
    RateLimitProof,
    epoch_of,
    signal_of,
)
from logos_delivery.core.relay.proof import decode as decode_proof
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import (
    AskByMix,
    AskStore,
    Prove,
    Push,
    Save,
    SendRules,
)
from logos_delivery.core.sending.errors import SendsFullError
from logos_delivery.core.sending.outcomes import PushCode, Route
from logos_delivery.core.sending.request import Event, EventKind, Outgoing, Request, RequestState
from logos_delivery.core.sending.sending import (
    ASK_STORE_MS,
    FRESH_MS,
    MAX_ASKED_BY_MIX,
    MAX_GAP_MS,
    MAX_REPROVEN,
    ROUND_MS,
    WINDOW_MS,
    WINDOW_TEXT,
    Sending,
)

Kind = TypeVar("Kind")
TOPIC = "/waku/2/rs/66/1"
T = 1_800_000_000_000
"""A time that begins an epoch of 600 s, in milliseconds."""
ASKED = Ticket(1)
NO_PEERS = PushCode.NO_PEERS_TO_RELAY


def outgoing(payload: bytes = b"hello", *, ephemeral: bool = False, mix: bool = False) -> Outgoing:
    message = Message(payload, "/app/1/name/proto", is_ephemeral=ephemeral)
    return Outgoing(TOPIC, message, via_mix=mix)


def sending(limit: int | None = None, **rules: Any) -> Sending:
    return Sending(SendRules(**rules), RateBudget(600_000, limit))


def only(effects: Sequence[object], kind: type[Kind]) -> Kind:
    [found] = [effect for effect in effects if isinstance(effect, kind)]
    return found


def event_of(effects: Sequence[object]) -> Event:
    event = only(effects, Save).event
    assert event is not None
    return event


def status(machine: Sending, name: str = "a") -> Request:
    request = machine.status(name)
    assert request is not None
    return request


def begun(machine: Sending, name: str = "a", now_ms: int = T, **kwargs: bool) -> list[Any]:
    """Accepts and stores a request; returns what follows."""
    machine.accept(ASKED, name, outgoing(name.encode(), **kwargs), now_ms)
    return machine.saved(name, now_ms)


def propagated(machine: Sending, name: str = "a", now_ms: int = T) -> Request:
    """Sends a request to where another node has it and this is stored."""
    begun(machine, name, now_ms)
    request: Request = only(machine.taken(name, now_ms), Save).request
    machine.saved(name, now_ms)
    return request


def test_a_request_is_durable_before_it_is_answered_and_leaves_after_that() -> None:
    machine = sending()

    save = only(machine.accept(ASKED, "a", outgoing(), T), Save)

    assert save == Save(save.request, None)
    assert save.request.state is RequestState.PARKED
    assert save.request.message.timestamp_ns == T * 1_000_000
    assert save.request.message_hash == message_hash(TOPIC, save.request.message)
    following = machine.saved("a", T)
    push = only(following, Push)
    assert following == [Answer(ASKED, save.request), push]
    assert (push.request_id, push.route, push.pubsub_topic) == ("a", Route.RELAY, TOPIC)
    assert decode(push.raw) == save.request.message


def test_what_cannot_be_stored_is_refused_and_forgotten() -> None:
    machine = sending()
    machine.accept(ASKED, "a", outgoing(), T)

    error = OSError("full")

    assert machine.unsaved("a", error, T) == [Refuse(ASKED, error)]
    assert machine.pending == 0
    assert machine.next_wake_ms() is None


def test_equal_messages_of_one_millisecond_have_different_hashes() -> None:
    machine = sending()

    saves = [only(machine.accept(ASKED, name, outgoing(), T), Save) for name in "ab"]

    assert len({save.request.message_hash for save in saves}) == 2


def test_propagated_is_told_once_and_sent_when_a_store_has_it() -> None:
    machine = sending()
    begun(machine)

    save = only(machine.taken("a", T + 5), Save)

    assert save.event == save.request.event
    assert save.request.event.kind is EventKind.PROPAGATED
    assert save.request.event.message_hash == save.request.message_hash
    assert machine.saved("a", T + 5) == []
    assert machine.tick(T + ROUND_MS + 5) == []
    ask = only(machine.tick(T + 5 + ASK_STORE_MS), AskStore)
    assert ask.hashes == (save.request.message_hash,)
    sent = only(machine.stored(frozenset(ask.hashes), T + 4_000), Save)
    assert sent.event == sent.request.event
    assert sent.request.event.kind is EventKind.SENT
    assert sent.request.ended_ms == T + 4_000
    assert machine.saved("a", T + 4_000) == []
    assert machine.pending == 0


def test_an_event_that_could_not_be_stored_is_stored_in_the_next_round() -> None:
    machine = sending()
    begun(machine)
    save = only(machine.taken("a", T), Save)

    assert machine.unsaved("a", OSError("full"), T) == []

    assert machine.next_wake_ms() == T + ROUND_MS
    assert machine.tick(T + ROUND_MS) == [save]


def test_what_no_store_has_is_published_again_and_then_unconfirmed() -> None:
    machine = sending(routes=(Route.RELAY,))
    request = propagated(machine)
    machine.tick(T + ASK_STORE_MS)

    assert machine.stored(frozenset(), T + ASK_STORE_MS) == []

    push = only(machine.tick(T + ASK_STORE_MS + ROUND_MS), Push)
    assert decode(push.raw) == request.message
    assert machine.known("a", T + 4_500) == []
    assert machine.tick(T + WINDOW_MS) != []
    machine.unasked(T + WINDOW_MS)
    save = only(machine.tick(T + WINDOW_MS + ROUND_MS), Save)
    assert event_of([save]).kind is EventKind.UNCONFIRMED
    assert save.request.state is RequestState.UNCONFIRMED


def test_what_a_store_says_after_the_end_does_not_change_it() -> None:
    machine = sending()
    propagated(machine)
    ask = only(machine.tick(T + ASK_STORE_MS), AskStore)
    late = T + WINDOW_MS + ROUND_MS
    assert event_of(machine.tick(late)).kind is EventKind.UNCONFIRMED

    assert machine.stored(frozenset(ask.hashes), late) == []


def test_a_second_propagation_is_not_told() -> None:
    machine = sending()
    propagated(machine)
    machine.tick(T + ASK_STORE_MS)
    machine.stored(frozenset(), T + ASK_STORE_MS)
    machine.tick(T + ASK_STORE_MS + ROUND_MS)

    assert machine.taken("a", T + 5_000) == []


@pytest.mark.parametrize("code", [420, 413, 0])
def test_once_propagated_no_refusal_ends_it(code: int) -> None:
    machine = sending(routes=(Route.RELAY,))
    propagated(machine)
    machine.tick(T + ASK_STORE_MS)
    machine.stored(frozenset(), T + ASK_STORE_MS)
    machine.tick(T + ASK_STORE_MS + ROUND_MS)

    assert machine.untaken("a", code, "no", T + 5_000) == []

    assert status(machine, "a").state is RequestState.PROPAGATED
    assert only(machine.tick(T + 7_000), AskStore).hashes


def test_without_reliability_and_for_ephemeral_messages_propagated_is_the_end() -> None:
    for machine, ephemeral in ((sending(is_confirmed=False), False), (sending(), True)):
        begun(machine, ephemeral=ephemeral)
        save = only(machine.taken("a", T), Save)
        assert save.request.ended_ms == T
        assert machine.saved("a", T) == []
        assert machine.pending == 0


def test_relay_without_peers_falls_back_to_lightpush_and_then_waits_a_round() -> None:
    machine = sending()
    begun(machine)

    assert only(machine.untaken("a", NO_PEERS, "none", T), Push).route is Route.LIGHTPUSH
    assert machine.untaken("a", PushCode.SERVICE_NOT_AVAILABLE, "none", T) == []

    assert machine.next_wake_ms() == T + ROUND_MS
    assert only(machine.tick(T + ROUND_MS), Push).route is Route.RELAY
    assert status(machine, "a").attempts == 3


def test_after_a_minute_without_propagation_it_fails_with_the_references_text() -> None:
    machine = sending(routes=(Route.RELAY,))
    begun(machine)
    machine.untaken("a", NO_PEERS, "none", T)
    assert only(machine.tick(T + WINDOW_MS), Save).event is None  # the stamp, not the end
    assert only(machine.saved("a", T + WINDOW_MS), Push).request_id
    machine.untaken("a", NO_PEERS, "none", T + WINDOW_MS)

    event = event_of(machine.tick(T + WINDOW_MS + ROUND_MS))

    assert (event.kind, event.error) == (EventKind.ERROR, WINDOW_TEXT)


@pytest.mark.parametrize("code", [400, 413, 420, 421, 999])
def test_a_refusal_that_will_not_change_ends_it_with_its_text(code: int) -> None:
    machine = sending()
    begun(machine)

    event = event_of(machine.untaken("a", code, "bad message" * 100, T))

    assert event.kind is EventKind.ERROR
    assert event.error.startswith("bad message")
    assert len(event.error) == 512


def test_an_oversized_message_fails_with_the_references_text_and_costs_no_budget() -> None:
    machine = sending(limit=1)
    machine.accept(ASKED, "a", outgoing(bytes(153_600)), T)

    following = machine.saved("a", T)

    assert only(following, Answer).ticket == ASKED
    assert event_of(following).error == "Message size exceeded maximum of 153600 bytes"
    machine.saved("a", T)
    assert only(begun(machine, "b"), Push).request_id


def test_with_rate_limits_the_proof_counts_towards_the_size() -> None:
    payload = bytes(153_600 - 100)
    without, proving = sending(), sending(identifier=RELAY_IDENTIFIER)
    for machine in (without, proving):
        machine.accept(ASKED, "a", outgoing(payload), T)

    assert only(without.saved("a", T), Push).request_id
    assert event_of(proving.saved("a", T)).kind is EventKind.ERROR


def test_over_budget_it_is_parked_and_not_aged_until_the_epoch_ends() -> None:
    machine = sending(limit=1)
    begun(machine, "a")
    first = begun(machine, "b")

    assert [type(effect) for effect in first] == [Answer]
    assert machine.next_wake_ms() == T + 600_000
    assert status(machine, "b").state is RequestState.PARKED
    late = T + 600_000
    save = only(machine.tick(late), Save)
    assert save.event is None
    push = only(machine.saved("b", late), Push)
    assert push.request_id == "b"


def test_what_was_parked_is_stamped_anew_and_stored_before_it_leaves() -> None:
    machine = sending(limit=1)
    begun(machine, "a")
    answer = only(begun(machine, "b"), Answer)

    save = only(machine.tick(T + 600_000), Save)

    assert save.request.message.timestamp_ns == (T + 600_000) * 1_000_000
    assert isinstance(answer.value, Request)
    assert save.request.message_hash != answer.value.message_hash


def test_a_retry_is_not_charged_again() -> None:
    machine = sending(limit=2, routes=(Route.RELAY,))
    begun(machine, "a")
    machine.untaken("a", NO_PEERS, "", T)
    machine.tick(T + ROUND_MS)

    assert only(begun(machine, "b", T + ROUND_MS), Push).request_id == "b"


def test_a_request_that_waits_is_stamped_anew_unless_it_may_have_been_taken() -> None:
    sure, doubtful = sending(), sending()
    for machine, code in ((sure, NO_PEERS), (doubtful, PushCode.NO_ANSWER)):
        begun(machine)
        machine.untaken("a", code, "", T)
        machine.untaken("a", NO_PEERS, "", T)

    later = T + FRESH_MS + ROUND_MS
    assert only(sure.tick(later), Save).event is None
    assert only(doubtful.tick(later), Push).request_id
    doubtful.untaken("a", NO_PEERS, "", later)
    doubtful.untaken("a", NO_PEERS, "", later)
    assert only(doubtful.tick(T + MAX_GAP_MS + ROUND_MS), Save).event is None


def proof_for(request: Request, epoch: int | None = None) -> bytes:
    at = epoch_of(request.message, 600_000) if epoch is None else epoch
    value = bytes(31) + b"\1"
    return RateLimitProof(bytes(128), value, at, value, value, value).lip144()


def test_the_proof_is_made_after_admission_of_the_message_as_it_leaves() -> None:
    machine = sending(limit=1, identifier=RELAY_IDENTIFIER)

    prove = only(begun(machine), Prove)

    request = status(machine)
    assert prove == Prove("a", RELAY_IDENTIFIER, signal_of(request.message))
    push = only(machine.proven("a", proof_for(request), T), Push)
    carried = decode_proof(decode(push.raw).proof)
    assert carried.lip144() == proof_for(request)
    assert carried.identifier == RELAY_IDENTIFIER
    assert [type(each) for each in begun(machine, "b")] == [Answer]  # no budget, so no proof


def test_a_proof_of_another_epoch_than_the_timestamp_is_made_again() -> None:
    machine = sending(identifier=RELAY_IDENTIFIER)
    begun(machine)
    request = status(machine)
    wrong = epoch_of(request.message, 600_000) + 1

    assert machine.proven("a", proof_for(request, wrong), T) == []

    prove = only(machine.tick(T + ROUND_MS), Prove)
    assert prove.signal != signal_of(request.message)


def test_without_a_proof_it_is_tried_in_rounds_and_fails_in_the_end() -> None:
    machine = sending(identifier=RELAY_IDENTIFIER)
    begun(machine)

    assert machine.unproven("a", "no member", T) == []
    assert only(machine.tick(T + ROUND_MS), Prove).request_id
    machine.unproven("a", "no member", T + ROUND_MS)

    assert event_of(machine.tick(T + WINDOW_MS + ROUND_MS)).kind is EventKind.ERROR


def test_when_message_ids_are_spent_it_is_parked_for_the_next_epoch() -> None:
    machine = sending(identifier=RELAY_IDENTIFIER)
    begun(machine)

    assert machine.spent("a", "spent", T) == []

    assert machine.next_wake_ms() == T + 600_000
    machine.tick(T + 600_000)
    assert only(machine.saved("a", T + 600_000), Prove).request_id


def test_a_refused_proof_is_dropped_and_another_one_charged_and_made() -> None:
    machine = sending(limit=2, identifier=RELAY_IDENTIFIER)
    begun(machine)
    request = status(machine)
    machine.proven("a", proof_for(request), T)

    assert machine.untaken("a", 420, "RLN validation failed", T) == []

    prove = only(machine.tick(T + ROUND_MS), Prove)
    again = status(machine)
    assert prove.signal == signal_of(again.message)
    assert again.message.proof == b""
    machine.proven("a", proof_for(again), T)
    machine.untaken("a", PushCode.OUT_OF_RLN_PROOF, "", T + ROUND_MS)
    machine.tick(T + 2 * ROUND_MS)
    assert status(machine, "a").state is RequestState.PARKED


def test_proofs_that_are_never_accepted_end_in_an_error() -> None:
    machine = sending(identifier=RELAY_IDENTIFIER, routes=(Route.RELAY,))
    begun(machine)
    ends: list[Any] = []
    for turn in range(1, MAX_REPROVEN + 1):
        request = status(machine)
        machine.proven("a", proof_for(request), T)
        ends = machine.untaken("a", PushCode.OUT_OF_RLN_PROOF, "", T)
        assert bool(ends) == (turn == MAX_REPROVEN)
        machine.tick(T + turn * ROUND_MS)

    assert event_of(ends).error == WINDOW_TEXT


def test_a_bad_proof_of_the_mixnet_is_no_proof() -> None:
    machine = sending(identifier=RELAY_IDENTIFIER)
    begun(machine)

    assert machine.proven("a", b"short", T) == []

    assert only(machine.tick(T + ROUND_MS), Prove).request_id


def test_through_the_mix_it_takes_no_other_way() -> None:
    machine = sending()
    assert only(begun(machine, mix=True), Push).route is Route.MIX

    assert machine.untaken("a", PushCode.NO_ANSWER, "no reply", T) == []

    assert only(machine.tick(T + ROUND_MS), Push).route is Route.MIX
    assert event_of(machine.taken("a", T + 2_000)).kind is EventKind.PROPAGATED


def test_what_went_through_the_mix_is_asked_for_through_it_each_alone() -> None:
    machine = sending()
    for name in "abcdefghij":
        begun(machine, name, mix=True)
        machine.taken(name, T)
        machine.saved(name, T)
    propagated(machine, "direct")

    effects = machine.tick(T + ASK_STORE_MS)

    hashes = {name: status(machine, name).message_hash for name in "abcdefghij"}
    asks = [one for one in effects if isinstance(one, AskByMix)]
    assert {one.request_id: one.message_hash for one in asks}.items() <= hashes.items()
    assert len(asks) == MAX_ASKED_BY_MIX
    direct = only(effects, AskStore)
    assert direct.hashes == (status(machine, "direct").message_hash,)


def test_a_store_nodes_word_through_the_mix_decides() -> None:
    machine = sending()
    begun(machine, mix=True)
    machine.taken("a", T)
    machine.saved("a", T)
    now_ms = T + ASK_STORE_MS
    assert only(machine.tick(now_ms), AskByMix).request_id == "a"

    assert machine.tick(now_ms + 2 * ASK_STORE_MS) == []  # one question at a time
    assert machine.asked("a", None, now_ms + 2 * ASK_STORE_MS) == []
    now_ms += 2 * ASK_STORE_MS + ROUND_MS
    assert only(machine.tick(now_ms), AskByMix).request_id == "a"
    assert machine.asked("a", False, now_ms) == []  # noqa: FBT003
    assert only(machine.tick(now_ms + ROUND_MS), Push).route is Route.MIX
    assert machine.taken("a", now_ms + ROUND_MS) == []
    now_ms += ROUND_MS + ASK_STORE_MS
    assert only(machine.tick(now_ms), AskByMix).request_id == "a"
    assert event_of(machine.asked("a", True, now_ms)).kind is EventKind.SENT  # noqa: FBT003


def test_without_a_word_through_the_mix_it_is_unconfirmed() -> None:
    machine = sending()
    begun(machine, mix=True)
    machine.taken("a", T)
    machine.saved("a", T)
    machine.tick(T + ASK_STORE_MS)

    assert machine.tick(T + WINDOW_MS + ROUND_MS) == []  # its answer may still come
    machine.asked("a", None, T + WINDOW_MS + ROUND_MS)

    late = T + WINDOW_MS + 2 * ROUND_MS
    assert event_of(machine.tick(late)).kind is EventKind.UNCONFIRMED


def test_too_many_requests_are_refused_with_a_time() -> None:
    machine = sending(max_pending=1)
    begun(machine)

    with pytest.raises(SendsFullError) as refused:
        machine.accept(ASKED, "b", outgoing(), T)
    assert refused.value.retry_after_ms == ROUND_MS

    parked = sending(limit=1, max_pending_bytes=20)
    begun(parked, "a")
    parked.taken("a", T)
    for _ in range(2):
        parked.tick(T)
    with pytest.raises(SendsFullError):
        parked.accept(ASKED, "b", outgoing(bytes(21)), T)


def test_where_all_are_parked_the_time_is_the_next_epochs() -> None:
    machine = sending(limit=1, max_pending=1, is_confirmed=False)
    begun(machine, "a")
    machine.taken("a", T)
    machine.saved("a", T)
    begun(machine, "b", T + 1)

    with pytest.raises(SendsFullError) as refused:
        machine.accept(ASKED, "c", outgoing(), T + 1)

    assert refused.value.retry_after_ms == 599_999


def test_at_most_so_many_are_under_way() -> None:
    machine = sending(max_under_way=1)
    begun(machine, "a")

    assert [type(effect) for effect in begun(machine, "b")] == [Answer]
    following = machine.taken("a", T)

    assert only(following, Push).request_id == "b"


def test_what_was_not_sent_before_a_restart_goes_on_with_the_same_bytes() -> None:
    machine = sending()
    request = only(machine.accept(ASKED, "a", outgoing(), T), Save).request

    again = sending()
    push = only(again.load([request], T + MAX_GAP_MS), Push)

    assert decode(push.raw) == request.message
    event = event_of(again.known("a", T + MAX_GAP_MS))  # the mixnet had it from before
    assert event.kind is EventKind.PROPAGATED


def test_what_is_older_is_stamped_anew_and_has_its_whole_time_again() -> None:
    machine = sending(routes=(Route.RELAY,))
    request = only(machine.accept(ASKED, "a", outgoing(), T), Save).request
    later = T + 3_600_000

    again = sending(routes=(Route.RELAY,))
    save = only(again.load([request], later), Save)

    assert save.request.message.timestamp_ns == later * 1_000_000
    assert only(again.saved("a", later), Push).request_id
    again.untaken("a", NO_PEERS, "", later)
    assert only(again.tick(later + ROUND_MS), Push).request_id


def test_what_was_propagated_before_a_restart_is_asked_for_and_not_told_again() -> None:
    request = propagated(sending())
    later = T + 3_600_000
    again = sending()

    assert again.load([request], later) == []

    assert again.next_wake_ms() == later + ROUND_MS
    ask = only(again.tick(later + ROUND_MS), AskStore)
    effects = again.stored(frozenset(ask.hashes), later + ROUND_MS)
    assert event_of(effects).kind is EventKind.SENT


def test_a_query_asks_for_a_hundred_and_the_next_round_for_the_rest() -> None:
    requests = [propagated(sending(), f"r{number}") for number in range(101)]
    machine = sending()
    machine.load(requests, T)
    now_ms = T + ASK_STORE_MS

    first = only(machine.tick(now_ms), AskStore)

    assert len(first.hashes) == 100
    assert machine.tick(now_ms + ROUND_MS) == []  # one query at a time
    machine.unasked(now_ms + ROUND_MS)
    second = only(machine.tick(now_ms + 2 * ROUND_MS), AskStore)
    assert len({*first.hashes, *second.hashes}) == 101
    assert len(second.hashes) == 1
    machine.unasked(now_ms + 2 * ROUND_MS)
    assert machine.tick(now_ms + 3 * ROUND_MS) == []


def test_a_membership_that_allows_less_tightens_the_budget() -> None:
    machine = sending(limit=5)
    assert machine.limited(1, T) == []
    begun(machine, "a")
    assert [type(effect) for effect in begun(machine, "b")] == [Answer]

    assert only(machine.limited(None, T), Push).request_id == "b"


def test_callers_bugs_are_raised() -> None:
    machine = sending()
    begun(machine)
    with pytest.raises(ValueError, match="accepted before"):
        machine.accept(ASKED, "a", outgoing(), T)
    with pytest.raises(ValueError, match="one route"):
        sending(routes=())
