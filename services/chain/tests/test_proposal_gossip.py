"""CNW-15, CNW-16, CNW-17, CNW-18, CNW-19, CNW-21: blocks go round as proposals, junk does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from chain_ledger import named, signed
from chain_network import MAX_GOSSIP_BYTES, MemoryTopic, NetNode, Network, net_node, network
from chain_world import FALSE, TWO, World, give, noon, until

from logos_base.errors import NoNeighboursError
from logos_base.gossip import Verdict
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.errors import Reason
from logos_chain.core.net_ports import SyncStream
from logos_chain.core.network_names import ChainTopics
from logos_chain.operations.proposal_gossip import ROOM, ProposalGossip
from logos_mantle.blocks import MAX_PROPOSAL_BYTES, Block
from logos_mantle.channels import ChannelInscribe
from logos_mantle.transactions import SignedTransaction

TOPIC = ChainTopics.of(bytes(32)).proposals


class Waiting:
    """The transactions that wait on one node."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, SignedTransaction] = {}

    def add(self, *blocks: Block) -> None:
        self.waiting |= {one.hash: one for block in blocks for one in block.transactions}

    def get(self, transaction: bytes) -> SignedTransaction | None:
        return self.waiting.get(transaction)

    async def received(self, raw: bytes, source: str) -> Reason | None:
        raise AssertionError("no transaction is gossiped here")


@dataclass
class Gossiper:
    """A node that follows the proposals."""

    node: NetNode
    waiting: Waiting
    proposals: ProposalGossip
    topic: MemoryTopic

    async def hear(self, raw: bytes, neighbour: str = "") -> Verdict:
        before = len(self.topic.verdicts)
        self.topic.hear(raw, neighbour)
        await until(lambda: len(self.topic.verdicts) > before)
        return list(self.topic.verdicts.values())[-1]


@asynccontextmanager
async def gossiper(
    net: Network, name: str, world: World, rule: Rule = Rule.BOOTSTRAP
) -> AsyncIterator[Gossiper]:
    async with net_node(net, name, world, rule=rule) as node, asyncio.TaskGroup() as tasks:
        waiting = Waiting()
        proposals = ProposalGossip(
            node.chain,
            node.follow.take,
            net.gossip(name),
            TOPIC,
            sync=node.sync,
            transactions=waiting,
            clock=world.network.clock,
            unix_ms=noon,
        )
        running = tasks.create_task(proposals.run())
        await until(lambda: name in net.topics[TOPIC])
        yield Gossiper(node, waiting, proposals, net.topics[TOPIC][name])
        running.cancel()


def proposed(block: Block) -> bytes:
    return block.proposal().encode()


async def test_a_block_goes_round_as_a_proposal() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with (
        network() as net,
        gossiper(net, "a", world) as a,
        gossiper(net, "b", world) as b,
        gossiper(net, "c", world) as c,
    ):
        for each in (b, c):
            each.waiting.add(block)
        assert await a.node.follow.take_own(block) is None
        await a.proposals.publish(block)
        await until(lambda: b.node.follow.tip.id == c.node.follow.tip.id == block.id)

        assert a.proposals.judged.verdicts == {}
        assert a.node.serving.blocks == 0
        await until(lambda: bool(b.topic.verdicts and c.topic.verdicts))
        assert {*b.topic.verdicts.values(), *c.topic.verdicts.values()} == {Verdict.ACCEPT}


async def test_a_block_with_a_transaction_that_is_not_here_is_downloaded() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with network() as net, gossiper(net, "a", world) as a, gossiper(net, "b", world) as b:
        await give(a.node.follow, [block])
        assert await b.hear(proposed(block), "a") is Verdict.ACCEPT

        assert b.node.follow.tip.id == block.id
        assert a.node.serving.blocks == 1


async def test_a_block_that_nobody_has_is_ignored() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with network() as net, gossiper(net, "a", world), gossiper(net, "b", world) as b:
        assert await b.hear(proposed(block), "a") is Verdict.IGNORE
        assert not b.proposals._fetches


async def test_a_neighbour_that_stalls_downloads_leaves_room_for_others() -> None:
    world = World()
    forks = [world.make(world.root, f"fork {each}", [world.spend(each)]) for each in range(5)]
    stalled = 0

    async def stall(stream: SyncStream) -> None:
        nonlocal stalled
        stalled += 1
        await asyncio.Event().wait()

    async with network() as net, gossiper(net, "a", world) as a, gossiper(net, "b", world) as b:
        await give(a.node.follow, forks)
        net.answers["liar"] = stall
        for each in forks[:4]:
            b.topic.hear(proposed(each), "liar")
        await until(lambda: stalled == 2 and len(b.topic.verdicts) == 2)
        assert set(b.topic.verdicts.values()) == {Verdict.IGNORE}

        assert await b.hear(proposed(forks[4]), "a") is Verdict.ACCEPT
        for each in list(net.tasks._tasks):
            each.cancel()


