//! The keys of a node: a folder of key files, found by circuit and hash (KEY-7, KEY-8).

use std::fs;
use std::path::{Path, PathBuf};

use ark_bn254::Fr;
use ark_relations::r1cs::ConstraintSynthesizer;

use super::file::file_name;
use super::verifying::check;
use super::{
    CircuitKey, CircuitName, KeyError, KeyHeader, Randomness, VerifyingKeyHash, disk, generate,
};

/// A folder of keys. Holds nothing in memory.
#[derive(Clone, Debug)]
pub struct CircuitKeys {
    folder: PathBuf,
}

impl CircuitKeys {
    /// Opens a folder and makes it if there is none.
    ///
    /// # Errors
    /// `KeyError::Io`.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        fs::create_dir_all(folder).map_err(|source| KeyError::Io {
            action: "make the folder",
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where the key with a hash stands, or would.
    #[must_use]
    pub fn path(&self, circuit: &CircuitName, hash: &VerifyingKeyHash) -> PathBuf {
        self.folder.join(file_name(circuit, hash))
    }

    /// Makes a key and writes it.
    ///
    /// # Errors
    /// `KeyError`.
    pub fn generate<C: ConstraintSynthesizer<Fr>>(
        &self,
        name: &CircuitName,
        circuit: C,
        randomness: &Randomness,
    ) -> Result<CircuitKey, KeyError> {
        let key = generate(name, circuit, randomness)?;
        self.add(&key)?;
        Ok(key)
    }

    /// Writes a key, and returns where it stands.
    ///
    /// # Errors
    /// `KeyError::Io`, `KeyError::TooLarge`.
    pub fn add(&self, key: &CircuitKey) -> Result<PathBuf, KeyError> {
        let path = self.path(&key.circuit, &key.verifying_key_hash);
        disk::write(&path, &[&key.encode()?])?;
        Ok(path)
    }

    /// Loads the key that a genesis names.
    ///
    /// # Errors
    /// `KeyError`: torn, damaged, of another circuit, of another setup (`OtherKey`, which names
    /// both hashes, also if only a key of another setup is in the folder), or missing.
    pub fn load(
        &self,
        circuit: &CircuitName,
        expected: &VerifyingKeyHash,
    ) -> Result<CircuitKey, KeyError> {
        let path = self.path(circuit, expected);
        if !path.exists() {
            return Err(self.missing(circuit, expected));
        }
        Self::load_file(&path, circuit, expected)
    }

    /// Loads a key from a path of its own, with the same checks.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_file(
        path: &Path,
        circuit: &CircuitName,
        expected: &VerifyingKeyHash,
    ) -> Result<CircuitKey, KeyError> {
        let bytes = disk::map(path)?;
        let header = KeyHeader::decode(&bytes)?;
        check(
            &header.circuit,
            header.verifying_key_hash,
            circuit,
            expected,
        )?;
        let key = CircuitKey::decode(&bytes)?;
        check(&key.circuit, key.verifying_key_hash, circuit, expected)?;
        Ok(key)
    }

    /// Says what stands there instead, so that somebody sees that the testnet was made anew.
    fn missing(&self, circuit: &CircuitName, expected: &VerifyingKeyHash) -> KeyError {
        let other = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let bytes = disk::map(&entry.ok()?.path()).ok()?;
                KeyHeader::decode(&bytes).ok()
            })
            .find(|header| header.circuit == *circuit);
        match other {
            Some(header) => KeyError::OtherKey {
                circuit: circuit.clone(),
                expected: *expected,
                found: header.verifying_key_hash,
            },
            None => KeyError::Missing {
                circuit: circuit.clone(),
                expected: *expected,
                folder: self.folder.clone(),
            },
        }
    }
}
