//! A proof with its public values, and what a verifier checks of them.

use ark_ff::{AdditiveGroup, Field};
use rln::prelude::{DEFAULT_MAX_OUT, RLNProofValues};

use super::keys::{Circuit, verifier};
use super::{Groth16Proof, RlnError, Share};
use crate::field::Fr;

/// Slots of a multi proof.
pub const MAX_OUT: usize = DEFAULT_MAX_OUT;

/// A proof of one message id.
pub type SingleProof = Proof<Values>;
/// A proof of one to four message ids.
pub type MultiProof = Proof<MultiValues>;

/// The public values of a proof of one message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    pub y: Fr,
    pub root: Fr,
    pub nullifier: Fr,
    pub x: Fr,
    pub external_nullifier: Fr,
}

/// The public values of a proof of up to four message ids. An unused slot is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiValues {
    pub ys: [Fr; MAX_OUT],
    pub root: Fr,
    pub nullifiers: [Fr; MAX_OUT],
    pub x: Fr,
    pub external_nullifier: Fr,
    pub used: [bool; MAX_OUT],
}

/// `Values` or `MultiValues`.
pub trait PublicValues: Clone + sealed::Sealed {
    #[doc(hidden)]
    const CIRCUIT: Circuit;

    /// In the circuit's order.
    fn public_inputs(&self) -> Vec<Fr>;
    fn root(&self) -> Fr;
    fn x(&self) -> Fr;
    fn external_nullifier(&self) -> Fr;
    /// The shares a verifier remembers, one for each message id used.
    fn shares(&self) -> Vec<Share>;

    /// Rules that the specification's circuit leaves to the verifier (RLN-8).
    ///
    /// # Errors
    /// `NoSlotUsed`, `UnusedSlotNotZero`, `NullifierRepeated`; never of `Values`.
    fn check(&self) -> Result<(), RlnError>;

    #[doc(hidden)]
    fn to_crate(&self) -> RLNProofValues;
    #[doc(hidden)]
    fn from_crate(values: &RLNProofValues) -> Option<Self>;
}

impl PublicValues for Values {
    const CIRCUIT: Circuit = Circuit::Single;

    fn public_inputs(&self) -> Vec<Fr> {
        vec![
            self.y,
            self.root,
            self.nullifier,
            self.x,
            self.external_nullifier,
        ]
    }

    fn root(&self) -> Fr {
        self.root
    }

    fn x(&self) -> Fr {
        self.x
    }

    fn external_nullifier(&self) -> Fr {
        self.external_nullifier
    }

    fn shares(&self) -> Vec<Share> {
        vec![Share {
            external_nullifier: self.external_nullifier,
            nullifier: self.nullifier,
            x: self.x,
            y: self.y,
        }]
    }

    fn check(&self) -> Result<(), RlnError> {
        Ok(())
    }

    fn to_crate(&self) -> RLNProofValues {
        RLNProofValues::new_single()
            .y(self.y)
            .root(self.root)
            .nullifier(self.nullifier)
            .x(self.x)
            .external_nullifier(self.external_nullifier)
            .build()
    }

    fn from_crate(values: &RLNProofValues) -> Option<Self> {
        Some(Self {
            y: values.y()?,
            root: values.root(),
            nullifier: values.nullifier()?,
            x: values.x(),
            external_nullifier: values.external_nullifier(),
        })
    }
}

impl PublicValues for MultiValues {
    const CIRCUIT: Circuit = Circuit::Multi;

    fn public_inputs(&self) -> Vec<Fr> {
        let mut inputs = self.ys.to_vec();
        inputs.push(self.root);
        inputs.extend(self.nullifiers);
        inputs.extend([self.x, self.external_nullifier]);
        inputs.extend(self.used.map(|used| if used { Fr::ONE } else { Fr::ZERO }));
        inputs
    }

    fn root(&self) -> Fr {
        self.root
    }

    fn x(&self) -> Fr {
        self.x
    }

