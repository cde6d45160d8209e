//! Proofs prepared before their message. A preparation cannot be pickled: it has no form to store.

use std::sync::Mutex;

use pyo3::prelude::*;

use logos_zk::rln::{Prepared, Preparer, RlnError};

use super::{AnyProof, RlnProof, refused, value};

#[pyclass(frozen, module = "logos_native")]
pub struct RlnPreparer(Preparer);

impl From<Preparer> for RlnPreparer {
    fn from(native: Preparer) -> Self {
        Self(native)
    }
}

#[pymethods]
impl RlnPreparer {
    #[pyo3(signature = (*, external_nullifier, message_id))]
    fn prepare(
        &self,
        py: Python<'_>,
        external_nullifier: &[u8],
        message_id: u32,
    ) -> PyResult<RlnPrepared> {
        let external_nullifier = value(external_nullifier)?;
        py.detach(|| self.0.prepare(external_nullifier, message_id))
            .map(|prepared| RlnPrepared(Mutex::new(Some(prepared))))
            .map_err(refused)
    }

    fn __repr__(&self) -> &'static str {
        "RlnPreparer(...)"
    }
}

/// A proof up to its message; nothing once it was finished.
#[pyclass(frozen, module = "logos_native")]
pub struct RlnPrepared(Mutex<Option<Prepared>>);

#[pymethods]
impl RlnPrepared {
    fn finish(&self, py: Python<'_>, x: &[u8]) -> PyResult<RlnProof> {
        let x = value(x)?;
        let held = self
            .0
            .lock()
            .expect("no thread panics while it takes")
            .take();
        let prepared = held.ok_or_else(|| refused(RlnError::PreparationSpent))?;
        let proof = py.detach(|| prepared.finish(x));
        Ok(RlnProof(AnyProof::Single(proof)))
    }

    fn __repr__(&self) -> &'static str {
        "RlnPrepared(...)"
    }
}
