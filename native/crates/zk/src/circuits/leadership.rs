//! Proof of leadership: a note that is old enough and not spent wins a slot, and a one-time
//! key speaks for its owner (ZK-7).
//!
//! Public, in this order: entropy contribution, slot, epoch nonce, t0, t1, root of the aged
//! ledger, root of the latest ledger, the leader's Ed25519 key as two halves of 16 bytes,
//! little-endian, low half first.
//!
//! Statement: public key = compress(`KDF`, secret key); note id = hash(`NOTE_ID_V1`, operation
//! id, output index, value, public key); the note id is in both ledgers; ticket =
//! hash(`LEAD_V1`, epoch nonce, slot, note id, secret key) < value · (t0 + t1 · value), both as
//! integers; entropy = hash(`NONCE_CONTRIB_V1`, slot, note id, secret key).
//!
//! Fixed for an epoch: the note, its path in the aged ledger, and the threshold.
//!
//! Source: logos-lips, `cryptarchia-proof-of-leadership.md`; public order as in the published
//! circuits, `mantle/pol.circom` at 72a98e8.

use ark_ff::{Field, PrimeField, Zero};
use ark_r1cs_std::eq::EqGadget;
use ark_relations::r1cs::{ConstraintSystemRef, SynthesisError};

use super::{Broken, Circuit, Layout, Reader, bind, private, require};
use crate::field::{Fr, tag};
use crate::gadgets::merkle::{Path, PathValues};
use crate::gadgets::{Value, compare, poseidon2 as inside};
use crate::poseidon2::{compress, hash};

/// Levels of the ledger's tree.
pub const LEDGER_DEPTH: usize = 32;

/// A note and the key that owns it.
#[derive(Clone)]
pub struct Note {
    pub secret_key: Fr,
    pub value: Fr,
    pub operation_id: Fr,
    pub output_index: Fr,
}

/// A note inside a circuit.
pub struct NoteValues {
    pub secret_key: Value,
    pub id: Value,
    value: Value,
}

/// What the lottery of an epoch is about, inside a circuit.
pub struct Lottery<'a> {
    pub epoch_nonce: &'a Value,
    pub t0: &'a Value,
    pub t1: &'a Value,
}

impl Note {
    /// Reads secret key, value, operation id and output index.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            secret_key: reader.one(),
            value: reader.one(),
            operation_id: reader.one(),
            output_index: reader.one(),
        }
    }

    /// Whether a note may have the value: 1 to 2⁶⁴ - 1 (ZK-8).
    #[must_use]
    pub fn has_value(&self) -> bool {
        let limbs = self.value.into_bigint().0;
        !self.value.is_zero() && limbs[1..] == [0; 3]
    }

    #[must_use]
    pub fn id(&self) -> Fr {
        hash(&[
            tag("NOTE_ID_V1"),
            self.operation_id,
            self.output_index,
            self.value,
            public_key(self.secret_key),
        ])
    }

    #[must_use]
    pub fn ticket(&self, epoch_nonce: Fr, slot: Fr) -> Fr {
        hash(&[
            tag("LEAD_V1"),
            epoch_nonce,
            slot,
            self.id(),
            self.secret_key,
        ])
    }

    #[must_use]
    pub fn threshold(&self, t0: Fr, t1: Fr) -> Fr {
        self.value * (t0 + t1 * self.value)
    }

    /// Whether the note wins a slot.
    #[must_use]
    pub fn wins(&self, epoch_nonce: Fr, slot: Fr, t0: Fr, t1: Fr) -> bool {
        self.ticket(epoch_nonce, slot).into_bigint() < self.threshold(t0, t1).into_bigint()
    }

    /// Allocates a note, and computes its id.
    pub fn allocate(&self, cs: &ConstraintSystemRef<Fr>) -> Result<NoteValues, SynthesisError> {
        let secret_key = private(cs, self.secret_key)?;
        let value = private(cs, self.value)?;
        let id = inside::hash(&[
            Value::Constant(tag("NOTE_ID_V1")),
            private(cs, self.operation_id)?,
            private(cs, self.output_index)?,
            value.clone(),
            public_key_inside(&secret_key)?,
        ])?;
        Ok(NoteValues {
            secret_key,
            id,
            value,
        })
    }
}

impl NoteValues {
    /// The threshold that the note's tickets must be below.
    pub fn threshold(&self, lottery: &Lottery<'_>) -> Value {
        &self.value * (lottery.t0 + lottery.t1 * &self.value)
    }

    pub fn ticket(&self, lottery: &Lottery<'_>, slot: &Value) -> Result<Value, SynthesisError> {
        inside::hash(&[
            Value::Constant(tag("LEAD_V1")),
            lottery.epoch_nonce.clone(),
            slot.clone(),
            self.id.clone(),
            self.secret_key.clone(),
        ])
    }
}

