"""MPL-6, CNW-21: own transactions are sent out until the network has taken them."""

import asyncio

import pytest
from chain_world import World, until

from logos_base.errors import NetworkUnavailableError
from logos_chain.core.network_errors import TransactionOversizeError
from logos_chain.operations import publishing
from logos_chain.operations.publishing import Publisher
from logos_mantle.transactions import SignedTransaction


class Network:
    """Takes transactions, unless it is away or they are too large."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.is_away = False
        self.oversize: set[bytes] = set()
        self.asked = 0

    async def publish(self, raw: bytes) -> None:
        self.asked += 1
        if raw in self.oversize:
            raise TransactionOversizeError("too large")
        if self.is_away:
            raise NetworkUnavailableError("away")
        self.taken.append(raw)


async def run(network: Network, pool: dict[bytes, SignedTransaction]) -> Publisher:
    return Publisher(network.publish, pool.get)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "RETRY_S", 0.001)


async def test_own_transactions_are_sent_out_in_order_and_those_of_peers_are_not() -> None:
    world, network = World(), Network()
    made = [world.spend(at) for at in range(3)]
    publisher = await run(network, {each.hash: each for each in made})
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        publisher.put(made[0], "")
        publisher.put(made[1], "peer")
        publisher.put(made[2], "")
        await until(lambda: not len(publisher))
        running.cancel()
    assert network.taken == [made[0].encoded, made[2].encoded]


async def test_one_is_sent_out_once_the_network_is_back() -> None:
    world, network = World(), Network()
    one = world.spend(0)
    network.is_away = True
    publisher = await run(network, {one.hash: one})
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        publisher.put(one, "")
        await until(lambda: network.asked > 3)
        assert len(publisher) == 1
        network.is_away = False
        await until(lambda: not len(publisher))
        running.cancel()
    assert network.taken == [one.encoded]


async def test_what_waits_no_longer_or_is_too_large_holds_up_nothing() -> None:
    world, network = World(), Network()
    gone, large, one = (world.spend(at) for at in range(3))
    network.oversize = {large.encoded}
    publisher = await run(network, {each.hash: each for each in (large, one)})
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(publisher.run())
        for each in (gone, large, one):
            publisher.put(each, "")
        await until(lambda: not len(publisher))
        running.cancel()
    assert network.taken == [one.encoded]


async def test_no_more_wait_than_a_mempool_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "MAX_WAITING", 2)
    world, network = World(), Network()
    made = [world.spend(at) for at in range(3)]
    publisher = await run(network, {each.hash: each for each in made})
    for each in made:
        publisher.put(each, "")
    assert len(publisher) == 2
