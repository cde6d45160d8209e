//! Python bindings. Nothing is decided here: arguments are parsed, calls are passed on, and
//! what comes back is wrapped. The contract is `logos_native.pyi`, beside this crate.

mod circuits;
mod erasure;
mod events;
mod host;
mod keys;
mod rln;
mod sphinx;
mod trees;
mod zk_error;

use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use logos_p2p::{ConfigError, HostError, KeyType};

create_exception!(
    logos_native,
    NativePanicError,
    PyRuntimeError,
    "The swarm's thread has panicked. The host is dead; end the process."
);

/// An error of a call to a host, as Python sees it.
fn host_error(error: HostError) -> PyErr {
    match error {
        HostError::Panicked(text) => NativePanicError::new_err(text),
        HostError::Closed => PyRuntimeError::new_err(error.to_string()),
    }
}

/// An error of a start or of an argument, as Python sees it.
fn config_error(error: ConfigError) -> PyErr {
    match error {
        ConfigError::Listen { address, source } => {
            let text = format!("cannot listen at {address}: {source}");
            std::io::Error::new(source.kind(), text).into()
        }
        ConfigError::Io(source) => source.into(),
        ConfigError::Panicked(text) => NativePanicError::new_err(text),
        other => PyValueError::new_err(other.to_string()),
    }
}

fn key_type(name: &str) -> PyResult<KeyType> {
    match name {
        "secp256k1" => Ok(KeyType::Secp256k1),
        "ed25519" => Ok(KeyType::Ed25519),
        _ => Err(PyValueError::new_err(format!("not a key type: {name}"))),
    }
}

#[pymodule]
mod logos_native {
    use super::*;

    #[pymodule_export]
    use super::NativePanicError;
    #[pymodule_export]
    use super::events::{
        Connected, DialDone, Disconnected, Identified, Listening, Message, MessagesLost, Pinged,
        ProvideDone, ProvidersFound, PublishDone, StreamClosed, StreamData, StreamEnded,
        StreamIncoming, StreamOpened, StreamWritten, TopicsListed, Traffic,
    };
    #[pymodule_export]
    use super::host::Host;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let error = module.py().get_type::<zk_error::ZkError>();
        error.setattr("relation", module.py().None())?;
        module.add("ZkError", error)?;
        circuits::register(module)?;
        erasure::register(module)?;
        keys::register(module)?;
        rln::register(module)?;
        sphinx::register(module)?;
        trees::register(module)?;
        Ok(())
    }

    #[pyfunction]
    #[pyo3(name = "peer_id_of", signature = (secret_key, key_type = "secp256k1"))]
    fn peer_id_of(secret_key: &[u8], key_type: &str) -> PyResult<String> {
        logos_p2p::peer_id_of(secret_key, super::key_type(key_type)?)
            .map(|peer| peer.to_base58())
            .map_err(config_error)
    }
}
