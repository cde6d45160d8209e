//! Hashes over field values, and the Merkle trees made with them, as Python sees them.
//!
//! A field value crosses as 32 bytes, little-endian and below the modulus, in both directions.
//! The interpreter is released wherever a tree is locked: a batch of another thread may hold it.

use std::sync::{PoisonError, RwLock};

use logos_zk::field::{self, FIELD_BYTES, FieldError, Fr};
use logos_zk::poseidon::InputCountError;
use logos_zk::tree::{
    FrontierTree as Frontier, LEDGER_DEPTH, LedgerTree as Ledger, NodeHash, Path, Poseidon2Nodes,
    PoseidonNodes, RLN_DEPTH, RlnTree as Rln, SORTED_DEPTH, SortedTree as Sorted, TreeError,
};
use logos_zk::{poseidon, poseidon2};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::zk_error::zk_error;

type Value = [u8; FIELD_BYTES];

/// Adds everything of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MerklePath>()?;
    module.add_class::<LedgerTree>()?;
    module.add_class::<FrontierTree>()?;
    module.add_class::<SortedTree>()?;
    module.add_class::<RlnTree>()?;
    module.add_function(wrap_pyfunction!(poseidon_hash, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_hash, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_compress, module)?)
}

/// A refusal on its way to Python.
struct Refusal {
    reason: &'static str,
    text: String,
}

impl From<TreeError> for Refusal {
    fn from(error: TreeError) -> Self {
        Self {
            reason: error.reason(),
            text: error.to_string(),
        }
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        TreeError::from(error).into()
    }
}

impl From<InputCountError> for Refusal {
    fn from(error: InputCountError) -> Self {
        Self {
            reason: "POSEIDON_INPUTS",
            text: error.to_string(),
        }
    }
}

impl Refusal {
    fn raise(self) -> PyErr {
        zk_error(self.reason, self.text)
    }
}

/// Works without the interpreter.
fn released<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Refusal> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(|refusal| refusal.raise())
}

/// Values whose hash is made with the interpreter held: some 40 microseconds. Given away, it comes
/// back after 5 milliseconds if another thread works, and a full block has 3,000 hashes.
const BRIEF: usize = 8;

/// Works with the interpreter held: see `BRIEF`.
fn held<T>(work: impl FnOnce() -> Result<T, Refusal>) -> PyResult<T> {
    work().map_err(|refusal| refusal.raise())
}

fn values(all: &[PyBackedBytes]) -> Result<Vec<Fr>, Refusal> {
    Ok(all
        .iter()
        .map(|bytes| field::decode(bytes))
        .collect::<Result<_, _>>()?)
}

#[pyfunction]
fn poseidon_hash(inputs: Vec<PyBackedBytes>) -> PyResult<Value> {
    held(|| {
        let hash = poseidon::hash(&values(&inputs)?)?;
        Ok(field::encode(&hash))
    })
}

#[pyfunction]
fn poseidon2_hash(py: Python<'_>, inputs: Vec<PyBackedBytes>) -> PyResult<Value> {
    let work = || Ok(field::encode(&poseidon2::hash(&values(&inputs)?)));
    if inputs.len() <= BRIEF {
        return held(work);
    }
    released(py, work)
}

#[pyfunction]
fn poseidon2_compress(left: &[u8], right: &[u8]) -> PyResult<Value> {
    held(|| {
        let node = poseidon2::compress(field::decode(left)?, field::decode(right)?);
        Ok(field::encode(&node))
    })
}

#[pyclass(frozen, eq, hash, module = "logos_native")]
#[derive(PartialEq, Eq, Hash)]
struct MerklePath {
    #[pyo3(get)]
    index: u64,
    siblings: Vec<Value>,
}

#[pymethods]
impl MerklePath {
    #[new]
    fn new(py: Python<'_>, index: u64, siblings: Vec<PyBackedBytes>) -> PyResult<Self> {
        released(py, || {
            // No tree is deeper: what is longer is refused before it is read.
            let depth = siblings.len().min(LEDGER_DEPTH);
            let read = values(&siblings[..depth])?;
            if siblings.len() > depth {
                let (expected, given) = (depth, siblings.len());
                return Err(TreeError::PathLength { expected, given }.into());
            }
            Ok(Path::new(index, read, depth)?.into())
        })
    }

    #[getter]
    fn siblings(&self) -> Vec<Value> {
        self.siblings.clone()
    }

    #[getter]
    fn selectors(&self) -> Vec<bool> {
        let levels = (0..self.siblings.len()).rev();
        levels.map(|level| self.index >> level & 1 == 1).collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "MerklePath(index={}, depth={})",
            self.index,
            self.siblings.len()
        )
    }
}

impl From<Path> for MerklePath {
    fn from(path: Path) -> Self {
        Self {
            index: path.index,
            siblings: path.siblings.iter().map(field::encode).collect(),
        }
    }
}

