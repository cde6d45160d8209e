"""What relays tell each other: who is a member, who was slashed, which shares they saw.

By gossip what is new; by a stream, when two nodes meet and from time to time, what the other may
have missed (RLN-27, RLN-28). All of it proves itself, so it does not matter who tells it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Final

from logos_base.errors import LogosError, RemoteFaultError
from logos_mixnet.core import gossip
from logos_mixnet.core.errors import DuplicateMessageError
from logos_mixnet.core.mailbox import Message
from logos_mixnet.core.notices import PeerEvent
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.rln import metadata
from logos_mixnet.core.rln.guard import Report
from logos_mixnet.core.rln.records import (
    ANNOUNCEMENTS_TOPIC,
    DIGEST_BYTES,
    PROTOCOL,
    SLASHES_TOPIC,
    Kind,
    Record,
    RecordReader,
)
from logos_mixnet.operations.gossip import GossipOperations, Subscription
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.operations.rln_checks import ProofChecks
from logos_mixnet.operations.rln_members import MemberOperations
from logos_mixnet.operations.streams import StreamOperations
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

SYNC_TIMEOUT_S: Final = 30.0
SYNC_EVERY_S: Final = 60.0
MAX_SYNCS: Final = 8
"""Streams that are asked, and that are answered, at once: their records wait in memory."""
TOPICS: Final = {Kind.ANNOUNCEMENT: ANNOUNCEMENTS_TOPIC, Kind.SLASH: SLASHES_TOPIC}


class RlnCoordination:
    """The coordination layer of one node."""

    def __init__(
        self,
        gossip: GossipOperations,
        streams: StreamOperations,
        peering: PeeringOperations,
        *,
        members: MemberOperations,
        checks: ProofChecks,
    ) -> None:
        self._gossip = gossip
        self._streams = streams
        self._peering = peering
        self._members = members
        self._checks = checks
        self._asking, self._answering = (asyncio.Semaphore(MAX_SYNCS) for _ in range(2))
        self.refused = 0
        """Records and reports of others that were refused."""

    async def run(self) -> None:
        """Listens and tells until cancelled, or until the module stops."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for kind in Kind:
                    tasks.create_task(self._hear_records(kind))
                tasks.create_task(self._hear_reports())
                tasks.create_task(self._answer_syncs())
                tasks.create_task(self._meet_peers())
                tasks.create_task(self._sync_now_and_then())
        except* ModuleDrainingError:
            log.debug("coordination ends: the module is about to stop")

    async def tell(self, record: Record) -> None:
        """Gossips a record. A node that does not hear it learns of it by `PROTOCOL`."""
        await self._publish(TOPICS[record.kind], record.raw)

    async def report(self, report: Report) -> None:
        """Tells the shares of an epoch that is over."""
        for message in metadata.messages(report.shares):
            await self._publish(metadata.TOPIC, message)

    async def _publish(self, topic: str, data: bytes) -> None:
        try:
            await self._gossip.publish(topic, data)
        except DuplicateMessageError:
            pass  # another has told the same
        except LogosError as error:  # no peers, or all are slow
            log.debug("not gossiped", extra={"topic": topic, "error": str(error)})

    # By gossip

    async def _hear_records(self, kind: Kind) -> None:
        async for subscription, message in self._messages(TOPICS[kind]):
            verdict = await self._judge(Record(kind, message.data))
            subscription.judge([(message.message_id, verdict)])

    async def _judge(self, record: Record) -> gossip.Verdict:
        try:
            is_new = await self._members.take(record)
        except RemoteFaultError as error:
            self.refused += 1
            log.info("record refused", extra={"kind": record.kind.name, "error": str(error)})
            return "reject" if error.reason in _FORGED else "ignore"
        except ModuleDrainingError:
            raise
        except LogosError as error:  # this node has no room, or a full disk
            log.warning("record not taken", extra={"error": str(error)})
            return "ignore"
        return "accept" if is_new else "ignore"  # what is known has been passed on

    async def _hear_reports(self) -> None:
        async for subscription, message in self._messages(metadata.TOPIC):
            try:
                shares = metadata.read(message.data)
            except RemoteFaultError:
                self.refused += 1
                subscription.judge([(message.message_id, "reject")])
                continue
            subscription.judge([(message.message_id, "accept")])
            await self._checks.told(shares)

    async def _messages(self, topic: str) -> AsyncIterator[tuple[Subscription, Message]]:
        async with self._gossip.subscribe(topic, validates=True) as subscription:
            async for batch in subscription.batches:
                for message in batch.messages:
                    yield subscription, message

    # By streams

    async def _meet_peers(self) -> None:
        with self._peering.watch() as notices:
            async for notice in notices:
                if notice.event is PeerEvent.CONNECTED:
                    self._tasks.create_task(self._sync(notice.peer_id))

    async def _sync_now_and_then(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            peers = sorted(self._peering.machine.connected)
            if peers:
                await self._sync(peers[turn % len(peers)])
                turn += 1

    async def _sync(self, peer_id: str) -> None:
        """Learns what a peer knows of members, and passes on what is new."""
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S), self._asking:
                stream = await self._streams.open(peer_id, PROTOCOL)
                try:
                    await stream.write(self._members.digest())
                    stream.close_write()
                    await self._learn(stream)
                finally:
                    stream.reset()
        except (LogosError, TimeoutError) as error:  # it does without RLN, or has gone
            log.debug("members not asked", extra={"peer_id": peer_id, "error": str(error)})

    async def _learn(self, stream: Stream) -> None:
        reader, known = RecordReader(), set(self._members.records())
        while pieces := await stream.read():
            for record in reader.feed(b"".join(pieces)):
                if record not in known and await self._judge(record) == "accept":
                    await self.tell(record)

    async def _answer_syncs(self) -> None:
        async with self._streams.listen(PROTOCOL) as incoming:
            async for opened in incoming:
                stream = self._streams.accept(opened.stream_id)
                self._tasks.create_task(self._answer(stream))

    async def _answer(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S), self._answering:
                theirs = b""
                while pieces := await stream.read():
                    theirs += b"".join(pieces)
                    if len(theirs) > DIGEST_BYTES:
                        return
                if theirs != self._members.digest():
                    await stream.write(_joined(self._members.records()))
                stream.close_write()
                await stream.wait_closed()
        except (LogosError, TimeoutError) as error:
            log.debug("members not told", extra={"error": str(error)})
        finally:
            stream.reset()


_FORGED: Final = frozenset(
    {
        "RLN_ANNOUNCEMENT_MALFORMED",
        "RLN_SLASH_MALFORMED",
        "RLN_SIGNATURE_INVALID",
    }
)
"""Refusals that every node would give: a peer that passes such a record on is at fault."""


def _joined(records: Sequence[Record]) -> bytes:
    return b"".join(each.encode() for each in records)
