//! A verifying key's one encoding, its hash, and the small file that a node which only verifies
//! needs (KEY-2, KEY-6).

use std::fmt;
use std::path::Path;

use ark_bn254::{G1Affine, G2Affine};
use ark_serialize::Compress;

use super::points::{self, G1_COMPRESSED_BYTES, G2_COMPRESSED_BYTES};
use super::{CircuitName, HASH_BYTES, KeyError, VerifyingKey, blake2b, disk, hex};

const TAG: &[u8] = b"LOGOS_VERIFYING_KEY_V1";
const MAGIC: &[u8; 8] = b"LOGOSVKF";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 10;
/// Most public inputs (and the constant one) that a file of its own may hold.
const MAX_INSTANCE_VARIABLES: usize = 1 << 16;

/// Hash of a verifying key: what a genesis names.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKeyHash(pub [u8; HASH_BYTES]);

impl VerifyingKeyHash {
    /// The 16 digits that stand in file names.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..8])
    }
}

impl fmt::Display for VerifyingKeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for VerifyingKeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The hash of a verifying key: Blake2b-256 of the domain tag, the INSECURE mark, the circuit's
/// name and the key (KEY-2). The mark is inside, so that it cannot be taken off a key.
#[must_use]
pub fn verifying_key_hash(
    circuit: &CircuitName,
    insecure: bool,
    key: &VerifyingKey,
) -> VerifyingKeyHash {
    VerifyingKeyHash(blake2b(TAG, &[&encode(circuit, insecure, key)]))
}

/// Mark, name, number of points for public inputs (u32, little-endian), points.
fn encode(circuit: &CircuitName, insecure: bool, key: &VerifyingKey) -> Vec<u8> {
    let count = u32::try_from(key.gamma_abc_g1.len()).expect("a header counts in 32 bits");
    let mut out = vec![u8::from(insecure)];
    out.extend_from_slice(&circuit.prefixed());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&encode_points(key));
    out
}

pub(super) const fn verifying_key_bytes(instance_variables: usize) -> usize {
    (1 + instance_variables) * G1_COMPRESSED_BYTES + 3 * G2_COMPRESSED_BYTES
}

/// The points, compressed: alpha, beta, gamma, delta, then one for each public input.
pub(super) fn encode_points(key: &VerifyingKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(verifying_key_bytes(key.gamma_abc_g1.len()));
    points::write_compressed(&mut out, &key.alpha_g1);
    for point in [&key.beta_g2, &key.gamma_g2, &key.delta_g2] {
        points::write_compressed(&mut out, point);
    }
    for point in &key.gamma_abc_g1 {
        points::write_compressed(&mut out, point);
    }
    out
}

/// Reads the points strictly (KEY-3): there are few, and everything rests on them.
///
/// # Errors
/// `KeyError::Point`. A public input whose point is at infinity is refused too: its value would be
/// free. A setup makes none, since every public input has a row of its own.
pub(super) fn decode_points(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
    let section = "verifying key";
    let g1 = |bytes: &[u8]| points::read_strict::<G1Affine>(section, bytes, Compress::Yes);
    let g2 = |bytes: &[u8]| points::read_strict::<G2Affine>(section, bytes, Compress::Yes);
    let fixed = verifying_key_bytes(0);
    if bytes.len() < fixed {
        return Err(KeyError::Length {
            expected: fixed as u64,
            found: bytes.len() as u64,
        });
    }
    let (alpha, rest) = bytes.split_at(G1_COMPRESSED_BYTES);
    let (beta, rest) = rest.split_at(G2_COMPRESSED_BYTES);
    let (gamma, rest) = rest.split_at(G2_COMPRESSED_BYTES);
    let (delta, inputs) = rest.split_at(G2_COMPRESSED_BYTES);
    Ok(VerifyingKey {
        alpha_g1: g1(alpha)?,
        beta_g2: g2(beta)?,
        gamma_g2: g2(gamma)?,
        delta_g2: g2(delta)?,
        gamma_abc_g1: inputs
            .chunks(G1_COMPRESSED_BYTES)
            .map(g1)
            .collect::<Result<_, _>>()?,
    })
}

/// A verifying key with its circuit and its mark, as a file of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyingKeyFile {
    pub circuit: CircuitName,
    pub insecure: bool,
    pub key: VerifyingKey,
}

