"""CHS-6, CHS-15 to CHS-18: one suite for what is kept beside the chain, and for its fakes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chain_kept import KeptMarks, KeptRegistries, KeptTransactions, KeptWallets
from chain_leading import Notes, Paths
from chain_ledger import field_of, named
from chain_store import MAX_U64, opened_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logos_chain.core.leader_ports import AgedPathStore, ProposalNotes
from logos_chain.core.mempool.types import Saved
from logos_chain.core.node_ports import NodeMarks, SavedTransactions
from logos_chain.core.registry.ports import RegistryStore
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry, WalletStore
from logos_chain.store.saved_transactions import _places, _Row, _rows_of
from logos_crypto.trees import MerklePath, merkle_path
from logos_mantle.errors import ValueUnencodableError

ONE, TWO, THREE = named("one"), named("two"), named("three")


@dataclass
class Kept:
    """All ports of a node's disk beside the chain."""

    proposals: ProposalNotes
    paths: AgedPathStore
    marks: NodeMarks
    transactions: SavedTransactions
    wallets: WalletStore
    registries: RegistryStore


@dataclass
class Place:
    """Where they lie, to be opened again and again."""

    place: Path | str | None
    memory: Kept = field(
        default_factory=lambda: Kept(
            Notes(), Paths(), KeptMarks(), KeptTransactions(), KeptWallets(), KeptRegistries()
        )
    )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Kept]:
        if self.place is None:
            yield self.memory
            return
        async with opened_all(self.place) as store:
            yield Kept(
                store.proposals,
                store.paths,
                store.marks,
                store.transactions,
                store.wallets,
                store.registries,
            )


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgresql":
        return Place(str(request.getfixturevalue("postgresql_url")))
    return Place(tmp_path / "chain.sqlite" if request.param == "sqlite" else None)


# -- proposals -------------------------------------------------------------------------------------


async def test_a_slot_and_a_note_are_noted_once(place: Place) -> None:
    """CHS-16, LEA-8."""
    async with place.opened() as kept:
        assert await kept.proposals.slots() == []
        assert await kept.proposals.note(9, ONE, final_slot=0)
        assert not await kept.proposals.note(9, ONE, final_slot=0)
        assert await kept.proposals.note(9, TWO, final_slot=0)
        assert await kept.proposals.note(MAX_U64, ONE, final_slot=0)
    async with place.opened() as kept:
        assert not await kept.proposals.note(9, TWO, final_slot=0)
        assert await kept.proposals.slots() == [9, 9, MAX_U64]


async def test_proposals_of_final_slots_are_dropped(tmp_path: Path) -> None:
    async with Place(tmp_path / "chain.sqlite").opened() as kept:
        for slot in (254, 255, 256, 257):
            await kept.proposals.note(slot, ONE, final_slot=0)

        assert not await kept.proposals.note(257, ONE, final_slot=256)
        assert await kept.proposals.note(300, ONE, final_slot=256)

        assert await kept.proposals.slots() == [257, 300]


async def test_one_of_many_calls_at_once_is_the_first(place: Place) -> None:
    async with place.opened() as kept:
        calls = [kept.proposals.note(5, ONE, final_slot=0) for _ in range(20)]
        assert sum(await asyncio.gather(*calls)) == 1


# -- paths -----------------------------------------------------------------------------------------


def path(index: int, depth: int = 32) -> MerklePath:
    return merkle_path(index, [field_of(index + each) for each in range(depth)])


async def test_paths_to_aged_roots_come_back(place: Place) -> None:
    """LEA-7."""
    async with place.opened() as kept:
        await kept.paths.keep(ONE, {TWO: path(0)})
        await kept.paths.keep(ONE, {TWO: path(7), THREE: path(2**32 - 1)})
        await kept.paths.keep(TWO, {TWO: path(0, 1)})
        await kept.paths.keep(THREE, {})
    async with place.opened() as kept:
        assert await kept.paths.load(ONE) == {TWO: path(7), THREE: path(2**32 - 1)}
        assert await kept.paths.load(TWO) == {TWO: path(0, 1)}
        assert await kept.paths.load(THREE) == {}


