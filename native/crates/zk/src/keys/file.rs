//! The key file: header, verifying key, proving key, constraint matrices (KEY-4).
//!
//! The proving key stands uncompressed, so that loading decodes and never takes a square root;
//! the file's hash, which is checked first, guarantees that its points are valid. Files of others
//! are read with `Trust::Unverified`, as the ceremony does.

use std::ops::Range;
use std::path::Path;

use super::disk::MappedFile;
use super::matrices::Shape;
use super::points::{self, G1_BYTES, Trust};
use super::section::Section;
use super::verifying::{decode_points, encode_points};
use super::{
    CircuitName, HASH_BYTES, HEADER_BYTES, KeyError, KeyHeader, Matrices, ProvingKey,
    VerifyingKeyFile, VerifyingKeyHash, blake2b, disk, hex, verifying_key_hash,
};

const TAG: &[u8] = b"LOGOS_KEY_FILE_V1";

/// All that proving needs of a circuit, and what is known about where it came from.
#[derive(Clone, Debug)]
pub struct CircuitKey {
    pub(crate) circuit: CircuitName,
    pub(crate) insecure: bool,
    pub(crate) contributions: u32,
    pub(crate) ceremony_hash: [u8; HASH_BYTES],
    pub(crate) verifying_key_hash: VerifyingKeyHash,
    /// The proving key, with the verifying key in it.
    pub proving_key: ProvingKey,
    /// The constraints, in the numbering of the proving key.
    pub matrices: Matrices,
}

impl CircuitKey {
    #[must_use]
    pub fn circuit(&self) -> &CircuitName {
        &self.circuit
    }

    /// Whether the setup's secrets can be derived, and so false statements proved (KEY-5).
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Contributions of the ceremony that the key came out of.
    #[must_use]
    pub fn contributions(&self) -> u32 {
        self.contributions
    }

    #[must_use]
    pub fn verifying_key_hash(&self) -> VerifyingKeyHash {
        self.verifying_key_hash
    }

    /// `<circuit>-<first 16 digits of the verifying key's hash>.key` (KEY-7).
    #[must_use]
    pub fn file_name(&self) -> String {
        file_name(&self.circuit, &self.verifying_key_hash)
    }

    /// What a node that only verifies needs of it.
    #[must_use]
    pub fn verifying_key_file(&self) -> VerifyingKeyFile {
        VerifyingKeyFile {
            circuit: self.circuit.clone(),
            insecure: self.insecure,
            key: self.proving_key.vk.clone(),
        }
    }

    /// The whole file.
    ///
    /// # Errors
    /// `KeyError::TooLarge`.
    pub fn encode(&self) -> Result<Vec<u8>, KeyError> {
        let key = &self.proving_key;
        let mut body = encode_points(&key.vk);
        points::write(&mut body, &[key.beta_g1, key.delta_g1]);
        points::write(&mut body, &key.a_query);
        points::write(&mut body, &key.b_g1_query);
        points::write(&mut body, &key.b_g2_query);
        points::write(&mut body, &key.h_query);
        points::write(&mut body, &key.l_query);
        body.extend_from_slice(self.matrices.bytes());
        let header = self.header()?;
        let mut out = header.encode_unhashed();
        let hash = blake2b(TAG, &[&out, &body]);
        out.extend_from_slice(&hash);
        out.append(&mut body);
        debug_assert_eq!(out.len() as u64, header.file_bytes());
        Ok(out)
    }

    fn header(&self) -> Result<KeyHeader, KeyError> {
        let count = |count: usize| {
            u32::try_from(count)
                .ok()
                .filter(|count| *count <= super::header::MAX_COUNT)
                .ok_or(KeyError::TooLarge("too many variables or constraints"))
        };
        Ok(KeyHeader {
            circuit: self.circuit.clone(),
            insecure: self.insecure,
            contributions: self.contributions,
            instance_variables: count(self.matrices.instance_variables)?,
            witness_variables: count(self.matrices.witness_variables)?,
            constraints: count(self.matrices.constraints)?,
            matrix_sizes: self.matrices.sizes(),
            verifying_key_hash: self.verifying_key_hash,
            ceremony_hash: self.ceremony_hash,
            file_hash: [0; HASH_BYTES],
        })
    }

