//! The trees against their definition, and what they refuse.

use proptest::prelude::*;

use super::model::{NoteSet, root};
use super::*;
use crate::field::encode;

/// Deep enough for reuse, shallow enough to be full.
const DEPTH: usize = 4;

type Small = LedgerTree<DEPTH>;

fn value(number: u64) -> Fr {
    Fr::from(number)
}

fn values(numbers: impl IntoIterator<Item = u64>) -> Vec<Fr> {
    numbers.into_iter().map(value).collect()
}

fn ledger(leaves: &[Fr]) -> Small {
    let mut tree = Small::new(3).unwrap();
    tree.update(&[], leaves).unwrap();
    tree
}

#[test]
fn empty_roots_are_the_published_ones() {
    let published = "2134e76ac5d21aab186c2be1dd8f84ee880a1e46eaf712f9d371b6df22191f3e";
    let bytes = encode(&<RlnTree>::new(1).unwrap().root());
    let digits: String = bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digits, published);
}

#[test]
fn empty_trees_of_one_hash_and_depth_share_their_root() {
    let empty = <FrontierTree>::new().root();
    assert_eq!(<LedgerTree>::new(1).unwrap().root(), empty);
    let nodes = (0..LEDGER_DEPTH).fold(value(0), |node, _| Poseidon2Nodes::node(node, node));
    assert_eq!(nodes, empty);
    assert_eq!(
        <SortedTree>::new(vec![]).unwrap().root(),
        Poseidon2Nodes::empty()[SORTED_DEPTH]
    );
}

#[test]
fn a_freed_slot_is_used_again_lowest_first() {
    let mut tree = ledger(&values(1..=5));
    tree.update(&values([4, 2]), &[]).unwrap();

    assert_eq!(tree.insert(value(6)), Ok(1));
    assert_eq!(tree.insert(value(7)), Ok(3));
    assert_eq!(tree.insert(value(8)), Ok(5));

    let expected = root::<Poseidon2Nodes>(&values([1, 6, 3, 7, 5, 8]), DEPTH);
    assert_eq!(tree.root(), expected);
}

#[test]
fn an_update_removes_before_it_inserts_and_leaves_one_root() {
    let mut tree = ledger(&values(1..=3));
    let before = tree.root();

    let slots = tree.update(&values([1, 3]), &values([9, 1])).unwrap();

    assert_eq!(slots, [0, 2]);
    assert_eq!(
        tree.root(),
        root::<Poseidon2Nodes>(&values([9, 2, 1]), DEPTH)
    );
    assert!(tree.contains_root(&before));
    assert!(!tree.contains_root(&root::<Poseidon2Nodes>(&values([0, 2]), DEPTH)));
}

#[test]
fn a_refused_update_changes_nothing() {
    let mut tree = ledger(&values(1..=15));
    let before = tree.snapshot();
    let refused = [
        (values([]), values([16, 17]), TreeError::Full(16)),
        (values([]), values([1]), TreeError::DuplicateLeaf),
        (values([]), values([16, 16]), TreeError::DuplicateLeaf),
        (values([2]), values([2, 2]), TreeError::DuplicateLeaf),
        (values([]), values([16, 0]), TreeError::EmptyLeaf),
        (values([99]), values([]), TreeError::UnknownLeaf),
        (values([1, 1]), values([]), TreeError::UnknownLeaf),
        (values([0]), values([]), TreeError::UnknownLeaf),
    ];

    for (removed, inserted, error) in refused {
        assert_eq!(tree.update(&removed, &inserted), Err(error));
        assert_eq!(tree.snapshot(), before);
    }
    assert_eq!(tree.insert(value(16)), Ok(15));
    assert_eq!(tree.insert(value(17)), Err(TreeError::Full(16)));
}

