//! The keys of a node: a folder of key files, found by circuit and hash (KEY-7, KEY-8).

use std::fs;
use std::path::{Path, PathBuf};

use super::file::file_name;
use super::verifying::check;
use super::{
    CircuitKey, CircuitName, KeyError, KeyHeader, VerifyingKeyFile, VerifyingKeyHash, disk,
};

const VERIFYING_KEY_EXTENSION: &str = "vk";

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

    /// Where its verifying key stands alone.
    #[must_use]
    pub fn verifying_key_path(&self, circuit: &CircuitName, hash: &VerifyingKeyHash) -> PathBuf {
        self.path(circuit, hash)
            .with_extension(VERIFYING_KEY_EXTENSION)
    }

    /// Writes a key, and beside it its verifying key alone; returns where the key stands.
    ///
    /// # Errors
    /// `KeyError::Io`, `KeyError::TooLarge`.
    pub fn add(&self, key: &CircuitKey) -> Result<PathBuf, KeyError> {
        let (circuit, hash) = (&key.circuit, &key.verifying_key_hash);
        let path = self.path(circuit, hash);
        disk::write(&path, &[&key.encode()?])?;
        let alone = key.verifying_key_file().encode();
        disk::write(&self.verifying_key_path(circuit, hash), &[&alone])?;
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

    /// Loads the verifying key that a genesis names: all that a node needs which proves nothing.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_verifying_key(
        &self,
        circuit: &CircuitName,
        expected: &VerifyingKeyHash,
    ) -> Result<VerifyingKeyFile, KeyError> {
        let path = self.verifying_key_path(circuit, expected);
        if !path.exists() {
            return Err(self.missing(circuit, expected));
        }
        VerifyingKeyFile::load(&path, circuit, expected)
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
        let file = disk::map(path)?;
        let header = KeyHeader::decode(&file)?;
        check(
            &header.circuit,
            header.verifying_key_hash,
            circuit,
            expected,
        )?;
        let key = CircuitKey::decode_mapped(&file)?;
        check(&key.circuit, key.verifying_key_hash, circuit, expected)?;
        Ok(key)
    }

    /// Names the keys that exist instead, to show that the testnet was made again.
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
