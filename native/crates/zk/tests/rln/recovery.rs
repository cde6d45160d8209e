//! Two shares of one id give the secret away; two of different ones do not.

use logos_zk::field::Fr;
use logos_zk::rln::{
    Identity, MessageLimit, PublicValues, RlnError, Share, is_registered, recover, recover_any,
};

use crate::fixture::*;

fn shares(epoch: u64, signal: &[u8], message_id: u32) -> Vec<Share> {
    let proof = membership().prove(&message(epoch, signal, message_id));
    proof.unwrap().values.shares()
}

fn secret_of(identity: &Identity) -> [u8; 32] {
    *identity.secret_bytes()
}

#[test]
fn two_shares_of_one_epoch_recover_exactly_the_registered_secret() {
    let one = single().values.shares()[0];
    let other = shares(7, b"another packet", 3)[0];

    let found = recover(&one, &other).unwrap();

    assert_eq!(secret_of(&found), secret_of(&identity()));
    assert!(is_registered(&found, limit(), leaf()));
    assert!(!is_registered(
        &found,
        MessageLimit::new(LIMIT + 1).unwrap(),
        leaf()
    ));
}

#[test]
fn single_and_multi_proofs_recover_with_each_other() {
    let proof = membership().prove(&multi_message(7, b"another packet", &[1, 2, 3]));
    let others = proof.unwrap().values.shares();

    for ones in [single().values.shares(), multi().values.shares()] {
        for (a, b) in [(&ones, &others), (&others, &ones)] {
            let found = recover_any(a, b).unwrap();

            assert_eq!(secret_of(&found), secret_of(&identity()));
        }
    }
}

#[test]
fn shares_of_two_epochs_or_two_ids_do_not_recover() {
    let one = single().values.shares()[0];
    let other_epoch = shares(8, b"another packet", 3)[0];
    let other_id = shares(7, b"another packet", 4)[0];

    let refusal = |other: &Share| recover(&one, other).unwrap_err();
    assert_eq!(refusal(&other_epoch), RlnError::SharesOfDifferentEpochs);
    assert_eq!(refusal(&other_id), RlnError::SharesOfDifferentNullifiers);
    assert_eq!(
        recover_any(&[one], &[other_id]).unwrap_err(),
        RlnError::SharesOfDifferentNullifiers
    );
    assert_eq!(
        recover_any(&[one], &[other_epoch]).unwrap_err(),
        RlnError::SharesOfDifferentEpochs
    );
}

#[test]
fn shares_made_to_look_alike_do_not_recover() {
    let one = single().values.shares()[0];
    for honest in [
        shares(8, b"another packet", 3),
        shares(7, b"another packet", 4),
    ] {
        let dressed = Share {
            external_nullifier: one.external_nullifier,
            nullifier: one.nullifier,
            ..honest[0]
        };

        assert_eq!(
            recover(&one, &dressed).unwrap_err(),
            RlnError::SharesInconsistent
        );
    }
}

#[test]
fn one_message_seen_twice_is_no_offence() {
    let one = single().values.shares()[0];
    let contradicting = Share {
        y: one.y + Fr::from(1),
        ..one
    };

    assert_eq!(
        recover(&one, &one).unwrap_err(),
        RlnError::SharesOfOneMessage
    );
    assert_eq!(
        recover(&one, &contradicting).unwrap_err(),
        RlnError::SharesOfOneMessage
    );
}