fn to_paths(paths: Vec<Path>) -> Vec<MerklePath> {
    paths.into_iter().map(MerklePath::from).collect()
}

fn path_root<H: NodeHash>(leaf: &[u8], path: &MerklePath, depth: usize) -> Result<Value, Refusal> {
    let leaf = field::decode(leaf)?;
    let siblings = path.siblings.iter().map(|value| field::decode(value));
    let path = Path::new(path.index, siblings.collect::<Result<_, _>>()?, depth)?;
    Ok(field::encode(&path.root::<H>(leaf)))
}

/// A tree that threads share. A panic in the middle of a change has poisoned it for good.
struct Shared<T>(RwLock<T>);

impl<T: Send + Sync> Shared<T> {
    fn new(tree: T) -> Self {
        Self(RwLock::new(tree))
    }

    fn read<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&T) -> Result<R, Refusal> + Send,
    ) -> PyResult<R> {
        released(py, || work(&*self.0.read().map_err(poisoned)?))
    }

    fn write<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut T) -> Result<R, Refusal> + Send,
    ) -> PyResult<R> {
        released(py, || work(&mut *self.0.write().map_err(poisoned)?))
    }
}

fn poisoned<T>(_: PoisonError<T>) -> Refusal {
    Refusal {
        reason: "TREE_BROKEN",
        text: "an earlier change of the tree did not end: restore it".to_owned(),
    }
}

#[pyclass(frozen, module = "logos_native")]
struct LedgerTree(Shared<Ledger>);

#[pymethods]
impl LedgerTree {
    #[new]
    #[pyo3(signature = (*, history = 1))]
    fn new(py: Python<'_>, history: usize) -> PyResult<Self> {
        released(py, || Ok(Self(Shared::new(Ledger::new(history)?))))
    }

    #[staticmethod]
    fn restore(py: Python<'_>, snapshot: PyBackedBytes) -> PyResult<Self> {
        released(py, || Ok(Self(Shared::new(Ledger::restore(&snapshot)?))))
    }

    #[staticmethod]
    fn path_root(py: Python<'_>, leaf: &[u8], path: &MerklePath) -> PyResult<Value> {
        released(py, || path_root::<Poseidon2Nodes>(leaf, path, LEDGER_DEPTH))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.read(py, |tree| Ok(tree.len() as usize))
    }

    #[getter]
    fn root(&self, py: Python<'_>) -> PyResult<Value> {
        self.0.read(py, |tree| Ok(field::encode(&tree.root())))
    }

    fn contains_root(&self, py: Python<'_>, root: &[u8]) -> PyResult<bool> {
        self.0
            .read(py, |tree| Ok(tree.contains_root(&field::decode(root)?)))
    }

    fn slot_of(&self, py: Python<'_>, leaf: &[u8]) -> PyResult<Option<u64>> {
        self.0
            .read(py, |tree| Ok(tree.slot_of(&field::decode(leaf)?)))
    }

    fn insert(&self, py: Python<'_>, leaf: &[u8]) -> PyResult<u64> {
        self.0
            .write(py, |tree| Ok(tree.insert(field::decode(leaf)?)?))
    }

    fn remove(&self, py: Python<'_>, leaf: &[u8]) -> PyResult<()> {
        self.0
            .write(py, |tree| Ok(tree.remove(field::decode(leaf)?)?))
    }

    fn update(
        &self,
        py: Python<'_>,
        removed: Vec<PyBackedBytes>,
        inserted: Vec<PyBackedBytes>,
    ) -> PyResult<Vec<u64>> {
        self.0.write(py, |tree| {
            Ok(tree.update(&values(&removed)?, &values(&inserted)?)?)
        })
    }

    fn path(&self, py: Python<'_>, leaf: &[u8]) -> PyResult<MerklePath> {
        self.0
            .read(py, |tree| Ok(tree.path(&field::decode(leaf)?)?.into()))
    }

    fn paths(&self, py: Python<'_>, leaves: Vec<PyBackedBytes>) -> PyResult<Vec<MerklePath>> {
        self.0
            .read(py, |tree| Ok(to_paths(tree.paths(&values(&leaves)?)?)))
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.read(py, |tree| Ok(tree.snapshot()))
    }
}

#[pyclass(frozen, module = "logos_native")]
struct FrontierTree(Shared<Frontier>);

#[pymethods]
impl FrontierTree {
    #[new]
    fn new() -> Self {
        Self(Shared::new(Frontier::new()))
    }

    #[staticmethod]
    fn restore(py: Python<'_>, snapshot: PyBackedBytes) -> PyResult<Self> {
        released(py, || Ok(Self(Shared::new(Frontier::restore(&snapshot)?))))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.read(py, |tree| Ok(tree.len() as usize))
    }

    #[getter]
    fn root(&self, py: Python<'_>) -> PyResult<Value> {
        self.0.read(py, |tree| Ok(field::encode(&tree.root())))
    }

