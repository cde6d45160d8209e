//! The transcript: an initial key and the contributions to it, in a file that only grows (CER-1).

use std::path::Path;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::contribution::{Place, Sizes, State, Unread, is_name};
use super::{CeremonyError, Contribution, Fault, check};
use crate::keys::{
    CircuitKey, HASH_BYTES, KeyHeader, ProvingKey, blake2b, disk, verifying_key_hash,
};

/// Most contributions of a transcript.
pub const MAX_CONTRIBUTIONS: usize = 1024;

const MAGIC: &[u8; 8] = b"LOGOSCER";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 24;
const LENGTH_AT: usize = 16;
const START_TAG: &[u8] = b"LOGOS_CEREMONY_START_V1";
const SECRET_TAG: &[u8] = b"LOGOS_CEREMONY_SECRET_V1";

/// A ceremony as far as it has come.
#[derive(Clone, Debug)]
pub struct Ceremony {
    initial: CircuitKey,
    start: [u8; HASH_BYTES],
    pub(super) contributions: Vec<Contribution>,
    /// Steps that were verified: the initial key, then the contributions.
    verified: usize,
}

impl Ceremony {
    /// Begins a ceremony on an initial key.
    ///
    /// # Errors
    /// `CeremonyError::Initial` if the key came out of a ceremony already.
    pub fn begin(initial: CircuitKey) -> Result<Self, CeremonyError> {
        if initial.contributions != 0 || initial.ceremony_hash != [0; HASH_BYTES] {
            return Err(CeremonyError::Initial("it came out of a ceremony already"));
        }
        let start = blake2b(START_TAG, &[&initial.encode()?]);
        Ok(Self {
            initial,
            start,
            contributions: Vec::new(),
            verified: 0,
        })
    }

    #[must_use]
    pub fn initial(&self) -> &CircuitKey {
        &self.initial
    }

    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Hash of all there is so far: what contributors publish and compare.
    #[must_use]
    pub fn hash(&self) -> [u8; HASH_BYTES] {
        self.contributions
            .last()
            .map_or(self.start, |last| last.hash)
    }

    /// Adds a contribution, after the transcript was verified. The factor comes from the
    /// operating system; `entropy` is mixed in and can only help (CER-2).
    ///
    /// # Errors
    /// `CeremonyError`: the name is none, the transcript is full, or it does not verify.
    pub fn contribute(
        &mut self,
        entropy: &[u8],
        name: &str,
    ) -> Result<&Contribution, CeremonyError> {
        if !is_name(name) {
            return Err(CeremonyError::Name);
        }
        if self.contributions.len() >= MAX_CONTRIBUTIONS {
            return Err(CeremonyError::Full);
        }
        self.verify()?;
        let mut rng = self.secret_rng(entropy);
        let place = self.place(self.contributions.len());
        let made = Contribution::make(self.state(self.contributions.len()), place, name, &mut rng);
        self.contributions.push(made);
        Ok(self.contributions.last().expect("it was just added"))
    }

    fn secret_rng(&self, entropy: &[u8]) -> ChaCha20Rng {
        let mut random = Zeroizing::new([0u8; 64]);
        rand::rngs::OsRng.fill_bytes(&mut random[..]);
        let seed = Zeroizing::new(blake2b(SECRET_TAG, &[&random[..], &self.hash(), entropy]));
        ChaCha20Rng::from_seed(*seed)
    }

    /// Verifies the initial key as far as it can be (CER-6) and every contribution (CER-4), as
    /// far as that was not done yet.
    ///
    /// # Errors
    /// `CeremonyError`: the first contribution that is wrong, and why.
    pub fn verify(&mut self) -> Result<(), CeremonyError> {
        while self.verify_step()? > 0 {}
        Ok(())
    }

    /// Verifies the first thing that was not verified yet, and says how many are left.
    ///
    /// # Errors
    /// As `verify`; again each time.
    pub fn verify_step(&mut self) -> Result<usize, CeremonyError> {
        let steps = 1 + self.contributions.len();
        match self.verified.checked_sub(1) {
            None => check::initial(&self.initial.proving_key).map_err(CeremonyError::Initial)?,
            Some(index) if index < self.contributions.len() => {
                let made = &self.contributions[index];
                check::contribution(made, self.state(index), self.place(index))
                    .map_err(|fault| refusal(index, made.name.clone(), fault))?;
            }
            Some(_) => return Ok(0),
        }
        self.verified += 1;
        Ok(steps - self.verified)
    }

