//! The readers, each with samples that the crate's own writers made.

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_relations::lc;
use ark_relations::r1cs::{ConstraintSynthesizer, ConstraintSystemRef, Result as Made, Variable};
use logos_zk::ceremony::Ceremony;
use logos_zk::field::{self, Fr};
use logos_zk::groth16::{self, decode_proof, encode_proof};
use logos_zk::keys::{CircuitKey, CircuitName, KeyHeader, Randomness, VerifyingKeyFile, generate};
use logos_zk::rln::lip144::RateLimitProof;
use logos_zk::rln::{
    Encoding, ExternalNullifierRule, Groth16Proof, Identity, MerklePath, MultiValues, Proof,
    SingleProof, Values, epoch_bytes, epoch_number, external_nullifier, rln_identifier,
};
use logos_zk::tree::{
    FrontierTree, LEDGER_DEPTH, LedgerTree, Poseidon2Nodes, PoseidonNodes, RLN_DEPTH, RlnTree,
};
use zeroize::Zeroizing;

use crate::seals;

/// Reads bytes and writes what was read; nothing where they are refused.
type Decode = dyn Fn(&[u8]) -> Option<Vec<u8>>;
/// Recomputes the hashes of bytes, and optionally their length.
type Reseal = fn(&mut Vec<u8>, bool);

pub struct Decoder {
    pub name: &'static str,
    pub samples: Vec<Vec<u8>>,
    pub decode: Box<Decode>,
    pub reseal: Reseal,
    /// Bytes that reading and writing may hold at a time: for each byte of input, and besides.
    pub memory: (usize, usize),
}

/// The values and the writer's bytes, each in a vector that had to grow; four values at least.
const FLAT: (usize, usize) = (4, 256);
/// The same twice, with rows of matrices or the frontier's fixed 33 nodes, and hashes as text.
const FILE: (usize, usize) = (8, 2 << 10);
/// A leaf of 40 bytes has up to 32 nodes of 41 bytes above it, in maps that may be half empty
/// beside the half as large ones that they grew out of.
const TREE: (usize, usize) = (128, 4 << 10);

fn reader<T, E>(
    name: &'static str,
    samples: Vec<Vec<u8>>,
    decode: impl Fn(&[u8]) -> Result<T, E> + 'static,
    encode: impl Fn(&[u8], T) -> Vec<u8> + 'static,
) -> Decoder {
    Decoder {
        name,
        samples,
        decode: Box::new(move |bytes| Some(encode(bytes, decode(bytes).ok()?))),
        reseal: |_, _| {},
        memory: FLAT,
    }
}

/// Rows of name, samples, reader and writer. A writer is given what was read from, too.
macro_rules! readers {
    ($($name:literal, [$($sample:expr),*], $decode:expr => $encode:expr;)*) => {
        vec![$(reader($name, vec![$($sample.to_vec()),*], $decode, $encode)),*]
    };
}

fn guarded(mut table: Vec<Decoder>, reseal: Reseal, memory: (usize, usize)) -> Vec<Decoder> {
    for decoder in &mut table {
        (decoder.reseal, decoder.memory) = (reseal, memory);
    }
    table
}

pub fn decoders() -> Vec<Decoder> {
    let all = [values(), keys(), trees(), rln(), rln_in_two_orders()];
    all.into_iter().flatten().collect()
}

fn numbers<const COUNT: usize>() -> [Fr; COUNT] {
    std::array::from_fn(|index| Fr::from(index as u64 + 1) * Fr::from(u128::MAX))
}

fn bytes_of(values: &[Fr]) -> Vec<u8> {
    values.iter().flat_map(field::encode).collect()
}

fn proof() -> groth16::Proof {
    let (a, b) = (G1Affine::generator(), G2Affine::generator());
    groth16::Proof { a, b, c: -a }
}

fn values() -> Vec<Decoder> {
    let name =
        |bytes: &[u8]| CircuitName::new(std::str::from_utf8(bytes).map_err(drop)?).map_err(drop);
    readers! {
        "value", [bytes_of(&numbers::<1>())], field::decode => |_, read| bytes_of(&[read]);
        "values", [[], bytes_of(&numbers::<3>())], field::decode_many => |_, read| bytes_of(&read);
        "proof", [encode_proof(&proof())], decode_proof => |_, read| encode_proof(&read).to_vec();
        "circuit's name", [b"a-1"], name => |_, read| read.as_str().into();
    }
}

/// So many values, each the square of the one before it and one more.
struct Squares(usize);

