//! The pairing checks: of the initial key with itself, and of each contribution against what
//! stands before it (CER-4, CER-6).

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::Zero;
use rand::Rng;

use super::contribution::{Place, State};
use super::{Contribution, Fault};
use crate::keys::ProvingKey;

/// Whether e(a, b) = e(c, d).
fn pair_alike(a: G1Affine, b: G2Affine, c: G1Affine, d: G2Affine) -> bool {
    Bn254::multi_pairing([a, -c], [b, d]).is_zero()
}

/// Factors of a random linear combination: 128 bits from the system, after the points are fixed.
fn random_factors(count: usize) -> Vec<Fr> {
    let mut rng = rand::thread_rng();
    (0..count).map(|_| Fr::from(rng.r#gen::<u128>())).collect()
}

fn combined<P>(points: &[P], factors: &[Fr]) -> P
where
    P: AffineRepr<ScalarField = Fr>,
    P::Group: VariableBaseMSM<MulBase = P>,
{
    P::Group::msm(points, factors)
        .expect("as many factors as points")
        .into_affine()
}

/// Checks one contribution.
///
/// # Errors
/// The first fault, in the order of `Fault`.
pub(super) fn contribution(
    made: &Contribution,
    before: State<'_>,
    place: Place,
) -> Result<(), Fault> {
    let challenge = made.challenge(place);
    if made.delta_g1 == before.delta_g1 {
        return Err(Fault::Unchanged);
    }
    let (base, base_delta) = (made.base_g1, made.base_delta_g1);
    if !pair_alike(base, made.challenge_delta_g2, base_delta, challenge) {
        return Err(Fault::NoProof);
    }
    if !pair_alike(
        before.delta_g1,
        made.challenge_delta_g2,
        made.delta_g1,
        challenge,
    ) {
        return Err(Fault::OtherDeltaG1);
    }
    if !pair_alike(
        made.delta_g1,
        before.delta_g2,
        before.delta_g1,
        made.delta_g2,
    ) {
        return Err(Fault::OtherDeltaG2);
    }
    let divided = |new: &[G1Affine], old: &[G1Affine]| {
        let factors = random_factors(old.len());
        new.len() == old.len()
            && pair_alike(
                combined(new, &factors),
                made.delta_g2,
                combined(old, &factors),
                before.delta_g2,
            )
    };
    if !divided(&made.l_query, before.l_query) {
        return Err(Fault::LNotRescaled);
    }
    if !divided(&made.h_query, before.h_query) {
        return Err(Fault::HNotRescaled);
    }
    Ok(())
}

/// Checks what an initial key alone can show: that what stands in it twice is the same twice.
///
/// # Errors
/// What does not fit.
pub(super) fn initial(key: &ProvingKey) -> Result<(), &'static str> {
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    if key.beta_g1.is_zero() || key.delta_g1.is_zero() {
        return Err("beta or delta is at infinity");
    }
    if !pair_alike(key.beta_g1, g2, g1, key.vk.beta_g2) {
        return Err("beta differs between G1 and G2");
    }
    if !pair_alike(key.delta_g1, g2, g1, key.vk.delta_g2) {
        return Err("delta differs between G1 and G2");
    }
    let factors = random_factors(key.b_g1_query.len());
    if !pair_alike(
        combined(&key.b_g1_query, &factors),
        g2,
        g1,
        combined(&key.b_g2_query, &factors),
    ) {
        return Err("the B query differs between G1 and G2");
    }
    Ok(())
}
