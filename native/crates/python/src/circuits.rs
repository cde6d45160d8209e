//! The chain's circuits as Python sees them: keys, proofs and verification.
//!
//! Values cross as joined field values, 32 bytes each, in the order of the circuit's layout.
//! Proving and verifying release the interpreter.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use logos_zk::circuits::{Layout, Statement, WitnessError, all, named};
use logos_zk::field::{self, FieldError, Fr};
use logos_zk::groth16::{
    self, Cached, ClaimError, ProofError, ProveError, ProvingKey, VerifyError, VerifyingKey,
};
use logos_zk::keys::{HASH_BYTES, Randomness, SEED_BYTES};

use crate::zk_error::{with_attribute, zk_error};

type Names = Vec<(&'static str, usize)>;

/// Adds what this file declares to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Cancellation>()?;
    module.add_class::<CachedPart>()?;
    module.add_class::<CircuitKey>()?;
    module.add_class::<CircuitVerifier>()?;
    module.add_function(wrap_pyfunction!(circuit_names, module)?)?;
    module.add_function(wrap_pyfunction!(circuit_layout, module)?)?;
    module.add_function(wrap_pyfunction!(circuit_check, module)?)?;
    module.add_function(wrap_pyfunction!(circuit_is_satisfied, module)?)?;
    module.add_function(wrap_pyfunction!(proof_to_json, module)?)
}

#[pyfunction]
fn circuit_names() -> Vec<&'static str> {
    all().iter().map(|statement| statement.name()).collect()
}

#[pyfunction]
fn circuit_layout(name: &str) -> PyResult<(Names, Names)> {
    let statement = statement(name)?;
    let names = |layout: Layout| layout.to_vec();
    Ok((names(statement.public()), names(statement.private())))
}

#[pyfunction]
fn circuit_check(py: Python<'_>, name: &str, public: &[u8], private: &[u8]) -> PyResult<()> {
    let statement = statement(name)?;
    let (public, private) = values(public, private)?;
    py.detach(|| statement.check(&public, &private))
        .map_err(witness_error)
}

#[pyfunction]
fn circuit_is_satisfied(
    py: Python<'_>,
    name: &str,
    public: &[u8],
    private: &[u8],
) -> PyResult<bool> {
    let statement = statement(name)?;
    let (public, private) = values(public, private)?;
    py.detach(|| statement.is_satisfied(&public, &private))
        .map_err(witness_error)
}

#[pyfunction]
fn proof_to_json(proof: &[u8]) -> PyResult<String> {
    let proof = groth16::decode_proof(proof).map_err(proof_error)?;
    Ok(groth16::proof_json(&proof))
}

#[pyclass(frozen, module = "logos_native")]
#[derive(Default)]
struct Cancellation(groth16::Cancellation);

#[pymethods]
impl Cancellation {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    #[getter]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

#[pyclass(frozen, module = "logos_native")]
struct CachedPart(Cached);

#[pyclass(frozen, module = "logos_native")]
pub struct CircuitKey(pub ProvingKey);

#[pymethods]
impl CircuitKey {
    #[staticmethod]
    fn generate(py: Python<'_>, circuit: &str) -> PyResult<Self> {
        Self::from_randomness(py, circuit, &Randomness::System)
    }

    #[staticmethod]
    fn insecure_from_seed(py: Python<'_>, circuit: &str, seed: [u8; SEED_BYTES]) -> PyResult<Self> {
        let seed = Randomness::InsecureSeed(Zeroizing::new(seed));
        Self::from_randomness(py, circuit, &seed)
    }

    #[getter]
    fn circuit(&self) -> &'static str {
        self.0.statement.name()
    }

    #[getter]
    fn is_insecure(&self) -> bool {
        self.0.key().is_insecure()
    }

    #[getter]
    fn contributions(&self) -> u32 {
        self.0.key().contributions()
    }

    #[getter]
    fn verifying_key_hash(&self) -> [u8; HASH_BYTES] {
        self.0.key().verifying_key_hash().0
    }

    fn verifier(&self) -> CircuitVerifier {
        CircuitVerifier {
            key: self.0.verifying_key(),
            is_insecure: self.is_insecure(),
        }
    }

