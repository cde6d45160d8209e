//! The one error of the zero-knowledge core, as Python sees it.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    logos_native,
    ZkError,
    PyValueError,
    "A rule of a proof, of its bytes or of its witness is broken. `reason` says which."
);

/// An error with a text and a stable reason.
pub fn zk_error(reason: &'static str, text: String) -> PyErr {
    with_attribute(ZkError::new_err(text), "reason", reason)
}

/// The error with one more attribute.
pub fn with_attribute(error: PyErr, name: &'static str, value: &'static str) -> PyErr {
    Python::attach(|py| error.value(py).setattr(name, value))
        .map_or_else(|broken| broken, |()| error)
}
