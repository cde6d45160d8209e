"""CHS-1 to CHS-6, CHS-11: one suite for the store on both databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from chain_ledger import CHANNEL, KEYS, Chain, named
from chain_store import KEEP_SLOTS, MAX_U64, Author, block_state, contents, is_as, opened

from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.types import Channel, UnspentNote
from logos_chain.core.ports import ChainStore, KeptBlock, Settled
from logos_chain.store.errors import ChainStoreBegunError
from logos_chain.store.schema import SCHEMA
from logos_chain.store.sql import SqlChainStore
from logos_mantle.channels import ChannelConfig
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.notes import Note
from logos_module.database import Schema
from schema_contract import SchemaContract

UNKNOWN = BlockId(named("unknown"))


class TestSchema(SchemaContract):
    """CHS-14."""

    @pytest.fixture
    def schema(self) -> Schema:
        return SCHEMA


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return tmp_path / "chain.sqlite"


@pytest.fixture
async def store(place: Path | str) -> AsyncIterator[SqlChainStore]:
    async with opened(place) as made:
        yield made


@pytest.fixture
async def author(store: SqlChainStore) -> Author:
    """Its genesis is in the store."""
    made = Author()
    await store.begin(made.genesis, made.settled)
    return made


async def added(store: SqlChainStore, author: Author, count: int) -> list[KeptBlock]:
    """A chain of blocks after the newest one that was made."""
    made = [author.block() for _ in range(count)]
    for each in made:
        await store.add(each)
    return made


async def all_finals(store: SqlChainStore) -> list[BlockId]:
    return [*await store.final(0, 1000)]


# -- beginning -------------------------------------------------------------------------------------


async def test_an_empty_store_has_nothing(store: SqlChainStore) -> None:
    port: ChainStore = store

    assert await port.load() is None
    assert await port.block(UNKNOWN) is None
    assert await port.unsettled(0, 10) == []
    assert await port.final(0, 10) == []
    assert await port.containing(UNKNOWN) == []
    assert not port.is_final(UNKNOWN)


async def test_a_beginning_comes_back(place: Path | str) -> None:
    author = Author()
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)

        assert store.is_final(author.genesis.id)
        assert is_as(await store.load(), author)

    async with opened(place) as store:
        assert is_as(await store.load(), author)
        assert store.is_final(author.genesis.id)
        assert await store.block(author.genesis.id) == author.genesis
        assert await store.final(0, 9) == [author.genesis.id]
        assert await store.unsettled(0, 9) == []
        assert await store.containing(author.genesis.transactions[0]) == [author.genesis.id]


async def test_a_store_begins_once(store: SqlChainStore, author: Author) -> None:
    with pytest.raises(ChainStoreBegunError):
        await store.begin(author.genesis, author.settled)

    assert is_as(await store.load(), author)


async def test_a_checkpoint_begins_anywhere_with_its_ancestors(place: Path | str) -> None:
    author = Author(first_slot=MAX_U64 - 10, first_height=MAX_U64 - 20)
    root, below = author.root, []
    for number in range(3):
        parent = BlockId(named(f"below {number}"))
        older = BlockId(named(f"below {number + 1}"))
        state = block_state(root.slot - number - 1, bytes(32))
        below.insert(0, TreeBlock(parent, older, root.height - number - 1, state, b""))
    author.root = replace(root, parent=below[-1].id)
    async with opened(place) as store:
        await store.begin(author.genesis, replace(author.settled, below=tuple(below)))
    async with opened(place) as store:
        found = await store.load()

        assert is_as(found, author)
        assert found is not None
        assert found.below == tuple(below)
        assert await store.final(0, 9) == [author.genesis.id]
        assert await store.final(MAX_U64 - 20, 9) == [author.genesis.id]
        assert await store.final(MAX_U64, 9) == []


async def test_a_state_of_another_block_is_refused(store: SqlChainStore) -> None:
    author = Author()
    wrong = replace(author.head, root=named("another"))
    lost = replace(author.head, burned=1)

    for head in (wrong, lost):
        with pytest.raises(ValueError, match="another block"):
            await store.begin(author.genesis, replace(author.settled, head=head))

    assert await store.load() is None
    assert not store.is_final(author.genesis.id)


# -- blocks ----------------------------------------------------------------------------------------


async def test_blocks_come_back_in_the_order_of_their_arrival(
    store: SqlChainStore, author: Author
) -> None:
    blocks = await added(store, author, 3)
    fork = author.block(blocks[0].id, "fork")
    await store.add(fork)
    blocks += [fork, *await added(store, author, 1)]

    assert await store.unsettled(0, 10) == blocks
    assert await store.unsettled(1, 2) == blocks[1:3]
    assert await store.unsettled(4, 2) == blocks[4:]
    assert await store.unsettled(5, 2) == []
    assert [await store.block(each.id) for each in blocks] == blocks
    assert [await store.outline(each.id) for each in blocks] == [each.outline for each in blocks]
    assert [each.outline.height for each in blocks] == [1, 2, 3, 2, blocks[-1].height]
    assert await store.outline(author.genesis.id) == author.genesis.outline
    assert author.genesis.outline.height == 0
    assert await store.outline(UNKNOWN) is None


async def test_a_block_is_kept_once(store: SqlChainStore, author: Author) -> None:
    blocks = await added(store, author, 2)

    for each in (*blocks, author.genesis):
        await store.add(each)

    assert await store.unsettled(0, 9) == blocks


async def test_a_block_that_does_not_follow_is_refused(
    store: SqlChainStore, author: Author
) -> None:
    block = author.block()
    wrong = [
        replace(block, parent=UNKNOWN),
        replace(block, height=0),
        replace(block, height=2),
        replace(block, slot=0),
        replace(block, transactions=(b"short",)),
    ]

    for each in wrong:
        with pytest.raises(ValueError):
            await store.add(each)

    assert await store.unsettled(0, 9) == []


async def test_nothing_is_added_before_a_beginning(store: SqlChainStore) -> None:
    with pytest.raises(ValueError, match="parent"):
        await store.add(Author().block())


async def test_a_transaction_names_its_blocks(store: SqlChainStore, author: Author) -> None:
    one, two = named("one"), named("two")
    first = replace(author.block(), transactions=(one, two, one))
    second = replace(author.block(first.id), transactions=(two,))
    await store.add(first)
    await store.add(second)

    assert await store.containing(one) == [first.id]
    assert await store.containing(two) == [first.id, second.id]
    assert await store.block(first.id) == first


async def test_a_block_of_the_largest_size_comes_back(store: SqlChainStore, author: Author) -> None:
    hashes = tuple(named(f"{number}") for number in range(1024))
    block = replace(author.block(), raw=b"\0\xff" * 1_049_480, transactions=hashes)

    await store.add(block)
    assert await store.block(block.id) == block
    await store.settle([], [block.id])

    assert await store.block(block.id) is None
    assert await store.containing(hashes[-1]) == []


# -- settling --------------------------------------------------------------------------------------


async def test_what_is_settled_is_final_and_comes_back(place: Path | str) -> None:
    author = Author()
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        blocks = await added(store, author, 6)
        await store.settle(author.execute(blocks[:1]), [])
        await store.settle(author.execute(blocks[1:4]), [])

        assert [store.is_final(each.id) for each in blocks] == [True] * 4 + [False] * 2
    async with opened(place) as store:
        found = await store.load()

        assert is_as(found, author)
        assert [store.is_final(each.id) for each in blocks] == [True] * 4 + [False] * 2
        assert await all_finals(store) == [author.genesis.id, *(each.id for each in blocks[:4])]
        assert await store.final(2, 2) == [blocks[1].id, blocks[2].id]
        assert await store.unsettled(0, 9) == blocks[4:]
        assert [await store.block(each.id) for each in blocks] == blocks


async def test_ancestors_out_of_the_window_are_forgotten(
    store: SqlChainStore, author: Author
) -> None:
    blocks = await added(store, author, 12)
    chain = author.execute(blocks)
    made = [block for block, _ in chain]
    await store.settle(chain[:7], [])
    await store.settle(chain[7:], [])

    found = await store.load()

    assert found is not None
    assert found.below == tuple(
        each for each in made[:-1] if each.slot >= made[-1].slot - KEEP_SLOTS
    )
    assert len(found.below) >= 2
    tree = BlockTree(found.root, below=found.below, keep_slots=KEEP_SLOTS, final=store)
    assert tree.is_below(blocks[0].id)
    assert not tree.is_below(UNKNOWN)


async def test_the_window_of_ancestors_ends_with_its_last_slot(
    store: SqlChainStore, author: Author
) -> None:
    first, *_ = path = [author.block() for _ in range(3)]
    second = replace(path[1], slot=first.slot + 1)
    third = replace(path[2], slot=first.slot + KEEP_SLOTS)
    chain = [first, second, third]
    for each in chain:
        await store.add(each)
    await store.settle(author.execute(chain), [])

    found = await store.load()

    assert found is not None
    assert [each.id for each in found.below] == [first.id, second.id]


async def test_final_blocks_are_marked_page_by_page(
    place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_chain.store.sql._MARKED", 2)
    author = Author()
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        blocks = await added(store, author, 6)
        await store.settle(author.execute(blocks), [])

    async with opened(place) as store:
        assert all(store.is_final(each.id) for each in (author.genesis, *blocks))


async def test_the_former_newest_final_block_is_an_ancestor(
    store: SqlChainStore, author: Author
) -> None:
    first = author.root
    [block] = await added(store, author, 1)
    await store.settle(author.execute([block]), [])

    found = await store.load()

    assert found is not None
    assert found.below == (first,)


async def test_blocks_that_were_cut_are_gone_with_their_transactions(
    store: SqlChainStore, author: Author
) -> None:
    shared, own = named("shared"), named("own")
    chain = replace(author.block(), transactions=(shared,))
    fork = replace(author.block(author.genesis.id, "fork"), transactions=(shared, own))
    for each in (chain, fork):
        await store.add(each)

    await store.settle(author.execute([chain]), [fork.id, UNKNOWN])

    assert await store.block(fork.id) is None
    assert await store.containing(own) == []
    assert await store.containing(shared) == [chain.id]
    assert await store.unsettled(0, 9) == []
    assert not store.is_final(fork.id)
    await store.settle([], [fork.id])  # what is not kept changes nothing
    assert is_as(await store.load(), author)


async def test_a_block_that_was_cut_can_come_again(store: SqlChainStore, author: Author) -> None:
    first, second = await added(store, author, 2)
    await store.settle([], [second.id])

    await store.add(second)

    assert await store.unsettled(0, 9) == [first, second]


async def test_what_does_not_follow_is_not_settled_and_nothing_of_it_done(
    store: SqlChainStore, author: Author
) -> None:
    blocks = await added(store, author, 3)
    unknown = author.block()
    chain = author.execute([*blocks, unknown])
    fork = replace(chain[0][0], id=UNKNOWN)
    stray = replace(chain[0][0], parent=UNKNOWN)
    wrong = [
        (chain[1:3], []),  # not the next one
        ([chain[0], chain[2]], []),  # a gap
        (chain, []),  # the last one is not kept
        ([(fork, chain[0][1])], []),  # not kept
        ([(stray, chain[0][1])], []),  # it follows another one
        ([(chain[0][0], chain[1][1])], []),  # changes of another block
        (chain[:1], [author.genesis.id]),  # a final one is cut
        (chain[:1], [blocks[0].id]),  # the same one is settled and cut
        (chain[:2], [blocks[2].id, blocks[1].id]),
    ]

    for settled, cut in wrong:
        with pytest.raises(ValueError):
            await store.settle(settled, cut)

    assert is_as(await store.load(), Author())
    assert await store.unsettled(0, 9) == blocks
    assert await all_finals(store) == [author.genesis.id]
    assert not any(store.is_final(each.id) for each in blocks)


async def test_nothing_is_settled_before_a_beginning(store: SqlChainStore) -> None:
    author = Author()
    chain = author.execute([author.block()])

    with pytest.raises(ValueError, match="begun"):
        await store.settle(chain, [])


async def test_a_caller_that_is_cancelled_cuts_no_call_in_two(place: Path | str) -> None:
    author = Author()
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        [block] = await added(store, author, 1)
        chain = author.execute([block])

        await cancelled(lambda: store.settle(chain, []))
    assert store.is_final(block.id)  # it was told by the transaction, not by the caller

    async with opened(place) as store:
        assert is_as(await store.load(), author)


async def cancelled(call: Callable[[], Awaitable[None]]) -> None:
    task: asyncio.Future[None] = asyncio.ensure_future(call())  # noqa: TID251  cancelled here
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- values ----------------------------------------------------------------------------------------


async def test_numbers_of_64_bits_come_back(place: Path | str) -> None:
    """CHS-6."""
    author = Author()
    state = State.empty()
    ids = [named(f"note {number}") for number in range(3)]
    state.notes.write(ids[0], UnspentNote(Note(MAX_U64, named("key")), 0))
    state.notes.write(ids[1], UnspentNote(Note(0, named("key")), 1))
    state.notes.write(ids[2], UnspentNote(Note(0, named("key")), 300, ids[0], ids[1]))
    for number in (0, 1 << 63, MAX_U64):
        state.configurations.write(named(f"{number}"), number)
        state.nullifiers.write(named(f"{number}"), number)
        state.vouchers.write(number, named(f"{number}"))
    state.channels.write(
        CHANNEL, Channel(KEYS, *(65_535,) * 2, *(2**32 - 1,) * 2, CHANNEL, *(MAX_U64,) * 3)
    )
    head = replace(
        author.head,
        root=state.notes.root(),
        slot=MAX_U64,
        epoch=MAX_U64,
        genesis=MAX_U64,
        emitted=MAX_U64,
        burned=MAX_U64,
        fees=(0, MAX_U64),
        vouchers=MAX_U64,
    )
    async with opened(place) as store:
        await store.begin(author.genesis, Settled(author.root, (), state, head))
    async with opened(place) as store:
        found = await store.load()

    assert found is not None
    assert found.head == head
    assert contents(found.state) == contents(state)


async def test_heights_and_slots_are_in_the_order_of_numbers(place: Path | str) -> None:
    for edge in (255, (1 << 32) - 1, (1 << 63) - 1):
        assert edge.to_bytes(8, "big") < (edge + 1).to_bytes(8, "big")
    author = Author(first_slot=(1 << 63) - 3, first_height=(1 << 63) - 4)
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        blocks = await added(store, author, 8)
        await store.settle(author.execute(blocks), [])

        ids = [author.genesis.id, *(each.id for each in blocks)]
        assert await all_finals(store) == ids
        assert await store.final((1 << 63) - 1, 3) == ids[3:6]
        assert is_as(await store.load(), author)


async def test_what_has_no_64_bits_is_refused_and_nothing_written(
    store: SqlChainStore, author: Author
) -> None:
    block = replace(author.block(), slot=MAX_U64 + 1)
    with pytest.raises(ValueUnencodableError):
        await store.add(block)
    del author.kept[block.id]
    [kept] = await added(store, author, 1)
    [(tree, delta)] = author.execute([kept])
    large = replace(delta, nullifiers={named("x"): (None, MAX_U64 + 1)})

    with pytest.raises(ValueUnencodableError):
        await store.settle([(tree, large)], [])

    assert is_as(await store.load(), Author())
    assert await store.unsettled(0, 9) == [kept]


async def test_what_blocks_did_to_one_entry_is_written_once(
    store: SqlChainStore, author: Author
) -> None:
    """Two notes have one slot in turn, and an entry comes and goes between two settlements."""
    key = named("comes and goes")
    blocks = await added(store, author, 3)
    done = []
    for number, block in enumerate(blocks):
        state, before = author.state, author.head
        if number == 0:
            state.notes.add(named("first"), [Note(0, named("key"))])
            state.nullifiers.write(key, 1)
        elif number == 1:
            state.notes.spend([max(state.notes.items(), key=lambda one: one[1].slot)[0]])
            state.nullifiers.write(key, None)
            state.notes.add(named("second"), [Note(0, named("key"))])
        author.head = replace(before, slot=block.slot, root=state.notes.root())
        author.root = author.tree_block(block)
        done.append((author.root, state.collect(before, author.head)))

    await store.settle(done, [])

    assert is_as(await store.load(), author)


async def test_a_ledger_goes_on_from_what_was_kept(place: Path | str) -> None:
    """LED-5: the state of real blocks, with a ledger that takes it."""
    chain, author = Chain(), Author()
    genesis = replace(author.root, state=block_state(0, chain.ledger.root))
    settled = Settled(genesis, (), chain.ledger._state, chain.ledger.head)
    async with opened(place) as store:
        await store.begin(author.genesis, settled)
        for _ in range(3):
            block = author.block()
            await store.add(block)
            config = ChannelConfig(named(block.id.hex()), KEYS, 0, 0, 1, 1)
            applied = chain.accept(config, signatures=(0,))
            await store.settle([(author.tree_block(block), applied.delta)], [])
    async with opened(place) as store:
        found = await store.load()

    assert found is not None
    assert contents(found.state) == contents(chain.ledger._state)
    ledger = Ledger(chain.parameters, found.state, found.head)
    assert ledger.supply == chain.ledger.supply


@pytest.mark.parametrize("count", [10_000])
async def test_a_large_state_comes_back(place: Path | str, count: int) -> None:
    """CHS-13: more than a page of rows, and of blocks that are marked."""
    author = Author()
    state = author.state
    state.notes.add(named("many"), [Note(number, named("key")) for number in range(count)])
    for number in range(2_500):
        state.nullifiers.write(named(f"nullifier {number}"), number)
    held = state.notes.totals
    author.head = replace(
        author.head,
        root=state.notes.root(),
        genesis=held.free + held.locked + held.in_channels,
    )
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
    async with opened(place) as store:
        assert is_as(await store.load(), author)