/// The public key of a secret key.
#[must_use]
pub fn public_key(secret_key: Fr) -> Fr {
    compress(tag("KDF"), secret_key)
}

/// The public key of a secret key, inside a circuit.
pub fn public_key_inside(secret_key: &Value) -> Result<Value, SynthesisError> {
    inside::compress(&Value::Constant(tag("KDF")), secret_key)
}

/// The statement with its values.
pub struct Leadership {
    entropy: Fr,
    slot: Fr,
    epoch_nonce: Fr,
    t0: Fr,
    t1: Fr,
    aged_root: Fr,
    latest_root: Fr,
    note: Note,
    aged: Path,
    latest: Path,
}

const ENTROPY: usize = 0;
const SLOT: usize = 1;
const EPOCH_NONCE: usize = 2;
const T0: usize = 3;
const T1: usize = 4;
const AGED_ROOT: usize = 5;
const LATEST_ROOT: usize = 6;
const KEY_LOW: usize = 7;
const KEY_HIGH: usize = 8;

impl Circuit for Leadership {
    const NAME: &'static str = "leadership";
    const PUBLIC: Layout = &[
        ("entropy_contribution", 1),
        ("slot", 1),
        ("epoch_nonce", 1),
        ("t0", 1),
        ("t1", 1),
        ("aged_root", 1),
        ("latest_root", 1),
        ("leader_key_low", 1),
        ("leader_key_high", 1),
    ];
    const PRIVATE: Layout = &[
        ("secret_key", 1),
        ("value", 1),
        ("operation_id", 1),
        ("output_index", 1),
        ("aged_path", LEDGER_DEPTH),
        ("aged_selectors", LEDGER_DEPTH),
        ("latest_path", LEDGER_DEPTH),
        ("latest_selectors", LEDGER_DEPTH),
    ];
    const FIXED_PUBLIC: &'static [usize] = &[EPOCH_NONCE, T0, T1, AGED_ROOT];
    type Fixed = (NoteValues, Value);

    fn from_values(public: &[Fr], private: &[Fr]) -> Self {
        let mut reader = Reader::new(private);
        Self {
            entropy: public[ENTROPY],
            slot: public[SLOT],
            epoch_nonce: public[EPOCH_NONCE],
            t0: public[T0],
            t1: public[T1],
            aged_root: public[AGED_ROOT],
            latest_root: public[LATEST_ROOT],
            note: Note::read(&mut reader),
            aged: reader.path(LEDGER_DEPTH),
            latest: reader.path(LEDGER_DEPTH),
        }
    }

    fn check(&self) -> Result<(), Broken> {
        let id = self.note.id();
        require(self.note.has_value(), "value")?;
        require(self.aged.is_boolean(), "aged_selectors")?;
        require(self.latest.is_boolean(), "latest_selectors")?;
        require(self.aged.root_of(id) == self.aged_root, "aged_membership")?;
        require(
            self.latest.root_of(id) == self.latest_root,
            "latest_membership",
        )?;
        require(
            self.note
                .wins(self.epoch_nonce, self.slot, self.t0, self.t1),
            "ticket_below_threshold",
        )?;
        let entropy = hash(&[tag("NONCE_CONTRIB_V1"), self.slot, id, self.note.secret_key]);
        require(entropy == self.entropy, "entropy")
    }

    fn fixed(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<Self::Fixed, SynthesisError> {
        let note = self.note.allocate(cs)?;
        let aged = PathValues::new_witness(cs, &self.aged)?;
        aged.root_of(&note.id)?.enforce_equal(&public[AGED_ROOT])?;
        let threshold = note.threshold(&lottery(public));
        Ok((note, threshold))
    }

    fn varying(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
        (note, threshold): Self::Fixed,
    ) -> Result<(), SynthesisError> {
        let latest = PathValues::new_witness(cs, &self.latest)?;
        latest
            .root_of(&note.id)?
            .enforce_equal(&public[LATEST_ROOT])?;
        let ticket = note.ticket(&lottery(public), &public[SLOT])?;
        compare::is_less(&ticket, &threshold)?.enforce_equal(&Value::Constant(Fr::ONE))?;
        inside::hash(&[
            Value::Constant(tag("NONCE_CONTRIB_V1")),
            public[SLOT].clone(),
            note.id,
            note.secret_key,
        ])?
        .enforce_equal(&public[ENTROPY])?;
        bind(&public[KEY_LOW])?;
        bind(&public[KEY_HIGH])
    }
}

fn lottery(public: &[Value]) -> Lottery<'_> {
    Lottery {
        epoch_nonce: &public[EPOCH_NONCE],
        t0: &public[T0],
        t1: &public[T1],
    }
}
