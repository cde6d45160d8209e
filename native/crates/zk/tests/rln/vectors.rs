//! The published values: `vectors/zerokit`.

use std::str::FromStr;

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_serialize::CanonicalSerialize;
use logos_zk::field::{Fr, decode};
use logos_zk::rln::{
    Expected, Groth16Proof, Identity, MAX_OUT, MerklePath, MessageLimit, MultiProof, MultiValues,
    SingleProof, TREE_DEPTH, Values, signal_x,
};
use rln::prelude::{PoseidonHash, hash_to_field_le};
use serde_json::Value;
use zerokit_utils::hasher::ZerokitHasher;

fn vectors() -> Value {
    file("rln.json")
}

fn file(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../vectors/zerokit");
    let path = format!("{folder}/{name}");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn value(text: &Value) -> Fr {
    let digits = text.as_str().unwrap().strip_prefix("0x").unwrap();
    let mut bytes = hex(&format!("{digits:0>64}"));
    bytes.reverse();
    decode(&bytes).unwrap()
}

fn hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn values(list: &Value) -> Vec<Fr> {
    list.as_array().unwrap().iter().map(value).collect()
}

#[test]
fn a_seed_gives_the_published_identity() {
    for case in vectors()["identities"].as_array().unwrap() {
        let seed = case["seed_utf8"].as_str().unwrap().as_bytes();

        let identity = Identity::from_seed(seed).unwrap();

        let secret = decode(&*identity.secret_bytes()).unwrap();
        assert_eq!(secret, value(&case["secret"]));
        assert_eq!(identity.commitment(), value(&case["commitment"]));
    }
}

#[test]
fn an_extended_identity_is_the_published_one() {
    for case in vectors()["extended"].as_array().unwrap() {
        let secret = PoseidonHash::hash(&[value(&case["trapdoor"]), value(&case["nullifier"])]);

        let identity = Identity::from_secret_bytes(&logos_zk::field::encode(&secret)).unwrap();

        assert_eq!(secret, value(&case["secret"]));
        assert_eq!(identity.commitment(), value(&case["commitment"]));
    }
}

#[test]
fn poseidon_is_circomlibs() {
    for case in vectors()["poseidon"].as_array().unwrap() {
        let output = PoseidonHash::hash(&values(&case["inputs"]));

        assert_eq!(output, value(&case["output"]), "{case}");
    }
}

#[test]
fn a_members_path_leads_to_the_published_root() {
    let vectors = vectors();
    let case = &vectors["member"];
    let secret = hash_to_field_le(case["secret_utf8_hashed"].as_str().unwrap().as_bytes());
    let identity = Identity::from_secret_bytes(&logos_zk::field::encode(&secret)).unwrap();
    let limit = MessageLimit::new(case["limit"].as_u64().unwrap() as u32).unwrap();
    let index = case["index"].as_u64().unwrap() as u32;

    let path = MerklePath::new(&values(&case["path"]), index).unwrap();

    let root = path.root_of(identity.rate_commitment(limit));
    assert_eq!(root, value(&case["root"]));
}

#[test]
fn the_empty_tree_has_the_known_root() {
    let vectors = vectors();
    let siblings = values(&vectors["member"]["path"]);
    assert_eq!(siblings.len(), TREE_DEPTH);

    let root = MerklePath::new(&siblings, 0).unwrap().root_of(Fr::from(0));

    assert_eq!(root, value(&vectors["empty_root"]["root"]));
}

/// Decimal values, in snarkjs' JSON form.
fn decimals<T: FromStr>(list: &Value) -> Vec<T> {
    let one = |text: &Value| T::from_str(text.as_str().unwrap()).ok().unwrap();
    list.as_array().unwrap().iter().map(one).collect()
}

fn proof(case: &Value) -> Groth16Proof {
    let g1 = |point: &Value| {
        let list: Vec<Fq> = decimals(point);
        G1Affine::new(list[0], list[1])
    };
    let pair = |list: &Value| {
        let list: Vec<Fq> = decimals(list);
        Fq2::new(list[0], list[1])
    };
    let b = &case["pi_b"];
    let b = G2Affine::new(pair(&b[0]), pair(&b[1]));
    let mut bytes = Vec::new();
    g1(&case["pi_a"]).serialize_compressed(&mut bytes).unwrap();
    b.serialize_compressed(&mut bytes).unwrap();
    g1(&case["pi_c"]).serialize_compressed(&mut bytes).unwrap();
    Groth16Proof::from_bytes(&bytes).unwrap()
}

fn published_single() -> SingleProof {
    let case = &file("groth16-proofs.json")["cases"][0];
    let values: Vec<Fr> = decimals(&case["public"]);
    let [y, root, nullifier, x, external_nullifier] = values.try_into().unwrap();
    SingleProof {
        groth16: proof(&case["proof"]),
        values: Values {
            y,
            root,
            nullifier,
            x,
            external_nullifier,
        },
    }
}

fn published_multi() -> MultiProof {
    let case = &file("groth16-proofs.json")["cases"][1];
    let values: Vec<Fr> = decimals(&case["public"]);
    let (ys, rest) = values.split_first_chunk::<MAX_OUT>().unwrap();
    let (nullifiers, rest_) = rest[1..].split_first_chunk::<MAX_OUT>().unwrap();
    MultiProof {
        groth16: proof(&case["proof"]),
        values: MultiValues {
            ys: *ys,
            root: rest[0],
            nullifiers: *nullifiers,
            x: rest_[0],
            external_nullifier: rest_[1],
            used: std::array::from_fn(|slot| rest_[2 + slot] == Fr::from(1)),
        },
    }
}

#[test]
fn proofs_that_snarkjs_made_verify() {
    assert_eq!(published_single().verify_values(), Ok(()));
    assert_eq!(published_multi().verify_values(), Ok(()));
}

#[test]
fn a_bundle_that_an_old_zerokit_wrote_is_its_members_message() {
    let case = &file("bundle.json")["cases"][0];
    let bytes = hex(case["bundle"].as_str().unwrap());
    let hashed = |key: &str| hash_to_field_le(case[key].as_str().unwrap().as_bytes());

    let proof = SingleProof::from_bundle(&bytes).unwrap();

    assert_eq!(proof.to_bundle(), bytes);
    let pair = [
        hashed("epoch_utf8_hashed"),
        hashed("identifier_utf8_hashed"),
    ];
    assert_eq!(
        value(&case["external_nullifier"]),
        PoseidonHash::hash(&pair)
    );
    let expected = Expected {
        roots: &[value(&vectors()["member"]["root"])],
        external_nullifier: value(&case["external_nullifier"]),
        x: signal_x(case["signal_utf8"].as_str().unwrap().as_bytes()),
    };
    assert_eq!(proof.verify(&expected), Ok(()));
}
