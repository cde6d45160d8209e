//! One contribution: made, written, read (CER-2, CER-3).

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, UniformRand};
use ark_serialize::Compress;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::Fault;
use crate::keys::points::{self, G1_BYTES, G2_BYTES, Trust};
use crate::keys::{HASH_BYTES, KeyError, blake2b};

/// The longest name of a contributor, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

const LINK_TAG: &[u8] = b"LOGOS_CEREMONY_LINK_V1";
const CHALLENGE_TAG: &[u8] = b"LOGOS_CEREMONY_CHALLENGE_V1";
/// The points that are neither of the L nor of the H query.
const POINTS_BYTES: usize = 3 * G1_BYTES + 2 * G2_BYTES;

/// What contributions change of a key.
#[derive(Clone, Copy)]
pub(super) struct State<'a> {
    pub delta_g1: G1Affine,
    pub delta_g2: G2Affine,
    pub l_query: &'a [G1Affine],
    pub h_query: &'a [G1Affine],
}

/// Where a contribution stands: the hash before it, and its number from 1.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub previous: [u8; HASH_BYTES],
    pub number: u32,
}

impl Place {
    pub(super) fn new(previous: [u8; HASH_BYTES], index: usize) -> Self {
        let number = u32::try_from(index + 1).expect("a transcript is bounded");
        Self { previous, number }
    }

    fn bytes(&self) -> [u8; HASH_BYTES + 4] {
        let mut out = [0; HASH_BYTES + 4];
        out[..HASH_BYTES].copy_from_slice(&self.previous);
        out[HASH_BYTES..].copy_from_slice(&self.number.to_le_bytes());
        out
    }
}

/// One step of a ceremony.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    pub(super) name: String,
    pub(super) delta_g1: G1Affine,
    pub(super) delta_g2: G2Affine,
    /// A random point, and the same times the factor.
    pub(super) base_g1: G1Affine,
    pub(super) base_delta_g1: G1Affine,
    pub(super) l_query: Vec<G1Affine>,
    pub(super) h_query: Vec<G1Affine>,
    /// The challenge times the factor: only who knows the factor can compute it.
    pub(super) challenge_delta_g2: G2Affine,
    pub(super) hash: [u8; HASH_BYTES],
}

impl Contribution {
    /// What its author called himself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hash of it and of all that stands before it. Its author publishes it.
    #[must_use]
    pub fn hash(&self) -> [u8; HASH_BYTES] {
        self.hash
    }

    /// Makes one. The factor is forgotten before this returns.
    pub(super) fn make(before: State<'_>, place: Place, name: &str, rng: &mut ChaCha20Rng) -> Self {
        let factor = Zeroizing::new(crate::keys::nonzero(rng));
        let inverse = Zeroizing::new(factor.inverse().expect("it is not zero"));
        let blinding = Zeroizing::new(crate::keys::nonzero(rng));
        let base_g1 = G1Affine::generator() * *blinding;
        let mut made = Self {
            name: name.to_owned(),
            delta_g1: (before.delta_g1 * *factor).into_affine(),
            delta_g2: (before.delta_g2 * *factor).into_affine(),
            base_g1: base_g1.into_affine(),
            base_delta_g1: (base_g1 * *factor).into_affine(),
            l_query: scaled(before.l_query, &inverse),
            h_query: scaled(before.h_query, &inverse),
            challenge_delta_g2: G2Affine::identity(),
            hash: [0; HASH_BYTES],
        };
        made.challenge_delta_g2 = (made.challenge(place) * *factor).into_affine();
        made.seal(place);
        made
    }

    /// The point of G2 that the factor is proven with. Its logarithm is unknown, and it
    /// depends on all that the contribution says, so no proof serves twice (CER-3).
    pub(super) fn challenge(&self, place: Place) -> G2Affine {
        let seed = blake2b(CHALLENGE_TAG, &[&place.bytes(), &self.encode_statement()]);
        G2Projective::rand(&mut ChaCha20Rng::from_seed(seed)).into_affine()
    }

    /// Sets the hash to what belongs there.
    pub(super) fn seal(&mut self, place: Place) {
        self.hash = link(place, &self.encode_unhashed());
    }

    /// All but the answer to the challenge and the hash.
    fn encode_statement(&self) -> Vec<u8> {
        let length = u8::try_from(self.name.len()).expect("a name has at most 64 bytes");
        let mut out = vec![length];
        out.extend_from_slice(self.name.as_bytes());
        points::write(&mut out, &[self.delta_g1]);
        points::write(&mut out, &[self.delta_g2]);
        points::write(&mut out, &[self.base_g1, self.base_delta_g1]);
        points::write(&mut out, &self.l_query);
        points::write(&mut out, &self.h_query);
        out
    }

