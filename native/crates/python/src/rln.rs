//! RLN as Python sees it. Field values cross as 32 bytes, little-endian, below the modulus.
//!
//! Proving and verifying release the interpreter.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rand::rngs::OsRng;

use logos_zk::field::{self, FIELD_BYTES, Fr};
use logos_zk::rln::lip144::RateLimitProof;
use logos_zk::rln::{
    self, CachedMembership, EPOCH_BYTES, Encoding, Expected, ExternalNullifierRule, Identity,
    Membership, MerklePath, Message, MessageLimit, MultiMessage, MultiProof, MultiValues,
    PublicValues, RlnError, Share, SingleProof, Values,
};

use crate::zk_error::zk_error;

mod prepared;

use prepared::{RlnPrepared, RlnPreparer};

type FieldBytes = [u8; FIELD_BYTES];
/// External nullifier, nullifier, x, y.
type ShareBytes = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

/// Adds what this file declares to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RlnIdentity>()?;
    module.add_class::<RlnMembership>()?;
    module.add_class::<RlnCachedMembership>()?;
    module.add_class::<RlnPreparer>()?;
    module.add_class::<RlnPrepared>()?;
    module.add_class::<RlnProof>()?;
    module.add_class::<RlnRateLimitProof>()?;
    module.add_function(wrap_pyfunction!(rln_epoch_number, module)?)?;
    module.add_function(wrap_pyfunction!(rln_external_nullifier, module)?)?;
    module.add_function(wrap_pyfunction!(rln_load_keys, module)?)?;
    module.add_function(wrap_pyfunction!(rln_rate_commitment, module)?)?;
    module.add_function(wrap_pyfunction!(rln_recover, module)?)?;
    module.add_function(wrap_pyfunction!(rln_signal_x, module)?)?;
    module.add_function(wrap_pyfunction!(rln_verify_all, module)?)?;
    module.add_function(wrap_pyfunction!(rln_verifying_key_json, module)?)
}

fn refused(error: RlnError) -> PyErr {
    zk_error(error.reason(), error.to_string())
}

fn value(bytes: &[u8]) -> PyResult<Fr> {
    field::decode(bytes).map_err(|error| refused(error.into()))
}

fn values(list: &[Vec<u8>]) -> PyResult<Vec<Fr>> {
    list.iter().map(|bytes| value(bytes)).collect()
}

fn py_bytes<'py>(py: Python<'py>, value: &Fr) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &field::encode(value))
}

fn py_list<'py>(py: Python<'py>, values: &[Fr]) -> Vec<Bound<'py, PyBytes>> {
    values.iter().map(|value| py_bytes(py, value)).collect()
}

fn epoch_of(bytes: &[u8]) -> PyResult<FieldBytes> {
    let length = bytes.len();
    let epoch: Result<[u8; EPOCH_BYTES], _> = bytes.try_into();
    epoch.map_err(|_| refused(RlnError::FieldLength(length)))
}

fn encoding_of(big_endian_values: bool) -> Encoding {
    if big_endian_values {
        Encoding::Mixed
    } else {
        Encoding::Little
    }
}

#[pyfunction]
fn rln_load_keys(py: Python<'_>) {
    py.detach(rln::load);
}

#[pyfunction]
#[pyo3(signature = (*, multi = false))]
fn rln_verifying_key_json(py: Python<'_>, multi: bool) -> String {
    py.detach(|| {
        if multi {
            rln::verifying_key_json::<MultiValues>()
        } else {
            rln::verifying_key_json::<Values>()
        }
    })
}

#[pyfunction]
fn rln_rate_commitment<'py>(
    py: Python<'py>,
    commitment: &[u8],
    limit: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let limit = MessageLimit::new(limit).map_err(refused)?;
    let leaf = rln::rate_commitment(value(commitment)?, limit);
    Ok(py_bytes(py, &leaf))
}

#[pyfunction]
#[pyo3(signature = (epoch, rln_identifier, *, raw = false))]
fn rln_external_nullifier<'py>(
    py: Python<'py>,
    epoch: &[u8],
    rln_identifier: &[u8],
    raw: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let rule = if raw {
        ExternalNullifierRule::Raw
    } else {
        ExternalNullifierRule::Hashed
    };
    let identifier = rln::rln_identifier(rln_identifier).map_err(refused)?;
    let value = rln::external_nullifier(rule, &epoch_of(epoch)?, &identifier).map_err(refused)?;
    Ok(py_bytes(py, &value))
}

