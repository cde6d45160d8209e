"""The relay: follows shards, judges what comes, passes on what is accepted.

The rules are in core/relay/; DEL-10.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from logos_base.errors import LogosError
from logos_base.gossip import FollowedTopic, Neighbours, Verdict
from logos_delivery.core.message import Message, check_size, encode, message_hash
from logos_delivery.core.ports import Gossip, Proofs
from logos_delivery.core.relay.relay_guard import (
    Convict,
    Effect,
    Judge,
    Pass,
    RelayGuard,
    RelayRules,
    Verify,
)
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_UNJUDGED: Final = 4_096
"""Messages whose verdict is outstanding; the oldest are left to gossip, which ignores them."""

Sink = Callable[[Pass], None]
"""Takes an accepted message; never waits and never fails."""


class RelayOperations:
    """The relay of one node. Enter `running` first."""

    def __init__(
        self,
        gossip: Gossip,
        proofs: Proofs,
        rules: RelayRules,
        unix_ms: Callable[[], int],
    ) -> None:
        self._gossip = gossip
        self._proofs = proofs
        self._rules = rules
        self._guard = RelayGuard(rules)
        self._driver: Driver[Effect] = Driver(self._guard, self._perform, unix_ms)
        self._followed: dict[str, _Followed] = {}
        self._unjudged: dict[bytes, FollowedTopic] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.sinks: list[Sink] = []
        self.accuse: Callable[[bytes], None] = lambda _secret: None
        """Is told the secrets of members that used an id twice (DSN-25); never fails."""
        self.refused: Counter[str] = Counter()
        """Messages of neighbours that were not accepted, by reason."""
        self.follows = 0
        """How often it has begun to follow a topic."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open."""
        async with self._driver.running(), asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            yield
            for followed in self._followed.values():
                followed.task.cancel()

    # -- shards --------------------------------------------------------------------------------

    @property
    def followed(self) -> Sequence[str]:
        """The pubsub topics that this node follows."""
        return sorted(self._followed)

    async def follow(self, pubsub_topic: str) -> None:
        """Follows a topic, and returns once that has begun; each call needs its `leave`."""
        followed = self._followed.get(pubsub_topic)
        if followed is None:
            if self._tasks is None:
                raise RuntimeError("the relay is not running")
            begun = asyncio.Event()
            self.follows += 1
            task = self._tasks.create_task(self._read(pubsub_topic, begun))
            followed = self._followed[pubsub_topic] = _Followed(task, begun)
        followed.holders += 1
        await followed.begun.wait()

    def leave(self, pubsub_topic: str) -> None:
        """Takes one `follow` back."""
        followed = self._followed[pubsub_topic]
        followed.holders -= 1
        if not followed.holders:
            del self._followed[pubsub_topic]
            followed.task.cancel()

    async def neighbours(self) -> dict[str, Neighbours]:
        """Returns the neighbours on each topic that this node follows. NetworkUnavailableError."""
        listed = await self._gossip.neighbours()
        return {topic: listed.get(topic, Neighbours()) for topic in self.followed}

    async def followers(self, pubsub_topic: str) -> int:
        """Returns how many neighbours follow a topic; 0 where that is not known now."""
        try:
            listed = await self._gossip.neighbours()
        except LogosError:
            return 0
        return len(listed.get(pubsub_topic, Neighbours()).followers)

    # -- messages ------------------------------------------------------------------------------

    async def check(self, pubsub_topic: str, raw: bytes) -> None:
        """Judges a message that this node is to publish for another.

        Raises the error of the rule that it breaks (core/relay/errors.py).
        """
        await self._driver.ask(self._guard.check, pubsub_topic, raw)

    async def check_history(self, pubsub_topic: str, raw: bytes) -> None:
        """Judges a message that another store node has kept. Errors as `check`."""
        await self._driver.ask(self._guard.check_history, pubsub_topic, raw)

    async def publish(self, pubsub_topic: str, message: Message) -> bytes:
        """Publishes a message, which this node gets itself, too; returns its hash, 32 bytes.

        Raises:
            DeliveryMessageTooLargeError, and those of `Gossip.publish`.
        """
        raw = encode(message)
        check_size(raw, self._rules.max_message_bytes)
        await self._gossip.publish(pubsub_topic, raw)
        return self.take_own(pubsub_topic, message)

    def take_own(self, pubsub_topic: str, message: Message) -> bytes:
        """Gives a message of this node to what wants messages here; returns its hash."""
        digest = message_hash(pubsub_topic, message)
        self._pass_on(Pass(pubsub_topic, message, digest))
        return digest

    def _pass_on(self, accepted: Pass) -> None:
        for sink in self.sinks:
            sink(accepted)

    async def _read(self, pubsub_topic: str, begun: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            try:
                shard = await stack.enter_async_context(self._gossip.follow(pubsub_topic))
            finally:
                begun.set()
            while True:
                for heard in await shard.messages():
                    self._unjudged[heard.gossip_id] = shard
                    if len(self._unjudged) > MAX_UNJUDGED:
                        del self._unjudged[next(iter(self._unjudged))]
                    self._driver.put(
                        self._guard.received, heard.gossip_id, pubsub_topic, heard.data
                    )

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Judge(gossip_id, verdict, reason):
                if verdict is not Verdict.ACCEPT:
                    self.refused[reason] += 1
                shard = self._unjudged.pop(gossip_id, None)
                if shard is not None:
                    shard.judge(gossip_id, verdict)
            case Pass():
                self._pass_on(effect)
            case Verify():
                self._driver.start(self._verify(effect))
            case Convict():
                self._driver.start(self._convict(effect))

    async def _verify(self, asked: Verify) -> None:
        try:
            verdict, reason = await self._proofs.verify(asked.identifier, asked.signal, asked.proof)
        except LogosError:
            self._driver.report(self._guard.unverified, asked.job)
        else:
            self._driver.report(self._guard.verified, asked.job, verdict, reason)

    async def _convict(self, found: Convict) -> None:
        secret = await self._proofs.convict(found.identifier, found.one, found.other)
        text = "a member has used one message id twice"
        log.warning(text, extra={"secret_recovered": secret is not None})
        if secret is not None:
            self.accuse(secret)


class _Followed:
    """A topic that is followed, and by how many."""

    def __init__(self, task: asyncio.Task[None], begun: asyncio.Event) -> None:
        self.task = task
        self.begun = begun
        self.holders = 0
