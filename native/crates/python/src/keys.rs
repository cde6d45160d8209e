//! The store of circuits' keys and the ceremony as Python sees them.
//!
//! Functions that read, write or compute release the GIL.

use std::path::PathBuf;

use pyo3::prelude::*;

use logos_zk::ceremony::{self, CeremonyError};
use logos_zk::circuits::Statement;
use logos_zk::groth16::{ProvingKey, VerifyingKey, statement_of};
use logos_zk::keys::{self, CircuitName, HASH_BYTES, KeyError, VerifyingKeyHash};

use crate::circuits::{CircuitKey, CircuitVerifier, statement};
use crate::zk_error::zk_error;

/// Adds what this file declares to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CircuitKeys>()?;
    module.add_class::<Ceremony>()
}

type Hash = [u8; HASH_BYTES];

#[pyclass(frozen, module = "logos_native")]
struct CircuitKeys(keys::CircuitKeys);

#[pymethods]
impl CircuitKeys {
    #[new]
    fn new(folder: PathBuf) -> PyResult<Self> {
        keys::CircuitKeys::open(&folder)
            .map(Self)
            .map_err(key_error)
    }

    fn add(&self, py: Python<'_>, key: &CircuitKey) -> PyResult<PathBuf> {
        py.detach(|| self.0.add(key.0.key())).map_err(key_error)
    }

    fn load(
        &self,
        py: Python<'_>,
        circuit: &str,
        verifying_key_hash: Hash,
    ) -> PyResult<CircuitKey> {
        let name = name_of(statement(circuit)?);
        py.detach(|| {
            let key = self.0.load(&name, &VerifyingKeyHash(verifying_key_hash))?;
            ProvingKey::new(key).map(CircuitKey)
        })
        .map_err(key_error)
    }

    fn load_verifier(
        &self,
        py: Python<'_>,
        circuit: &str,
        verifying_key_hash: Hash,
    ) -> PyResult<CircuitVerifier> {
        let name = name_of(statement(circuit)?);
        py.detach(|| {
            let hash = VerifyingKeyHash(verifying_key_hash);
            let file = self.0.load_verifying_key(&name, &hash)?;
            Ok(CircuitVerifier {
                key: VerifyingKey::from_file(&file)?,
                is_insecure: file.insecure,
            })
        })
        .map_err(key_error)
    }
}

#[pyclass(module = "logos_native")]
struct Ceremony(ceremony::Ceremony);

#[pymethods]
impl Ceremony {
    #[staticmethod]
    fn begin(py: Python<'_>, key: &CircuitKey) -> PyResult<Self> {
        py.detach(|| ceremony::Ceremony::begin(key.0.key().clone()))
            .map(Self)
            .map_err(ceremony_error)
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| {
            let loaded = ceremony::Ceremony::load(&path)?;
            statement_of(loaded.initial()).map_err(CeremonyError::InitialKey)?;
            Ok(Self(loaded))
        })
        .map_err(ceremony_error)
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(ceremony_error)
    }

    #[getter]
    fn circuit(&self) -> &str {
        self.0.initial().circuit().as_str()
    }

    #[getter]
    fn is_insecure(&self) -> bool {
        self.0.initial().is_insecure()
    }

    #[getter]
    fn hash(&self) -> Hash {
        self.0.hash()
    }

    #[getter]
    fn contributions(&self) -> Vec<(String, Hash)> {
        let all = self.0.contributions().iter();
        all.map(|made| (made.name().to_owned(), made.hash()))
            .collect()
    }

    fn verify_step(&mut self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.0.verify_step()).map_err(ceremony_error)
    }

    fn contribute(&mut self, py: Python<'_>, name: &str, entropy: &[u8]) -> PyResult<Hash> {
        py.detach(|| self.0.contribute(entropy, name).map(|made| made.hash()))
            .map_err(ceremony_error)
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<CircuitKey> {
        py.detach(|| Ok(ProvingKey::new(self.0.finish()?).map(CircuitKey)?))
            .map_err(ceremony_error)
    }
}

fn name_of(statement: &dyn Statement) -> CircuitName {
    CircuitName::new(statement.name()).expect("circuits are named by the rules")
}

fn key_error(error: KeyError) -> PyErr {
    zk_error(error.reason(), error.to_string())
}

fn ceremony_error(error: CeremonyError) -> PyErr {
    zk_error(error.reason(), error.to_string())
}