#[pyfunction]
fn rln_epoch_number(epoch: &[u8]) -> PyResult<u64> {
    rln::epoch_number(&epoch_of(epoch)?).map_err(refused)
}

#[pyfunction]
fn rln_signal_x<'py>(py: Python<'py>, signal: &[u8]) -> Bound<'py, PyBytes> {
    py_bytes(py, &rln::signal_x(signal))
}

#[pyfunction]
fn rln_recover(one: Vec<ShareBytes>, other: Vec<ShareBytes>) -> PyResult<RlnIdentity> {
    let native = rln::recover_any(&shares(&one)?, &shares(&other)?).map_err(refused)?;
    Ok(RlnIdentity { native })
}

fn shares(list: &[ShareBytes]) -> PyResult<Vec<Share>> {
    let share = |(external_nullifier, nullifier, x, y): &ShareBytes| {
        Ok(Share {
            external_nullifier: value(external_nullifier)?,
            nullifier: value(nullifier)?,
            x: value(x)?,
            y: value(y)?,
        })
    };
    list.iter().map(share).collect()
}

#[pyclass(frozen, module = "logos_native")]
pub struct RlnIdentity {
    native: Identity,
}

#[pymethods]
impl RlnIdentity {
    #[staticmethod]
    fn random() -> Self {
        let native = Identity::random(&mut OsRng);
        Self { native }
    }

    #[staticmethod]
    #[pyo3(signature = (seed, *, extended = false))]
    fn from_seed(seed: &[u8], extended: bool) -> PyResult<Self> {
        let native = if extended {
            Identity::from_seed_extended(seed)
        } else {
            Identity::from_seed(seed)
        };
        let native = native.map_err(refused)?;
        Ok(Self { native })
    }

    #[staticmethod]
    fn from_secret(secret: &[u8]) -> PyResult<Self> {
        let native = Identity::from_secret_bytes(secret).map_err(refused)?;
        Ok(Self { native })
    }

    #[getter]
    fn commitment<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        py_bytes(py, &self.native.commitment())
    }

    fn secret<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &*self.native.secret_bytes())
    }

    fn __repr__(&self) -> &'static str {
        "RlnIdentity(...)"
    }
}

#[pyclass(frozen, module = "logos_native")]
pub struct RlnMembership {
    native: Membership,
}

#[pymethods]
impl RlnMembership {
    #[new]
    #[pyo3(signature = (identity, *, limit, siblings, index, root))]
    fn new(
        identity: &RlnIdentity,
        limit: u32,
        siblings: Vec<Vec<u8>>,
        index: u32,
        root: &[u8],
    ) -> PyResult<Self> {
        let limit = MessageLimit::new(limit).map_err(refused)?;
        let path = MerklePath::new(&values(&siblings)?, index).map_err(refused)?;
        let native = Membership::new(identity.native.clone(), limit, path, value(root)?);
        let native = native.map_err(refused)?;
        Ok(Self { native })
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        py_bytes(py, &self.native.root())
    }

    #[pyo3(signature = (*, external_nullifier, x, message_id))]
    fn prove(
        &self,
        py: Python<'_>,
        external_nullifier: &[u8],
        x: &[u8],
        message_id: u32,
    ) -> PyResult<RlnProof> {
        let message = message(external_nullifier, x, message_id)?;
        let proof = py.detach(|| self.native.prove(&message)).map_err(refused)?;
        Ok(RlnProof(AnyProof::Single(proof)))
    }

    #[pyo3(signature = (*, external_nullifier, x, message_ids))]
    fn prove_multi(
        &self,
        py: Python<'_>,
        external_nullifier: &[u8],
        x: &[u8],
        message_ids: Vec<u32>,
    ) -> PyResult<RlnProof> {
        let message = multi_message(external_nullifier, x, message_ids)?;
        let proof = py.detach(|| self.native.prove(&message)).map_err(refused)?;
        Ok(RlnProof(AnyProof::Multi(proof)))
    }

    #[pyo3(signature = (*, multi = false))]
    fn cached(&self, py: Python<'_>, multi: bool) -> PyResult<RlnCachedMembership> {
        let member = self.native.clone();
        let cached = py.detach(|| {
            Ok(if multi {
                AnyCached::Multi(member.cached()?)
            } else {
                AnyCached::Single(member.cached()?)
            })
        });
        cached.map(RlnCachedMembership).map_err(refused)
    }

    fn preparer(&self, py: Python<'_>) -> RlnPreparer {
        let member = self.native.clone();
        py.detach(|| member.preparer()).into()
    }

    fn __repr__(&self) -> &'static str {
        "RlnMembership(...)"
    }
}