    /// Reads a whole file whose writer is trusted for its hash: this node's own disk.
    ///
    /// # Errors
    /// `KeyError` if it is torn, damaged, or malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::decode_with(bytes, Trust::Hashed, copied(bytes))
    }

    /// Reads a whole file of an untrusted writer: every point is checked.
    ///
    /// # Errors
    /// `KeyError`.
    pub fn decode_untrusted(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::decode_with(bytes, Trust::Unverified, copied(bytes))
    }

    /// As `decode`, but the matrices stay in the file: they are not copied, and used from there.
    pub(super) fn decode_mapped(file: &MappedFile) -> Result<Self, KeyError> {
        Self::decode_with(file, Trust::Hashed, |range| {
            file.part(range).map(Section::mapped)
        })
    }

    fn decode_with(
        bytes: &[u8],
        trust: Trust,
        keep: impl FnOnce(Range<usize>) -> Result<Section, KeyError>,
    ) -> Result<Self, KeyError> {
        let (header, body) = open(bytes)?;
        let mut sections = Sections {
            rest: body,
            sizes: header.section_bytes().into_iter(),
        };
        let verifying_key = decode_points(sections.next())?;
        let hash = verifying_key_hash(&header.circuit, header.insecure, &verifying_key);
        if hash != header.verifying_key_hash {
            return Err(KeyError::Damaged {
                expected: header.verifying_key_hash.to_string(),
                found: hash.to_string(),
            });
        }
        let (beta_g1, delta_g1) = sections.next().split_at(G1_BYTES);
        Ok(Self {
            insecure: header.insecure,
            contributions: header.contributions,
            ceremony_hash: header.ceremony_hash,
            verifying_key_hash: hash,
            proving_key: ProvingKey {
                vk: verifying_key,
                beta_g1: points::read("beta", beta_g1, trust)?[0],
                delta_g1: points::read("delta", delta_g1, trust)?[0],
                a_query: points::read("A query", sections.next(), trust)?,
                b_g1_query: points::read("B query in G1", sections.next(), trust)?,
                b_g2_query: points::read("B query in G2", sections.next(), trust)?,
                h_query: points::read("H query", sections.next(), trust)?,
                l_query: points::read("L query", sections.next(), trust)?,
            },
            matrices: Matrices::read(
                keep(bytes.len() - sections.next().len()..bytes.len())?,
                header.matrix_sizes,
                Shape {
                    constraints: header.constraints as usize,
                    instance_variables: header.instance_variables as usize,
                    witness_variables: header.witness_variables as usize,
                },
            )?,
            circuit: header.circuit,
        })
    }
}

fn copied(bytes: &[u8]) -> impl FnOnce(Range<usize>) -> Result<Section, KeyError> {
    |range| Ok(Section::held(&bytes[range]))
}

/// The bytes after the header, section by section. The file's length was checked before.
struct Sections<'a> {
    rest: &'a [u8],
    sizes: std::array::IntoIter<usize, 8>,
}

impl<'a> Sections<'a> {
    fn next(&mut self) -> &'a [u8] {
        let size = self.sizes.next().expect("eight sections are read");
        let (section, rest) = self.rest.split_at(size);
        self.rest = rest;
        section
    }
}

/// Checks length and hash, and splits header from body.
fn open(bytes: &[u8]) -> Result<(KeyHeader, &[u8]), KeyError> {
    let header = KeyHeader::decode(bytes)?;
    if header.file_bytes() != bytes.len() as u64 {
        return Err(KeyError::Length {
            expected: header.file_bytes(),
            found: bytes.len() as u64,
        });
    }
    let body = &bytes[HEADER_BYTES..];
    let found = blake2b(TAG, &[&bytes[..HEADER_BYTES - HASH_BYTES], body]);
    if found != header.file_hash {
        return Err(KeyError::Damaged {
            expected: hex(&header.file_hash),
            found: hex(&found),
        });
    }
    Ok((header, body))
}

impl KeyHeader {
    /// Reads a whole file's header and checks its length and hash, decoding no point. Untrusted.
    ///
    /// # Errors
    /// `KeyError`.
    pub fn decode_whole(bytes: &[u8]) -> Result<Self, KeyError> {
        open(bytes).map(|(header, _)| header)
    }

    /// The same from disk.
    ///
    /// # Errors
    /// `KeyError`.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::decode_whole(&disk::map(path)?)
    }
}

pub(super) fn file_name(circuit: &CircuitName, hash: &VerifyingKeyHash) -> String {
    format!("{circuit}-{}.key", hash.short())
}
