//! Trees as bytes, to be kept on disk.
//!
//! All integers little-endian. A head of three bytes (version, kind of tree, depth), then what
//! the kind needs. A tree with a history: the history's capacity (4 bytes), the number of its
//! roots (4), the roots (32 each, oldest first), the number of leaves (8), and each leaf as its
//! index (8) and its value (32), by ascending index. One state has one encoding.
//!
//! The newest root is compared with the root of the leaves, so damage is seen when reading.

use ark_ff::Zero;

use super::history::RootHistory;
use super::path::in_range;
use super::sparse::SparseTree;
use super::{NodeHash, TreeError};
use crate::field::{FIELD_BYTES, Fr, decode, encode};

const VERSION: u8 = 1;

/// Bytes of a leaf with its index.
const LEAF_BYTES: usize = 8 + FIELD_BYTES;

/// Which tree a snapshot is of. The numbers are stored: add, never renumber.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Ledger = 1,
    Frontier = 2,
    Rln = 3,
}

/// A snapshot's head.
pub(super) fn head(kind: Kind, depth: usize) -> Vec<u8> {
    vec![VERSION, kind as u8, depth as u8]
}

/// Writes a tree with its history.
pub(super) fn write<H: NodeHash, const DEPTH: usize>(
    kind: Kind,
    nodes: &SparseTree<H, DEPTH>,
    history: &RootHistory,
) -> Vec<u8> {
    let leaves = nodes.leaves();
    let mut out = head(kind, DEPTH);
    out.reserve(16 + history.roots().len() * FIELD_BYTES + leaves.len() * LEAF_BYTES);
    out.extend((history.capacity() as u32).to_le_bytes());
    out.extend((history.roots().len() as u32).to_le_bytes());
    out.extend(history.roots().flat_map(encode));
    out.extend((leaves.len() as u64).to_le_bytes());
    for (index, leaf) in &leaves {
        out.extend(index.to_le_bytes());
        out.extend(encode(leaf));
    }
    out
}

/// Reads a tree with its history. Untrusted.
pub(super) fn read<H: NodeHash, const DEPTH: usize>(
    kind: Kind,
    bytes: &[u8],
) -> Result<(SparseTree<H, DEPTH>, RootHistory), TreeError> {
    let mut reader = Reader::new(kind, DEPTH, bytes)?;
    let capacity = reader.u32()? as usize;
    let root_count = u64::from(reader.u32()?);
    let roots = reader.values(root_count)?;
    let history = RootHistory::restored(capacity, roots)?;
    let leaf_count = reader.u64()?;
    let mut leaves: Vec<(u64, Fr)> = reader
        .items(leaf_count, LEAF_BYTES)?
        .chunks_exact(LEAF_BYTES)
        .map(read_leaf::<DEPTH>)
        .collect::<Result<_, _>>()?;
    reader.end()?;
    if !leaves.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(TreeError::SnapshotOrder);
    }
    let mut nodes = SparseTree::new();
    nodes.write(std::mem::take(&mut leaves));
    if nodes.root() == history.newest() {
        Ok((nodes, history))
    } else {
        Err(TreeError::SnapshotRoot)
    }
}

fn read_leaf<const DEPTH: usize>(bytes: &[u8]) -> Result<(u64, Fr), TreeError> {
    let (index, leaf) = bytes.split_at(8);
    let index = u64::from_le_bytes(index.try_into().expect("eight bytes"));
    in_range(index, DEPTH)?;
    let leaf = decode(leaf)?;
    if leaf.is_zero() {
        return Err(TreeError::EmptyLeaf);
    }
    Ok((index, leaf))
}

/// Reads a snapshot from its front.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins with the head, which must be of this kind and depth.
    pub fn new(kind: Kind, depth: usize, bytes: &'a [u8]) -> Result<Self, TreeError> {
        let mut reader = Self { rest: bytes };
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(TreeError::SnapshotVersion(version));
        }
        if reader.array()? == [kind as u8, depth as u8] {
            Ok(reader)
        } else {
            Err(TreeError::SnapshotKind)
        }
    }

    pub fn u32(&mut self) -> Result<u32, TreeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, TreeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Field values one after the other.
    pub fn values(&mut self, count: u64) -> Result<Vec<Fr>, TreeError> {
        let bytes = self.items(count, FIELD_BYTES)?;
        Ok(crate::field::decode_many(bytes)?)
    }

    /// Items of a size each. Nothing is allocated for a count that the bytes do not bear out.
    pub fn items(&mut self, count: u64, size: usize) -> Result<&'a [u8], TreeError> {
        let length = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size))
            .ok_or(TreeError::SnapshotTruncated)?;
        let (items, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(TreeError::SnapshotTruncated)?;
        self.rest = rest;
        Ok(items)
    }

    pub fn end(self) -> Result<(), TreeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(TreeError::SnapshotTrailing)
        }
    }

    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], TreeError> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(TreeError::SnapshotTruncated)?;
        self.rest = rest;
        Ok(*array)
    }
}