impl VerifyingKeyFile {
    #[must_use]
    pub fn hash(&self) -> VerifyingKeyHash {
        verifying_key_hash(&self.circuit, self.insecure, &self.key)
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&encode(&self.circuit, self.insecure, &self.key));
        out.extend_from_slice(&self.hash().0);
        out
    }

    /// Reads a file. Untrusted.
    ///
    /// # Errors
    /// `KeyError` if it is not exactly one verifying key, with its hash at the end.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let short = |expected: usize| KeyError::Length {
            expected: expected as u64,
            found: bytes.len() as u64,
        };
        if bytes.get(..8).is_none_or(|magic| magic != MAGIC) {
            return Err(KeyError::Magic {
                expected: "verifying-key file",
            });
        }
        let head = bytes.get(8..HEAD_BYTES + 2).ok_or(short(HEAD_BYTES + 2))?;
        let version = u16::from_le_bytes([head[0], head[1]]);
        if version != VERSION {
            return Err(KeyError::Version(version));
        }
        let (mark, name_bytes) = (head[2], usize::from(head[3]));
        if mark > 1 {
            return Err(KeyError::Header("unknown marks"));
        }
        let name_end = HEAD_BYTES + 2 + name_bytes;
        let points_at = name_end + 4;
        let fields = bytes
            .get(HEAD_BYTES + 2..points_at)
            .ok_or(short(points_at))?;
        let (name, count) = fields.split_at(name_bytes);
        let circuit = std::str::from_utf8(name)
            .map_err(|_| KeyError::Header("the circuit's name"))
            .and_then(CircuitName::new)?;
        let count = u32::from_le_bytes(count.try_into().expect("four bytes")) as usize;
        if count > MAX_INSTANCE_VARIABLES {
            return Err(KeyError::Header("a count is beyond its bound"));
        }
        if count == 0 {
            return Err(KeyError::Header("there is no constant one"));
        }
        let hash_at = points_at + verifying_key_bytes(count);
        if bytes.len() != hash_at + HASH_BYTES {
            return Err(short(hash_at + HASH_BYTES));
        }
        let found = VerifyingKeyHash(blake2b(TAG, &[&bytes[HEAD_BYTES..hash_at]]));
        if found.0 != bytes[hash_at..] {
            return Err(KeyError::Damaged {
                expected: hex(&bytes[hash_at..]),
                found: found.to_string(),
            });
        }
        Ok(Self {
            circuit,
            insecure: mark == 1,
            key: decode_points(&bytes[points_at..hash_at])?,
        })
    }

    /// Reads a file from disk and checks it against what a genesis names (KEY-8).
    ///
    /// # Errors
    /// `KeyError`; `OtherKey` names both hashes.
    pub fn load(
        path: &Path,
        circuit: &CircuitName,
        expected: &VerifyingKeyHash,
    ) -> Result<Self, KeyError> {
        let file = Self::decode(&disk::map(path)?)?;
        check(&file.circuit, file.hash(), circuit, expected)?;
        Ok(file)
    }
}

/// Refuses a key that is not the wanted one: the circuit first, then the hash (KEY-8).
pub(super) fn check(
    circuit: &CircuitName,
    hash: VerifyingKeyHash,
    wanted_circuit: &CircuitName,
    wanted_hash: &VerifyingKeyHash,
) -> Result<(), KeyError> {
    if circuit != wanted_circuit {
        return Err(KeyError::OtherCircuit {
            expected: wanted_circuit.clone(),
            found: circuit.clone(),
        });
    }
    if hash != *wanted_hash {
        return Err(KeyError::OtherKey {
            circuit: circuit.clone(),
            expected: *wanted_hash,
            found: hash,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::AffineRepr;

    /// A verifier takes the constant's point for granted.
    #[test]
    fn a_file_without_a_point_for_the_constant_is_refused() {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let mut file = VerifyingKeyFile {
            circuit: CircuitName::new("pol").unwrap(),
            insecure: false,
            key: VerifyingKey {
                alpha_g1: g1,
                beta_g2: g2,
                gamma_g2: g2,
                delta_g2: g2,
                gamma_abc_g1: vec![g1],
            },
        };
        assert_eq!(VerifyingKeyFile::decode(&file.encode()).unwrap(), file);

        file.key.gamma_abc_g1.clear();

        let refused = VerifyingKeyFile::decode(&file.encode()).unwrap_err();
        assert!(refused.to_string().contains("no constant one"), "{refused}");
    }
}
