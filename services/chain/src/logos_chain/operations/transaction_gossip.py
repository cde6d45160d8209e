"""Transactions from and for other nodes.

Spec: docs/protocol/chain-network.md, CNW-15, CNW-16, CNW-20 to CNW-22; chain-mempool.md, MPL-5.
"""

from contextlib import suppress
from typing import Final

from logos_base.errors import MessageKnownError, MessageOversizeError
from logos_base.gossip import Gossip, Heard, Verdict
from logos_chain.core.mempool.errors import is_fault
from logos_chain.core.net_ports import Transactions
from logos_chain.core.network_errors import TransactionOversizeError
from logos_chain.operations.gossiping import JudgedTopic, Room
from logos_mantle.limits import MAX_BODY_BYTES

ROOM: Final = Room(messages=256, size_bytes=8 << 20, of_one=64)


class TransactionGossip:
    """The transactions of one chain, from and for other nodes."""

    def __init__(self, gossip: Gossip, topic: str, transactions: Transactions) -> None:
        self._gossip = gossip
        self._topic = topic
        self._transactions = transactions
        self.judged = JudgedTopic(gossip, topic, _glance, self._judge, ROOM)

    async def run(self) -> None:
        """Takes transactions and passes on those that wait here then, until cancelled."""
        await self.judged.run()

    async def publish_transaction(self, raw: bytes) -> None:
        """Sends out a transaction of this node; one that is known already is enough.

        Raises:
            TransactionOversizeError: The network does not pass it on; it can reach a block by the
                nodes that it is submitted to alone.
            NoNeighboursError, NetworkUnavailableError, NetworkDeniedError
        """
        try:
            with suppress(MessageKnownError):
                await self._gossip.publish(self._topic, raw)
        except MessageOversizeError as error:
            raise TransactionOversizeError(
                f"a transaction of {len(raw)} bytes is too large to be passed on: split it, or "
                "submit it to nodes that propose blocks"
            ) from error

    async def _judge(self, heard: Heard) -> Verdict:
        reason = await self._transactions.received(heard.data, heard.neighbour)
        if reason is None:
            return Verdict.ACCEPT
        return Verdict.REJECT if is_fault(reason) else Verdict.IGNORE


def _glance(raw: bytes) -> Verdict | None:
    return Verdict.REJECT if not 0 < len(raw) <= MAX_BODY_BYTES else None