async def test_a_proposal_ahead_of_its_ancestors_brings_them() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 5)

    async with network() as net, gossiper(net, "a", world) as a, gossiper(net, "b", world) as b:
        await give(a.node.follow, blocks)
        b.waiting.add(blocks[-1])
        assert await b.hear(proposed(blocks[-1]), "a") is Verdict.ACCEPT
        assert b.node.follow.tip.id == blocks[-1].id


async def test_a_block_that_is_known_is_ignored_without_being_decoded() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with network() as net, gossiper(net, "b", world) as b:
        await give(b.node.follow, [block])
        torn = proposed(block)[:-1] + b"\0"
        assert await b.hear(proposed(block)) is Verdict.IGNORE
        assert await b.hear(torn) is Verdict.IGNORE


def hostile(world: World) -> dict[str, tuple[bytes, Verdict]]:
    good = world.make(world.root, "good", [world.spend(0)])
    other = world.make(world.root, "other", [world.spend(1)])
    raw = proposed(good)
    false = world.make(world.root, "false", [world.spend(0)], proof=FALSE)
    unpaid = world.make(world.root, "spent", [world.spend(0), world.spend(0, "again")])
    future = world.make(world.root, "future", [], gap=10**13)
    swapped = replace(good.proposal(), references=other.proposal().references)
    stolen = replace(good.proposal(), signature=other.signature)
    gap = bytearray(raw)
    gap[-100:-90] = b"\1" * 10
    return {
        "nothing": (b"", Verdict.REJECT),
        "junk of a megabyte": (bytes(1 << 20), Verdict.REJECT),
        "junk of its size": (b"\xff" * len(raw), Verdict.REJECT),
        "too long by one": (raw + b"\0", Verdict.REJECT),
        "a block": (good.encode(), Verdict.REJECT),
        "other references": (swapped.encode(), Verdict.REJECT),
        "another signature": (stolen.encode(), Verdict.REJECT),
        "a reference after the padding": (bytes(gap), Verdict.REJECT),
        "a false proof": (proposed(false), Verdict.REJECT),
        "a double spend": (proposed(unpaid), Verdict.REJECT),
        "the future": (proposed(future), Verdict.IGNORE),
    }


@pytest.mark.parametrize("kind", hostile(World()))
async def test_what_is_no_valid_proposal_is_not_passed_on(kind: str) -> None:
    world = World()
    raw, verdict = hostile(world)[kind]

    async with network() as net, gossiper(net, "b", world) as b:
        b.waiting.add(*world.blocks.values())
        assert await b.hear(raw, "liar") is verdict

        assert b.node.follow.tip.id == world.root.id
        assert b.proposals.judged.judging == 0


async def test_a_proposal_below_the_final_block_is_ignored() -> None:
    world = World(TWO)
    own, other = world.chain(world.root, "own", 6), world.chain(world.root, "other", 1)

    async with network() as net, gossiper(net, "b", world, Rule.ONLINE) as b:
        await give(b.node.follow, own)
        b.waiting.add(*other)
        assert await b.hear(proposed(other[0])) is Verdict.IGNORE


@pytest.mark.parametrize("at", [0, 1, 40, 296, 297, 298, 330, 33_065, 33_129])
async def test_a_proposal_of_which_one_byte_is_other_is_not_taken(at: int) -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)
    raw = bytearray(proposed(block))
    raw[at] ^= 1

    async with network() as net, gossiper(net, "b", world) as b:
        b.waiting.add(block)
        assert await b.hear(bytes(raw)) is not Verdict.ACCEPT
        assert not b.node.chain.has(BlockId(block.id))
        assert await b.hear(proposed(block)) is Verdict.ACCEPT


def test_a_proposal_cut_at_any_byte_is_refused_at_once() -> None:
    world = World()
    raw = proposed(world.make(world.root, "a", [world.spend(0)]))
    glance = ProposalGossip._glance

    assert all(
        glance(None, raw[:size]) is Verdict.REJECT  # type: ignore[arg-type]
        for size in range(len(raw))
    )


async def test_a_body_of_over_two_mebibytes_is_refused() -> None:
    world = World()
    texts = [
        signed(ChannelInscribe(named(each), bytes(1_100_000), bytes(32), named("signer")))
        for each in ("one", "other")
    ]
    block = world.make(world.root, "large", texts)

    async with network() as net, gossiper(net, "b", world) as b:
        b.waiting.add(block)
        assert await b.hear(proposed(block)) is Verdict.REJECT


async def test_publishing_what_neighbours_know_is_enough_but_without_any_it_fails() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with network() as net, gossiper(net, "a", world) as a:
        with pytest.raises(NoNeighboursError):
            await a.proposals.publish(block)
    assert MAX_PROPOSAL_BYTES < MAX_GOSSIP_BYTES
    assert ROOM.messages * MAX_PROPOSAL_BYTES == ROOM.size_bytes