impl ConstraintSynthesizer<Fr> for Squares {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Made<()> {
        let mut last = system.new_input_variable(|| Ok(Fr::from(0u64)))?;
        for _ in 0..self.0 {
            let next = system.new_witness_variable(|| Ok(Fr::from(0u64)))?;
            let square = lc!() + next - Variable::One;
            system.enforce_constraint(lc!() + last, lc!() + last, square)?;
            last = next;
        }
        Ok(())
    }
}

/// A hash vouches for points, however spelled; written once, they stay as they are.
fn own_key(bytes: &[u8], key: CircuitKey) -> Vec<u8> {
    let again = key.encode().unwrap();
    let twice = CircuitKey::decode(&again).unwrap().encode().unwrap();
    assert!(twice == again, "it is written in two ways");
    let (matrices, variables) = (&key.matrices, key.proving_key.a_query.len());
    let rows = [matrices.a(), matrices.b(), matrices.c()].map(|matrix| matrix.rows());
    let columns = rows.into_iter().flatten().flatten();
    let columns = columns.map(|(_, column)| column);
    assert!(
        columns.max() < Some(variables),
        "an entry is of no variable"
    );
    bytes.to_vec()
}

/// What others wrote has one spelling.
fn anothers_key(bytes: &[u8], key: CircuitKey) -> Vec<u8> {
    let again = key.encode().unwrap();
    own_key(bytes, key);
    again
}

fn keys() -> Vec<Decoder> {
    let seed = Randomness::InsecureSeed(Zeroizing::new([1; 32]));
    let made = |name, squares| {
        generate(&CircuitName::new(name).unwrap(), Squares(squares), &seed).unwrap()
    };
    let keys = [made("a", 1), made("squares-3", 3)];
    let [one, three] = keys.each_ref().map(|key| key.encode().unwrap());
    let [small, large] = keys.each_ref().map(|key| key.verifying_key_file().encode());
    let [key, _] = keys;
    let mut ceremony = Ceremony::begin(key).unwrap();
    let transcripts = ["ada", "B. 2"].map(|name| {
        ceremony.contribute(&[], name).unwrap();
        ceremony.encode().unwrap()
    });
    let [first, second] = transcripts;
    let key_files = readers! {
        "key's head", [one, three], KeyHeader::decode => |bytes, _| bytes.to_vec();
        "key's head and hash", [one, three], KeyHeader::decode_whole => |bytes, _| bytes.to_vec();
        "own key", [one, three], CircuitKey::decode => own_key;
        "another's key", [one, three], CircuitKey::decode_untrusted => anothers_key;
    };
    let verifying_keys = readers! {
        "verifying key", [small, large], VerifyingKeyFile::decode => |_, read| {
            assert!(!read.key.gamma_abc_g1.is_empty(), "there is no constant one");
            read.encode()
        };
    };
    let transcripts = readers! {
        "transcript", [first, second], Ceremony::decode => |_, read| read.encode().unwrap();
    };
    let all = [
        guarded(key_files, |bytes, fit| drop(seals::key(bytes, fit)), FILE),
        guarded(
            verifying_keys,
            |bytes, fit| _ = seals::verifying_key(bytes, fit),
            FILE,
        ),
        guarded(
            transcripts,
            |bytes, fit| _ = seals::transcript(bytes, fit),
            FILE,
        ),
    ];
    all.into_iter().flatten().collect()
}

fn trees() -> Vec<Decoder> {
    type Ledger = LedgerTree<LEDGER_DEPTH>;
    type Frontier = FrontierTree<LEDGER_DEPTH>;
    type Rln = RlnTree<RLN_DEPTH>;
    let empty = Ledger::new(1).unwrap().snapshot();
    let mut ledger = Ledger::new(4).unwrap();
    ledger.update(&[], &numbers::<5>()).unwrap();
    ledger.remove(numbers::<2>()[1]).unwrap();
    let ledger = ledger.snapshot();
    let mut frontier = Frontier::new();
    frontier.append_many(&numbers::<11>()).unwrap();
    let frontier = frontier.snapshot();
    let mut rln = Rln::new(4).unwrap();
    rln.set_many(&[7, 1 << 19].map(|index| (index, numbers::<1>()[0])))
        .unwrap();
    let rln = rln.snapshot();
    let ledgers = readers! {
        "ledger's tree", [ledger, empty], Ledger::restore => |_, read| read.snapshot();
    };
    let members = readers! {
        "RLN's tree", [rln], Rln::restore => |_, read| read.snapshot();
    };
    let frontiers = readers! {
        "frontier", [frontier], Frontier::restore => |_, read| read.snapshot();
    };
    let all = [
        guarded(
            ledgers,
            |bytes, _| _ = seals::tree::<Poseidon2Nodes>(bytes, LEDGER_DEPTH),
            TREE,
        ),
        guarded(
            members,
            |bytes, _| _ = seals::tree::<PoseidonNodes>(bytes, RLN_DEPTH),
            TREE,
        ),
        guarded(frontiers, |_, _| {}, FILE), // its root is last
    ];
    all.into_iter().flatten().collect()
}

