"""DLC-1 to DLC-4, DLC-16 to DLC-20, DLC-24 to DLC-26: messages of light clients, as bytes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.light import (
    filter_wire,
    light_push,
    light_push_v2,
    metadata,
    peer_exchange,
)
from logos_delivery.core.light.errors import LightFrameError, LightMessageMalformedError
from logos_delivery.core.light.filter_wire import (
    FilterKind,
    FilterPush,
    FilterRequest,
    FilterResponse,
    FilterStatus,
)
from logos_delivery.core.light.framing import (
    LARGE_BYTES,
    METADATA_BYTES,
    SMALL_BYTES,
    FrameReader,
    frame,
)
from logos_delivery.core.light.light_push import (
    LightPushRequest,
    LightPushResponse,
    LightPushStatus,
)
from logos_delivery.core.light.metadata import Metadata
from logos_delivery.core.light.peer_exchange import (
    PeerExchangeStatus,
    PeersRequest,
    PeersResponse,
)
from logos_delivery.core.message import Message, encode

MESSAGE = Message(b"abc", "/a/1/b/c")
texts = st.text(max_size=20)
messages = st.builds(
    Message, payload=st.binary(max_size=40), content_topic=texts.filter(bool)
).filter(lambda message: bool(message.payload))
numbers = st.integers(0, 2**32 - 1)


# How messages are framed, by DLC-1


def test_the_bounds_are_those_of_the_reference() -> None:
    assert (LARGE_BYTES, SMALL_BYTES, METADATA_BYTES) == (1_601_536, 65_536, 1_024)


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 700))
def test_messages_are_read_however_a_stream_is_cut(frames: list[bytes], size: int) -> None:
    reader, raw = FrameReader(300), b"".join(map(frame, frames))
    found = [each for at in range(0, len(raw), size) for each in reader.feed(raw[at : at + size])]
    assert found == frames
    reader.end()


def test_a_message_that_is_too_long_is_refused_before_it_has_come() -> None:
    assert FrameReader(300).feed(frame(bytes(300))) == [bytes(300)]
    with pytest.raises(LightFrameError, match="over 300"):
        FrameReader(300).feed(frame(bytes(301))[:2])
    with pytest.raises(LightFrameError):
        FrameReader(300).feed(b"\xff" * 10)


def test_a_length_need_not_be_the_shortest() -> None:
    assert FrameReader(300).feed(b"\x81\x00a") == [b"a"]


@pytest.mark.parametrize("cut", [b"\x81", b"\x02a"])
def test_a_stream_that_ends_within_a_message_is_noticed(cut: bytes) -> None:
    reader = FrameReader(300)
    assert reader.feed(cut) == []
    with pytest.raises(LightFrameError, match="ends"):
        reader.end()


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_arbitrary_bytes_are_messages_or_refused(parts: list[bytes]) -> None:
    reader = FrameReader(40)
    try:
        found = [each for part in parts for each in reader.feed(part)]
    except LightFrameError:
        return
    assert all(len(each) <= 40 for each in found)


# Each form is read as it was written, and arbitrary bytes are the fault of their sender.

FORMS: list[tuple[str, Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    (
        "filter request",
        st.builds(
            FilterRequest,
            texts,
            st.sampled_from(FilterKind),
            st.none() | texts,
            st.lists(texts, max_size=120).map(tuple),
        ),
        filter_wire.encode_request,
        filter_wire.decode_request,
    ),
    (
        "filter response",
        st.builds(FilterResponse, texts, numbers, st.none() | texts),
        filter_wire.encode_response,
        filter_wire.decode_response,
    ),
    (
        "filter push",
        st.builds(FilterPush, texts, messages),
        lambda push: filter_wire.encode_push(push.pubsub_topic, encode(push.message)),
        filter_wire.decode_push,
    ),
    (
        "light push request",
        st.builds(LightPushRequest, texts, messages, st.none() | texts),
        light_push.encode_request,
        light_push.decode_request,
    ),
    (
        "light push response",
        st.builds(LightPushResponse, texts, numbers, st.none() | texts, st.none() | numbers),
        light_push.encode_response,
        light_push.decode_response,
    ),
    (
        "light push v2 request",
        st.builds(light_push_v2.PushRequest, texts, texts, messages),
        light_push_v2.encode_request,
        light_push_v2.decode_request,
    ),
    (
        "light push v2 response",
        st.builds(light_push_v2.PushResponse, texts, st.booleans(), st.none() | texts),
        light_push_v2.encode_response,
        light_push_v2.decode_response,
    ),
    (
        "peers request",
        st.builds(PeersRequest, st.integers(0, 60)),
        peer_exchange.encode_request,
        peer_exchange.decode_request,
    ),
    (
        "peers response",
        st.builds(
            PeersResponse,
            st.lists(st.binary(min_size=1, max_size=300), max_size=60).map(tuple),
            st.sampled_from([PeerExchangeStatus(n) for n in (200, 400, 429, 503)]),
            st.none() | texts,
        ),
        peer_exchange.encode_response,
        peer_exchange.decode_response,
    ),
    (
        "metadata",
        st.builds(
            Metadata,
            st.none() | st.integers(0, 65535),
            st.lists(st.integers(0, 65535), max_size=40, unique=True).map(tuple),
        ),
        metadata.encode,
        metadata.decode,
    ),
]
IDS = [name for name, *_ in FORMS]


@pytest.mark.parametrize(("name", "values", "write", "read"), FORMS, ids=IDS)
def test_each_form_is_read_as_it_was_written(
    name: str, values: Any, write: Callable[[Any], bytes], read: Callable[[bytes], Any]
) -> None:
    @given(values)
    def check(value: Any) -> None:
        assert read(write(value)) == value

    check()


@pytest.mark.parametrize(("name", "values", "write", "read"), FORMS, ids=IDS)
def test_arbitrary_bytes_are_refused_as_the_fault_of_their_sender(
    name: str, values: Any, write: Callable[[Any], bytes], read: Callable[[bytes], Any]
) -> None:
    @given(st.binary(max_size=60) | values.map(write).map(lambda raw: raw[:-1]))
    def check(raw: bytes) -> None:
        try:
            read(raw)
        except LightMessageMalformedError:
            return

    check()


# How filter is written, by DLC-2 and DLC-3


def test_the_bytes_of_filter() -> None:
    request = FilterRequest("r", FilterKind.SUBSCRIBE, "p", ("a", "b"))
    assert filter_wire.encode_request(request).hex() == "0a01721001520170" + "5a0161" + "5a0162"
    assert filter_wire.encode_request(FilterRequest("r", FilterKind.PING)).hex() == "0a01721000"
    response = FilterResponse("r", FilterStatus.OK, "OK")
    assert filter_wire.encode_response(response).hex() == "0a017250c8015a024f4b"
    assert filter_wire.encode_push("p", b"m").hex() == "0a016d120170"


def test_a_request_without_kind_is_a_ping() -> None:
    assert filter_wire.decode_request(bytes.fromhex("0a0172")) == FilterRequest(
        "r", FilterKind.PING
    )


@pytest.mark.parametrize(
    ("read", "raw", "name"),
    [
        (filter_wire.decode_request, "1001", "request_id"),
        (filter_wire.decode_request, "0a01721004", "4"),
        (filter_wire.decode_response, "50c801", "request_id"),
        (filter_wire.decode_response, "0a0172", "status_code"),
        (filter_wire.decode_push, "120170", "message"),
        (filter_wire.decode_push, "0a056a0362616412", "truncated"),
        (filter_wire.decode_push, "0a0c0a0161120762", "cut off"),
        (light_push.decode_request, "0a0172", "message"),
        (light_push.decode_request, "0a0172aa01030a0161", "content topic"),
        (light_push.decode_response, "0a0172", "status_code"),
        (light_push_v2.decode_request, "0a0172", "empty_request_body_failure"),
        (light_push_v2.decode_request, "0a0172" + "1200", "pubsub_topic"),
        (light_push_v2.decode_response, "0a0172", "empty_response_body_failure"),
        (light_push_v2.decode_response, "0a01721a00", "is_success"),
        (light_push_v2.decode_response, "1a00", "request_id"),
        (peer_exchange.decode_request, "", "request"),
        (peer_exchange.decode_response, "1200", "request"),
    ],
)
def test_what_is_missing_is_named(read: Callable[[bytes], Any], raw: str, name: str) -> None:
    with pytest.raises(LightMessageMalformedError, match=name):
        read(bytes.fromhex(raw))


def test_a_push_without_its_topic_is_refused() -> None:
    push = filter_wire.encode_push("p", encode(MESSAGE))
    assert filter_wire.decode_push(push) == FilterPush("p", MESSAGE)
    with pytest.raises(LightMessageMalformedError, match="pubsub_topic"):
        filter_wire.decode_push(push[:-3])


def test_requests_with_too_many_topics_are_read_up_to_a_bound() -> None:
    def raw(topics: int) -> bytes:
        request = FilterRequest("r", FilterKind.SUBSCRIBE, "p", ("a",) * topics)
        return filter_wire.encode_request(request)

    assert len(filter_wire.decode_request(raw(1_021)).content_topics) == 1_021
    with pytest.raises(LightMessageMalformedError):
        filter_wire.decode_request(raw(1_022))


def test_a_response_answers_its_own_request() -> None:
    fitting = FilterResponse("r", FilterStatus.OK, "OK")
    assert filter_wire.checked_response(fitting, "r") is fitting
    assert filter_wire.checked_response(fitting, "s").status == FilterStatus.BAD_RESPONSE
    limited = filter_wire.too_many_requests()
    assert filter_wire.checked_response(limited, "s") is limited
    assert limited == FilterResponse("N/A", 429, "filter request rejected due rate limit exceeded")
    assert fitting.is_ok
    assert not limited.is_ok


# How light push is written and answered, by DLC-16 to DLC-19

REQUEST = LightPushRequest("r", MESSAGE)


def test_the_bytes_of_light_push() -> None:
    inner = encode(MESSAGE).hex()
    raw = light_push.encode_request(LightPushRequest("r", MESSAGE, "p"))
    assert raw.hex() == "0a0172a2010170aa010f" + inner
    response = LightPushResponse("r", 200, None, 3)
    assert light_push.encode_response(response).hex() == "0a017250c8016003"
    old = light_push_v2.PushRequest("r", "p", MESSAGE)
    assert light_push_v2.encode_request(old).hex() == "0a01721214" + "0a0170120f" + inner
    refused = light_push_v2.PushResponse("r", is_success=False, info="x")
    assert light_push_v2.encode_response(refused).hex() == "0a01721a05" + "0800120178"


def test_the_topic_of_a_request() -> None:
    def topic(request: LightPushRequest, shards: int | None) -> str | LightPushResponse:
        return light_push.topic_of(request, cluster=1, shards=shards)

    myapp = LightPushRequest("r", Message(b"a", "/toychat/2/huilong/proto"))
    assert topic(myapp, 8) == "/waku/2/rs/1/3"  # the published shard of toychat, version 2
    assert topic(LightPushRequest("r", MESSAGE, "/waku/2/rs/9/9"), 8) == "/waku/2/rs/9/9"
    static = topic(REQUEST, None)
    assert static == LightPushResponse(
        "r", 420, "Pubsub topic must be specified when static sharding is enabled"
    )
    unnamed = topic(LightPushRequest("r", Message(b"a", "x")), 8)
    assert isinstance(unnamed, LightPushResponse)
    assert unnamed.status == LightPushStatus.INVALID_MESSAGE
    empty = topic(LightPushRequest("r", MESSAGE, " "), 8)
    assert empty == LightPushResponse("r", 400, "topic must not be empty")


def test_what_a_service_answers() -> None:
    assert light_push.relayed(REQUEST, 2) == LightPushResponse("r", 200, None, 2)
    assert light_push.relayed(REQUEST, 0) == LightPushResponse(
        "r", 505, "No peers for topic, skipping publish"
    )
    error = LightMessageMalformedError("MissingRequiredField message")
    assert light_push.malformed(error) == LightPushResponse(
        "N/A", 400, "decode_rpc_failure: MissingRequiredField message"
    )
    assert light_push.too_many_requests() == LightPushResponse(
        "N/A", 429, "Request rejected due to too many requests"
    )
    old = light_push_v2.PushRequest("r", "p", MESSAGE)
    assert light_push_v2.relayed(old, is_published=True).info == "OK"
    assert light_push_v2.relayed(old, is_published=False).info == "not_published_to_any_peer"
    assert light_push_v2.malformed(LightMessageMalformedError("x")) == light_push_v2.PushResponse(
        "", is_success=False, info="x"
    )
    assert light_push_v2.too_many_requests().info == "TOO_MANY_REQUESTS"


def test_what_a_client_makes_of_a_response() -> None:
    good = LightPushResponse("r", 200, None, 1)
    assert light_push.checked_response(good, "r") is good
    assert light_push.checked_response(good, "s").status == LightPushStatus.INTERNAL_ERROR
    for peers in (None, 0):
        unheard = light_push.checked_response(LightPushResponse("r", 200, "d", peers), "r")
        assert unheard == LightPushResponse("r", 505, "d")
    limited = light_push.too_many_requests()
    assert light_push.checked_response(limited, "r") is limited


# How metadata is written and judged, by DLC-24 to DLC-26


def test_shards_are_read_in_each_form() -> None:
    assert metadata.encode(Metadata(1, (6, 7))).hex() == "0801100610071a020607"
    assert metadata.encode(Metadata(0)).hex() == "0800"
    for raw in ("0801100610071a020607", "080110061007", "080112020607", "08011a020607"):
        assert metadata.decode(bytes.fromhex(raw)) == Metadata(1, (6, 7))
    assert metadata.decode(b"") == Metadata(None)


@pytest.mark.parametrize("raw", ["08808004", "1a03808004", "0a0101", "1a" + "ff" * 9])
def test_numbers_of_over_16_bits_and_other_bytes_are_refused(raw: str) -> None:
    with pytest.raises(LightMessageMalformedError):
        metadata.decode(bytes.fromhex(raw))
    with pytest.raises(LightMessageMalformedError):
        metadata.decode(bytes(1025))


@given(st.integers(0, 65535), st.sets(st.integers(0, 65535), max_size=1100))
def test_metadata_of_many_shards_fits(cluster: int, shards: set[int]) -> None:
    said = Metadata(cluster, tuple(sorted(shards)))
    raw = metadata.encode(said)

    assert len(raw) <= METADATA_BYTES
    found = metadata.decode(raw)
    assert found.cluster == cluster
    assert found.shards == said.shards[: len(found.shards)]
    assert len(found.shards) >= min(len(shards), 339)


def test_a_peer_of_another_cluster_is_refused() -> None:
    assert metadata.refusal(Metadata(2, (9,)), 2) is None
    assert metadata.refusal(Metadata(None), 2) == "empty cluster-id reported"
    assert metadata.refusal(Metadata(3), 2) == "different clusterId reported: 2 vs 3"