    fn append(&self, py: Python<'_>, leaf: &[u8]) -> PyResult<u64> {
        self.0
            .write(py, |tree| Ok(tree.append(field::decode(leaf)?)?))
    }

    fn append_many(&self, py: Python<'_>, leaves: Vec<PyBackedBytes>) -> PyResult<u64> {
        self.0
            .write(py, |tree| Ok(tree.append_many(&values(&leaves)?)?))
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.read(py, |tree| Ok(tree.snapshot()))
    }
}

/// Never changes, so it is not locked.
#[pyclass(frozen, module = "logos_native")]
struct SortedTree(Sorted);

#[pymethods]
impl SortedTree {
    #[new]
    fn new(py: Python<'_>, values: Vec<PyBackedBytes>) -> PyResult<Self> {
        released(py, || Ok(Self(Sorted::new(self::values(&values)?)?)))
    }

    #[staticmethod]
    fn path_root(py: Python<'_>, leaf: &[u8], path: &MerklePath) -> PyResult<Value> {
        released(py, || path_root::<Poseidon2Nodes>(leaf, path, SORTED_DEPTH))
    }

    fn __len__(&self) -> usize {
        self.0.len() as usize
    }

    #[getter]
    fn root(&self) -> Value {
        field::encode(&self.0.root())
    }

    fn path(&self, py: Python<'_>, value: &[u8]) -> PyResult<MerklePath> {
        released(py, || Ok(self.0.path(&field::decode(value)?)?.into()))
    }

    fn paths(&self, py: Python<'_>, values: Vec<PyBackedBytes>) -> PyResult<Vec<MerklePath>> {
        released(py, || Ok(to_paths(self.0.paths(&self::values(&values)?)?)))
    }
}

#[pyclass(frozen, module = "logos_native")]
struct RlnTree(Shared<Rln>);

#[pymethods]
impl RlnTree {
    #[new]
    #[pyo3(signature = (*, history = 1))]
    fn new(py: Python<'_>, history: usize) -> PyResult<Self> {
        released(py, || Ok(Self(Shared::new(Rln::new(history)?))))
    }

    #[staticmethod]
    fn restore(py: Python<'_>, snapshot: PyBackedBytes) -> PyResult<Self> {
        released(py, || Ok(Self(Shared::new(Rln::restore(&snapshot)?))))
    }

    #[staticmethod]
    fn path_root(py: Python<'_>, leaf: &[u8], path: &MerklePath) -> PyResult<Value> {
        released(py, || path_root::<PoseidonNodes>(leaf, path, RLN_DEPTH))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.read(py, |tree| Ok(tree.len() as usize))
    }

    #[getter]
    fn root(&self, py: Python<'_>) -> PyResult<Value> {
        self.0.read(py, |tree| Ok(field::encode(&tree.root())))
    }

    fn contains_root(&self, py: Python<'_>, root: &[u8]) -> PyResult<bool> {
        self.0
            .read(py, |tree| Ok(tree.contains_root(&field::decode(root)?)))
    }

    fn leaf(&self, py: Python<'_>, index: u64) -> PyResult<Value> {
        self.0
            .read(py, |tree| Ok(field::encode(&tree.leaf(index)?)))
    }

    fn set(&self, py: Python<'_>, index: u64, leaf: &[u8]) -> PyResult<()> {
        self.0
            .write(py, |tree| Ok(tree.set(index, field::decode(leaf)?)?))
    }

    fn set_many(&self, py: Python<'_>, leaves: Vec<(u64, PyBackedBytes)>) -> PyResult<()> {
        self.0.write(py, |tree| {
            let leaves: Vec<(u64, Fr)> = leaves
                .iter()
                .map(|(index, leaf)| Ok((*index, field::decode(leaf)?)))
                .collect::<Result<_, FieldError>>()?;
            Ok(tree.set_many(&leaves)?)
        })
    }

    fn set_range(
        &self,
        py: Python<'_>,
        first_index: u64,
        leaves: Vec<PyBackedBytes>,
    ) -> PyResult<()> {
        self.0.write(py, |tree| {
            Ok(tree.set_range(first_index, &values(&leaves)?)?)
        })
    }

    fn remove(&self, py: Python<'_>, index: u64) -> PyResult<()> {
        self.0.write(py, |tree| Ok(tree.remove(index)?))
    }

    fn remove_many(&self, py: Python<'_>, indices: Vec<u64>) -> PyResult<()> {
        self.0.write(py, |tree| Ok(tree.remove_many(&indices)?))
    }

    fn path(&self, py: Python<'_>, index: u64) -> PyResult<MerklePath> {
        self.0.read(py, |tree| Ok(tree.path(index)?.into()))
    }

    fn paths(&self, py: Python<'_>, indices: Vec<u64>) -> PyResult<Vec<MerklePath>> {
        self.0.read(py, |tree| Ok(to_paths(tree.paths(&indices)?)))
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.read(py, |tree| Ok(tree.snapshot()))
    }
}
