//! The header of a key file: 192 bytes, all integers little-endian (KEY-4).
//!
//! It gives every size, so the length of the file is known before anything is read from it.

use super::name::MAX_NAME_BYTES;
use super::points::{G1_BYTES, G2_BYTES};
use super::verifying::verifying_key_bytes;
use super::{CircuitName, HASH_BYTES, KeyError, MatrixSizes, VerifyingKeyHash};

/// Size of the header.
pub const HEADER_BYTES: usize = 192;
/// Most variables, constraints, and non-zero entries of a matrix that a key may have.
pub(super) const MAX_COUNT: u32 = 1 << 26;

const MAGIC: &[u8; 8] = b"LOGOSKEY";
const VERSION: u16 = 1;
const INSECURE: u8 = 1;
const RESERVED: std::ops::Range<usize> = 76..96;
const HASH_AT: usize = HEADER_BYTES - HASH_BYTES;

/// What a key file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHeader {
    pub circuit: CircuitName,
    /// The setup's secrets can be derived (KEY-5).
    pub insecure: bool,
    /// Contributions of the ceremony that the key came out of; 0 for a setup by one party.
    pub contributions: u32,
    /// Public inputs, and the constant one.
    pub instance_variables: u32,
    pub witness_variables: u32,
    pub constraints: u32,
    pub matrix_sizes: MatrixSizes,
    pub verifying_key_hash: VerifyingKeyHash,
    /// Hash of the ceremony's last contribution; zeros if there was none.
    pub ceremony_hash: [u8; HASH_BYTES],
    /// Hash of the header before this field and of all that follows it.
    pub file_hash: [u8; HASH_BYTES],
}

impl KeyHeader {
    /// Reads the first 192 bytes of a file. Says nothing about what follows them. Untrusted.
    ///
    /// # Errors
    /// `KeyError` if they are no header of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let found = bytes.len() as u64;
        let bytes: &[u8; HEADER_BYTES] = bytes
            .get(..HEADER_BYTES)
            .and_then(|head| head.try_into().ok())
            .ok_or(KeyError::Length {
                expected: HEADER_BYTES as u64,
                found,
            })?;
        if &bytes[..8] != MAGIC {
            return Err(KeyError::Magic {
                expected: "key file",
            });
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(KeyError::Version(version));
        }
        if bytes[10] & !INSECURE != 0 || bytes[RESERVED].iter().any(|byte| *byte != 0) {
            return Err(KeyError::Header("unknown marks"));
        }
        let header = Self {
            circuit: decode_name(bytes[11], &bytes[12..44])?,
            insecure: bytes[10] & INSECURE != 0,
            contributions: u32_at(bytes, 44),
            instance_variables: u32_at(bytes, 48),
            witness_variables: u32_at(bytes, 52),
            constraints: u32_at(bytes, 56),
            matrix_sizes: MatrixSizes {
                entries: [60, 64, 68].map(|at| u32_at(bytes, at)),
                coefficients: u32_at(bytes, 72),
            },
            verifying_key_hash: VerifyingKeyHash(hash_at(bytes, 96)),
            ceremony_hash: hash_at(bytes, 128),
            file_hash: hash_at(bytes, HASH_AT),
        };
        header.check_counts()?;
        Ok(header)
    }

    /// The header, without the hash at its end.
    pub(super) fn encode_unhashed(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(u8::from(self.insecure) * INSECURE);
        out.extend_from_slice(&self.circuit.prefixed());
        out.resize(12 + MAX_NAME_BYTES, 0);
        let [a, b, c] = self.matrix_sizes.entries;
        for count in [
            self.contributions,
            self.instance_variables,
            self.witness_variables,
            self.constraints,
            a,
            b,
            c,
            self.matrix_sizes.coefficients,
        ] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.resize(RESERVED.end, 0);
        out.extend_from_slice(&self.verifying_key_hash.0);
        out.extend_from_slice(&self.ceremony_hash);
        out
    }

    fn check_counts(&self) -> Result<(), KeyError> {
        let [a, b, c] = self.matrix_sizes.entries;
        let counts = [
            self.instance_variables,
            self.witness_variables,
            self.constraints,
            a,
            b,
            c,
            self.matrix_sizes.coefficients,
        ];
        if counts.iter().any(|count| *count > MAX_COUNT) {
            return Err(KeyError::Header("a count is beyond its bound"));
        }
        if self.instance_variables == 0 {
            return Err(KeyError::Header("there is no constant one"));
        }
        Ok(())
    }

    pub(super) fn variables(&self) -> usize {
        self.instance_variables as usize + self.witness_variables as usize
    }

    /// Points of the H query: one less than the evaluation domain has elements.
    pub(crate) fn h_points(&self) -> usize {
        (self.constraints as usize + self.instance_variables as usize).next_power_of_two() - 1
    }

    /// Sizes of the sections after the header, in bytes, in their order.
    pub(super) fn section_bytes(&self) -> [usize; 8] {
        [
            verifying_key_bytes(self.instance_variables as usize),
            2 * G1_BYTES,
            self.variables() * G1_BYTES,
            self.variables() * G1_BYTES,
            self.variables() * G2_BYTES,
            self.h_points() * G1_BYTES,
            self.witness_variables as usize * G1_BYTES,
            self.matrix_sizes.bytes(self.constraints as usize),
        ]
    }

    /// Size of the whole file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        (HEADER_BYTES + self.section_bytes().iter().sum::<usize>()) as u64
    }
}

fn decode_name(length: u8, field: &[u8]) -> Result<CircuitName, KeyError> {
    let malformed = KeyError::Header("the circuit's name");
    let length = usize::from(length);
    if length > MAX_NAME_BYTES || field[length..].iter().any(|byte| *byte != 0) {
        return Err(malformed);
    }
    std::str::from_utf8(&field[..length])
        .ok()
        .and_then(|text| CircuitName::new(text).ok())
        .ok_or(malformed)
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn hash_at(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; HASH_BYTES] {
    bytes[at..at + HASH_BYTES]
        .try_into()
        .expect("a hash's length")
}
