//! Proof of quota: a one-time key of the mix belongs to a core node or to a future leader, within
//! the number of messages that either may send (ZK-11).
//!
//! Public, in this order: key nullifier, core quota, leader quota, root of the core nodes'
//! keys, root of the aged ledger, the Ed25519 key as two halves of 16 bytes, little-endian, low
//! half first, epoch nonce, t0, t1.
//!
//! Statement: the index is below the quota of one's role, both of at most 20 bits; a core node's
//! public key = compress(`KDF`, secret key) is in the tree of depth 20, or a leader's note is in
//! the aged ledger and wins a slot; selection randomness = hash(`SELECTION_RANDOMNESS_V1`, secret
//! key, index, period) with the epoch nonce as a core node's period and the slot as a leader's;
//! key nullifier = compress(`KEY_NULLIFIER_V1`, selection randomness).
//!
//! Fixed for an epoch, and for a winning slot: all but the index, the nullifier and the key.
//!
//! Source: logos-lips, `proof-of-quota.md`; public order as in the published circuits,
//! `blend/poq.circom` at 72a98e8.

use ark_ff::{Field, PrimeField, Zero};
use ark_r1cs_std::eq::EqGadget;
use ark_r1cs_std::fields::FieldVar;
use ark_relations::r1cs::{ConstraintSystemRef, SynthesisError};

use super::leadership::{LEDGER_DEPTH, Lottery, Note, public_key, public_key_inside};
use super::{Broken, Circuit, Layout, Reader, bind, private, require};
use crate::field::{Fr, tag};
use crate::gadgets::merkle::{Path, PathValues};
use crate::gadgets::{Value, bits, compare, poseidon2 as inside};
use crate::poseidon2::{compress, hash};

/// Levels of the tree of core nodes' keys.
pub const CORE_DEPTH: usize = 20;
/// Bits of a quota and of an index.
pub const QUOTA_BITS: usize = 20;

/// The statement with its values.
pub struct Quota {
    nullifier: Fr,
    core_quota: Fr,
    leader_quota: Fr,
    core_root: Fr,
    aged_root: Fr,
    epoch_nonce: Fr,
    t0: Fr,
    t1: Fr,
    is_leader: Fr,
    index: Fr,
    core_secret_key: Fr,
    core: Path,
    slot: Fr,
    note: Note,
    aged: Path,
}

/// What of the fixed part the rest needs.
pub struct Role {
    quota: Value,
    secret_key: Value,
    period: Value,
}

const NULLIFIER: usize = 0;
const CORE_QUOTA: usize = 1;
const LEADER_QUOTA: usize = 2;
const CORE_ROOT: usize = 3;
const AGED_ROOT: usize = 4;
const KEY_LOW: usize = 5;
const KEY_HIGH: usize = 6;
const EPOCH_NONCE: usize = 7;
const T0: usize = 8;
const T1: usize = 9;

impl Quota {
    fn is_registered(&self) -> bool {
        self.core.root_of(public_key(self.core_secret_key)) == self.core_root
    }

    fn would_win(&self) -> bool {
        self.aged.root_of(self.note.id()) == self.aged_root
            && self
                .note
                .wins(self.epoch_nonce, self.slot, self.t0, self.t1)
    }

    fn nullifier_of_role(&self) -> Fr {
        let leads = !self.is_leader.is_zero();
        let (secret_key, period) = if leads {
            (self.note.secret_key, self.slot)
        } else {
            (self.core_secret_key, self.epoch_nonce)
        };
        let randomness = hash(&[
            tag("SELECTION_RANDOMNESS_V1"),
            secret_key,
            self.index,
            period,
        ]);
        compress(tag("KEY_NULLIFIER_V1"), randomness)
    }

