"""CNW-15, CNW-16: the room for messages that are being judged."""

import asyncio
from collections.abc import Callable

from chain_network import MemoryTopic, Network, network
from chain_world import until

from logos_base.errors import StoreFailedError
from logos_base.gossip import Heard, Verdict
from logos_chain.operations.gossiping import JudgedTopic, Room

TOPIC = "t"


class Judged:
    """A topic whose messages are judged when the test lets them."""

    def __init__(self, net: Network, room: Room) -> None:
        self.net = net
        self.let = asyncio.Event()
        self.judged: list[Heard] = []
        self.failure: Exception | None = None
        self.topic = JudgedTopic(net.gossip("a"), TOPIC, self.glance, self.judge, room)
        self.running = net.tasks.create_task(self.topic.run())

    def glance(self, raw: bytes) -> Verdict | None:
        return Verdict.REJECT if raw.startswith(b"junk") else None

    async def judge(self, heard: Heard) -> Verdict:
        self.judged.append(heard)
        await self.let.wait()
        if self.failure is not None:
            raise self.failure
        return Verdict.ACCEPT

    async def heard(self) -> MemoryTopic:
        await until(lambda: "a" in self.net.topics[TOPIC])
        return self.net.topics[TOPIC]["a"]


def verdicts(topic: MemoryTopic) -> list[Verdict]:
    return list(topic.verdicts.values())


async def judged(*, room: Room, send: Callable[[MemoryTopic], int], waits: int) -> list[Verdict]:
    async with network() as net:
        one = Judged(net, room)
        topic = await one.heard()
        count = send(topic)
        await until(lambda: len(one.judged) == waits and len(topic.verdicts) == count - waits)
        assert one.topic.judging == waits
        early = verdicts(topic)
        one.let.set()
        await until(lambda: len(topic.verdicts) == count)
        assert one.topic.judging == 0
        assert one.topic._taken_bytes == 0
        assert verdicts(topic)[len(early) :] == [Verdict.ACCEPT] * waits
        one.running.cancel()
        return early


async def test_no_more_messages_are_judged_at_once_than_there_is_room() -> None:
    def send(topic: MemoryTopic) -> int:
        for number in range(10):
            topic.hear(b"%d" % number, f"peer {number}")
        return 10

    early = await judged(room=Room(4, 1000, 4), send=send, waits=4)
    assert early == [Verdict.IGNORE] * 6

    early = await judged(room=Room(100, 3, 4), send=send, waits=3)
    assert early == [Verdict.IGNORE] * 7


async def test_one_neighbour_leaves_room_for_the_others() -> None:
    def send(topic: MemoryTopic) -> int:
        for number in range(100):
            topic.hear(b"flood %d" % number, "flooder")
        topic.hear(b"other", "other")
        return 101

    early = await judged(room=Room(8, 1 << 20, 2), send=send, waits=3)
    assert early == [Verdict.IGNORE] * 98


async def test_junk_takes_no_room() -> None:
    def send(topic: MemoryTopic) -> int:
        for number in range(1000):
            topic.hear(b"junk %d" % number, "flooder")
        topic.hear(b"good", "flooder")
        return 1001

    early = await judged(room=Room(1, 1000, 1), send=send, waits=1)
    assert early == [Verdict.REJECT] * 1000


async def test_what_cannot_be_judged_is_ignored_and_the_topic_goes_on() -> None:
    async with network() as net:
        one = Judged(net, Room(4, 1000, 4))
        one.let.set()
        topic = await one.heard()
        for failure in (StoreFailedError("it failed"), RuntimeError("a bug"), None):
            one.failure = failure
            topic.hear(repr(failure).encode(), "peer")
            await until(lambda: len(one.judged) == len(topic.verdicts) == len(topic._seen))
        assert verdicts(topic) == [Verdict.IGNORE, Verdict.IGNORE, Verdict.ACCEPT]
        assert one.topic.verdicts == {Verdict.IGNORE: 2, Verdict.ACCEPT: 1}
        one.running.cancel()
