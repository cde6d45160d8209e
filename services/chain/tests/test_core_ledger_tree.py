"""The tree of notes against the native one, and tables with their logs (LED-5, LED-6)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.ledger.tables import Table
from logos_chain.core.ledger.tree import NoteTree
from logos_crypto.hashes import MODULUS
from logos_crypto.trees import LedgerTree

leaves = st.integers(1, MODULUS - 1).map(lambda each: each.to_bytes(32, "little"))
SMALL = [each.to_bytes(32, "little") for each in range(1, 12)]


def test_empty_tree_has_the_native_root() -> None:
    assert NoteTree().root() == LedgerTree().root


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SMALL), max_size=60), st.sets(st.integers(0, 59)))
def test_inserting_and_removing_as_the_native_tree_does(
    toggled: list[bytes], looks: set[int]
) -> None:
    tree, native, slots = NoteTree(), LedgerTree(), {}

    for at, leaf in enumerate(toggled):
        if leaf in slots:
            tree.write(slots.pop(leaf), bytes(32))
            native.remove(leaf)
        else:
            slots[leaf] = tree.lowest_empty()
            tree.write(slots[leaf], leaf)
            assert slots[leaf] == native.insert(leaf)
        if at in looks:
            assert tree.root() == native.root

    assert tree.root() == native.root
    assert len(tree) == len(native)
    for leaf, slot in slots.items():
        assert LedgerTree.verify(leaf, tree.path(slot), native.root)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 40), st.sampled_from(SMALL)))
def test_slots_may_be_written_in_any_order(written: dict[int, bytes]) -> None:
    one, two = NoteTree(), NoteTree()

    for slot, leaf in written.items():
        one.write(slot, leaf)
    for slot, leaf in sorted(written.items(), reverse=True):
        two.write(slot, leaf)

    assert one.root() == two.root()
    free = next(each for each in range(42) if each not in written)
    assert one.lowest_empty() == two.lowest_empty() == free


def test_list_of_empty_slots_does_not_grow_with_what_was_tried() -> None:
    tree = NoteTree()
    for slot in range(4):
        tree.write(slot, SMALL[slot])

    for _ in range(5000):
        tree.write(2, bytes(32))
        tree.write(2, SMALL[2])

    assert len(tree._free) < 1100
    tree.write(1, bytes(32))
    assert tree.lowest_empty() == 1


operations = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 9)), max_size=20)


@given(st.lists(operations, max_size=6))
def test_table_goes_back_and_forth(blocks: list[list[tuple[int, int | None]]]) -> None:
    table: Table[int, int] = Table()
    states, changes = [dict(table.items())], []
    for block in blocks:
        for key, value in block:
            table.write(key, value)
        changes.append(table.collect())
        states.append(dict(table.items()))

    for at in reversed(range(len(blocks))):
        table.undo(changes[at])
        assert dict(table.items()) == states[at]
    for at in range(len(blocks)):
        table.redo(changes[at])
        assert dict(table.items()) == states[at + 1]


@given(operations, operations)
def test_table_drops_what_was_refused(
    kept: list[tuple[int, int | None]], dropped: list[tuple[int, int | None]]
) -> None:
    table: Table[int, int] = Table({1: 1})
    for key, value in kept:
        table.write(key, value)
    before, mark = dict(table.items()), table.mark()

    for key, value in dropped:
        table.write(key, value)
    table.rollback(mark)

    assert dict(table.items()) == before
    table.undo(table.collect())
    assert dict(table.items()) == {1: 1}
