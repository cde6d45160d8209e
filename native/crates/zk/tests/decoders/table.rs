//! The decoders, each with a sample that its own encoder made.

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_relations::lc;
use ark_relations::r1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use logos_zk::ceremony::Ceremony;
use logos_zk::field::{self, Fr};
use logos_zk::groth16::{self, Proof as Groth16};
use logos_zk::keys::{self, CircuitKey, CircuitName, KeyHeader, Randomness, VerifyingKeyFile};
use logos_zk::rln::lip144::RateLimitProof;
use logos_zk::rln::{
    Encoding, Groth16Proof, Identity, MAX_OUT, MerklePath, MultiProof, MultiValues, SingleProof,
    Values, epoch_bytes, epoch_number,
};
use logos_zk::tree::{FrontierTree, LedgerTree, RlnTree};
use zeroize::Zeroizing;

use crate::seals::{reseal_key, reseal_transcript, reseal_verifying_key};

/// Reads bytes and writes what they stand for; nothing of refused ones.
type Decode = fn(&[u8]) -> Option<Vec<u8>>;

pub struct Decoder {
    pub name: &'static str,
    pub sample: Vec<u8>,
    pub decode: Decode,
    /// Makes the guarding hash fit again, as somebody does who damages on purpose.
    pub reseal: Option<fn(&mut [u8])>,
    /// Bytes that may be allocated for each byte of input.
    pub factor: usize,
}

/// Of anything decoded into values: the values, a copy, the encoding, vectors that double.
const FLAT: usize = 16;
/// A leaf of 40 bytes has up to 32 nodes above it, each in a map.
const TREE: usize = 400;

/// A circuit as small as can be: x * x = y.
struct Square;

impl ConstraintSynthesizer<Fr> for Square {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let y = cs.new_input_variable(|| Ok(Fr::from(0u64)))?;
        let x = cs.new_witness_variable(|| Ok(Fr::from(0u64)))?;
        cs.enforce_constraint(lc!() + x, lc!() + x, lc!() + y)
    }
}

fn values(count: u64) -> Vec<Fr> {
    (1..=count)
        .map(|number| Fr::from(number) * Fr::from(u64::MAX))
        .collect()
}

fn epoch_read(bytes: &[u8]) -> Option<Vec<u8>> {
    let epoch = bytes.try_into().ok()?;
    epoch_number(epoch)
        .ok()
        .map(|number| epoch_bytes(number).to_vec())
}