async def test_paths_to_other_roots_are_dropped(place: Place) -> None:
    async with place.opened() as kept:
        for each in (ONE, TWO, THREE):
            await kept.paths.keep(each, {ONE: path(1)})

        await kept.paths.drop_others(iter((TWO, named("unknown"))))
        assert [len(await kept.paths.load(each)) for each in (ONE, TWO, THREE)] == [0, 1, 0]
        await kept.paths.drop_others(())

        assert await kept.paths.load(TWO) == {}


async def test_many_paths_come_back(place: Place) -> None:
    paths = {named(f"note {number}"): path(number) for number in range(1024)}
    async with place.opened() as kept:
        await kept.paths.keep(ONE, paths)

        assert await kept.paths.load(ONE) == paths


# -- marks -----------------------------------------------------------------------------------------


async def test_marks_come_back(place: Place) -> None:
    """CHS-6."""
    async with place.opened() as kept:
        assert await kept.marks.number("one") is None
        await kept.marks.put("one", 1)
        await kept.marks.put("one", MAX_U64)
        await kept.marks.put("zero", 0)
    async with place.opened() as kept:
        assert await kept.marks.number("one") == MAX_U64
        assert await kept.marks.number("zero") == 0
        assert await kept.marks.number("two") is None


# -- transactions ----------------------------------------------------------------------------------


def saved(number: int, since_ms: int = 0, fingerprint: bytes | None = None) -> Saved:
    return Saved(b"transaction %d" % number, since_ms, fingerprint)


async def test_waiting_transactions_come_back_in_their_order(place: Place) -> None:
    """CHS-17, MPL-20."""
    first = [saved(1, MAX_U64, ONE), saved(0), saved(2, 5, TWO)]
    async with place.opened() as kept:
        assert list(await kept.transactions.load()) == []
        await kept.transactions.save(first)
    async with place.opened() as kept:
        assert list(await kept.transactions.load()) == first
        changed = [saved(3), saved(1, 7, TWO), saved(2, 5, TWO), saved(4)]
        await kept.transactions.save(changed)
    async with place.opened() as kept:
        assert list(await kept.transactions.load()) == changed
        await kept.transactions.save([saved(4), saved(4)])
        assert list(await kept.transactions.load()) == [saved(4)]
        await kept.transactions.save([])
        assert list(await kept.transactions.load()) == []


async def test_a_full_mempool_comes_back(place: Place) -> None:
    large = [Saved(bytes([each]) * 2**21, each, None) for each in range(4)]
    many = [saved(number, number, named(f"{number}")) for number in range(8192)]
    async with place.opened() as kept:
        await kept.transactions.save([*large, *many])
        assert list(await kept.transactions.load()) == [*large, *many]
        await kept.transactions.save(many[::-1])
        assert list(await kept.transactions.load()) == many[::-1]


@given(st.lists(st.lists(st.integers(0, 12), unique=True, max_size=12), max_size=6))
def test_places_rise_whatever_comes_and_goes(orders: list[list[int]]) -> None:
    """CHS-17."""
    there: dict[_Row, int] = {}
    for order in orders:
        rows = list(_rows_of([saved(number) for number in order]))
        places = _places(rows, there)
        found = [places[row] for row in rows]
        assert found == sorted(set(found))
        there = places


def test_what_stays_in_its_order_keeps_its_place() -> None:
    rows = list(_rows_of([saved(number) for number in range(9)]))
    before = _places(rows[2:6], {})

    after = _places([rows[0], *rows[3:6], *rows[6:]], before)

    assert [after[each] for each in rows[3:6]] == [before[each] for each in rows[3:6]]


# -- registries ------------------------------------------------------------------------------------


async def test_each_registry_keeps_its_newest_state(place: Place) -> None:
    """RLC-8."""
    large = bytes(2**20)
    async with place.opened() as kept:
        assert await kept.registries.load(ONE) is None
        for each in (b"first", b"", large):
            await kept.registries.keep(ONE, each)
        await kept.registries.keep(TWO, b"other")
    async with place.opened() as kept:
        assert await kept.registries.load(ONE) == large
        assert await kept.registries.load(TWO) == b"other"


