"""FOL-6: the way between two blocks is the shortest, and the ledger on it is that of a replay."""

from chain_blocks import field, identified
from chain_ledger import (
    ALICE,
    PARAMETERS,
    contents,
    epoch_state,
    genesis,
    named,
    outputs_of,
    signed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.aged import MAX_ROOTS, AgedPaths
from logos_chain.core.branch import Branches, Place, walk
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Applied, Ledger, Refused
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

ROOT = identified("root")
WORLD = genesis()
FUNDS = outputs_of(WORLD.transfer)
trees = st.lists(st.integers(0, 10**6), min_size=1, max_size=24)
"""Which of the blocks before it is each block's parent."""


def block_id(number: int) -> BlockId:
    return ROOT if number == 0 else identified(f"{number}")


def paths(tree: list[int]) -> list[list[int]]:
    """The blocks from the root to each one, by a model that knows of no heights."""
    found = [[0]]
    for number, drawn in enumerate(tree, 1):
        found.append([*found[drawn % number], number])
    return found


@given(trees, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_way_goes_down_to_the_last_common_block_and_up(
    tree: list[int], drawn_start: int, drawn_end: int
) -> None:
    found = paths(tree)
    start, end = found[drawn_start % len(found)], found[drawn_end % len(found)]
    places = {block_id(each[-1]): Place(block_id(each[-2]), len(each)) for each in found[1:]}
    places[ROOT] = Place(ROOT, 1)

    way = walk(places.__getitem__, block_id(start[-1]), block_id(end[-1]))

    assert way.undone == tuple(block_id(each) for each in reversed(start) if each not in end)
    assert way.done == tuple(block_id(each) for each in end if each not in start)


def spend(note: int, block: int) -> SignedTransaction:
    return signed(Transfer((FUNDS[note],), (Note(900_000 - block, ALICE),)))


def new_branches() -> Branches:
    return Branches(Ledger.from_genesis(PARAMETERS, WORLD), ROOT, AgedPaths())


def execute(branches: Branches, path: list[int]) -> Applied | Refused | None:
    """Executes the last block of a path; each spends the note of its height."""
    number, height = path[-1], len(path) - 1
    return branches.execute(
        block_id(number),
        block_id(path[-2]),
        [spend(height % len(FUNDS), number)],
        slot=height * 20,
        epoch=epoch_state(height * 20 // 100),
        voucher=named(f"voucher {number}"),
    )


def replayed(path: list[int]) -> Ledger:
    branches = new_branches()
    for length in range(2, len(path) + 1):
        assert isinstance(execute(branches, path[:length]), Applied)
    return branches.ledger


@settings(deadline=None, max_examples=30)
@given(trees, st.lists(st.integers(0, 10**6), max_size=6))
def test_the_ledger_anywhere_is_that_of_a_replay(tree: list[int], visited: list[int]) -> None:
    branches, found = new_branches(), paths(tree)

    for path in found[1:]:
        assert isinstance(execute(branches, path), Applied)
    for drawn in visited:
        path = found[drawn % len(found)]
        branches.go(block_id(path[-1]))
        assert branches.at == block_id(path[-1])
        assert contents(branches.ledger) == contents(replayed(path))

    assert len(branches) == len(tree)


@settings(deadline=None, max_examples=30)
@given(trees, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_settling_keeps_what_can_still_be_the_chain(
    tree: list[int], drawn_tip: int, drawn_root: int, drawn_at: int
) -> None:
    branches, found = new_branches(), paths(tree)
    for path in found[1:]:
        execute(branches, path)
    tip = found[drawn_tip % len(found)]
    final = tip[1 : drawn_root % len(tip) + 1]
    root = final[-1] if final else 0
    cut = [each[-1] for each in found if root not in each and each[-1] not in final]
    branches.move_tip(block_id(tip[-1]))
    branches.go(block_id(found[drawn_at % len(found)][-1]))

    branches.settle([block_id(each) for each in final])
    branches.forget([block_id(each) for each in cut if each])

    kept = [each for each in found if root in each and each[-1] != root]
    assert len(branches) == len(kept)
    for path in kept:
        branches.go(block_id(path[-1]))
        assert branches.ledger.root == replayed(path).root


def test_a_block_whose_parent_was_cut_off_is_not_executed() -> None:
    branches = new_branches()
    execute(branches, [0, 1])
    execute(branches, [0, 2])
    branches.move_tip(block_id(2))
    branches.settle([block_id(2)])
    branches.forget([block_id(1)])

    assert execute(branches, [0, 1, 3]) is None
    assert branches.at == block_id(2)


def test_a_dropped_block_leaves_nothing_wherever_the_ledger_stands() -> None:
    branches = new_branches()
    before = contents(branches.ledger)
    execute(branches, [0, 1])
    branches.drop(block_id(1))
    assert contents(branches.ledger) == before

    execute(branches, [0, 1])
    branches.go(ROOT)
    branches.drop(block_id(1))
    branches.drop(identified("unknown"))

    assert len(branches) == 0
    assert contents(branches.ledger) == before


def test_a_refused_block_changes_nothing_but_where_the_ledger_stands() -> None:
    branches = new_branches()
    execute(branches, [0, 1])
    before = contents(branches.ledger)

    result = branches.execute(
        identified("bad"),
        block_id(1),
        [spend(1, 7)],
        slot=30,
        epoch=epoch_state(0),
        voucher=field("v"),
    )

    assert isinstance(result, Refused)
    assert branches.at == block_id(1)
    assert contents(branches.ledger) == before


def test_paths_that_the_tip_needs_are_kept_whatever_forks_come() -> None:
    """FOL-16."""
    branches = Branches(Ledger.from_genesis(PARAMETERS, WORLD), ROOT, AgedPaths([ALICE]))

    def made(name: str, parent: BlockId, slot: int, note: int) -> BlockId:
        block, epoch = identified(name), epoch_state(slot // 100)
        spent = [spend(note, slot)]
        voucher = named(name)
        result = branches.execute(block, parent, spent, slot=slot, epoch=epoch, voucher=voucher)
        assert isinstance(result, Applied)
        return block

    first = made("main", ROOT, 10, 0)
    root = branches.ledger.root
    branches.move_tip(made("main next", first, 100, 1))
    for at in range(MAX_ROOTS + 1):
        made(f"fork next {at}", made(f"fork {at}", ROOT, 11 + at, 2), 100, 3)

    assert branches.aged.path(root, FUNDS[20]) is not None
    assert branches.aged.path(root, FUNDS[0]) is None
