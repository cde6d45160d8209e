//! Reed-Solomon shards and keccak-256 as Python sees them. `ValueError` where shards are refused.
//!
//! The interpreter is released: 5 MiB take tens of milliseconds.

use logos_erasure::ErasureError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// Adds everything of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(leopard_encode, module)?)?;
    module.add_function(wrap_pyfunction!(leopard_reconstruct, module)?)?;
    module.add_function(wrap_pyfunction!(keccak256, module)?)?;
    module.add_function(wrap_pyfunction!(keccak256_end_of_padded, module)?)
}

fn refusal(error: ErasureError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn as_bytes(py: Python<'_>, shards: Vec<Vec<u8>>) -> Vec<Bound<'_, PyBytes>> {
    shards.iter().map(|shard| PyBytes::new(py, shard)).collect()
}

#[pyfunction]
fn leopard_encode(
    py: Python<'_>,
    data: Vec<PyBackedBytes>,
    parity: usize,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let views: Vec<&[u8]> = data.iter().map(|shard| &**shard).collect();
    let made = py.detach(|| logos_erasure::encode(&views, parity));
    made.map(|shards| as_bytes(py, shards)).map_err(refusal)
}

#[pyfunction]
fn leopard_reconstruct(
    py: Python<'_>,
    shards: Vec<Option<PyBackedBytes>>,
    data: usize,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let views: Vec<Option<&[u8]>> = shards.iter().map(|shard| shard.as_deref()).collect();
    let made = py.detach(|| logos_erasure::reconstruct(&views, data));
    made.map(|shards| as_bytes(py, shards)).map_err(refusal)
}

#[pyfunction]
fn keccak256<'py>(py: Python<'py>, data: PyBackedBytes) -> Bound<'py, PyBytes> {
    let digest = py.detach(|| logos_erasure::keccak256(&data));
    PyBytes::new(py, &digest)
}

#[pyfunction]
fn keccak256_end_of_padded(
    py: Python<'_>,
    data: PyBackedBytes,
    least: usize,
    digest: &[u8],
) -> Option<usize> {
    py.detach(|| logos_erasure::end_of_padded(&data, least, digest))
}
