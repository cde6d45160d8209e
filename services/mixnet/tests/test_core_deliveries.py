"""What ends at a node. Rules: MIX-25 to MIX-28, MIX-14."""

import secrets
from collections.abc import Sequence

import pytest
from mix_paths import path_of, private_keys, walk

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing import deliveries as module
from logos_mixnet.core.mixing.deliveries import (
    PING_CODEC,
    Arrived,
    Deliveries,
    Delivery,
    HandOver,
    Listener,
    Looped,
    Respond,
)
from logos_mixnet.core.mixing.errors import (
    CodecTakenError,
    InvalidCodecError,
    NoAnswerError,
    ReplyTokenUnknownError,
)
from logos_mixnet.core.mixing.sender import COVER_CODEC
from logos_mixnet.core.sphinx.fragments import FRAGMENT_CODEC, cut
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE, MESSAGE_BYTES
from logos_mixnet.core.sphinx.message import ForwardBody, MixMessage, pad
from logos_mixnet.core.sphinx.packet import Exit, Reply
from logos_mixnet.core.sphinx.replies import RequestId
from logos_mixnet.core.sphinx.surb import ReplyKeys, Surb, create_surb

CODEC = "/test/1.0.0"
KEYS = private_keys(3)
WAIT_MS = 60_000


def deliveries(*, is_exit: bool = False) -> Deliveries:
    return Deliveries(WAIT_MS, secrets.token_bytes, is_exit=is_exit)


def exit_of(message: MixMessage, destination: bytes = HERE) -> Exit:
    return Exit(destination, pad(message.encode(), secrets.token_bytes))


def content(data: bytes = b"hello", surbs: Sequence[Surb] = (), codec: str = CODEC) -> MixMessage:
    return MixMessage(codec, ForwardBody(data, surbs).encode())


def block() -> tuple[Surb, ReplyKeys]:
    return create_surb(path_of(KEYS), secrets.token_bytes)


def answer_over(surb: Surb, message: MixMessage) -> Reply:
    """Carries an answer back to the maker of its block."""
    last = walk(surb.answer(pad(message.encode(), secrets.token_bytes)), KEYS)[-1]
    assert isinstance(last, Reply)
    return last


def listening(machine: Deliveries, codec: str = CODEC) -> Listener:
    listener = Listener(codec)
    assert machine.listen(Ticket(1), listener, 0) == [Answer(Ticket(1))]
    return listener


def expected(machine: Deliveries, keys: Sequence[ReplyKeys], now_ms: int = 0) -> RequestId:
    [answer] = machine.expect(Ticket(7), keys, now_ms)
    assert isinstance(answer, Answer)
    assert isinstance(answer.value, int)
    return RequestId(answer.value)


def test_a_message_is_for_who_listens_for_its_codec() -> None:
    machine = deliveries()
    listener, other = listening(machine), listening(machine, "/other/1.0.0")
    assert machine.arrived(exit_of(content()), 0) == [Arrived(listener)]
    assert listener.take() == Delivery(b"hello")
    assert listener.take() is None
    assert other.take() is None
    machine.unlisten(listener, 0)
    assert machine.arrived(exit_of(content()), 0) == []
    assert machine.dropped == {"MIX_NOBODY_LISTENS": 1}


@pytest.mark.parametrize("codec", ["", "x" * 128, COVER_CODEC, FRAGMENT_CODEC, PING_CODEC])
def test_no_call_listens_for_a_codec_of_the_mix_or_for_none(codec: str) -> None:
    with pytest.raises(InvalidCodecError):
        deliveries().listen(Ticket(1), Listener(codec), 0)


def test_one_call_listens_for_a_codec() -> None:
    machine = deliveries()
    first = listening(machine)
    with pytest.raises(CodecTakenError):
        machine.listen(Ticket(2), Listener(CODEC), 0)
    machine.unlisten(Listener(CODEC), 0)  # another one: nothing
    assert machine.arrived(exit_of(content()), 0) == [Arrived(first)]


def test_a_copy_is_dropped_and_a_message_that_says_the_same_is_not() -> None:
    machine = deliveries()
    listener = listening(machine)
    packet = exit_of(content())
    for each in (packet, packet, exit_of(content())):
        machine.arrived(each, 0)
    assert len(listener.waiting) == 2
    assert machine.dropped == {"MIX_COPY": 1}


def test_the_copies_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COPIES", 5)
    machine = deliveries()
    for _ in range(50):
        machine.arrived(exit_of(content()), 0)
    assert len(machine._copies) == 5


def test_a_slow_listener_holds_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_MESSAGES", 3)
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 3_000)
    machine = deliveries()
    few, large = listening(machine), listening(machine, "/large/1.0.0")
    for _ in range(5):
        machine.arrived(exit_of(content()), 0)
        machine.arrived(exit_of(content(bytes(1_400), codec="/large/1.0.0")), 0)
    assert len(few.waiting) == 3
    assert len(large.waiting) == 2
    assert machine.dropped == {"MIX_LISTENER_FULL": 5}


def test_fragments_are_put_together_and_what_is_of_the_mix_itself_is_not() -> None:
    machine = deliveries()
    listener = listening(machine)
    data = secrets.token_bytes(20_000)
    for whole in (content(data), MixMessage(COVER_CODEC, bytes(20_000))):
        for fragment in cut(whole.encode(), secrets.token_bytes):
            machine.arrived(exit_of(MixMessage(FRAGMENT_CODEC, fragment.encode())), 0)
    assert listener.take() == Delivery(data)
    assert machine.dropped == {"MIX_NOBODY_LISTENS": 1}


