"""CON-49 to CON-52, CHS-21: a node gives its chain up, and has the one of its peers."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path

import pytest
from chain_kept import KeptMarks
from chain_ledger import named
from chain_memory import MemoryStore
from chain_network import net_node, network
from chain_store import Author, is_as, opened_all
from chain_world import TWO, Scripted, World, give, noon, quiet, state_of, until
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession
from test_starting import StartNode, none, well

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.starting import Phase
from logos_chain.core.mempool.types import BlockLimits, Saved
from logos_chain.core.node_ports import ASKED, GIVEN_UP, START_OVER_MARK
from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry
from logos_chain.core.wallet.records import Fulfilled, encode_fulfilled
from logos_chain.core.wallet.state import KeptKeys, WalletState
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.starting import FirstDownloadFailedError, StartOperations
from logos_chain.store import starting_over
from logos_chain.store.opening import OpenStore, open_store
from logos_chain.store.starting_over import SqlStartingOver

FULFILLED = encode_fulfilled(Fulfilled(b"name", named("order"), named("final")))
WAITING = [Saved(b"waits", 7, None)]
DRAFT = KeptDraft(named("draft"), b"draft")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return tmp_path / "chain.sqlite"


async def fill(store: OpenStore) -> Author:
    """A chain, and beside it what stays and what goes."""
    author = Author()
    await store.chain.begin(author.genesis, author.settled)
    made = [author.block() for _ in range(3)]
    for each in made:
        await store.chain.add(each)
    await store.chain.settle(author.execute(made[:2]), [])
    assert await store.proposals.note(3, named("note"), final_slot=0)
    await store.transactions.save(WAITING)
    await store.wallets.keep("node", made[0].id, 1, b"state", [KeptEntry(1, 0, b"")])
    await store.wallets.watch("node", named("watched"))
    await store.wallets.put_draft("node", DRAFT)
    await store.wallets.put_draft("node", KeptDraft(named("final"), FULFILLED))
    await store.wallets.issue_until("node", 9)
    await store.channels.add([], 2)
    await store.registries.keep(named("channel"), b"members")
    return author


async def test_an_order_takes_the_chain_and_leaves_what_is_beside_it(place: Path | str) -> None:
    async with opened_all(place) as store:
        author = await fill(store)
        await store.marks.put(START_OVER_MARK, ASKED)
        assert is_as(await store.chain.load(), author)

    async with opened_all(place) as store:
        assert await store.chain.load() is None
        assert await store.chain.unsettled(0, 9) == []
        assert not store.chain.is_final(author.genesis.id)
        assert await store.wallets.load("node", author.genesis.id) is None
        assert await store.wallets.entries("node", None, 9) == []
        assert await store.registries.load(named("channel")) is None
        assert await store.channels.end() != 2
        assert list(await store.proposals.slots()) == [3]
        assert list(await store.transactions.load()) == WAITING
        assert list(await store.wallets.watched("node")) == [named("watched")]
        assert list(await store.wallets.drafts("node")) == [DRAFT]
        assert await store.wallets.next_voucher("node") == 9
        assert await store.marks.number(START_OVER_MARK) == GIVEN_UP
        fresh = Author()
        await store.chain.begin(fresh.genesis, fresh.settled)

    async with opened_all(place) as store:  # once is enough
        assert is_as(await store.chain.load(), fresh)


def state(next_voucher: int, next_receive: int, *change: int) -> bytes:
    """Of a wallet whose sixth address was paid, by a block that is not final."""
    receive = KeptKeys((), (5,))
    keys = {Role.RECEIVE: receive, Role.CHANGE: KeptKeys(change, change)}
    made = WalletState(
        owner=bytes(32),
        block=named("block"),
        height=1,
        next_voucher=next_voucher,
        next_receive=next_receive,
        keys=keys,
        watched=(),
        notes={},
        vouchers=(),
    )
    return made.encode()


async def test_how_far_keys_and_vouchers_were_used_outlives_the_chain(place: Path | str) -> None:
    """CON-52: also a second time, where the new chain has used fewer."""
    async with opened_all(place) as store:
        await fill(store)
        assert await store.wallets.used_before("node") == {}
    rounds = [
        ((12, 3, 30, 31), {Role.RECEIVE: 6, Role.CHANGE: 32}, 12),
        ((11, 40, 2), {Role.RECEIVE: 40, Role.CHANGE: 32}, 12),
    ]
    for numbers, used, next_voucher in rounds:
        async with opened_all(place) as store:
            await store.wallets.keep("node", named("block"), 1, state(*numbers), [])
            await store.marks.put(START_OVER_MARK, ASKED)
        async with opened_all(place) as store:
            assert await store.wallets.used_before("node") == used
            assert await store.wallets.next_voucher("node") == next_voucher
            assert await store.wallets.load("node", named("block")) is None
    async with opened_all(place) as store:
        await store.wallets.forget("node")
        assert await store.wallets.used_before("node") == {}


async def test_without_an_order_all_stays(place: Path | str) -> None:
    async with opened_all(place) as store:
        author = await fill(store)
        await store.marks.put(START_OVER_MARK, 0)
    async with opened_all(place) as store:
        assert is_as(await store.chain.load(), author)


async def test_the_order_is_durable_before_the_node_ends() -> None:
    node, ended = StartNode(World(TWO)), list[int | None]()
    async with node.running() as (start, _):
        await until(lambda: start.may_propose)
        start._end = lambda: ended.append(node.marks.numbers.get(START_OVER_MARK))
        await start.start_over()
    assert ended == [ASKED]


async def test_what_was_kept_is_held_back_until_the_chain_is_here() -> None:
    node, come = StartNode(World(TWO)), asyncio.Event()
    node.marks = KeptMarks({START_OVER_MARK: GIVEN_UP})

    async def slow() -> bool:
        await come.wait()
        return True

    async with node.running(slow) as (start, _):
        await until(lambda: start.phase is Phase.DOWNLOADING)
        assert not start.has_chain.is_set()
        come.set()
        await until(start.has_chain.is_set)
        assert node.marks.numbers[START_OVER_MARK] == 0
    async with node.running(well) as (start, _):
        assert start.has_chain.is_set()


async def test_a_download_that_fails_leaves_the_order_to_the_next_start() -> None:
    node = StartNode(World(TWO))
    node.marks = KeptMarks({START_OVER_MARK: GIVEN_UP})
    held: list[StartOperations] = []
    with pytest.raises(FirstDownloadFailedError):  # noqa: PT012 -- the body is cancelled
        async with node.running(none) as (start, _):
            held.append(start)
            await asyncio.Event().wait()
    assert not held[0].has_chain.is_set()
    assert node.marks.numbers == {START_OVER_MARK: GIVEN_UP}


async def test_five_nodes_that_were_split_for_long_come_to_one_chain(tmp_path: Path) -> None:
    world = World(TWO)
    long, short = world.chain(world.root, "long", 8), world.chain(world.root, "short", 6, 1)
    payment = world.spend(9, "payment")
    places = [tmp_path / f"{name}.sqlite" for name in "de"]
    async with network() as net, AsyncExitStack() as stack:
        many = [
            await stack.enter_async_context(
                net_node(net, name, world, MemoryStore(1000), rule=Rule.ONLINE)
            )
            for name in "abc"
        ]
        for each in many:
            await give(each.follow, long)
            await quiet(each.follow)
        for place in places:
            async with opened_all(place) as store:
                async with net_node(net, place.stem, world, store.chain, rule=Rule.ONLINE) as one:
                    await give(one.follow, short)
                    await quiet(one.follow)
                    await one.sync.download(["a", "b", "c"])
                    assert one.sync.diverged
                    assert one.follow.tip.id == short[-1].id
                await store.transactions.save([Saved(payment.encoded, noon(), None)])
                await store.marks.put(START_OVER_MARK, ASKED)
        assert all(each.follow.tip.id == long[-1].id for each in many)

        for place in places:
            store = await stack.enter_async_context(opened_all(place))
            one = await stack.enter_async_context(net_node(net, place.stem, world, store.chain))
            pool = MempoolOperations(
                one.follow,
                store.chain,
                world.network,
                verifier=Scripted(),
                saved=store.transactions,
                unix_ms=noon,
            )
            here = asyncio.Event()
            pool.begin_after = here.wait
            await stack.enter_async_context(pool.running())
            assert await one.sync.download(["a", "b", "c"])
            here.set()
            await until(lambda pool=pool: pool.count == 1)
            many.append(one)
        while not (found := await pool.choose(BlockLimits())):  # noqa: ASYNC110 -- a test
            await asyncio.sleep(0.01)  # its obligations are being verified
        [chosen] = found
        assert chosen.hash == payment.hash
        block = world.make(long[-1], "with the payment", [chosen])
        for each in many:
            await give(each.follow, [block])
        states = [await state_of(each.follow) for each in many]
        assert {each.follow.tip.id for each in many} == {block.id}
        assert all(each == states[0] for each in states)


async def test_a_chain_that_takes_long_to_give_up_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHS-21: else the kernel takes it for a module that cannot start."""
    place, said = tmp_path / "chain.sqlite", list[str]()
    async with opened_all(place) as store:
        await fill(store)
        await store.marks.put(START_OVER_MARK, ASKED)
    monkeypatch.setattr(starting_over, "TELL_S", 0.001)

    async def slow(_session: AsyncSession) -> None:
        while len(set(said)) <= 2:  # in the thread of the database
            time.sleep(0.001)  # noqa: ASYNC251

    monkeypatch.setattr(starting_over, "keep_numbers", slow)
    async with open_store(place, keep_slots=9, status=said.append) as store:
        assert await store.marks.number(START_OVER_MARK) == GIVEN_UP
    assert all(each.startswith("it gives its chain up") for each in said)


async def test_a_process_that_dies_within_leaves_the_old_chain(
    place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHS-21: at each statement, as if the process had ended there."""
    async with opened_all(place) as store:
        author = await fill(store)
        await store.marks.put(START_OVER_MARK, ASKED)
    emptying = starting_over._emptying
    count = 1 if isinstance(place, str) else len(starting_over._OF_THE_CHAIN)
    for last in range(count + 1):  # after so many tables

        def dying(dialect: str, _last: int = last) -> Iterator[Executable]:
            yield from islice(emptying(dialect), _last)
            raise RuntimeError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(starting_over, "_emptying", dying)
            with pytest.raises(RuntimeError, match="killed"):
                async with opened_all(place):
                    pass
        with monkeypatch.context() as patch:
            patch.setattr(SqlStartingOver, "run", untouched)
            async with opened_all(place) as store:
                assert is_as(await store.chain.load(), author)
                assert await store.marks.number(START_OVER_MARK) == ASKED


async def untouched(_self: SqlStartingOver) -> bool:
    return False
