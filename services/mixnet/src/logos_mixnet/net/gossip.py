"""Gossip of the libp2p host."""

from collections.abc import Sequence
from typing import Any

from logos_base.errors import LogosError
from logos_mixnet.core.errors import (
    DuplicateMessageError,
    MessageSizeError,
    NoPeersError,
    QueueFullError,
)
from logos_mixnet.core.gossip import Effect, FollowedTopic, Gossip, TopicPeer
from logos_mixnet.core.mailbox import Message
from logos_mixnet.net.host import HostBridge
from logos_module.driver import Driver


class NativeGossip:
    """`GossipHost` over libp2p."""

    def __init__(self, bridge: HostBridge) -> None:
        self._bridge = bridge
        bridge.answers("PublishDone")
        bridge.answers("TopicsListed")
        self.judge = bridge.host.judge
        self.follow = bridge.host.subscribe
        self.leave = bridge.host.unsubscribe

    def deliver(self, machine: Gossip, driver: Driver[Effect]) -> None:
        """Gives a machine what the host receives."""

        def receive(events: Sequence[Any]) -> None:
            messages = [
                Message(e.topic, e.message_id, e.data, e.from_peer_id, e.received_unix_us)
                for e in events
            ]
            driver.put(machine.receive, messages)

        self._bridge.on_run("Message", receive)
        self._bridge.on("MessagesLost", lambda e: driver.put(machine.lose, e.topic, e.count))

    async def topics(self) -> list[FollowedTopic]:
        listed = await self._bridge.answer(self._bridge.host.list_topics())
        return sorted(followed(*topic) for topic in listed.topics)

    async def publish(self, topic: str, data: bytes) -> None:
        done = await self._bridge.answer(self._bridge.host.publish(topic, data))
        if done.error is not None:
            raise publish_error(done.error)


def followed(topic: str, followers: list[tuple[str, float]], mesh: list[str]) -> FollowedTopic:
    """Returns a topic as the host tells of it."""
    peers = [TopicPeer(peer, peer in mesh, score) for peer, score in sorted(followers)]
    return FollowedTopic(topic, peers)


def publish_error(error: str) -> LogosError:
    """Turns the host's reason for publishing nothing into an error."""
    if error == "duplicate":
        return DuplicateMessageError("the same bytes were seen within the last two minutes")
    if error == "queue_full":
        return QueueFullError("every peer is slower than this sender")
    if error == "too_large":
        return MessageSizeError("the message does not fit into the network's frames")
    return NoPeersError(f"no connected peer took the message: {error}")
