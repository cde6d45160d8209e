"""A chain of three nodes on processes, with real proofs: blocks, tokens, kills, commands."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from integration.commands import Command
from logos.chain.v1 import chain_pb2
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_testnet.opening import Description, Places
from logos_testnet.scenarios.tokens import (
    a_killed_chain_goes_on,
    all_agree,
    info,
    tokens_move_and_all_nodes_agree,
    until_height,
)
from logos_testnet.testnet import Testnet, front_door
from own_topology import claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PORTS = claim_ports()
TOPOLOGY = f"""\
schema = 1
name = "miners"
node_count = 3
target_peers = 2
[ports]
front = {PORTS.front}
p2p = {PORTS.p2p}
[modules.mixnet]
settings.mix = "off"
settings.rln = "off"
[modules.chain]
settings.preset = "ci"
"""


@pytest.fixture(scope="module")
def testnet(places: Places) -> Iterator[Testnet]:
    """Three nodes whose blocks come every five seconds and are final after four."""
    with running(Description(TOPOLOGY, "miners.toml"), places, "processes") as opened:
        yield opened


async def test_the_first_block_comes_and_all_have_it(testnet: Testnet) -> None:
    for node in testnet.plan.nodes:
        await until_height(testnet, node.name, 1)
    await all_agree(testnet)


async def test_tokens_move(testnet: Testnet) -> None:
    await tokens_move_and_all_nodes_agree(testnet)


async def test_blocks_become_final_and_can_be_watched_from_the_genesis_on(testnet: Testnet) -> None:
    name = testnet.plan.nodes[1].name
    await until_height(testnet, name, 7)
    found = await info(testnet, name)
    assert found.final.height >= 1
    async with front_door(testnet, name) as channel, asyncio.timeout(60):
        request = chain_pb2.WatchBlocksRequest(after=found.genesis_id)
        heights: list[int] = []
        async for move in ChainNodeStub(channel).WatchBlocks(request):
            assert not move.removed or heights
            heights += [each.point.height for each in move.added]
            if move.tip.height >= found.tip.height:
                break
        assert heights[: found.final.height] == list(range(1, found.final.height + 1))


async def test_a_chain_that_is_killed_goes_on(testnet: Testnet) -> None:
    await a_killed_chain_goes_on(testnet)


def test_the_command_line_shows_it(testnet: Testnet, logos: Command) -> None:
    words = ("ctl", "--testnet", "miners", "--node", testnet.plan.nodes[0].name)
    ended = logos(*words, "chain", "info", "--output", "json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["tip"]["height"] >= 1
    ended = logos(*words, "wallet", "balance")
    assert ended.returncode == 0, ended.stderr
    assert b"available" in ended.stdout