    /// Whether the leader's note wins, as 0 or 1, inside the circuit.
    fn would_win_inside(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<(Value, Value, Value), SynthesisError> {
        let lottery = Lottery {
            epoch_nonce: &public[EPOCH_NONCE],
            t0: &public[T0],
            t1: &public[T1],
        };
        let slot = private(cs, self.slot)?;
        let note = self.note.allocate(cs)?;
        let aged = PathValues::new_witness(cs, &self.aged)?;
        let is_aged = aged.is_member(&note.id, &public[AGED_ROOT])?;
        let ticket = note.ticket(&lottery, &slot)?;
        let wins = compare::is_less(&ticket, &note.threshold(&lottery))?;
        Ok((is_aged * wins, note.secret_key, slot))
    }
}

fn is_below_two_to_twenty(value: Fr) -> bool {
    let limbs = value.into_bigint().0;
    limbs[0] < 1 << QUOTA_BITS && limbs[1..] == [0; 3]
}

impl Circuit for Quota {
    const NAME: &'static str = "quota";
    const PUBLIC: Layout = &[
        ("key_nullifier", 1),
        ("core_quota", 1),
        ("leader_quota", 1),
        ("core_root", 1),
        ("aged_root", 1),
        ("key_low", 1),
        ("key_high", 1),
        ("epoch_nonce", 1),
        ("t0", 1),
        ("t1", 1),
    ];
    const PRIVATE: Layout = &[
        ("is_leader", 1),
        ("index", 1),
        ("core_secret_key", 1),
        ("core_path", CORE_DEPTH),
        ("core_selectors", CORE_DEPTH),
        ("slot", 1),
        ("secret_key", 1),
        ("value", 1),
        ("operation_id", 1),
        ("output_index", 1),
        ("aged_path", LEDGER_DEPTH),
        ("aged_selectors", LEDGER_DEPTH),
    ];
    const FIXED_PUBLIC: &'static [usize] = &[
        CORE_QUOTA,
        LEADER_QUOTA,
        CORE_ROOT,
        AGED_ROOT,
        EPOCH_NONCE,
        T0,
        T1,
    ];
    type Fixed = Role;

    fn from_values(public: &[Fr], private: &[Fr]) -> Self {
        let mut reader = Reader::new(private);
        Self {
            nullifier: public[NULLIFIER],
            core_quota: public[CORE_QUOTA],
            leader_quota: public[LEADER_QUOTA],
            core_root: public[CORE_ROOT],
            aged_root: public[AGED_ROOT],
            epoch_nonce: public[EPOCH_NONCE],
            t0: public[T0],
            t1: public[T1],
            is_leader: reader.one(),
            index: reader.one(),
            core_secret_key: reader.one(),
            core: reader.path(CORE_DEPTH),
            slot: reader.one(),
            note: Note::read(&mut reader),
            aged: reader.path(LEDGER_DEPTH),
        }
    }

    fn check(&self) -> Result<(), Broken> {
        require(self.is_leader.square() == self.is_leader, "is_leader")?;
        require(self.core.is_boolean(), "core_selectors")?;
        require(self.aged.is_boolean(), "aged_selectors")?;
        let leads = !self.is_leader.is_zero();
        let quota = if leads {
            self.leader_quota
        } else {
            self.core_quota
        };
        require(is_below_two_to_twenty(quota), "quota")?;
        require(is_below_two_to_twenty(self.index), "index")?;
        let is_within = self.index.into_bigint() < quota.into_bigint();
        require(is_within, "index_below_quota")?;
        if leads {
            require(self.note.has_value(), "value")?;
            require(self.would_win(), "leadership")?;
        } else {
            require(self.is_registered(), "core_membership")?;
        }
        require(self.nullifier_of_role() == self.nullifier, "key_nullifier")
    }

    fn fixed(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<Self::Fixed, SynthesisError> {
        let is_leader = private(cs, self.is_leader)?;
        is_leader.square_equals(&is_leader)?;
        let choose = |leader: &Value, core: &Value| core + &is_leader * (leader - core);

        let core_secret_key = private(cs, self.core_secret_key)?;
        let core = PathValues::new_witness(cs, &self.core)?;
        let zk_id = public_key_inside(&core_secret_key)?;
        let is_registered = core.is_member(&zk_id, &public[CORE_ROOT])?;
        let (would_win, secret_key, slot) = self.would_win_inside(cs, public)?;
        choose(&would_win, &is_registered).enforce_equal(&Value::Constant(Fr::ONE))?;

        let quota = choose(&public[LEADER_QUOTA], &public[CORE_QUOTA]);
        bits::ranged(&quota, QUOTA_BITS)?;
        Ok(Role {
            quota,
            secret_key: choose(&secret_key, &core_secret_key),
            period: choose(&slot, &public[EPOCH_NONCE]),
        })
    }

    fn varying(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
        role: Self::Fixed,
    ) -> Result<(), SynthesisError> {
        let index = private(cs, self.index)?;
        bits::ranged(&index, QUOTA_BITS)?;
        compare::is_less_ranged(&index, &role.quota, QUOTA_BITS)?
            .enforce_equal(&Value::Constant(Fr::ONE))?;
        let randomness = inside::hash(&[
            Value::Constant(tag("SELECTION_RANDOMNESS_V1")),
            role.secret_key,
            index,
            role.period,
        ])?;
        let tag = Value::Constant(tag("KEY_NULLIFIER_V1"));
        inside::compress_equals(&tag, &randomness, &public[NULLIFIER])?;
        bind(&public[KEY_LOW])?;
        bind(&public[KEY_HIGH])
    }
}
