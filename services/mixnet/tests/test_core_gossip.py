import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.errors import (
    InvalidTopicError,
    MessageSizeError,
    ValidatorExistsError,
)
from logos_mixnet.core.mailbox import Mailbox, Message
from logos_mixnet.core.topics import Follow, Leave, Topics, check_message, check_topic
from logos_mixnet.core.verdicts import Judge, PendingVerdicts


def message(number: int, size: int = 1, topic: str = "t") -> Message:
    return Message(topic, number.to_bytes(32, "big"), bytes(size), f"peer{number}", 0)


def test_a_mailbox_keeps_order_and_counts_what_it_loses() -> None:
    mailbox = Mailbox(max_messages=3, max_bytes=100)

    kept = [mailbox.put(message(number)) for number in range(5)]

    batch = mailbox.take()
    assert kept == [True, True, True, False, False]
    assert [m.message_id[-1] for m in batch.messages] == [0, 1, 2]
    assert batch.lost == 2
    assert not mailbox


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

    assert len(many.take().messages) == 256
    assert len(many.take().messages) == 44
    assert len(large.take().messages) == 6


@given(st.lists(st.one_of(st.integers(1, 2000), st.none())))
def test_nothing_is_lost_uncounted(steps: list[int | None]) -> None:
    mailbox = Mailbox(max_messages=5, max_bytes=5000)
    put = taken = 0

    for step in [*steps, *([None] * 10)]:
        if step is None:
            batch = mailbox.take()
            taken += len(batch.messages) + batch.lost
        else:
            put += 1
            mailbox.put(message(put, step))

    assert taken == put
    assert not mailbox


def test_the_first_reader_follows_a_topic_and_the_last_leaves_it() -> None:
    topics = Topics()

    first, effects = topics.join("t", validates=False)
    assert effects == [Follow("t")]
    second, effects = topics.join("t", validates=False)
    assert effects == []
    assert topics.leave(first) == []
    assert topics.leave(second) == [Leave("t")]
    assert topics.leave(second) == []


def test_messages_are_accepted_at_once_where_nobody_validates() -> None:
    topics = Topics()
    one, _ = topics.join("t", validates=False)
    two, _ = topics.join("t", validates=False)

    readers, verdicts = topics.receive(message(1), 0)

    assert readers == [one, two]
    assert verdicts == [Judge(message(1).message_id, "peer1", "accept")]


def test_messages_wait_for_the_validator() -> None:
    topics = Topics()
    validator, _ = topics.join("t", validates=True)
    other, _ = topics.join("t", validates=False)
    name = message(1).message_id

    readers, verdicts = topics.receive(message(1), 0)

    assert (readers, verdicts) == ([validator, other], [])
    assert topics.judge(other, name, "accept") is None
    assert topics.judge(validator, name, "reject") == Judge(name, "peer1", "reject")
    assert topics.judge(validator, name, "accept") is None
    assert topics.judge(validator, b"unknown", "accept") is None


def test_what_its_validator_loses_is_ignored() -> None:
    topics = Topics()
    topics.join("t", validates=True)
    for number in range(4096):
        topics.receive(message(number), 0)

    _, verdicts = topics.receive(message(5000), 0)

    assert verdicts == [Judge(message(5000).message_id, "peer5000", "ignore")]


def test_only_one_reader_of_a_topic_validates() -> None:
    topics = Topics()
    first, _ = topics.join("t", validates=True)

    with pytest.raises(ValidatorExistsError):
        topics.join("t", validates=True)
    topics.join("u", validates=True)
    topics.leave(first)
    topics.join("t", validates=True)


def test_a_refused_reader_leaves_no_trace() -> None:
    topics = Topics()
    with pytest.raises(InvalidTopicError):
        topics.join("", validates=False)

    assert topics.receive(message(1, topic=""), 0)[0] == []


def test_messages_of_a_validator_that_left_are_ignored() -> None:
    topics = Topics()
    validator, _ = topics.join("t", validates=True)
    topics.receive(message(1), 0)

    assert topics.leave(validator) == [Judge(message(1).message_id, "peer1", "ignore"), Leave("t")]


def test_unjudged_messages_are_ignored_after_four_seconds() -> None:
    pending = PendingVerdicts()
    pending.hold("t", b"1", "p", 1000)
    pending.hold("t", b"2", "p", 2000)

    assert pending.next_deadline_ms == 5_000
    assert pending.expire(4_999) == []
    assert pending.expire(5_000) == [Judge(b"1", "p", "ignore")]
    assert pending.judge("t", b"1", "accept") is None
    assert pending.judge("u", b"2", "accept") is None
    assert pending.judge("t", b"2", "accept") == Judge(b"2", "p", "accept")


def test_pending_messages_are_bounded() -> None:
    pending = PendingVerdicts(limit=2)

    effects = [effect for n in range(4) for effect in pending.hold("t", bytes([n]), "p", n)]

    assert effects == [Judge(b"\0", "p", "ignore"), Judge(b"\1", "p", "ignore")]
    assert len(pending) == 2


@pytest.mark.parametrize("topic", ["", "x" * 257, "é" * 129])
def test_topics_beyond_the_limits_are_refused(topic: str) -> None:
    with pytest.raises(InvalidTopicError):
        check_topic(topic)


def test_messages_beyond_the_limits_are_refused() -> None:
    check_topic("é" * 128)
    check_message(bytes(150 * 1024))
    for size in (0, 150 * 1024 + 1):
        with pytest.raises(MessageSizeError):
            check_message(bytes(size))
