//! Accidental damage, and damage by an attacker.

use ark_bn254::Fq;
use ark_ff::{BigInteger, PrimeField};
use logos_zk::field::Fr;
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};

use crate::table::Decoder;

/// A sample with one to three changes, or noise of a sample's length.
pub fn damaged(decoder: &Decoder, rng: &mut impl RngCore) -> Vec<u8> {
    let mut bytes = decoder.samples.choose(rng).unwrap().clone();
    if rng.gen_ratio(1, 16) {
        rng.fill_bytes(&mut bytes);
    }
    for _ in 0..rng.gen_range(1..=3) {
        change(&mut bytes, decoder.samples.choose(rng).unwrap(), rng);
    }
    if rng.r#gen() {
        (decoder.reseal)(&mut bytes, rng.r#gen());
    }
    bytes
}

/// Changes one thing; often where a field may begin, counted from either end.
fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl RngCore) {
    let length = bytes.len();
    let step = [1, 4, 32].choose(rng).unwrap();
    let at = rng.gen_range(0..=length) / step * step;
    let at = if rng.r#gen() { at } else { length - at };
    let end = at + [1, 4, 8, 32, 40, 64, 128].choose(rng).unwrap();
    let byte = *[0, 1, 0x7f, 0x80, 0xff].choose(rng).unwrap();
    match (rng.gen_range(0..11), bytes.get_mut(at..end)) {
        (0, _) => bytes.truncate(at),
        (1, _) => bytes.resize(length + end - at, byte),
        (2, _) => {
            bytes.truncate(at);
            bytes.extend(&other[rng.gen_range(0..=other.len())..]);
        }
        (3, Some(_)) => bytes.extend_from_within(at..end),
        (4, Some(_)) => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
        (5, Some(_)) => drop(bytes.drain(at..end)),
        (6, Some(chunk)) if end <= other.len() => chunk.copy_from_slice(&other[at..end]),
        (7, Some(chunk)) => chunk.fill(byte),
        (8, Some(chunk)) if chunk.len() <= 8 => other_number(chunk, rng),
        (9, Some(chunk)) if chunk.len() == 32 => other_spelling(chunk, rng),
        (_, Some(chunk)) => chunk[0] ^= 1 << rng.gen_range(0..8),
        _ => {}
    }
}

/// Another length or count.
fn other_number(field: &mut [u8], rng: &mut impl RngCore) {
    let mut word = [0; 8];
    word[..field.len()].copy_from_slice(field);
    let here = u64::from_le_bytes(word);
    let near = here.wrapping_add(rng.gen_range(0..5)).wrapping_sub(2);
    let power = (1 << rng.gen_range(0..64)) - rng.gen_range(0..2);
    let number = *[0, 1, u64::MAX, near, power].choose(rng).unwrap();
    field.copy_from_slice(&number.to_le_bytes()[..field.len()]);
}

/// The same value for a reader that reduces: one modulus more, in either byte order.
fn other_spelling(field: &mut [u8], rng: &mut impl RngCore) {
    let modulus = [Fr::MODULUS, Fq::MODULUS]
        .choose(rng)
        .unwrap()
        .to_bytes_le();
    let big_endian: bool = rng.r#gen();
    let mut carry = 0;
    for (index, more) in modulus.into_iter().enumerate() {
        let byte = &mut field[if big_endian { 31 - index } else { index }];
        let sum = u16::from(*byte) + u16::from(more) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}