    fn external_nullifier(&self) -> Fr {
        self.external_nullifier
    }

    fn shares(&self) -> Vec<Share> {
        (0..MAX_OUT)
            .filter(|slot| self.used[*slot])
            .map(|slot| Share {
                external_nullifier: self.external_nullifier,
                nullifier: self.nullifiers[slot],
                x: self.x,
                y: self.ys[slot],
            })
            .collect()
    }

    /// LIP-141 leaves the ids' uniqueness to who builds the witness. zerokit's circuit compares
    /// them as measured, but nothing promises it: without that, one id would pass for four.
    fn check(&self) -> Result<(), RlnError> {
        if !self.used.contains(&true) {
            return Err(RlnError::NoSlotUsed);
        }
        for slot in 0..MAX_OUT {
            let nullifier = self.nullifiers[slot];
            if self.used[slot] {
                let repeated = (0..slot)
                    .any(|before| self.used[before] && self.nullifiers[before] == nullifier);
                if repeated {
                    return Err(RlnError::NullifierRepeated);
                }
            } else if nullifier != Fr::ZERO || self.ys[slot] != Fr::ZERO {
                return Err(RlnError::UnusedSlotNotZero);
            }
        }
        Ok(())
    }

    fn to_crate(&self) -> RLNProofValues {
        RLNProofValues::new_multi()
            .ys(self.ys.to_vec())
            .root(self.root)
            .nullifiers(self.nullifiers.to_vec())
            .x(self.x)
            .external_nullifier(self.external_nullifier)
            .selector_used(self.used.to_vec())
            .build()
            .expect("four slots of each")
    }

    fn from_crate(values: &RLNProofValues) -> Option<Self> {
        Some(Self {
            ys: values.ys()?.try_into().ok()?,
            root: values.root(),
            nullifiers: values.nullifiers()?.try_into().ok()?,
            x: values.x(),
            external_nullifier: values.external_nullifier(),
            used: values.selector_used()?.try_into().ok()?,
        })
    }
}

/// What a verifier knows of a message without its proof.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The window of roots. Empty, it accepts nothing.
    pub roots: &'a [Fr],
    /// Of the message's epoch.
    pub external_nullifier: Fr,
    /// Computed from the message, not taken from beside the proof.
    pub x: Fr,
}

/// A proof and its public values. Whether it is valid is not yet said.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof<V> {
    pub groth16: Groth16Proof,
    pub values: V,
}

impl<V: PublicValues> Proof<V> {
    /// Verifies a message's proof: the epoch, the root, the signal, and then the proof (RLN-9).
    ///
    /// # Errors
    /// `RootUnknown`, `ExternalNullifierMismatch`, `SignalMismatch`, and those of
    /// `verify_values`.
    pub fn verify(&self, expected: &Expected<'_>) -> Result<(), RlnError> {
        self.check(expected)?;
        self.verify_values()
    }

    /// All that is verified but the proof itself.
    pub(super) fn check(&self, expected: &Expected<'_>) -> Result<(), RlnError> {
        if self.values.external_nullifier() != expected.external_nullifier {
            return Err(RlnError::ExternalNullifierMismatch);
        }
        if !expected.roots.contains(&self.values.root()) {
            return Err(RlnError::RootUnknown);
        }
        if self.values.x() != expected.x {
            return Err(RlnError::SignalMismatch);
        }
        self.values.check()
    }

    /// Verifies the proof for its own values only. That ties it to no message and no group.
    ///
    /// # Errors
    /// Those of `PublicValues::check`; `ProofInvalid`.
    pub fn verify_values(&self) -> Result<(), RlnError> {
        self.values.check()?;
        let inputs = self.values.public_inputs();
        if verifier(V::CIRCUIT).holds(&inputs, self.groth16.ark()) {
            Ok(())
        } else {
            Err(RlnError::ProofInvalid)
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Values {}
    impl Sealed for super::MultiValues {}
}
