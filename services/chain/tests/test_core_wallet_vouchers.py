"""WAL-29, WAL-31: paths of own vouchers lead to the ledger's root, whatever epochs have ended."""

from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.wallet.voucher_tree import VoucherTree
from logos_crypto.trees import FrontierTree, LedgerTree


def leaf(number: int) -> bytes:
    return (number + 1).to_bytes(32, "little")


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.sets(st.integers(0, 53), max_size=6),
    st.sets(st.integers(0, 53), max_size=3),
)
def test_paths_lead_to_the_root_of_the_frontier(
    sizes: list[int], own: set[int], claimed: set[int]
) -> None:
    tree, frontier = VoucherTree(), FrontierTree()
    for size in sizes:
        leaves = [leaf(tree.count + at) for at in range(size)]
        if not leaves:
            continue
        end = tree.count + size
        dropped = {each for each in claimed if each < tree.count}
        wanted = {each for each in own if each < end} - dropped
        tree = tree.append(leaves, wanted)
        frontier.append_many(leaves)

        assert tree.count == len(frontier)
        for place in wanted:
            assert LedgerTree.verify(leaf(place), tree.path(place), frontier.root)


def test_few_nodes_are_kept() -> None:
    tree = VoucherTree().append([leaf(each) for each in range(1000)], [3, 500])

    assert len(tree.beside) <= 2 * 10
    assert len(tree.append([leaf(0)], []).beside) == 0


@given(st.integers(0, 70), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.data())
def test_a_tree_goes_on_from_the_frontier_alone(
    before: int, sizes: list[int], data: st.DataObject
) -> None:
    """After a checkpoint: the vouchers that come then have paths."""
    frontier = FrontierTree()
    frontier.append_many([leaf(each) for each in range(before)])
    tree, own = VoucherTree.of_frontier(before, frontier.snapshot()), set[int]()
    for size in sizes:
        new = range(tree.count, tree.count + size)
        own |= set(data.draw(st.lists(st.sampled_from(new), max_size=3)))
        tree = tree.append([leaf(each) for each in new], own)
        frontier.append_many([leaf(each) for each in new])

        for place in own:
            assert LedgerTree.verify(leaf(place), tree.path(place), frontier.root)
