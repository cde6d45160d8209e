from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.errors import (
    InvalidTopicError,
    MessageSizeError,
    ValidatorExistsError,
)
from logos_mixnet.core.gossip import (
    LINGER_MS,
    MAX_LINGERING,
    MAX_MESSAGE_BYTES,
    Arrived,
    Follow,
    Gossip,
    Judge,
    Leave,
    Reader,
    check_message,
    check_topic,
)
from logos_mixnet.core.mailbox import Batch, Mailbox, Message

TICKET = Ticket(1)


def message(number: int, size: int = 1, topic: str = "t") -> Message:
    return Message(topic, number.to_bytes(32, "big"), bytes(size), f"peer{number}", 0)


def taken(mailbox: Mailbox) -> Batch:
    return mailbox.take() or Batch([], 0)


def test_a_mailbox_keeps_order_and_counts_what_it_loses() -> None:
    mailbox = Mailbox(max_messages=3, max_bytes=100)

    kept = [mailbox.put(message(number)) for number in range(5)]

    batch = taken(mailbox)
    assert kept == [True, True, True, False, False]
    assert [m.message_id[-1] for m in batch.messages] == [0, 1, 2]
    assert batch.lost == 2
    assert mailbox.take() is None


def test_a_mailbox_is_bounded_in_bytes() -> None:
    mailbox = Mailbox(max_bytes=10)

    assert mailbox.put(message(1, 6))
    assert not mailbox.put(message(2, 6))
    mailbox.take()
    assert mailbox.put(message(3, 6))


def test_a_batch_has_at_most_256_messages_or_one_mebibyte() -> None:
    many, large = Mailbox(), Mailbox()
    for number in range(300):
        many.put(message(number))
    for number in range(10):
        large.put(message(number, 150 * 1024))

    assert len(taken(many).messages) == 256
    assert len(taken(many).messages) == 44
    assert len(taken(large).messages) == 6


@given(st.lists(st.one_of(st.integers(1, 2000), st.none())))
def test_nothing_is_lost_uncounted(steps: list[int | None]) -> None:
    mailbox = Mailbox(max_messages=5, max_bytes=5000)
    put = took = 0

    for step in [*steps, *([None] * 10)]:
        if step is None:
            batch = taken(mailbox)
            took += len(batch.messages) + batch.lost
        else:
            put += 1
            mailbox.put(message(put, step))

    assert took == put
    assert not mailbox


class Subscribers:
    """A machine, with readers that have joined it."""

    def __init__(self, **options: int) -> None:
        self.machine = Gossip(**options)

    def join(self, topic: str = "t", *, validates: bool = False) -> tuple[Reader, list[Any]]:
        reader = Reader(topic, validates)
        effects = self.machine.join(TICKET, reader, 0)
        assert effects[-1] == Answer(TICKET)
        return reader, effects[:-1]


def judged(effects: list[Any]) -> list[Judge]:
    return [effect for effect in effects if isinstance(effect, Judge)]


def rejected(number: int) -> Judge:
    return Judge(message(number).message_id, f"peer{number}", "reject")


def ignored(number: int) -> Judge:
    return Judge(message(number).message_id, f"peer{number}", "ignore")


def test_the_first_reader_follows_a_topic_and_the_last_leaves_it() -> None:
    topics = Subscribers()

    first, effects = topics.join()
    assert effects == [Follow("t")]
    second, effects = topics.join()
    assert effects == []
    assert topics.machine.leave(first, 0) == []
    assert topics.machine.leave(second, 5) == []
    assert topics.machine.leave(second, 6) == []
    assert topics.machine.next_wake_ms() == 5 + LINGER_MS
    assert topics.machine.tick(4 + LINGER_MS) == []
    assert topics.machine.tick(5 + LINGER_MS) == [Leave("t")]
    assert topics.machine.next_wake_ms() is None


def test_a_reader_that_comes_back_in_time_finds_its_topic_followed() -> None:
    topics = Subscribers()
    first, _ = topics.join()
    topics.machine.leave(first, 0)
    assert topics.machine.receive([message(1)], 1) == [ignored(1)]

    again, effects = topics.join()

    assert effects == []
    assert topics.machine.tick(LINGER_MS) == []
    assert topics.machine.leave(again, LINGER_MS) == []
    assert topics.machine.next_wake_ms() == 2 * LINGER_MS


def test_so_many_topics_linger() -> None:
    topics = Subscribers()
    for number in range(MAX_LINGERING):
        reader, _ = topics.join(f"t{number}")
        assert topics.machine.leave(reader, number) == []

    reader, _ = topics.join("one more")

    assert topics.machine.leave(reader, 99) == [Leave("t0")]


def test_messages_are_accepted_at_once_without_a_validator() -> None:
    topics = Subscribers()
    one, _ = topics.join()
    two, _ = topics.join()

    effects = topics.machine.receive([message(1)], 0)

    accepted = Judge(message(1).message_id, "peer1", "accept")
    assert effects == [Arrived(one), Arrived(two), accepted]
    assert topics.machine.next_wake_ms() is None


def test_messages_that_come_together_are_handled_in_order_and_wake_each_reader_once() -> None:
    topics = Subscribers(max_held=2)
    validator, _ = topics.join(validates=True)
    other, _ = topics.join("u")
    came = [message(1), message(2), message(3, topic="u"), message(4), message(5, topic="v")]

    effects = topics.machine.receive(came, 0)

    accepted = Judge(message(3).message_id, "peer3", "accept")
    assert effects == [Arrived(validator), Arrived(other), accepted, ignored(5), ignored(1)]
    assert [each.message_id[-1] for each in taken(validator.mailbox).messages] == [1, 2, 4]
    names = [(message(number).message_id, "reject") for number in (4, 1, 2)]
    assert topics.machine.judge(validator, names, 0) == [rejected(4), rejected(2)]