fn rln() -> Vec<Decoder> {
    let [merkle_root, share_x, share_y, nullifier] = numbers();
    let groth16 = Groth16Proof::from_bytes(&encode_proof(&proof())).unwrap();
    let epoch = epoch_bytes(u64::MAX / 3);
    let points = groth16.to_bytes();
    let message = RateLimitProof {
        groth16,
        merkle_root,
        epoch,
        share_x,
        share_y,
        nullifier,
    };
    let number = |bytes: &[u8]| epoch_number(bytes.try_into().map_err(drop)?).map_err(drop);
    let selectors = |bytes: &[u8]| MerklePath::from_selectors(&numbers::<20>(), bytes);
    let raw = |bytes: &[u8]| {
        let (epoch, identifier) = bytes.split_at_checked(32).ok_or(())?;
        let epoch = epoch.try_into().map_err(drop)?;
        let identifier = identifier.try_into().map_err(drop)?;
        external_nullifier(ExternalNullifierRule::Raw, epoch, identifier).map_err(drop)
    };
    let secret = Identity::from_seed(b"sixteen bytes or more")
        .unwrap()
        .secret_bytes();
    readers! {
        "RLN proof's points", [points],
            Groth16Proof::from_bytes => |_, read| read.to_bytes().into();
        "RLN message", [message.to_bytes()],
            RateLimitProof::from_bytes => |_, read| read.to_bytes().into();
        "RLN bundle", [message.clone().into_proof(share_y).to_bundle()],
            SingleProof::from_bundle => |_, read| read.to_bundle();
        "RLN secret", [secret],
            Identity::from_secret_bytes => |_, read| read.secret_bytes().to_vec();
        "RLN seed", [[7; 16]], Identity::from_seed => |bytes, _| bytes.to_vec();
        "RLN seed, extended", [[7; 16]], Identity::from_seed_extended => |bytes, _| bytes.to_vec();
        "RLN path's selectors", [[1; 20]], selectors => |_, read| read.selectors().into();
        "RLN identifier", [b"mix"], rln_identifier => |bytes, read| read[..bytes.len()].into();
        "RLN epoch and identifier", [[epoch; 2].concat()], raw => |bytes, _| bytes.to_vec();
        "epoch", [epoch], number => |_, read| epoch_bytes(read).into();
    }
}

fn rln_in_two_orders() -> Vec<Decoder> {
    let [y, root, nullifier, x, external_nullifier] = numbers();
    let none = Fr::from(0u64);
    let groth16 = Groth16Proof::from_bytes(&encode_proof(&proof())).unwrap();
    let values = Values {
        y,
        root,
        nullifier,
        x,
        external_nullifier,
    };
    let (ys, nullifiers) = ([y, x, none, none], [nullifier, y, none, none]);
    let used = [true, true, false, false];
    let slots = MultiValues {
        ys,
        root,
        nullifiers,
        x,
        external_nullifier,
        used,
    };
    let single = Proof {
        groth16: groth16.clone(),
        values,
    };
    let multi = Proof {
        groth16,
        values: slots,
    };
    let identity = Identity::from_seed(b"sixteen bytes or more").unwrap();
    let path = MerklePath::new(&numbers::<20>(), 12_345).unwrap();
    let in_order = |order| {
        readers! {
            "RLN proof", [single.to_bytes(order)],
                move |bytes| Proof::<Values>::from_bytes(bytes, order)
                    => move |_, read| read.to_bytes(order);
            "RLN proof of many", [multi.to_bytes(order)],
                move |bytes| Proof::<MultiValues>::from_bytes(bytes, order)
                    => move |_, read| read.to_bytes(order);
            "RLN identity", [identity.to_bytes(order)],
                move |bytes| Identity::from_bytes(bytes, order)
                    => move |_, read| read.to_bytes(order).to_vec();
            "RLN path", [path.to_bytes(order)],
                move |bytes| MerklePath::from_bytes(bytes, order)
                    => move |_, read| read.to_bytes(order);
        }
    };
    [Encoding::Little, Encoding::Mixed]
        .into_iter()
        .flat_map(in_order)
        .collect()
}