#[test]
fn rln_writes_and_removals_are_checked_before_any_is_done() {
    let mut tree = RlnTree::<DEPTH>::new(2).unwrap();
    tree.set_range(3, &values([7, 7])).unwrap(); // equal leaves are the contract's matter
    let before = tree.snapshot();
    let out_of_range = TreeError::IndexOutOfRange {
        index: 16,
        capacity: 16,
    };

    assert_eq!(tree.set(16, value(1)), Err(out_of_range.clone()));
    assert_eq!(
        tree.set_range(15, &values([1, 2])),
        Err(out_of_range.clone())
    );
    assert_eq!(tree.set_range(u64::MAX, &[]), Err(in_range_error(u64::MAX)));
    assert_eq!(
        tree.set_many(&[(0, value(1)), (1, value(0))]),
        Err(TreeError::EmptyLeaf)
    );
    assert_eq!(
        tree.set_many(&[(0, value(1)), (0, value(2))]),
        Err(TreeError::RepeatedIndex(0))
    );
    assert_eq!(tree.remove_many(&[3, 5]), Err(TreeError::EmptySlot(5)));
    assert_eq!(tree.remove_many(&[3, 3]), Err(TreeError::RepeatedIndex(3)));
    assert_eq!(tree.remove(16), Err(out_of_range.clone()));
    assert_eq!(tree.path(5), Err(TreeError::EmptySlot(5)));
    assert_eq!(tree.path(16), Err(out_of_range));
    assert_eq!(tree.snapshot(), before);
}

fn in_range_error(index: u64) -> TreeError {
    TreeError::IndexOutOfRange {
        index,
        capacity: 16,
    }
}

#[test]
fn a_sorted_tree_needs_a_set() {
    type Tree = SortedTree<DEPTH>;
    assert_eq!(Tree::new(values(1..=17)).err(), Some(TreeError::Full(16)));
    assert_eq!(Tree::new(values([1, 0])).err(), Some(TreeError::EmptyLeaf));
    assert_eq!(
        Tree::new(values([1, 2, 1])).err(),
        Some(TreeError::DuplicateLeaf)
    );
    let tree = Tree::new(values(1..=16)).unwrap();
    assert_eq!(tree.path(&value(17)), Err(TreeError::UnknownLeaf));
    assert_eq!(tree.path(&value(0)), Err(TreeError::UnknownLeaf));
}

#[test]
fn a_sorted_tree_orders_values_as_numbers() {
    // As little-endian bytes 256 stands before 1; as Montgomery limbs the order is another still.
    let tree = SortedTree::<DEPTH>::new(vec![-value(1), value(256), value(1)]).unwrap();

    let expected = root::<Poseidon2Nodes>(&[value(1), value(256), -value(1)], DEPTH);
    assert_eq!(tree.root(), expected);
    assert_eq!(tree.path(&-value(1)).unwrap().index, 2);
}

#[test]
fn a_full_frontier_refuses_and_keeps_its_root() {
    let mut tree = FrontierTree::<DEPTH>::new();
    assert_eq!(tree.append_many(&values(1..=17)), Err(TreeError::Full(16)));
    assert_eq!(tree.append_many(&values([1, 0])), Err(TreeError::EmptyLeaf));
    assert!(tree.is_empty());
    assert_eq!(tree.append_many(&values(1..=16)), Ok(0));

    assert_eq!(tree.append(value(17)), Err(TreeError::Full(16)));

    assert_eq!(tree.root(), root::<Poseidon2Nodes>(&values(1..=16), DEPTH));
    let restored = FrontierTree::<DEPTH>::restore(&tree.snapshot()).unwrap();
    assert_eq!(restored.root(), tree.root());
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Vec<u64>),
    /// The present leaf of this number, modulo how many there are.
    Remove(usize),
    Replace(usize, u64),
    Restore,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        prop::collection::vec(1..40u64, 0..6).prop_map(Change::Insert),
        (0..16usize).prop_map(Change::Remove),
        (0..16usize, 1..40u64).prop_map(|(which, number)| Change::Replace(which, number)),
        Just(Change::Restore),
    ];
    prop::collection::vec(change, 1..12)
}