    fn encode_unhashed(&self) -> Vec<u8> {
        let mut out = self.encode_statement();
        points::write(&mut out, &[self.challenge_delta_g2]);
        out
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unhashed();
        out.extend_from_slice(&self.hash);
        out
    }

    /// Reads the points of one. Untrusted.
    ///
    /// # Errors
    /// `KeyError::Point`: not of the group, or at infinity where that cannot be.
    pub(super) fn decode(unread: &Unread<'_>) -> Result<Self, KeyError> {
        let mut rest = unread.points;
        let mut take = |size: usize| {
            let (taken, behind) = rest.split_at(size);
            rest = behind;
            taken
        };
        let g1 = |section, bytes| points::read_strict(section, bytes, Compress::No);
        let g2 = |section, bytes| points::read_strict(section, bytes, Compress::No);
        let Sizes { l_points, h_points } = unread.sizes;
        Ok(Self {
            name: unread.name.to_owned(),
            delta_g1: g1("delta in G1", take(G1_BYTES))?,
            delta_g2: g2("delta in G2", take(G2_BYTES))?,
            base_g1: g1("base of the proof", take(G1_BYTES))?,
            base_delta_g1: g1("base of the proof times the factor", take(G1_BYTES))?,
            l_query: points::read("L query", take(l_points * G1_BYTES), Trust::Unverified)?,
            h_query: points::read("H query", take(h_points * G1_BYTES), Trust::Unverified)?,
            challenge_delta_g2: g2("answer to the challenge", take(G2_BYTES))?,
            hash: unread.hash,
        })
    }

    pub(super) fn state(&self) -> State<'_> {
        State {
            delta_g1: self.delta_g1,
            delta_g2: self.delta_g2,
            l_query: &self.l_query,
            h_query: &self.h_query,
        }
    }
}

/// How many points the L and the H query have.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub l_points: usize,
    pub h_points: usize,
}

/// A contribution whose link was checked and whose points were not read yet.
pub(super) struct Unread<'a> {
    pub name: &'a str,
    pub hash: [u8; HASH_BYTES],
    points: &'a [u8],
    sizes: Sizes,
}

impl<'a> Unread<'a> {
    /// Takes one from the beginning of `bytes` and returns what follows it. Untrusted.
    ///
    /// # Errors
    /// The name, as far as it can be read, and the fault.
    pub(super) fn split(
        bytes: &'a [u8],
        place: Place,
        sizes: Sizes,
    ) -> Result<(Self, &'a [u8]), (String, Fault)> {
        let malformed = |name: &str, why: &str| (name.to_owned(), Fault::Malformed(why.to_owned()));
        let torn = |name| malformed(name, "it is torn");
        let name_bytes = usize::from(*bytes.first().ok_or_else(|| torn(""))?);
        let name = bytes.get(1..=name_bytes).ok_or_else(|| torn(""))?;
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| is_name(name))
            .ok_or_else(|| malformed("", "its name is none"))?;
        let points_at = 1 + name_bytes;
        let hash_at = points_at + POINTS_BYTES + (sizes.l_points + sizes.h_points) * G1_BYTES;
        let (body, rest) = bytes.split_at_checked(hash_at).ok_or_else(|| torn(name))?;
        let (hash, rest) = rest
            .split_at_checked(HASH_BYTES)
            .ok_or_else(|| torn(name))?;
        if link(place, body) != hash {
            return Err((name.to_owned(), Fault::NotChained));
        }
        let unread = Self {
            name,
            hash: hash.try_into().expect("a hash's length"),
            points: &body[points_at..],
            sizes,
        };
        Ok((unread, rest))
    }
}

fn link(place: Place, body: &[u8]) -> [u8; HASH_BYTES] {
    blake2b(LINK_TAG, &[&place.bytes(), body])
}

/// Names are shown on terminals: nothing in them may steer one.
pub(super) fn is_name(text: &str) -> bool {
    let shown = |c: char| c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation();
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.chars().all(shown)
}

fn scaled(points: &[G1Affine], by: &Fr) -> Vec<G1Affine> {
    let scaled: Vec<G1Projective> = points.par_iter().map(|point| *point * by).collect();
    G1Projective::normalize_batch(&scaled)
}