def test_fragments_that_stay_alone_are_counted() -> None:
    machine = deliveries()
    fragment = cut(content(bytes(9_000)).encode(), secrets.token_bytes)[0]
    machine.arrived(exit_of(MixMessage(FRAGMENT_CODEC, fragment.encode())), 0)
    wake_ms = machine.next_wake_ms()
    assert wake_ms is not None
    machine.tick(wake_ms)
    assert machine.dropped == {"MIX_FRAGMENTS_LOST": 1}
    assert machine.next_wake_ms() is None


def test_loops_go_to_the_sender_and_pings_are_sent_back() -> None:
    machine = deliveries()
    surb, _ = block()
    assert machine.arrived(exit_of(MixMessage(COVER_CODEC, b"loop")), 0) == [Looped(b"loop")]
    ping = content(bytes(40), [surb], PING_CODEC)
    assert machine.arrived(exit_of(ping), 0) == [Respond((surb,), bytes(32))]
    assert machine.arrived(exit_of(content(bytes(32), (), PING_CODEC)), 0) == []


def test_the_reply_blocks_of_a_message_are_taken_once() -> None:
    machine = deliveries()
    listener, (surb, _) = listening(machine), block()
    machine.arrived(exit_of(content(b"?", [surb])), 0)
    delivery = listener.take()
    assert delivery is not None
    assert delivery.reply_blocks == 1
    assert machine.claim(Ticket(2), delivery.reply_token, 0) == [Answer(Ticket(2), (surb,))]
    with pytest.raises(ReplyTokenUnknownError):
        machine.claim(Ticket(3), delivery.reply_token, 0)


def test_an_answer_is_given_to_who_waits_for_it() -> None:
    machine, (surb, keys) = deliveries(), block()
    request = expected(machine, [keys])
    assert machine.wait(Ticket(8), request, 1) == []
    reply = answer_over(surb, MixMessage("", b"42"))
    assert machine.arrived(reply, 2) == [Answer(Ticket(8), b"42")]
    assert machine.awaited == 0
    assert machine.arrived(reply, 3) == []
    assert machine.dropped == {"MIX_REPLY_UNKNOWN": 1}


def test_an_answer_that_is_there_before_it_is_waited_for_is_kept() -> None:
    machine, (surb, keys) = deliveries(), block()
    request = expected(machine, [keys])
    assert machine.arrived(answer_over(surb, MixMessage("", b"42")), 1) == []
    assert machine.wait(Ticket(8), request, 2) == [Answer(Ticket(8), b"42")]
    with pytest.raises(NoAnswerError):
        machine.wait(Ticket(9), request, 3)


def test_of_two_copies_of_an_answer_the_first_counts() -> None:
    machine, blocks = deliveries(), [block(), block()]
    request = expected(machine, [keys for _, keys in blocks])
    machine.wait(Ticket(8), request, 0)
    answers = [answer_over(surb, MixMessage("", b"42")) for surb, _ in blocks]
    assert machine.arrived(answers[0], 1) == [Answer(Ticket(8), b"42")]
    assert machine.arrived(answers[1], 1) == []


def test_an_answer_in_fragments_is_put_together_whatever_its_order() -> None:
    machine, data = deliveries(), secrets.token_bytes(9_000)
    fragments = cut(MixMessage("", data).encode(), secrets.token_bytes)
    blocks = [block() for _ in fragments]
    request = expected(machine, [keys for _, keys in blocks])
    machine.wait(Ticket(8), request, 0)
    effects: module.Effects = []
    for (surb, _), fragment in reversed(list(zip(blocks, fragments, strict=True))):
        message = MixMessage(FRAGMENT_CODEC, fragment.encode())
        effects += machine.arrived(answer_over(surb, message), 1)
    assert effects == [Answer(Ticket(8), data)]


def test_what_is_no_answer_is_dropped_and_the_request_waits_on() -> None:
    machine, blocks = deliveries(), [block(), block()]
    request = expected(machine, [keys for _, keys in blocks])
    machine.wait(Ticket(8), request, 0)
    assert machine.arrived(answer_over(blocks[0][0], content()), 1) == []
    assert machine.dropped == {"MIX_NOBODY_LISTENS": 1}
    right = answer_over(blocks[1][0], MixMessage("", b"42"))
    assert machine.arrived(right, 1) == [Answer(Ticket(8), b"42")]


def test_p7_a_request_that_is_not_answered_leaves_nothing_behind() -> None:
    machine = deliveries()
    waited = expected(machine, [block()[1]])
    machine.wait(Ticket(8), waited, 0)
    forgotten = expected(machine, [block()[1]], 1)
    machine.forget(forgotten, 2)
    wake_ms = machine.next_wake_ms()
    assert wake_ms == WAIT_MS
    [refusal] = machine.tick(wake_ms)
    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, NoAnswerError)
    assert machine.awaited == 0
    assert machine._replies.waiting == 0
    assert machine.next_wake_ms() is None


def test_m10_a_content_is_handed_over_only_where_the_settings_say_so() -> None:
    there = bytes([1]) * ADDRESS_BYTES
    packet = exit_of(content(), there)
    refusing, handing = deliveries(), deliveries(is_exit=True)
    assert refusing.arrived(packet, 0) == []
    assert refusing.dropped == {"MIX_EXIT_REFUSED": 1}
    assert handing.arrived(packet, 0) == [HandOver(there, CODEC, b"hello", ())]
    assert handing.arrived(exit_of(content(codec=PING_CODEC), there), 0) == []


@pytest.mark.parametrize("fill", [0, 1, 255])
def test_what_holds_no_message_is_dropped_and_counted(fill: int) -> None:
    machine = deliveries()
    assert machine.arrived(Exit(HERE, bytes([fill]) * MESSAGE_BYTES), 0) == []
    assert sum(machine.dropped.values()) == 1
