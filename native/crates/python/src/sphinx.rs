//! The symmetric cryptography of the mix's packets as Python sees it.
//!
//! What is returned is written into its Python object at once: data is copied once, then changed
//! in place. The GIL is kept, since a call takes microseconds.

use logos_sphinx::lioness::{Lioness, SizeError};
use logos_sphinx::tags::{self, TAG_BYTES, Tag};
use logos_sphinx::{SECRET_BYTES, header};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Adds everything of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TagSet>()?;
    module.add_function(wrap_pyfunction!(sphinx_header_mac, module)?)?;
    module.add_function(wrap_pyfunction!(sphinx_header_stream, module)?)?;
    module.add_function(wrap_pyfunction!(sphinx_lioness_encrypt, module)?)?;
    module.add_function(wrap_pyfunction!(sphinx_lioness_decrypt, module)?)
}

fn size_error(error: SizeError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn secret_of(raw: &[u8]) -> PyResult<&[u8; SECRET_BYTES]> {
    raw.try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "a secret has {SECRET_BYTES} bytes, this has {}",
            raw.len()
        ))
    })
}

/// Returns a copy of data that was changed in place.
fn changed<'py>(
    py: Python<'py>,
    data: &[u8],
    change: impl FnOnce(&mut [u8]) -> PyResult<()>,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, data.len(), |copy| {
        copy.copy_from_slice(data);
        change(copy)
    })
}

#[pyfunction]
fn sphinx_header_mac<'py>(
    py: Python<'py>,
    secret: &[u8],
    beta: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &header::mac(secret_of(secret)?, beta)))
}

#[pyfunction]
fn sphinx_header_stream<'py>(
    py: Python<'py>,
    secret: &[u8],
    data: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let secret = secret_of(secret)?;
    changed(py, data, |copy| {
        header::stream(secret, copy);
        Ok(())
    })
}

#[pyfunction]
fn sphinx_lioness_encrypt<'py>(
    py: Python<'py>,
    seed: &[u8],
    block: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let cipher = Lioness::new(seed).map_err(size_error)?;
    changed(py, block, |copy| cipher.encrypt(copy).map_err(size_error))
}

#[pyfunction]
fn sphinx_lioness_decrypt<'py>(
    py: Python<'py>,
    seed: &[u8],
    block: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let cipher = Lioness::new(seed).map_err(size_error)?;
    changed(py, block, |copy| cipher.decrypt(copy).map_err(size_error))
}

/// See `logos_sphinx::tags`.
#[pyclass]
struct TagSet(tags::TagSet);

fn tag_of(raw: &[u8]) -> PyResult<&Tag> {
    let tag: Option<&Tag> = raw.try_into().ok();
    tag.filter(|tag| **tag != [0; TAG_BYTES])
        .ok_or_else(|| PyValueError::new_err(format!("a tag is {TAG_BYTES} bytes of a hash")))
}

#[pymethods]
impl TagSet {
    #[new]
    fn new() -> Self {
        Self(tags::TagSet::default())
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __contains__(&self, tag: &[u8]) -> PyResult<bool> {
        Ok(self.0.contains(tag_of(tag)?))
    }

    fn add(&mut self, tag: &[u8]) -> PyResult<bool> {
        Ok(self.0.add(tag_of(tag)?))
    }

    fn add_all(&mut self, tags: &[u8]) -> PyResult<()> {
        for tag in tags.chunks(TAG_BYTES) {
            self.0.add(tag_of(tag)?);
        }
        Ok(())
    }
}
