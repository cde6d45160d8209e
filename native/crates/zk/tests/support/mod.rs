//! True witnesses of every circuit, made from randomness.

use ark_ff::{Field, UniformRand, Zero};
use logos_zk::field::{Fr, tag};
use logos_zk::gadgets::merkle::Path;
use logos_zk::poseidon2::{compress, hash};
use rand::{Rng, RngCore};

pub struct Witness {
    pub circuit: &'static str,
    pub public: Vec<Fr>,
    pub private: Vec<Fr>,
}

/// A path of random siblings, and its values as circuits take them.
pub fn path(depth: usize, rng: &mut impl RngCore) -> (Path, Vec<Fr>) {
    let siblings: Vec<Fr> = (0..depth).map(|_| Fr::rand(rng)).collect();
    let path = Path::at(rng.gen_range(0..1u64 << depth), siblings);
    let selectors = path.selectors.iter().rev();
    let values = path.siblings.iter().chain(selectors).copied().collect();
    (path, values)
}

pub fn public_key(secret: Fr) -> Fr {
    compress(tag("KDF"), secret)
}

/// Secret key, value, operation id and output index of a note, and its id.
pub fn note(rng: &mut impl RngCore) -> ([Fr; 4], Fr) {
    let [secret, operation] = [Fr::rand(rng), Fr::rand(rng)];
    let value = Fr::from(rng.gen_range(1..u64::MAX));
    let index = Fr::from(rng.gen_range(0..256u64));
    let id = hash(&[
        tag("NOTE_ID_V1"),
        operation,
        index,
        value,
        public_key(secret),
    ]);
    ([secret, value, operation, index], id)
}

/// t0 and t1 with which a note of this value wins every slot but for a chance of 2⁻⁶⁴.
pub fn sure_lottery(value: Fr, rng: &mut impl RngCore) -> [Fr; 2] {
    let t1 = Fr::rand(rng);
    let threshold = -Fr::from(rng.next_u64());
    [threshold / value - t1 * value, t1]
}

pub fn leadership(rng: &mut impl RngCore) -> Witness {
    let (note, id) = note(rng);
    let [t0, t1] = sure_lottery(note[1], rng);
    let (slot, nonce) = (Fr::from(rng.next_u64()), Fr::rand(rng));
    let (aged, aged_values) = path(32, rng);
    let (latest, latest_values) = path(32, rng);
    let entropy = hash(&[tag("NONCE_CONTRIB_V1"), slot, id, note[0]]);
    let halves = [Fr::from(rng.r#gen::<u128>()), Fr::from(rng.r#gen::<u128>())];
    Witness {
        circuit: "leadership",
        public: [
            vec![entropy, slot, nonce, t0, t1],
            vec![aged.root_of(id), latest.root_of(id)],
            halves.to_vec(),
        ]
        .concat(),
        private: [note.to_vec(), aged_values, latest_values].concat(),
    }
}

pub fn claim(rng: &mut impl RngCore) -> Witness {
    let voucher = Fr::rand(rng);
    let (path, values) = path(32, rng);
    let root = path.root_of(compress(tag("REWARD_VOUCHER"), voucher));
    Witness {
        circuit: "claim",
        public: vec![compress(tag("VOUCHER_NF"), voucher), Fr::rand(rng), root],
        private: [vec![voucher], values].concat(),
    }
}

pub fn quota(leads: bool, rng: &mut impl RngCore) -> Witness {
    let core_secret = Fr::rand(rng);
    let (core, core_values) = path(20, rng);
    let (note, id) = note(rng);
    let (aged, aged_values) = path(32, rng);
    let [t0, t1] = sure_lottery(note[1], rng);
    let (slot, nonce) = (Fr::from(rng.next_u64()), Fr::rand(rng));
    let quotas = [rng.gen_range(1..1u64 << 20), rng.gen_range(1..1u64 << 20)];
    let index = Fr::from(rng.gen_range(0..quotas[usize::from(leads)]));
    let (secret, period) = if leads {
        (note[0], slot)
    } else {
        (core_secret, nonce)
    };
    let randomness = hash(&[tag("SELECTION_RANDOMNESS_V1"), secret, index, period]);
    // Who does not play the other role has nothing true to say about it.
    let core_root = match leads {
        true => Fr::rand(rng),
        false => core.root_of(public_key(core_secret)),
    };
    let aged_root = if leads {
        aged.root_of(id)
    } else {
        Fr::rand(rng)
    };
    Witness {
        circuit: "quota",
        public: vec![
            compress(tag("KEY_NULLIFIER_V1"), randomness),
            Fr::from(quotas[0]),
            Fr::from(quotas[1]),
            core_root,
            aged_root,
            Fr::from(rng.r#gen::<u128>()),
            Fr::from(rng.r#gen::<u128>()),
            nonce,
            t0,
            t1,
        ],
        private: [
            vec![if leads { Fr::ONE } else { Fr::zero() }, index, core_secret],
            core_values,
            vec![slot],
            note.to_vec(),
            aged_values,
        ]
        .concat(),
    }
}

pub fn signature(count: usize, rng: &mut impl RngCore) -> Witness {
    let private: Vec<Fr> = (0..count).map(|_| Fr::rand(rng)).collect();
    let mut public: Vec<Fr> = private.iter().map(|secret| public_key(*secret)).collect();
    public.push(Fr::rand(rng));
    Witness {
        circuit: if count == 2 {
            "signature2"
        } else {
            "signature32"
        },
        public,
        private,
    }
}

/// One witness of every circuit, and of both roles of a quota.
pub fn one_of_each(rng: &mut impl RngCore) -> Vec<Witness> {
    vec![
        leadership(rng),
        claim(rng),
        quota(false, rng),
        quota(true, rng),
        signature(2, rng),
        signature(32, rng),
    ]
}