def test_messages_wait_for_the_validator() -> None:
    topics = Subscribers()
    validator, _ = topics.join(validates=True)
    other, _ = topics.join()
    name = message(1).message_id

    assert topics.machine.receive([message(1)], 0) == [Arrived(validator), Arrived(other)]

    assert topics.machine.judge(other, [(name, "accept")], 0) == []
    assert topics.machine.judge(validator, [(name, "reject")], 0) == [rejected(1)]
    assert topics.machine.judge(validator, [(name, "accept")], 0) == []
    assert topics.machine.judge(validator, [(b"unknown", "accept")], 0) == []


def test_a_validator_judges_its_own_topic_only() -> None:
    topics = Subscribers()
    topics.join("t", validates=True)
    stranger, _ = topics.join("u", validates=True)
    topics.machine.receive([message(1)], 0)

    assert topics.machine.judge(stranger, [(message(1).message_id, "accept")], 0) == []


def test_what_its_validator_loses_is_ignored() -> None:
    topics = Subscribers()
    topics.join(validates=True)
    for number in range(4096):
        topics.machine.receive([message(number)], 0)

    assert judged(topics.machine.receive([message(5000)], 0)) == [ignored(5000)]


def test_only_one_reader_of_a_topic_validates() -> None:
    topics = Subscribers()
    first, _ = topics.join(validates=True)

    with pytest.raises(ValidatorExistsError):
        topics.join(validates=True)
    topics.join("u", validates=True)
    topics.machine.leave(first, 0)
    topics.join(validates=True)


def test_a_refused_reader_leaves_no_trace() -> None:
    topics = Subscribers()
    with pytest.raises(InvalidTopicError):
        topics.join("")

    assert topics.machine.receive([message(1, topic="")], 0) == [ignored(1)]


def test_messages_of_a_validator_that_left_are_ignored() -> None:
    topics = Subscribers()
    validator, _ = topics.join(validates=True)
    topics.machine.receive([message(1)], 0)

    assert topics.machine.leave(validator, 0) == [ignored(1)]


def test_messages_that_the_host_has_lost_are_counted() -> None:
    topics = Subscribers()
    reader, _ = topics.join()

    assert topics.machine.lose("t", 5, 0) == [Arrived(reader)]
    assert topics.machine.lose("u", 5, 0) == []

    batch = reader.mailbox.take()
    assert batch is not None
    assert batch.lost == 5


def test_unjudged_messages_are_ignored_after_four_seconds() -> None:
    topics = Subscribers()
    validator, _ = topics.join(validates=True)
    topics.machine.receive([message(1)], 1000)
    topics.machine.receive([message(2)], 2000)

    assert topics.machine.next_wake_ms() == 5_000
    assert topics.machine.tick(4_999) == []
    assert topics.machine.tick(5_000) == [ignored(1)]
    assert topics.machine.judge(validator, [(message(1).message_id, "accept")], 5_000) == []
    [verdict] = topics.machine.judge(validator, [(message(2).message_id, "accept")], 5_000)
    assert verdict == Judge(message(2).message_id, "peer2", "accept")
    assert topics.machine.next_wake_ms() is None


def test_messages_that_wait_for_a_verdict_are_bounded() -> None:
    topics = Subscribers(max_held=2)
    topics.join(validates=True)

    effects = [each for number in range(4) for each in topics.machine.receive([message(number)], 0)]

    assert judged(effects) == [ignored(0), ignored(1)]


@given(st.lists(st.tuples(st.sampled_from("rjlwt"), st.integers(0, 20)), max_size=60))
def test_every_message_is_judged_exactly_once_and_on_time(steps: list[tuple[str, int]]) -> None:
    """Messages, verdicts, leaving validators and time in any order."""
    topics = Subscribers(max_held=5)
    validator, _ = topics.join(validates=True)
    now_ms = received = 0
    verdicts: list[Judge] = []
    came_ms: dict[bytes, int] = {}

    for kind, number in [*steps, ("w", 5000)]:
        if kind == "r":
            received += 1
            came_ms[message(received).message_id] = now_ms
            verdicts += judged(topics.machine.receive([message(received)], now_ms))
            validator.mailbox.take()
        elif kind == "j" and received:
            name = message(received - number % received).message_id
            verdicts += judged(topics.machine.judge(validator, [(name, "accept")], now_ms))
        elif kind == "l":
            verdicts += judged(topics.machine.leave(validator, now_ms))
            validator, _ = topics.join(validates=True)
        elif kind == "t":
            verdicts += judged(topics.machine.tick(now_ms))
        else:
            end_ms = now_ms + 500 * number
            while (wake_ms := topics.machine.next_wake_ms()) is not None and wake_ms <= end_ms:
                now_ms = wake_ms
                over = judged(topics.machine.tick(now_ms))
                assert over
                assert all(now_ms == came_ms[each.message_id] + 4_000 for each in over)
                verdicts += over
            now_ms = end_ms

    names = [each.message_id for each in verdicts]
    assert sorted(names) == [message(number + 1).message_id for number in range(received)]


@pytest.mark.parametrize("topic", ["", "x" * 257, "é" * 129])
def test_topics_beyond_the_limits_are_refused(topic: str) -> None:
    with pytest.raises(InvalidTopicError):
        check_topic(topic)


def test_messages_beyond_the_limits_are_refused() -> None:
    check_topic("é" * 128)
    check_message(bytes(150 * 1024), MAX_MESSAGE_BYTES)
    for size in (0, 150 * 1024 + 1):
        with pytest.raises(MessageSizeError):
            check_message(bytes(size), MAX_MESSAGE_BYTES)