    /// Verifies all and returns the key that came out. A key of a seeded setup stays INSECURE.
    ///
    /// # Errors
    /// `CeremonyError`: there is no contribution, or the transcript does not verify.
    pub fn finish(&mut self) -> Result<CircuitKey, CeremonyError> {
        if self.contributions.is_empty() {
            return Err(CeremonyError::Empty);
        }
        self.verify()?;
        let last = self.state(self.contributions.len());
        let mut key = self.initial.clone();
        key.proving_key = ProvingKey {
            delta_g1: last.delta_g1,
            l_query: last.l_query.to_vec(),
            h_query: last.h_query.to_vec(),
            ..key.proving_key
        };
        key.proving_key.vk.delta_g2 = last.delta_g2;
        key.verifying_key_hash =
            verifying_key_hash(&key.circuit, key.insecure, &key.proving_key.vk);
        key.contributions =
            u32::try_from(self.contributions.len()).expect("a transcript is bounded");
        key.ceremony_hash = self.hash();
        Ok(key)
    }

    /// What the contribution with this index changes; with none, what came out last.
    pub(super) fn state(&self, index: usize) -> State<'_> {
        match index.checked_sub(1) {
            Some(before) => self.contributions[before].state(),
            None => State {
                delta_g1: self.initial.proving_key.delta_g1,
                delta_g2: self.initial.proving_key.vk.delta_g2,
                l_query: &self.initial.proving_key.l_query,
                h_query: &self.initial.proving_key.h_query,
            },
        }
    }

    pub(super) fn place(&self, index: usize) -> Place {
        let before = index.checked_sub(1);
        let previous = before.map_or(self.start, |before| self.contributions[before].hash);
        Place::new(previous, index)
    }

    /// The whole file.
    ///
    /// # Errors
    /// `KeyError::TooLarge` of the initial key.
    pub fn encode(&self) -> Result<Vec<u8>, CeremonyError> {
        let initial = self.initial.encode()?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.resize(LENGTH_AT, 0);
        out.extend_from_slice(&(initial.len() as u64).to_le_bytes());
        out.extend_from_slice(&initial);
        for made in &self.contributions {
            out.extend_from_slice(&made.encode());
        }
        Ok(out)
    }

    /// Reads a file. Untrusted: every hash, then every point. Does not verify what they mean.
    ///
    /// # Errors
    /// `CeremonyError`: not a transcript, or the first part of it that is malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, CeremonyError> {
        let (head, rest) = bytes
            .split_at_checked(HEAD_BYTES)
            .ok_or(CeremonyError::Header("it is torn"))?;
        if &head[..8] != MAGIC {
            return Err(CeremonyError::Header("it begins with other bytes"));
        }
        if head[8..10] != VERSION.to_le_bytes() {
            return Err(CeremonyError::Header("its version is not known here"));
        }
        if head[10..LENGTH_AT].iter().any(|byte| *byte != 0) {
            return Err(CeremonyError::Header("unknown marks"));
        }
        let length = u64::from_le_bytes(head[LENGTH_AT..].try_into().expect("eight bytes"));
        let (initial, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(CeremonyError::Header("it is torn within the initial key"))?;
        // Links before points: what was changed by accident is refused at the cost of a hash.
        let header = KeyHeader::decode_whole(initial).map_err(CeremonyError::InitialKey)?;
        let sizes = Sizes {
            l_points: header.witness_variables as usize,
            h_points: header.h_points(),
        };
        let start = blake2b(START_TAG, &[initial]);
        let unread = split_contributions(rest, start, sizes)?;
        let key = CircuitKey::decode_untrusted(initial).map_err(CeremonyError::InitialKey)?;
        let mut ceremony = Self::begin(key)?;
        if ceremony.start != start {
            return Err(CeremonyError::Initial(
                "it is not spelled in the one canonical way",
            ));
        }
        for (index, unread) in unread.iter().enumerate() {
            let made = Contribution::decode(unread).map_err(|error| {
                refusal(
                    index,
                    unread.name.to_owned(),
                    Fault::Malformed(error.to_string()),
                )
            })?;
            ceremony.contributions.push(made);
        }
        Ok(ceremony)
    }

    /// Reads a file from disk.
    ///
    /// # Errors
    /// As `decode`, and `KeyError::Io`.
    pub fn load(path: &Path) -> Result<Self, CeremonyError> {
        Self::decode(&disk::map(path)?)
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// `KeyError`.
    pub fn save(&self, path: &Path) -> Result<(), CeremonyError> {
        Ok(disk::write(path, &[&self.encode()?])?)
    }
}

fn split_contributions(
    bytes: &[u8],
    start: [u8; HASH_BYTES],
    sizes: Sizes,
) -> Result<Vec<Unread<'_>>, CeremonyError> {
    let (mut rest, mut previous, mut all) = (bytes, start, Vec::new());
    while !rest.is_empty() {
        let index = all.len();
        if index >= MAX_CONTRIBUTIONS {
            return Err(CeremonyError::Full);
        }
        let (unread, behind) = Unread::split(rest, Place::new(previous, index), sizes)
            .map_err(|(name, fault)| refusal(index, name, fault))?;
        previous = unread.hash;
        rest = behind;
        all.push(unread);
    }
    Ok(all)
}

fn refusal(index: usize, name: String, fault: Fault) -> CeremonyError {
    CeremonyError::Contribution {
        number: index + 1,
        name,
        fault,
    }
}