    fn prove_fixed(
        &self,
        py: Python<'_>,
        public: &[u8],
        private: &[u8],
        cancellation: &Cancellation,
    ) -> PyResult<CachedPart> {
        let (public, private) = values(public, private)?;
        py.detach(|| groth16::prove_fixed(&self.0, &public, &private, &cancellation.0))
            .map(CachedPart)
            .map_err(prove_error)
    }

    #[pyo3(signature = (public, private, cancellation, cached = None))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        public: &[u8],
        private: &[u8],
        cancellation: &Cancellation,
        cached: Option<&CachedPart>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (public, private) = values(public, private)?;
        let cached = cached.map(|part| &part.0);
        let proof = py
            .detach(|| groth16::prove(&self.0, &public, &private, cached, &cancellation.0))
            .map_err(prove_error)?;
        Ok(PyBytes::new(py, &groth16::encode_proof(&proof)))
    }
}

impl CircuitKey {
    fn from_randomness(py: Python<'_>, circuit: &str, randomness: &Randomness) -> PyResult<Self> {
        let statement = statement(circuit)?;
        Ok(py.detach(|| Self(ProvingKey::generate(statement, randomness))))
    }
}

#[pyclass(frozen, module = "logos_native")]
pub struct CircuitVerifier {
    pub key: VerifyingKey,
    pub is_insecure: bool,
}

#[pymethods]
impl CircuitVerifier {
    #[getter]
    fn circuit(&self) -> &'static str {
        self.key.statement.name()
    }

    #[getter]
    fn is_insecure(&self) -> bool {
        self.is_insecure
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.to_bytes())
    }

    fn to_json(&self) -> String {
        groth16::verifying_key_json(self.key.points())
    }

    fn verify(&self, py: Python<'_>, public: &[u8], proof: &[u8]) -> PyResult<bool> {
        let public = field::decode_many(public).map_err(field_error)?;
        let proof = groth16::decode_proof(proof).map_err(proof_error)?;
        py.detach(|| self.key.verify(&public, &proof))
            .map_err(verify_error)
    }

    fn verify_all(
        &self,
        py: Python<'_>,
        claims: Vec<(PyBackedBytes, PyBackedBytes)>,
    ) -> PyResult<bool> {
        py.detach(|| self.key.verify_all(&claims))
            .map_err(claim_error)
    }
}

pub fn statement(name: &str) -> PyResult<&'static dyn Statement> {
    named(name).ok_or_else(|| zk_error("CIRCUIT_UNKNOWN", format!("there is no circuit {name}")))
}

fn values(public: &[u8], private: &[u8]) -> PyResult<(Vec<Fr>, Zeroizing<Vec<Fr>>)> {
    let public = field::decode_many(public).map_err(field_error)?;
    let private = field::decode_many(private).map_err(field_error)?;
    Ok((public, Zeroizing::new(private)))
}

fn field_error(error: FieldError) -> PyErr {
    let reason = match error {
        FieldError::Length(_) => "FIELD_LENGTH",
        FieldError::NotCanonical => "FIELD_NOT_CANONICAL",
    };
    zk_error(reason, error.to_string())
}

/// Names the broken relation in an attribute of its own: callers need not read the text.
fn witness_error(error: WitnessError) -> PyErr {
    let raised = zk_error(error.reason(), error.to_string());
    match error {
        WitnessError::Relation { relation, .. } => with_attribute(raised, "relation", relation),
        WitnessError::Width { .. } => raised,
    }
}

fn prove_error(error: ProveError) -> PyErr {
    match error {
        ProveError::Witness(error) => witness_error(error),
        _ => zk_error(error.reason(), error.to_string()),
    }
}

fn proof_error(error: ProofError) -> PyErr {
    zk_error(error.reason(), error.to_string())
}

fn claim_error(error: ClaimError) -> PyErr {
    match error {
        ClaimError::Public(error) => field_error(error),
        ClaimError::Proof(error) => proof_error(error),
        ClaimError::Width(error) => verify_error(error),
    }
}

fn verify_error(error: VerifyError) -> PyErr {
    zk_error(error.reason(), error.to_string())
}
