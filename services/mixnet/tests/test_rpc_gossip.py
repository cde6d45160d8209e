from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from mixnet_nodes import ManualClock, RunningNode, fake_address, refused, settled, until

from logos.network.v1 import gossip_pb2 as pb
from logos_mixnet.core.gossip import LINGER_MS, message_id

Start = Callable[..., Awaitable[RunningNode]]


async def chain(start_node: Start, count: int, **settings: Any) -> list[RunningNode]:
    """Nodes in a row: each knows the one before, and stays with that."""
    nodes = [await start_node(1, target_peers=0, **settings)]
    for number in range(2, count + 1):
        bootstrap = [fake_address(number - 1)]
        node = await start_node(number, bootstrap=bootstrap, target_peers=0, **settings)
        await until(lambda: node.host.connections)  # noqa: B023 - awaited at once
        nodes.append(node)
    return nodes


async def subscribe(node: RunningNode, topic: str = "t", *, validate: bool = False) -> Any:
    call = node.gossip.Subscribe()
    await call.write(pb.SubscribeRequest(start={"topic": topic, "validate": validate}))
    assert await call.read() == pb.SubscribeResponse()
    return call


async def publish(node: RunningNode, data: bytes, topic: str = "t") -> bytes:
    response = await node.gossip.Publish(pb.PublishRequest(topic=topic, data=data))
    return bytes(response.message_id)


def verdict(name: bytes, value: int) -> pb.SubscribeRequest:
    return pb.SubscribeRequest(judgements=[{"message_id": name, "verdict": value}])


async def test_messages_cross_nodes_that_accept_them(start_node: Start) -> None:
    one, two, three = await chain(start_node, 3)
    calls = [await subscribe(node) for node in (one, two, three)]

    name = await publish(one, b"hello")

    assert name == message_id(b"hello")
    for call, neighbour in ((calls[1], one), (calls[2], two)):
        [message] = (await call.read()).messages
        assert (message.data, message.message_id) == (b"hello", name)
        assert message.from_peer_id == neighbour.peer_id
        assert message.received_at.seconds == 1_700_000_000


async def test_many_messages_go_in_order_and_each_has_its_outcome(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    listening = await subscribe(two)
    call = one.gossip.PublishMany()
    texts = [b"a", b"b", b"", b"a", b"c"]

    await call.write(
        pb.PublishManyRequest(messages=[{"topic": "t", "data": text} for text in texts])
    )

    outcomes = (await call.read()).outcomes
    assert [one.reason for one in outcomes] == ["", "", "MESSAGE_SIZE", "DUPLICATE_MESSAGE", ""]
    assert [bytes(one.message_id) for one in outcomes if not one.reason] == [
        message_id(text) for text in (b"a", b"b", b"c")
    ]
    got: list[bytes] = []
    while len(got) < 3:
        got += [message.data for message in (await listening.read()).messages]
    assert got == [b"a", b"b", b"c"]
    await call.write(pb.PublishManyRequest(messages=[{"topic": "t"}] * 1001))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "BATCH_SIZE"):
        await call.read()


