//! ZkSignature: the signer of a message knows the secret keys of all of the public keys (ZK-10).
//!
//! Public, in this order: the public keys, the message. Slots that are not needed hold the
//! public key of the secret key 0.
//!
//! Statement: public key = compress(`KDF`, secret key), for each. Two sizes, for 2 and for 32
//! keys, each with a key of its own.
//!
//! Fixed: all but the message.
//!
//! Source: logos-lips, `bedrock-v1.1-mantle-specification.md`; public order as in the published
//! circuits, `mantle/signature.circom` at 72a98e8.

use ark_relations::r1cs::{ConstraintSystemRef, SynthesisError};

use super::leadership::public_key;
use super::{Broken, Circuit, Layout, bind, private, require};
use crate::field::{Fr, tag};
use crate::gadgets::{Value, poseidon2 as inside};

/// The statement with its values, for `N` keys.
pub struct Signature<const N: usize> {
    public_keys: Vec<Fr>,
    secret_keys: Vec<Fr>,
}

const INDICES: [usize; 32] = {
    let mut indices = [0; 32];
    let mut at = 0;
    while at < indices.len() {
        indices[at] = at;
        at += 1;
    }
    indices
};

impl<const N: usize> Circuit for Signature<N> {
    const NAME: &'static str = match N {
        2 => "signature2",
        32 => "signature32",
        _ => panic!("there are signatures of 2 and of 32 keys"),
    };
    const PUBLIC: Layout = &[("public_keys", N), ("message", 1)];
    const PRIVATE: Layout = &[("secret_keys", N)];
    const FIXED_PUBLIC: &'static [usize] = INDICES.split_at(N).0;
    type Fixed = ();

    fn from_values(public: &[Fr], private: &[Fr]) -> Self {
        Self {
            public_keys: public[..N].to_vec(),
            secret_keys: private.to_vec(),
        }
    }

    fn check(&self) -> Result<(), Broken> {
        let mut pairs = self.secret_keys.iter().zip(&self.public_keys);
        require(
            pairs.all(|(secret, public)| public_key(*secret) == *public),
            "public_keys",
        )
    }

    fn fixed(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<Self::Fixed, SynthesisError> {
        for (secret, expected) in self.secret_keys.iter().zip(public) {
            inside::compress_equals(
                &Value::Constant(tag("KDF")),
                &private(cs, *secret)?,
                expected,
            )?;
        }
        Ok(())
    }

    fn varying(
        &self,
        _cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
        (): Self::Fixed,
    ) -> Result<(), SynthesisError> {
        bind(&public[N])
    }
}