fn message(external_nullifier: &[u8], x: &[u8], message_id: u32) -> PyResult<Message> {
    Ok(Message {
        external_nullifier: value(external_nullifier)?,
        x: value(x)?,
        message_id,
    })
}

fn multi_message(
    external_nullifier: &[u8],
    x: &[u8],
    message_ids: Vec<u32>,
) -> PyResult<MultiMessage> {
    Ok(MultiMessage {
        external_nullifier: value(external_nullifier)?,
        x: value(x)?,
        message_ids,
    })
}

enum AnyCached {
    Single(CachedMembership<Values>),
    Multi(CachedMembership<MultiValues>),
}

#[pyclass(frozen, module = "logos_native")]
pub struct RlnCachedMembership(AnyCached);

#[pymethods]
impl RlnCachedMembership {
    #[pyo3(signature = (*, external_nullifier, x, message_ids))]
    fn prove(
        &self,
        py: Python<'_>,
        external_nullifier: &[u8],
        x: &[u8],
        message_ids: Vec<u32>,
    ) -> PyResult<RlnProof> {
        match &self.0 {
            AnyCached::Single(cached) => {
                let [message_id] = message_ids[..] else {
                    return Err(refused(RlnError::MessageIdCount(message_ids.len())));
                };
                let message = message(external_nullifier, x, message_id)?;
                py.detach(|| cached.prove(&message)).map(AnyProof::Single)
            }
            AnyCached::Multi(cached) => {
                let message = multi_message(external_nullifier, x, message_ids)?;
                py.detach(|| cached.prove(&message)).map(AnyProof::Multi)
            }
        }
        .map(RlnProof)
        .map_err(refused)
    }

    fn __repr__(&self) -> &'static str {
        "RlnCachedMembership(...)"
    }
}

#[derive(Clone)]
enum AnyProof {
    Single(SingleProof),
    Multi(MultiProof),
}

/// A proof, the window of roots, external nullifier, x.
type Claim = (Py<RlnProof>, Vec<Vec<u8>>, Vec<u8>, Vec<u8>);

#[pyfunction]
fn rln_verify_all(py: Python<'_>, claims: Vec<Claim>) -> PyResult<Vec<Option<&'static str>>> {
    let read = claims
        .iter()
        .map(|(_, roots, external_nullifier, x)| {
            Ok((values(roots)?, value(external_nullifier)?, value(x)?))
        })
        .collect::<PyResult<Vec<_>>>()?;
    let (mut single, mut multi) = (Batch::default(), Batch::default());
    for (at, ((proof, ..), (roots, external_nullifier, x))) in claims.iter().zip(&read).enumerate()
    {
        let expected = Expected {
            roots,
            external_nullifier: *external_nullifier,
            x: *x,
        };
        match &proof.get().0 {
            AnyProof::Single(proof) => single.add(at, proof, expected),
            AnyProof::Multi(proof) => multi.add(at, proof, expected),
        }
    }
    let mut reasons = vec![None; claims.len()];
    py.detach(|| {
        single.verify(&mut reasons);
        multi.verify(&mut reasons);
    });
    Ok(reasons)
}

/// Messages of one circuit, and where they stood.
struct Batch<'a, V> {
    places: Vec<usize>,
    messages: Vec<(&'a rln::Proof<V>, Expected<'a>)>,
}

impl<V> Default for Batch<'_, V> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            messages: Vec::new(),
        }
    }
}

impl<'a, V: PublicValues> Batch<'a, V> {
    fn add(&mut self, place: usize, proof: &'a rln::Proof<V>, expected: Expected<'a>) {
        self.places.push(place);
        self.messages.push((proof, expected));
    }

    fn verify(&self, reasons: &mut [Option<&'static str>]) {
        let outcomes = rln::verify_all(&self.messages);
        for (place, outcome) in self.places.iter().zip(outcomes) {
            reasons[*place] = outcome.err().map(|error| error.reason());
        }
    }
}

/// A proof with its values, of either circuit.
#[pyclass(frozen, module = "logos_native")]
pub struct RlnProof(AnyProof);

impl RlnProof {
    /// What to ask of either.
    fn shown(&self) -> (Vec<Fr>, Fr, Vec<Share>) {
        match &self.0 {
            AnyProof::Single(proof) => parts(&proof.values),
            AnyProof::Multi(proof) => parts(&proof.values),
        }
    }
}

fn parts<V: PublicValues>(values: &V) -> (Vec<Fr>, Fr, Vec<Share>) {
    (values.public_inputs(), values.root(), values.shares())
}

#[pymethods]
impl RlnProof {
    #[staticmethod]
    #[pyo3(signature = (raw, *, multi = false, big_endian_values = false))]
    fn from_bytes(raw: &[u8], multi: bool, big_endian_values: bool) -> PyResult<Self> {
        let encoding = encoding_of(big_endian_values);
        let proof = if multi {
            MultiProof::from_bytes(raw, encoding).map(AnyProof::Multi)
        } else {
            SingleProof::from_bytes(raw, encoding).map(AnyProof::Single)
        };
        proof.map(Self).map_err(refused)
    }