async def test_every_local_subscriber_gets_every_message(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    calls = [await subscribe(two) for _ in range(3)]

    await publish(one, b"x")

    for call in calls:
        assert [m.data for m in (await call.read()).messages] == [b"x"]


async def test_a_message_is_held_until_its_validator_accepts_it(start_node: Start) -> None:
    one, two, three = await chain(start_node, 3)
    validator, last = await subscribe(two, validate=True), await subscribe(three)
    name = await publish(one, b"x")
    assert (await validator.read()).messages[0].message_id == name
    assert three.host.seen == set()

    await validator.write(verdict(b"unknown", pb.VERDICT_ACCEPT))
    await validator.write(verdict(name, pb.VERDICT_ACCEPT))
    await validator.write(verdict(name, pb.VERDICT_REJECT))

    assert [m.data for m in (await last.read()).messages] == [b"x"]
    assert two.host.verdicts == [(name, one.peer_id, "accept")]


async def test_a_rejected_message_goes_no_further(start_node: Start) -> None:
    one, two, three = await chain(start_node, 3)
    validator = await subscribe(two, validate=True)
    await subscribe(three)
    name = await publish(one, b"x")

    await validator.write(verdict(name, pb.VERDICT_REJECT))

    await until(lambda: two.host.verdicts)
    assert two.host.verdicts == [(name, one.peer_id, "reject")]
    assert three.host.seen == set()


@pytest.mark.stress
async def test_a_message_that_is_not_judged_is_ignored_after_four_seconds(
    start_node: Start,
) -> None:
    clock = ManualClock()
    one, two = await chain(start_node, 2, clock=clock)
    validator = await subscribe(two, validate=True)
    name = await publish(one, b"x")
    await validator.read()
    clock.ms += 3_900
    assert await settled(lambda: len(two.host.verdicts), quiet_s=0.6) == 0

    clock.ms += 100

    await until(lambda: two.host.verdicts)
    assert two.host.verdicts == [(name, one.peer_id, "ignore")]


async def test_messages_of_a_validator_that_left_are_ignored(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    validator = await subscribe(two, validate=True)
    await subscribe(two)
    name = await publish(one, b"x")
    await validator.read()

    validator.cancel()

    await until(lambda: two.host.verdicts)
    assert two.host.verdicts == [(name, one.peer_id, "ignore")]


async def test_only_one_call_validates_a_topic(start_node: Start) -> None:
    [one] = await chain(start_node, 1)
    await subscribe(one, validate=True)
    call = one.gossip.Subscribe()
    await call.write(pb.SubscribeRequest(start={"topic": "t", "validate": True}))

    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "VALIDATOR_EXISTS"):
        await call.read()
    await subscribe(one)


async def test_a_slow_reader_loses_messages_and_learns_how_many(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    call = await subscribe(two)
    size, count = 150_000, 300  # 45 MB: far over the 16 MiB that may wait
    for number in range(count):
        await publish(one, number.to_bytes(4, "big") * (size // 4))
    await until(lambda: not two.host._events)
    reader = next(iter(two.network.gossip.readers._open))
    assert reader.mailbox._bytes <= 16 * 1024 * 1024

    got = lost = 0
    while got + lost < count:
        response = await call.read()
        got += len(response.messages)
        lost += response.lost

    assert lost > 0
    assert got + lost == count


async def test_several_messages_come_in_one_response(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    call = await subscribe(two)
    for number in range(600):
        two.host.hear("t", number.to_bytes(4, "big"), one.peer_id)

    numbers: list[int] = []
    responses = 0
    while len(numbers) < 600:
        response = await call.read()
        numbers += [int.from_bytes(message.data, "big") for message in response.messages]
        responses += 1
        assert len(response.messages) <= 256

    assert numbers == list(range(600))
    assert responses < 50


async def test_messages_that_the_host_dropped_are_counted(start_node: Start) -> None:
    [one] = await chain(start_node, 1)
    call = await subscribe(one)

    one.host.emit("MessagesLost", topic="t", count=5)

    assert (await call.read()).lost == 5


async def test_the_topics_of_a_node_and_their_followers(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    assert await one.gossip.ListTopics(pb.ListTopicsRequest()) == pb.ListTopicsResponse()
    for node, topic in ((one, "b"), (one, "a"), (two, "a")):
        await subscribe(node, topic)
    listed = await one.gossip.ListTopics(pb.ListTopicsRequest())
    assert [(topic.topic, len(topic.peers)) for topic in listed.topics] == [("a", 1), ("b", 0)]
    [peer] = listed.topics[0].peers
    assert (peer.peer_id, peer.in_mesh, peer.score) == (two.peer_id, True, 1.5)


async def test_a_topic_is_left_a_minute_after_its_last_subscriber(start_node: Start) -> None:
    clock = ManualClock()
    [one] = await chain(start_node, 1, clock=clock)
    first, second = await subscribe(one), await subscribe(one)

    first.cancel()
    await until(lambda: list(one.network.gossip.readers))
    second.cancel()
    await until(lambda: one.network.gossip.machine.next_wake_ms() is not None)
    assert one.host.topics == {"t"}
    clock.ms += LINGER_MS
    await subscribe(one, topic="u")  # the machine looks at the time
    await until(lambda: one.host.topics == {"u"})


async def test_a_subscriber_may_end_its_requests_and_go_on_reading(start_node: Start) -> None:
    one, two = await chain(start_node, 2)
    call = await subscribe(two)
    await call.done_writing()

    await publish(one, b"x")

    assert [m.data for m in (await call.read()).messages] == [b"x"]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (pb.SubscribeRequest(), "START_EXPECTED"),
        (verdict(bytes(32), pb.VERDICT_ACCEPT), "START_EXPECTED"),
        (pb.SubscribeRequest(start={"topic": ""}), "INVALID_TOPIC"),
        (pb.SubscribeRequest(start={"topic": "x" * 257}), "INVALID_TOPIC"),
    ],
)
async def test_a_subscription_that_cannot_start_says_why(
    start_node: Start, first: pb.SubscribeRequest, reason: str
) -> None:
    [one] = await chain(start_node, 1)
    call = one.gossip.Subscribe()
    await call.write(first)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await call.read()


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (pb.SubscribeRequest(start={"topic": "t"}), "UNEXPECTED_REQUEST"),
        (verdict(bytes(32), pb.VERDICT_UNSPECIFIED), "INVALID_VERDICT"),
        (verdict(bytes(32), 99), "INVALID_VERDICT"),
    ],
)
async def test_later_requests_are_verdicts(
    start_node: Start, later: pb.SubscribeRequest, reason: str
) -> None:
    [one] = await chain(start_node, 1)
    call = await subscribe(one)
    await call.write(later)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await call.read()


@pytest.mark.parametrize(
    ("topic", "data", "reason"),
    [
        ("", b"x", "INVALID_TOPIC"),
        ("t", b"", "MESSAGE_SIZE"),
        ("t", bytes(150 * 1024 + 1), "MESSAGE_SIZE"),
    ],
)
async def test_messages_beyond_the_limits_are_refused(
    start_node: Start, topic: str, data: bytes, reason: str
) -> None:
    [one] = await chain(start_node, 1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await publish(one, data, topic)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ("duplicate", grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_MESSAGE"),
        ("no_peers", grpc.StatusCode.UNAVAILABLE, "NO_PEERS"),
        ("queue_full", grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
        ("too_large", grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_SIZE"),
    ],
)
async def test_the_hosts_reasons_have_statuses(
    start_node: Start, error: str, code: grpc.StatusCode, reason: str
) -> None:
    [one] = await chain(start_node, 1)
    one.host.publish_error = error

    async with refused(code, reason):
        await publish(one, b"x")


async def test_a_draining_module_ends_subscriptions(start_node: Start) -> None:
    [one] = await chain(start_node, 1)
    call = await subscribe(one)

    one.stopping.set()

    async with refused(grpc.StatusCode.UNAVAILABLE, "MODULE_DRAINING"):
        await call.read()