# -- wallets ---------------------------------------------------------------------------------------


def entry(height: int, place: int, text: str = "") -> KeptEntry:
    return KeptEntry(height, place, f"{height} {place} {text}".encode())


async def test_a_wallet_keeps_its_newest_state_and_the_one_below(place: Place) -> None:
    """CHS-18."""
    async with place.opened() as kept:
        assert await kept.wallets.load("main", ONE) is None
        for height, block in enumerate((ONE, TWO, THREE), 254):
            await kept.wallets.keep("main", block, height, b"state %d" % height, [entry(height, 0)])
        await kept.wallets.keep("other", ONE, MAX_U64, b"", [])
    async with place.opened() as kept:
        states = [await kept.wallets.load("main", each) for each in (ONE, TWO, THREE)]
        assert states == [None, b"state 255", b"state 256"]
        assert await kept.wallets.load("other", ONE) == b""
        assert await kept.wallets.load("other", TWO) is None


async def test_a_state_of_another_block_replaces_what_did_not_become_final(place: Place) -> None:
    fork = named("fork")
    async with place.opened() as kept:
        await kept.wallets.keep("main", ONE, 1, b"one", [entry(1, 0)])
        await kept.wallets.keep("main", TWO, 4, b"two", [entry(2, 0), entry(4, 0), entry(4, 1)])
        await kept.wallets.keep("main", fork, 4, b"fork", [entry(4, 0, "fork")])

        assert await kept.wallets.load("main", TWO) is None
        assert await kept.wallets.load("main", ONE) == b"one"
        assert await kept.wallets.load("main", fork) == b"fork"
        assert await kept.wallets.entries("main", None, 9) == [entry(4, 0, "fork"), entry(1, 0)]
        await kept.wallets.keep("main", ONE, 1, b"one", [entry(0, 7)])
        assert await kept.wallets.entries("main", None, 9) == [entry(0, 7)]


async def test_history_is_read_page_by_page(place: Place) -> None:
    """WAL-17."""
    history = [entry(height, at) for height in (1, 255, 256, MAX_U64) for at in (0, 1, 255, 256)]
    async with place.opened() as kept:
        await kept.wallets.keep("main", ONE, MAX_U64, b"", history)
        await kept.wallets.keep("other", ONE, 1, b"", [entry(1, 0, "other")])
        found: list[KeptEntry] = []
        before = None
        while page := await kept.wallets.entries("main", before, 3):
            found += page
            before = (found[-1].height, found[-1].place)

        assert found == history[::-1]
        assert await kept.wallets.entries("main", (0, MAX_U64), 9) == []


async def test_a_long_history_is_added_and_replaced(place: Place) -> None:
    history = [entry(1, number) for number in range(1000)]
    async with place.opened() as kept:
        for block in (ONE, TWO):
            await kept.wallets.keep("main", block, 5, b"", history)

            assert await kept.wallets.entries("main", None, 2000) == history[::-1]


async def test_drafts_come_back_in_the_order_in_which_they_were_added(place: Place) -> None:
    """WAL-16."""
    large = KeptDraft(THREE, bytes(2**21 + 1024))
    async with place.opened() as kept:
        await kept.wallets.put_draft("main", KeptDraft(TWO, b"two"))
        await kept.wallets.put_draft("main", KeptDraft(ONE, b"one"))
        await kept.wallets.put_draft("main", large)
        await kept.wallets.put_draft("main", KeptDraft(TWO, b"two again"))
        await kept.wallets.put_draft("other", KeptDraft(TWO, b"other"))
    async with place.opened() as kept:
        drafts = [KeptDraft(TWO, b"two again"), KeptDraft(ONE, b"one"), large]
        assert list(await kept.wallets.drafts("main")) == drafts
        await kept.wallets.drop_drafts("main", [TWO, named("unknown")])
        await kept.wallets.drop_drafts("main", [])
        assert list(await kept.wallets.drafts("main")) == drafts[1:]
        assert list(await kept.wallets.drafts("other")) == [KeptDraft(TWO, b"other")]