/// Makes one change to both; what the tree refuses must be what the model cannot do.
fn apply(change: Change, tree: &mut Small, model: &mut NoteSet) {
    let notes = model.notes();
    let pick = |which: usize| notes.get(which % notes.len().max(1)).copied();
    let (removed, inserted) = match change {
        Change::Restore => {
            let snapshot = tree.snapshot();
            *tree = Small::restore(&snapshot).unwrap();
            assert_eq!(tree.snapshot(), snapshot);
            return;
        }
        Change::Insert(numbers) => (None, values(numbers)),
        Change::Remove(which) => (pick(which), vec![]),
        Change::Replace(which, number) => (pick(which), vec![value(number)]),
    };
    let mut after: Vec<Fr> = notes;
    after.retain(|note| Some(*note) != removed);
    after.extend(&inserted);
    let distinct: std::collections::HashSet<Fr> = after.iter().copied().collect();
    let is_possible = after.len() <= 1 << DEPTH && distinct.len() == after.len();

    let outcome = tree.update(removed.as_slice(), &inserted);

    assert_eq!(outcome.is_ok(), is_possible);
    if let Ok(slots) = outcome {
        removed.into_iter().for_each(|note| model.remove(note));
        let expected: Vec<u64> = inserted
            .iter()
            .map(|note| model.insert(*note) as u64)
            .collect();
        assert_eq!(slots, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_ledger_is_the_documents_note_set(changes in changes()) {
        let (mut tree, mut model) = (Small::new(3).unwrap(), NoteSet::default());
        let mut roots = vec![tree.root()];
        for change in changes {
            apply(change, &mut tree, &mut model);
            let expected = root::<Poseidon2Nodes>(&model.0, DEPTH);
            prop_assert_eq!(tree.root(), expected);
            if *roots.last().unwrap() != expected {
                roots.push(expected);
            }
        }
        let notes = model.notes();
        prop_assert_eq!(tree.len(), notes.len() as u64);
        for (note, path) in notes.iter().zip(tree.paths(&notes).unwrap()) {
            prop_assert_eq!(path.root::<Poseidon2Nodes>(*note), tree.root());
            prop_assert_eq!(Some(path.index), tree.slot_of(note));
        }
        let (old, remembered) = roots.split_at(roots.len().saturating_sub(3));
        prop_assert!(remembered.iter().all(|root| tree.contains_root(root)));
        let forgotten = old.iter().filter(|root| !remembered.contains(root));
        for root in forgotten {
            prop_assert!(!tree.contains_root(root));
        }
    }

    #[test]
    fn a_frontier_is_the_tree_of_all_that_was_appended(
        batches in prop::collection::vec(prop::collection::vec(1..100u64, 0..5), 0..6),
    ) {
        let (mut tree, mut leaves) = (FrontierTree::<5>::new(), vec![]);
        for batch in batches {
            prop_assert_eq!(tree.append_many(&values(batch.clone())), Ok(leaves.len() as u64));
            leaves.extend(values(batch));
            prop_assert_eq!(tree.root(), root::<Poseidon2Nodes>(&leaves, 5));
            tree = FrontierTree::restore(&tree.snapshot()).unwrap();
        }
        prop_assert_eq!(tree.len(), leaves.len() as u64);
    }

    #[test]
    fn an_rln_tree_is_what_was_written_last(
        batches in prop::collection::vec(prop::collection::btree_map(0..16u64, 0..9u64, 0..6), 1..6),
    ) {
        let (mut tree, mut leaves) = (RlnTree::<DEPTH>::new(1).unwrap(), values([0; 16]));
        for batch in batches {
            let is_there = |index: &u64| leaves[*index as usize] != value(0);
            let (removed, set): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|(_, number)| *number == 0);
            let removed: Vec<u64> =
                removed.into_iter().map(|(index, _)| index).filter(is_there).collect();
            let set: Vec<(u64, Fr)> =
                set.into_iter().map(|(index, number)| (index, value(number))).collect();
            tree.remove_many(&removed).unwrap();
            tree.set_many(&set).unwrap();
            removed.iter().for_each(|index| leaves[*index as usize] = value(0));
            set.iter().for_each(|(index, leaf)| leaves[*index as usize] = *leaf);
            prop_assert_eq!(tree.root(), root::<PoseidonNodes>(&leaves, DEPTH));
            tree = RlnTree::restore(&tree.snapshot()).unwrap();
        }
        for (index, leaf) in (0..16u64).zip(&leaves) {
            prop_assert_eq!(tree.leaf(index), Ok(*leaf));
            if let Ok(path) = tree.path(index) {
                prop_assert_eq!(path.root::<PoseidonNodes>(*leaf), tree.root());
            }
        }
    }

    #[test]
    fn a_sorted_tree_has_one_root_for_a_set(
        set in prop::collection::hash_set(any::<u64>().prop_map(|number| number.max(1)), 0..16),
        reverse in any::<bool>(),
    ) {
        let mut given = values(set.iter().copied());
        if reverse {
            given.reverse();
        }
        let mut numbers: Vec<u64> = set.into_iter().collect();
        numbers.sort_unstable();
        let sorted = values(numbers);

        let tree = SortedTree::<DEPTH>::new(given).unwrap();

        prop_assert_eq!(tree.root(), root::<Poseidon2Nodes>(&sorted, DEPTH));
        for (leaf, path) in sorted.iter().zip(tree.paths(&sorted).unwrap()) {
            prop_assert_eq!(path.root::<Poseidon2Nodes>(*leaf), tree.root());
        }
    }

    #[test]
    fn a_changed_path_leads_elsewhere(leaf in 1..16u64, level in 0..DEPTH, bit in 0..4u32) {
        let tree = ledger(&values(1..=15));
        let path = tree.path(&value(leaf)).unwrap();
        let mut changed = path.clone();
        changed.siblings[level] += value(1);
        prop_assert_ne!(changed.root::<Poseidon2Nodes>(value(leaf)), tree.root());
        let mut moved = path.clone();
        moved.index ^= 1 << bit;
        prop_assert_ne!(moved.root::<Poseidon2Nodes>(value(leaf)), tree.root());
        prop_assert_ne!(path.root::<Poseidon2Nodes>(value(leaf + 1)), tree.root());
    }

    #[test]
    fn no_bytes_make_a_restore_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut ledger = vec![1, 1, DEPTH as u8];
        ledger.extend(&bytes);
        let _ = Small::restore(&ledger);
        let mut frontier = vec![1, 2, DEPTH as u8];
        frontier.extend(&bytes);
        let _ = FrontierTree::<DEPTH>::restore(&frontier);
    }
}

