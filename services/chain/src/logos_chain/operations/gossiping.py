"""Judges the messages of one topic of gossip, a bounded number of them at once.

What costs little is looked at in the order of arrival. Only what has passed that takes room, and
no neighbour takes more than its share; a message over the limit is ignored, which lowers no score.

Spec: docs/protocol/chain-network.md, CNW-15, CNW-16.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from logos_base.errors import LogosError
from logos_base.gossip import FollowedTopic, Gossip, Heard, Verdict

log = logging.getLogger(__name__)

Glance = Callable[[bytes], Verdict | None]
"""Judges a message at once, by what costs next to nothing; None: it is to be judged."""
Judge = Callable[[Heard], Awaitable[Verdict]]
"""Judges a message that a glance has let through. Untrusted. LogosError: it is ignored."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much is judged at once."""

    messages: int
    size_bytes: int
    """Of all of them together."""
    of_one: int
    """Messages of one neighbour."""


class JudgedTopic:
    """One topic. Enter `run` once."""

    def __init__(
        self, gossip: Gossip, topic: str, glance: Glance, judge: Judge, room: Room
    ) -> None:
        self._gossip = gossip
        self._topic = topic
        self._glance = glance
        self._judge = judge
        self._room = room
        self._taken: Counter[str] = Counter()
        """Messages that are being judged, by neighbour."""
        self._taken_bytes = 0
        self.verdicts: Counter[Verdict] = Counter()
        """Given since the start."""
        self.dropped = 0
        """Messages that found no room."""

    @property
    def judging(self) -> int:
        """Messages that are being judged."""
        return self._taken.total()

    async def run(self) -> None:
        """Follows the topic and judges what comes, until cancelled."""
        async with self._gossip.follow(self._topic) as topic, asyncio.TaskGroup() as tasks:
            while True:
                for heard in await topic.messages():
                    verdict = self._at_once(heard)
                    if verdict is None:
                        tasks.create_task(self._judge_one(topic, heard))
                    else:
                        self._tell(topic, heard, verdict)

    def _at_once(self, heard: Heard) -> Verdict | None:
        verdict = self._glance(heard.data)
        if verdict is not None:
            return verdict
        size = len(heard.data)
        if (
            self.judging >= self._room.messages
            or self._taken_bytes + size > self._room.size_bytes
            or self._taken[heard.neighbour] >= self._room.of_one
        ):
            self.dropped += 1
            return Verdict.IGNORE
        self._taken[heard.neighbour] += 1
        self._taken_bytes += size
        return None

    async def _judge_one(self, topic: FollowedTopic, heard: Heard) -> None:
        verdict = Verdict.IGNORE
        try:
            verdict = await self._judge(heard)
        except LogosError as error:
            log.info("a message was not judged", extra={"error": str(error)})
        except Exception:
            log.exception("unexpected error while judging a message")
        finally:
            self._taken[heard.neighbour] -= 1
            if not self._taken[heard.neighbour]:
                del self._taken[heard.neighbour]
            self._taken_bytes -= len(heard.data)
        self._tell(topic, heard, verdict)

    def _tell(self, topic: FollowedTopic, heard: Heard, verdict: Verdict) -> None:
        self.verdicts[verdict] += 1
        topic.judge(heard.gossip_id, verdict)
