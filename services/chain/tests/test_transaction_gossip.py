"""CNW-15, CNW-16, CNW-20, CNW-21, CNW-22: transactions go round."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from chain_network import MAX_GOSSIP_BYTES, Network, network
from chain_world import until

from logos_base.errors import MessageKnownError, NoNeighboursError
from logos_base.gossip import Verdict
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.mempool.errors import MempoolRefusal, Reason
from logos_chain.core.network_errors import TransactionOversizeError
from logos_chain.core.network_names import ChainTopics
from logos_chain.operations.transaction_gossip import TransactionGossip
from logos_mantle.transactions import SignedTransaction

TOPIC = ChainTopics.of(bytes(range(32))).transactions


class Mempool:
    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.received_from: list[tuple[bytes, str]] = []

    async def received(self, raw: bytes, source: str) -> Reason | None:
        self.received_from.append((raw, source))
        return self.reason

    def get(self, transaction: bytes) -> SignedTransaction | None:
        return None


@asynccontextmanager
async def gossiper(net: Network, name: str) -> AsyncIterator[tuple[TransactionGossip, Mempool]]:
    mempool = Mempool()
    gossip = TransactionGossip(net.gossip(name), TOPIC, mempool)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gossip.run())
        await until(lambda: name in net.topics[TOPIC])
        yield gossip, mempool
        running.cancel()


async def test_a_transaction_goes_round_and_comes_with_its_neighbour() -> None:
    async with (
        network() as net,
        gossiper(net, "a") as (a, own),
        gossiper(net, "b") as (b, theirs),
    ):
        await a.publish_transaction(b"paid")
        await until(lambda: bool(b.judged.verdicts))

        assert theirs.received_from == [(b"paid", "a")]
        assert own.received_from == []


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (None, Verdict.ACCEPT),
        (MempoolRefusal.MALFORMED, Verdict.REJECT),
        (MempoolRefusal.INVALID_PROOF, Verdict.REJECT),
        (Refusal.NO_INPUTS, Verdict.REJECT),
        (MempoolRefusal.ALREADY_KNOWN, Verdict.IGNORE),
        (MempoolRefusal.CONFLICT, Verdict.IGNORE),
        (MempoolRefusal.BUSY, Verdict.IGNORE),
        (Refusal.SPENT_NOTE, Verdict.IGNORE),
    ],
)
async def test_verdicts(reason: Reason | None, verdict: Verdict) -> None:
    async with network() as net, gossiper(net, "b") as (b, mempool):
        mempool.reason = reason
        topic = net.topics[TOPIC]["b"]
        topic.hear(b"one", "peer")
        await until(lambda: bool(topic.verdicts))

        assert list(topic.verdicts.values()) == [verdict]
        assert b.judged.verdicts == {verdict: 1}


async def test_what_no_transaction_is_as_large_as_does_not_reach_the_mempool() -> None:
    async with network() as net, gossiper(net, "b") as (_, mempool):
        topic = net.topics[TOPIC]["b"]
        topic.hear(bytes((2 << 20) + 1), "peer")
        topic.hear(b"", "peer")
        await until(lambda: len(topic.verdicts) == 2)

        assert set(topic.verdicts.values()) == {Verdict.REJECT}
        assert mempool.received_from == []


async def test_its_giver_is_told_that_a_transaction_is_too_large() -> None:
    async with network() as net, gossiper(net, "a") as (a, _), gossiper(net, "b"):
        await a.publish_transaction(bytes(MAX_GOSSIP_BYTES))
        with pytest.raises(TransactionOversizeError, match="153601 bytes is too large"):
            await a.publish_transaction(bytes(MAX_GOSSIP_BYTES + 1))


class Scripted:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def publish(self, topic: str, data: bytes) -> None:
        raise self.failure


async def test_what_neighbours_have_had_is_published() -> None:
    known = TransactionGossip(Scripted(MessageKnownError("known")), TOPIC, Mempool())  # type: ignore[arg-type]
    await known.publish_transaction(b"paid")

    alone = TransactionGossip(Scripted(NoNeighboursError("alone")), TOPIC, Mempool())  # type: ignore[arg-type]
    with pytest.raises(NoNeighboursError):
        await alone.publish_transaction(b"paid")
