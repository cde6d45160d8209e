//! The circuits: what satisfies them, what does not, and how large they are.

mod support;

use ark_ff::{Field, PrimeField, Zero};
use logos_zk::circuits::{Statement, WitnessError, all, named, width};
use logos_zk::field::Fr;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use support::Witness;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn statement(witness: &Witness) -> &'static dyn Statement {
    named(witness.circuit).unwrap()
}

fn satisfied(witness: &Witness) -> bool {
    statement(witness)
        .is_satisfied(&witness.public, &witness.private)
        .unwrap()
}

fn broken(witness: &Witness) -> Option<&'static str> {
    match statement(witness).check(&witness.public, &witness.private) {
        Ok(()) => None,
        Err(WitnessError::Relation { relation, .. }) => Some(relation),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn true_witnesses_satisfy_and_are_found_true() {
    for seed in 0..4 {
        for witness in support::one_of_each(&mut rng(seed)) {
            assert_eq!(broken(&witness), None, "{}", witness.circuit);
            assert!(satisfied(&witness), "{}", witness.circuit);
        }
    }
}

/// Public inputs that are what they are because of the witness: a change makes them false.
fn determined(witness: &Witness) -> Vec<usize> {
    match witness.circuit {
        "leadership" => vec![0, 1, 5, 6],
        "claim" => vec![0, 2],
        "quota" if witness.private[0].is_zero() => vec![0, 3, 7],
        "quota" => vec![0, 4],
        _ => (0..witness.private.len()).collect(),
    }
}

#[test]
fn a_changed_public_input_satisfies_exactly_what_it_makes_true() {
    for mut witness in support::one_of_each(&mut rng(9)) {
        let determined = determined(&witness);
        for at in 0..witness.public.len() {
            let before = witness.public[at];
            witness.public[at] += Fr::ONE;
            let is_true = broken(&witness).is_none();
            assert_eq!(satisfied(&witness), is_true, "{} {at}", witness.circuit);
            assert!(
                !(is_true && determined.contains(&at)),
                "{} {at}",
                witness.circuit
            );
            witness.public[at] = before;
        }
    }
}

#[test]
fn a_changed_private_value_satisfies_exactly_what_it_makes_true() {
    for mut witness in support::one_of_each(&mut rng(10)) {
        let step = witness.private.len() / 24 + 1;
        for at in (0..witness.private.len()).step_by(step) {
            let before = witness.private[at];
            for change in [Fr::ONE, Fr::from(2u64), -Fr::ONE] {
                witness.private[at] = before + change;
                let relation = broken(&witness).filter(|relation| *relation != "value");
                assert_eq!(
                    satisfied(&witness),
                    relation.is_none(),
                    "{} {at}",
                    witness.circuit
                );
            }
            witness.private[at] = before;
        }
    }
}

/// t0 for which the note's threshold is its ticket plus `more`.
fn with_threshold(witness: &mut Witness, more: Fr) {
    let [secret, value, operation, index] = witness.private[..4].try_into().unwrap();
    let note = logos_zk::circuits::leadership::Note {
        secret_key: secret,
        value,
        operation_id: operation,
        output_index: index,
    };
    let ticket = note.ticket(witness.public[2], witness.public[1]);
    witness.public[3] = (ticket + more) / value - witness.public[4] * value;
}

#[test]
fn a_ticket_wins_exactly_below_its_threshold() {
    let mut witness = support::leadership(&mut rng(11));
    for (more, wins) in [
        (Fr::ONE, true),
        (Fr::zero(), false),
        (-Fr::ONE, false),
        (Fr::from(1u64 << 40), true),
    ] {
        with_threshold(&mut witness, more);
        assert_eq!(satisfied(&witness), wins);
        assert_eq!(
            broken(&witness),
            (!wins).then_some("ticket_below_threshold")
        );
    }
}

#[test]
fn a_threshold_of_zero_is_below_every_ticket() {
    let mut witness = support::leadership(&mut rng(12));
    witness.public[3] = -witness.public[4] * witness.private[1];
    assert!(!satisfied(&witness));
}

#[test]
fn a_note_has_a_value_of_1_to_64_bits() {
    let mut rng = rng(13);
    for (value, expected) in [
        (Fr::zero(), Some("value")),
        (Fr::from(2u64).pow([64]), Some("value")),
        (Fr::from(u64::MAX), Some("aged_membership")),
        (Fr::ONE, Some("aged_membership")),
    ] {
        let mut witness = support::leadership(&mut rng);
        witness.private[1] = value;
        assert_eq!(broken(&witness), expected);
    }
}

#[test]
fn selectors_are_bits_and_in_their_order() {
    let mut witness = support::claim(&mut rng(14));
    witness.private[33] = Fr::from(2u64);
    assert_eq!(broken(&witness), Some("selectors"));
    assert!(!satisfied(&witness));

    let mut reversed = support::claim(&mut rng(14));
    reversed.private[33..].reverse();
    assert_eq!(broken(&reversed), Some("voucher_membership"));
    assert!(!satisfied(&reversed));
}

#[test]
fn an_index_is_below_its_quota() {
    for leads in [false, true] {
        let mut witness = support::quota(leads, &mut rng(15));
        let quota = witness.public[1 + usize::from(leads)];
        witness.private[1] = quota;
        assert_eq!(broken(&witness), Some("index_below_quota"));
        assert!(!satisfied(&witness));

        witness.private[1] = Fr::from(1u64 << 20);
        assert_eq!(broken(&witness), Some("index"));
        assert!(!satisfied(&witness));
    }
}

#[test]
fn a_role_is_one_of_two() {
    let mut witness = support::quota(true, &mut rng(16));
    witness.private[0] = Fr::from(2u64);
    assert_eq!(broken(&witness), Some("is_leader"));
    assert!(!satisfied(&witness));
}

#[test]
fn circuits_are_no_larger_than_they_may_be() {
    let limits = [
        ("leadership", 20_500),
        ("claim", 8_300),
        ("quota", 18_200),
        ("signature2", 500),
        ("signature32", 7_700),
    ];
    for (name, limit) in limits {
        let (cs, fixed) = named(name).unwrap().constraints();
        println!(
            "{name}: {} constraints, {} variables, {fixed} fixed",
            cs.num_constraints(),
            cs.num_witness_variables()
        );
        assert!(cs.num_constraints() <= limit, "{name}");
        assert!(fixed > 0 && fixed <= cs.num_witness_variables());
    }
    assert_eq!(all().len(), limits.len());
}

#[test]
fn another_number_of_values_is_named() {
    for statement in all() {
        let public = vec![Fr::zero(); width(statement.public())];
        let private = vec![Fr::zero(); width(statement.private()) + 1];

        let error = statement.check(&public, &private).unwrap_err();

        assert_eq!(error.reason(), "WITNESS_WIDTH");
        assert_eq!(statement.is_satisfied(&public, &private), Err(error));
    }
}

#[test]
fn an_error_says_nothing_of_private_values() {
    let mut witness = support::signature(2, &mut rng(17));
    witness.public[0] = Fr::zero();
    let error = statement(&witness)
        .check(&witness.public, &witness.private)
        .unwrap_err();
    let said = format!("{error} {error:?}");
    for secret in &witness.private {
        assert!(!said.contains(&secret.into_bigint().to_string()));
    }
}
