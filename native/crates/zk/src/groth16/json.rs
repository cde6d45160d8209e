//! Keys and proofs in the JSON form of snarkjs, for verifiers that are not ours (ZK-14, RLN-13).
//!
//! Coordinates are decimal; a point of the twist is written lower coefficient first.

use ark_bn254::{Bn254, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;

use super::Proof;
use crate::field::Fr;

/// A proof.
#[must_use]
pub fn proof_json(proof: &Proof) -> String {
    format!(
        r#"{{"pi_a":{},"pi_b":{},"pi_c":{},"protocol":"groth16","curve":"bn128"}}"#,
        g1(&proof.a),
        g2(&proof.b),
        g1(&proof.c)
    )
}

/// Public inputs.
#[must_use]
pub fn public_json(public: &[Fr]) -> String {
    let values: Vec<String> = public.iter().map(|value| format!("\"{value}\"")).collect();
    format!("[{}]", values.join(","))
}

/// A verifying key.
#[must_use]
pub fn verifying_key_json(points: &ark_groth16::VerifyingKey<Bn254>) -> String {
    let inputs: Vec<String> = points.gamma_abc_g1.iter().map(g1).collect();
    format!(
        r#"{{"protocol":"groth16","curve":"bn128","nPublic":{},"vk_alpha_1":{},"vk_beta_2":{},"vk_gamma_2":{},"vk_delta_2":{},"IC":[{}]}}"#,
        inputs.len() - 1,
        g1(&points.alpha_g1),
        g2(&points.beta_g2),
        g2(&points.gamma_g2),
        g2(&points.delta_g2),
        inputs.join(",")
    )
}

fn g1(point: &G1Affine) -> String {
    match point.xy() {
        Some((x, y)) => format!(r#"["{x}","{y}","1"]"#),
        None => r#"["0","1","0"]"#.to_owned(),
    }
}

fn g2(point: &G2Affine) -> String {
    let pair = |value: Fq2| format!(r#"["{}","{}"]"#, value.c0, value.c1);
    match point.xy() {
        Some((x, y)) => format!(r#"[{},{},["1","0"]]"#, pair(x), pair(y)),
        None => r#"[["0","0"],["1","0"],["0","0"]]"#.to_owned(),
    }
}