/// Where a ledger snapshot of one remembered root and its leaves has what.
const ROOT_AT: usize = 3 + 4 + 4;
const COUNT_AT: usize = ROOT_AT + 32;
const LEAVES_AT: usize = COUNT_AT + 8;

fn snapshot_of_three() -> Vec<u8> {
    let mut tree = Small::new(1).unwrap();
    tree.update(&[], &values(1..=3)).unwrap();
    tree.snapshot()
}

fn refusal(change: impl Fn(&mut Vec<u8>)) -> TreeError {
    let mut snapshot = snapshot_of_three();
    change(&mut snapshot);
    Small::restore(&snapshot).unwrap_err()
}

#[test]
fn a_snapshot_that_is_cut_off_or_goes_on_is_refused() {
    let snapshot = snapshot_of_three();
    assert_eq!(snapshot.len(), LEAVES_AT + 3 * 40);
    for length in 0..snapshot.len() {
        assert_eq!(
            Small::restore(&snapshot[..length]).err(),
            Some(TreeError::SnapshotTruncated),
            "{length}"
        );
    }
    assert_eq!(refusal(|bytes| bytes.push(0)), TreeError::SnapshotTrailing);
    assert_eq!(
        refusal(|bytes| bytes[COUNT_AT] = 2),
        TreeError::SnapshotTrailing
    );
    let endless = |bytes: &mut Vec<u8>| bytes[COUNT_AT..LEAVES_AT].fill(0xff);
    assert_eq!(refusal(endless), TreeError::SnapshotTruncated);
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    assert_eq!(refusal(|bytes| bytes[0] = 2), TreeError::SnapshotVersion(2));
    assert_eq!(refusal(|bytes| bytes[1] = 3), TreeError::SnapshotKind);
    assert_eq!(refusal(|bytes| bytes[2] = 5), TreeError::SnapshotKind);
    assert!(RlnTree::<DEPTH>::restore(&snapshot_of_three()).is_err());
    assert!(FrontierTree::<DEPTH>::restore(&snapshot_of_three()).is_err());
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let no_field = |bytes: &mut Vec<u8>| bytes[LEAVES_AT + 8..LEAVES_AT + 40].fill(0xff);
    assert_eq!(refusal(no_field).reason(), "FIELD_NOT_CANONICAL");
    let other_leaf = |bytes: &mut Vec<u8>| bytes[LEAVES_AT + 8] = 9;
    assert_eq!(refusal(other_leaf), TreeError::SnapshotRoot);
    let other_root = |bytes: &mut Vec<u8>| bytes[ROOT_AT] ^= 1;
    assert_eq!(refusal(other_root), TreeError::SnapshotRoot);
    let same_index = |bytes: &mut Vec<u8>| bytes[LEAVES_AT] = 1;
    assert_eq!(refusal(same_index), TreeError::SnapshotOrder);
    let far_index = |bytes: &mut Vec<u8>| bytes[LEAVES_AT] = 16;
    assert_eq!(refusal(far_index), in_range_error(16));
    let no_leaf = |bytes: &mut Vec<u8>| bytes[LEAVES_AT + 8] = 0;
    assert_eq!(refusal(no_leaf), TreeError::EmptyLeaf);
    let no_history = |bytes: &mut Vec<u8>| bytes[3] = 0;
    assert_eq!(refusal(no_history), TreeError::HistorySize(0));
}

