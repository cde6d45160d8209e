//! Proof of claim: the claimant of a leader's reward knows the voucher of one of the commitments
//! of an epoch, and names its nullifier (ZK-9).
//!
//! Public, in this order: voucher nullifier, hash of the claiming transaction, root of the
//! voucher tree.
//!
//! Statement: commitment = compress(`REWARD_VOUCHER`, voucher) is in the tree; nullifier =
//! compress(`VOUCHER_NF`, voucher).
//!
//! Fixed: all but the transaction.
//!
//! Source: logos-lips, `bedrock-v1.1-mantle-specification.md`; public order as in the published
//! circuits, `mantle/poc.circom` at 72a98e8.

use ark_r1cs_std::eq::EqGadget;
use ark_relations::r1cs::{ConstraintSystemRef, SynthesisError};

use super::leadership::LEDGER_DEPTH;
use super::{Broken, Circuit, Layout, Reader, bind, private, require};
use crate::field::{Fr, tag};
use crate::gadgets::merkle::{Path, PathValues};
use crate::gadgets::{Value, poseidon2 as inside};
use crate::poseidon2::compress;

/// The statement with its values.
pub struct Claim {
    nullifier: Fr,
    root: Fr,
    voucher: Fr,
    path: Path,
}

const NULLIFIER: usize = 0;
const TRANSACTION: usize = 1;
const ROOT: usize = 2;

impl Circuit for Claim {
    const NAME: &'static str = "claim";
    const PUBLIC: Layout = &[
        ("voucher_nullifier", 1),
        ("transaction_hash", 1),
        ("voucher_root", 1),
    ];
    const PRIVATE: Layout = &[
        ("voucher", 1),
        ("path", LEDGER_DEPTH),
        ("selectors", LEDGER_DEPTH),
    ];
    const FIXED_PUBLIC: &'static [usize] = &[NULLIFIER, ROOT];
    type Fixed = ();

    fn from_values(public: &[Fr], private: &[Fr]) -> Self {
        let mut reader = Reader::new(private);
        Self {
            nullifier: public[NULLIFIER],
            root: public[ROOT],
            voucher: reader.one(),
            path: reader.path(LEDGER_DEPTH),
        }
    }

    fn check(&self) -> Result<(), Broken> {
        let commitment = compress(tag("REWARD_VOUCHER"), self.voucher);
        require(self.path.is_boolean(), "selectors")?;
        require(
            self.path.root_of(commitment) == self.root,
            "voucher_membership",
        )?;
        let nullifier = compress(tag("VOUCHER_NF"), self.voucher);
        require(nullifier == self.nullifier, "voucher_nullifier")
    }

    fn fixed(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<Self::Fixed, SynthesisError> {
        let voucher = private(cs, self.voucher)?;
        let commitment = inside::compress(&Value::Constant(tag("REWARD_VOUCHER")), &voucher)?;
        let path = PathValues::new_witness(cs, &self.path)?;
        path.root_of(&commitment)?.enforce_equal(&public[ROOT])?;
        let tag = Value::Constant(tag("VOUCHER_NF"));
        inside::compress_equals(&tag, &voucher, &public[NULLIFIER])
    }

    fn varying(
        &self,
        _cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
        (): Self::Fixed,
    ) -> Result<(), SynthesisError> {
        bind(&public[TRANSACTION])
    }
}