async def test_the_number_of_vouchers_never_falls(place: Place) -> None:
    """WAL-7."""
    async with place.opened() as kept:
        assert await kept.wallets.next_voucher("main") == 0
        for number in (3, 300, 299, 0):
            await kept.wallets.issue_until("main", number)
    async with place.opened() as kept:
        assert await kept.wallets.next_voucher("main") == 300
        await kept.wallets.issue_until("main", MAX_U64)
        assert await kept.wallets.next_voucher("main") == MAX_U64
        assert await kept.wallets.next_voucher("other") == 0


async def test_a_wallet_is_forgotten_and_no_other(place: Place) -> None:
    async with place.opened() as kept:
        for each in ("main", "other"):
            await kept.wallets.keep(each, ONE, 1, b"state", [entry(1, 0)])
            await kept.wallets.put_draft(each, KeptDraft(ONE, b""))
            await kept.wallets.issue_until(each, 7)
            await kept.wallets.watch(each, TWO)

        await kept.wallets.forget("main")
        await kept.wallets.forget("unknown")

        for each, there in (("main", False), ("other", True)):
            assert (await kept.wallets.load(each, ONE) is not None) == there
            assert bool(await kept.wallets.entries(each, None, 9)) == there
            assert bool(await kept.wallets.drafts(each)) == there
            assert bool(await kept.wallets.next_voucher(each)) == there
            assert await kept.wallets.watched(each) == [TWO]


async def test_each_wallet_keeps_the_keys_that_it_watches(place: Place) -> None:
    """WAL-9."""
    async with place.opened() as kept:
        assert list(await kept.wallets.watched("main")) == []
        for key in (TWO, ONE, TWO):
            await kept.wallets.watch("main", key)
        await kept.wallets.watch("other", THREE)
        await kept.wallets.keep("main", THREE, 9, b"state", [])
    async with place.opened() as kept:
        assert await kept.wallets.watched("main") == sorted((ONE, TWO))
        assert await kept.wallets.watched("other") == [THREE]
        assert await kept.wallets.load("main", THREE) == b"state"


Step = tuple[int, int]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=8))
async def test_the_history_is_as_in_memory(
    steps: Sequence[Step], tmp_path_factory: pytest.TempPathFactory
) -> None:
    memory = KeptWallets()
    async with opened_all(tmp_path_factory.mktemp("wallet") / "chain.sqlite") as store:
        for number, (height, count) in enumerate(steps):
            entries = [entry(max(0, height - each), each, f"{number}") for each in range(count)]
            block = named(f"block {number % 4}")
            for each in (memory, store.wallets):
                await each.keep("main", block, height, b"%d" % number, entries)

            assert await store.wallets.entries("main", None, 99) == await memory.entries(
                "main", None, 99
            )
            for one in range(4):
                at = named(f"block {one}")
                assert await store.wallets.load("main", at) == await memory.load("main", at)


# -- values ----------------------------------------------------------------------------------------


async def test_what_has_no_64_bits_is_refused(tmp_path: Path) -> None:
    """CHS-6."""
    large = MAX_U64 + 1
    async with Place(tmp_path / "chain.sqlite").opened() as kept:
        for call in (
            kept.proposals.note(large, ONE, final_slot=0),
            kept.proposals.note(1, ONE[1:], final_slot=0),
            kept.paths.keep(ONE, {ONE[1:]: path(1)}),
            kept.marks.put("one", large),
            kept.transactions.save([saved(1, large)]),
            kept.transactions.save([saved(1, 1, ONE[1:])]),
            kept.wallets.keep("main", ONE, large, b"", []),
            kept.wallets.keep("main", ONE, 1, b"", [entry(large, 1)]),
            kept.wallets.keep("main", ONE[1:], 1, b"", []),
            kept.wallets.put_draft("main", KeptDraft(ONE[1:], b"")),
            kept.wallets.issue_until("main", large),
            kept.wallets.watch("main", ONE[1:]),
        ):
            with pytest.raises(ValueUnencodableError):
                await call

        assert await kept.proposals.slots() == []
        assert list(await kept.transactions.load()) == []
        assert await kept.wallets.entries("main", None, 9) == []