#[test]
fn a_ledger_snapshot_with_a_leaf_twice_is_refused() {
    let leaves = values([5, 5]);
    let mut snapshot = vec![1, 1, DEPTH as u8, 1, 0, 0, 0, 1, 0, 0, 0];
    snapshot.extend(encode(&root::<Poseidon2Nodes>(&leaves, DEPTH)));
    snapshot.extend(2u64.to_le_bytes());
    for (index, leaf) in (0u64..).zip(&leaves) {
        snapshot.extend(index.to_le_bytes());
        snapshot.extend(encode(leaf));
    }

    assert_eq!(
        Small::restore(&snapshot).err(),
        Some(TreeError::DuplicateLeaf)
    );
}

#[test]
fn a_snapshot_with_a_leaf_in_the_last_slot_is_read_and_the_rest_is_free() {
    let last = (1 << LEDGER_DEPTH) - 1;
    let empty = Poseidon2Nodes::empty();
    let root = (0..LEDGER_DEPTH).fold(value(5), |node, level| {
        Poseidon2Nodes::node(empty[level], node)
    });
    let mut snapshot = vec![1, 1, LEDGER_DEPTH as u8, 1, 0, 0, 0, 1, 0, 0, 0];
    snapshot.extend(encode(&root));
    snapshot.extend(1u64.to_le_bytes());
    snapshot.extend(u64::to_le_bytes(last));
    snapshot.extend(encode(&value(5)));

    let mut tree = <LedgerTree>::restore(&snapshot).unwrap();

    assert_eq!(tree.slot_of(&value(5)), Some(last));
    assert_eq!(tree.insert(value(6)), Ok(0));
}

#[test]
fn a_damaged_frontier_is_refused() {
    let mut tree = FrontierTree::<DEPTH>::new();
    tree.append_many(&values(1..=5)).unwrap();
    let snapshot = tree.snapshot();
    assert_eq!(snapshot.len(), 3 + 8 + 2 * 32 + 32);
    let refusal = |at: usize, byte: u8| {
        let mut damaged = snapshot.clone();
        damaged[at] = byte;
        FrontierTree::<DEPTH>::restore(&damaged).err()
    };
    assert_eq!(refusal(3, 17), Some(TreeError::Full(16)));
    assert_eq!(refusal(3, 6), Some(TreeError::SnapshotRoot));
    assert_eq!(refusal(3, 4), Some(TreeError::SnapshotTrailing));
    assert_eq!(refusal(3, 7), Some(TreeError::SnapshotTruncated));
    assert_eq!(refusal(12, 9), Some(TreeError::SnapshotRoot));
}

#[test]
fn a_frontier_over_empty_leaves_is_refused() {
    let empty = Poseidon2Nodes::empty();
    for (count, node) in [(1u64, empty[0]), (4, empty[2])] {
        let mut snapshot = vec![1, 2, DEPTH as u8];
        snapshot.extend(count.to_le_bytes());
        snapshot.extend(encode(&node));
        snapshot.extend(encode(&empty[DEPTH]));

        assert_eq!(
            FrontierTree::<DEPTH>::restore(&snapshot).err(),
            Some(TreeError::EmptyLeaf)
        );
    }
}