    #[pyo3(signature = (*, big_endian_values = false))]
    fn to_bytes<'py>(&self, py: Python<'py>, big_endian_values: bool) -> Bound<'py, PyBytes> {
        let encoding = encoding_of(big_endian_values);
        let bytes = match &self.0 {
            AnyProof::Single(proof) => proof.to_bytes(encoding),
            AnyProof::Multi(proof) => proof.to_bytes(encoding),
        };
        PyBytes::new(py, &bytes)
    }

    #[staticmethod]
    fn from_bundle(raw: &[u8]) -> PyResult<Self> {
        let proof = SingleProof::from_bundle(raw).map_err(refused)?;
        Ok(Self(AnyProof::Single(proof)))
    }

    fn to_bundle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match &self.0 {
            AnyProof::Single(proof) => Ok(PyBytes::new(py, &proof.to_bundle())),
            AnyProof::Multi(_) => Err(refused(RlnError::EncodingTag)),
        }
    }

    #[pyo3(signature = (*, roots, external_nullifier, x))]
    fn verify(
        &self,
        py: Python<'_>,
        roots: Vec<Vec<u8>>,
        external_nullifier: &[u8],
        x: &[u8],
    ) -> PyResult<()> {
        let roots = values(&roots)?;
        let expected = Expected {
            roots: &roots,
            external_nullifier: value(external_nullifier)?,
            x: value(x)?,
        };
        py.detach(|| match &self.0 {
            AnyProof::Single(proof) => proof.verify(&expected),
            AnyProof::Multi(proof) => proof.verify(&expected),
        })
        .map_err(refused)
    }

    fn proof_json(&self) -> String {
        match &self.0 {
            AnyProof::Single(proof) => proof.proof_json(),
            AnyProof::Multi(proof) => proof.proof_json(),
        }
    }

    fn public_json(&self) -> String {
        match &self.0 {
            AnyProof::Single(proof) => proof.public_json(),
            AnyProof::Multi(proof) => proof.public_json(),
        }
    }

    #[getter]
    fn multi(&self) -> bool {
        matches!(self.0, AnyProof::Multi(_))
    }

    #[getter]
    fn groth16<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let proof = match &self.0 {
            AnyProof::Single(proof) => &proof.groth16,
            AnyProof::Multi(proof) => &proof.groth16,
        };
        PyBytes::new(py, &proof.to_bytes())
    }

    #[getter]
    fn public_inputs<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        py_list(py, &self.shown().0)
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        py_bytes(py, &self.shown().1)
    }

    /// External nullifier, nullifier, x, y of every id used.
    #[getter]
    fn shares<'py>(&self, py: Python<'py>) -> Vec<[Bound<'py, PyBytes>; 4]> {
        let share = |share: Share| {
            let parts = [share.external_nullifier, share.nullifier, share.x, share.y];
            parts.map(|part| py_bytes(py, &part))
        };
        self.shown().2.into_iter().map(share).collect()
    }
}

#[pyclass(frozen, module = "logos_native")]
pub struct RlnRateLimitProof {
    native: RateLimitProof,
}

#[pymethods]
impl RlnRateLimitProof {
    #[new]
    fn new(proof: &RlnProof, epoch: &[u8]) -> PyResult<Self> {
        let AnyProof::Single(proof) = &proof.0 else {
            return Err(refused(RlnError::EncodingTag));
        };
        let native = RateLimitProof::new(proof, epoch_of(epoch)?);
        Ok(Self { native })
    }

    #[staticmethod]
    fn from_bytes(raw: &[u8]) -> PyResult<Self> {
        let native = RateLimitProof::from_bytes(raw).map_err(refused)?;
        Ok(Self { native })
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.native.to_bytes())
    }

    #[getter]
    fn epoch<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.native.epoch)
    }

    fn proof(&self, external_nullifier: &[u8]) -> PyResult<RlnProof> {
        let proof = self.native.clone().into_proof(value(external_nullifier)?);
        Ok(RlnProof(AnyProof::Single(proof)))
    }
}