pub fn decoders() -> Vec<Decoder> {
    let name = CircuitName::new("square").unwrap();
    let seed = Randomness::InsecureSeed(Zeroizing::new([1; 32]));
    let key = keys::generate(&name, Square, &seed).unwrap();
    let mut ceremony = Ceremony::begin(key.clone()).unwrap();
    ceremony.contribute(&[], "ada").unwrap();
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let proof = groth16::encode_proof(&Groth16 {
        a: g1,
        b: g2,
        c: -g1,
    });
    let groth16 = Groth16Proof::from_bytes(&proof).unwrap();
    let [y, root, nullifier, x, external_nullifier] = values(5).try_into().unwrap();
    let public = Values {
        y,
        root,
        nullifier,
        x,
        external_nullifier,
    };
    let single = SingleProof {
        values: public,
        groth16: groth16.clone(),
    };
    let mut slots = (
        [Fr::from(0u64); MAX_OUT],
        [Fr::from(0u64); MAX_OUT],
        [false; MAX_OUT],
    );
    (slots.0[0], slots.1[0], slots.2[0]) = (y, nullifier, true);
    let (ys, nullifiers, used) = slots;
    let public = MultiValues {
        ys,
        root,
        nullifiers,
        x,
        external_nullifier,
        used,
    };
    let multi = MultiProof {
        values: public,
        groth16,
    };
    let identity = Identity::from_seed(b"sixteen bytes at least").unwrap();
    let path = MerklePath::new(&values(20), 12_345).unwrap();
    let mut ledger = LedgerTree::<32>::new(4).unwrap();
    ledger.update(&[], &values(9)).unwrap();
    ledger.remove(values(3)[2]).unwrap();
    let mut frontier = FrontierTree::<32>::new();
    frontier.append_many(&values(11)).unwrap();
    let mut members = RlnTree::<20>::new(4).unwrap();
    members.set_many(&[(7, x), (1 << 19, y)]).unwrap();

    let flat = |name, sample: &[u8], decode: Decode| Decoder {
        name,
        sample: sample.to_vec(),
        decode,
        reseal: None,
        factor: FLAT,
    };
    let sealed = |decoder, reseal| Decoder {
        reseal: Some(reseal),
        ..decoder
    };
    let tree = |name, sample: &[u8], decode| Decoder {
        factor: TREE,
        ..flat(name, sample, decode)
    };
    let key_bytes = key.encode().unwrap();
    vec![
        flat("field value", &field::encode(&x), |bytes| {
            field::decode(bytes)
                .ok()
                .map(|value| field::encode(&value).to_vec())
        }),
        flat(
            "field values",
            &values(3).iter().flat_map(field::encode).collect::<Vec<_>>(),
            |bytes| {
                let values = field::decode_many(bytes).ok()?;
                Some(values.iter().flat_map(field::encode).collect())
            },
        ),
        flat("proof", &proof, |bytes| {
            groth16::decode_proof(bytes)
                .ok()
                .map(|proof| groth16::encode_proof(&proof).to_vec())
        }),
        sealed(
            flat("key header", &key_bytes, |bytes| {
                KeyHeader::decode_whole(bytes).ok().map(|_| bytes.to_vec())
            }),
            reseal_key as fn(&mut [u8]),
        ),
        sealed(
            flat("key", &key_bytes, |bytes| {
                // What a hash vouches for has other spellings of its points; see the next.
                CircuitKey::decode(bytes).ok().map(|_| bytes.to_vec())
            }),
            reseal_key,
        ),
        sealed(
            flat("key of somebody else", &key_bytes, |bytes| {
                // Its coefficients may stand in another order than ours would.
                CircuitKey::decode_untrusted(bytes)
                    .ok()
                    .map(|_| bytes.to_vec())
            }),
            reseal_key,
        ),
        sealed(
            flat(
                "verifying key",
                &key.verifying_key_file().encode(),
                |bytes| {
                    VerifyingKeyFile::decode(bytes)
                        .ok()
                        .map(|file| file.encode())
                },
            ),
            reseal_verifying_key,
        ),
        sealed(
            flat("transcript", &ceremony.encode().unwrap(), |bytes| {
                Ceremony::decode(bytes)
                    .ok()
                    .map(|read| read.encode().unwrap())
            }),
            reseal_transcript,
        ),
        tree("ledger tree", &ledger.snapshot(), |bytes| {
            LedgerTree::<32>::restore(bytes)
                .ok()
                .map(|tree| tree.snapshot())
        }),
        tree("frontier tree", &frontier.snapshot(), |bytes| {
            FrontierTree::<32>::restore(bytes)
                .ok()
                .map(|tree| tree.snapshot())
        }),
        tree("RLN tree", &members.snapshot(), |bytes| {
            RlnTree::<20>::restore(bytes)
                .ok()
                .map(|tree| tree.snapshot())
        }),
        flat("RLN proof", &single.to_bytes(Encoding::Little), |bytes| {
            let proof = SingleProof::from_bytes(bytes, Encoding::Little).ok()?;
            Some(proof.to_bytes(Encoding::Little))
        }),
        flat(
            "RLN proof, mixed",
            &single.to_bytes(Encoding::Mixed),
            |bytes| {
                let proof = SingleProof::from_bytes(bytes, Encoding::Mixed).ok()?;
                Some(proof.to_bytes(Encoding::Mixed))
            },
        ),
        flat(
            "RLN multi proof",
            &multi.to_bytes(Encoding::Little),
            |bytes| {
                let proof = MultiProof::from_bytes(bytes, Encoding::Little).ok()?;
                Some(proof.to_bytes(Encoding::Little))
            },
        ),
        flat(
            "RLN multi proof, mixed",
            &multi.to_bytes(Encoding::Mixed),
            |bytes| {
                let proof = MultiProof::from_bytes(bytes, Encoding::Mixed).ok()?;
                Some(proof.to_bytes(Encoding::Mixed))
            },
        ),
        flat("RLN bundle", &single.to_bundle(), |bytes| {
            Some(SingleProof::from_bundle(bytes).ok()?.to_bundle())
        }),
        flat(
            "RLN message",
            &RateLimitProof::new(&single, epoch_bytes(7)).to_bytes(),
            |bytes| {
                RateLimitProof::from_bytes(bytes)
                    .ok()
                    .map(|message| message.to_bytes().to_vec())
            },
        ),
        flat(
            "RLN identity",
            &*identity.to_bytes(Encoding::Little),
            |bytes| {
                let identity = Identity::from_bytes(bytes, Encoding::Little).ok()?;
                Some(identity.to_bytes(Encoding::Little).to_vec())
            },
        ),
        flat("RLN path", &path.to_bytes(Encoding::Little), |bytes| {
            let path = MerklePath::from_bytes(bytes, Encoding::Little).ok()?;
            Some(path.to_bytes(Encoding::Little))
        }),
        flat(
            "RLN path, big-endian",
            &path.to_bytes(Encoding::Mixed),
            |bytes| {
                let path = MerklePath::from_bytes(bytes, Encoding::Mixed).ok()?;
                Some(path.to_bytes(Encoding::Mixed))
            },
        ),
        flat("epoch", &epoch_bytes(7), epoch_read),
    ]
}
