"""What the panel Messages knows and says."""

from google.protobuf.timestamp_pb2 import Timestamp

from logos.delivery.v1 import delivery_pb2 as pb
from logos_app.panels.delivery import seen, words
from logos_app.panels.delivery.seen import MessagesSeen, Sent

TOPIC = "/app/1/chat/proto"


def came(position: int, payload: bytes = b"x", topic: str = TOPIC) -> pb.Event:
    return pb.Event(
        position=position,
        kind=pb.EVENT_KIND_RECEIVED,
        at=Timestamp(seconds=position),
        content_topic=topic,
        message={"payload": payload, "content_topic": topic},
    )


def told(request_id: str, kind: "pb.EventKind.ValueType", error: str = "") -> pb.Event:
    return pb.Event(request_id=request_id, kind=kind, error=error)


def test_the_newest_messages_stand_first_and_are_bounded() -> None:
    events = [came(number) for number in range(1, 151)]
    now = seen.with_events(MessagesSeen(), events, 150)
    assert [each.position for each in now.received] == list(range(150, 50, -1))
    assert now.position == 150
    assert now.received[0].at_ms == 150_000


def test_messages_of_one_topic() -> None:
    now = seen.with_events(MessagesSeen(), [came(1), came(2, topic="/b/1/c/d")], 2)
    assert [each.position for each in seen.of_topic(now, TOPIC)] == [1]
    assert len(seen.of_topic(now, "")) == 2


def test_how_far_a_message_of_the_page_has_come() -> None:
    now = seen.with_sent(MessagesSeen(), Sent("a", 1, TOPIC, "hello"))
    assert words.stage_said(now.sent[0]) == "on its way"
    now = seen.with_events(now, [told("a", pb.EVENT_KIND_PROPAGATED), told("b", 3)], 2)
    assert words.stage_said(now.sent[0]) == "another node has it"
    assert not now.sent[0].is_over
    now = seen.with_events(now, [told("a", pb.EVENT_KIND_ERROR, "too large")], 3)
    assert words.stage_said(now.sent[0]) == "it could not be sent: too large"
    assert now.sent[0].is_over
    assert len(now.sent) == 1


def test_only_the_last_messages_of_the_page_are_kept() -> None:
    now = MessagesSeen()
    for number in range(30):
        now = seen.with_sent(now, Sent(str(number), number, TOPIC, "x"))
    assert [each.request_id for each in now.sent] == [str(n) for n in range(29, 9, -1)]


def test_the_sentence_says_what_is_followed_and_how_well() -> None:
    health = pb.Health(connection=pb.CONNECTION_STATUS_CONNECTED)
    assert words.sentence("node1", MessagesSeen()) == (
        "How messages stand at node1 is not known yet."
    )
    now = seen.with_state(MessagesSeen(), health, [TOPIC])
    assert words.sentence("node1", now) == (
        "Node1 follows one topic, and is connected to enough nodes."
    )
    lonely = pb.Health(connection=pb.CONNECTION_STATUS_DISCONNECTED)
    now = seen.with_state(MessagesSeen(), lonely, [])
    assert words.sentence("node1", now).endswith("what it sends waits.")


def test_how_a_topic_is_connected() -> None:
    health = pb.Health(content_topics={TOPIC: pb.TOPIC_HEALTH_MINIMALLY_HEALTHY})
    now = seen.with_state(MessagesSeen(), health, [TOPIC, "/b/1/c/d"])
    assert words.topic_said(now, TOPIC) == "few neighbours"
    assert words.topic_said(now, "/b/1/c/d") == "not known yet"


def test_payloads_for_people() -> None:
    assert words.text_of(b"hello") == "hello"
    assert words.text_of(b"\xff\xfe") == "2 B that are not text"
    assert words.text_of("é".encode() * 3_000).endswith("…")
    assert "\u202e" not in words.text_of("\u202eevil".encode())
