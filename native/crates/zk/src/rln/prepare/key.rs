//! zerokit's key for the single circuit, as a proof is prepared with it.
//!
//! With the message, two of the circuit's wires move: x, and `y = a0 + a1 x`. So a row of the
//! matrix A gains a multiple of x, and the one row of B in which x stands gains its coefficient.

use std::sync::OnceLock;

use ark_bn254::{Bn254, G1Projective};
use ark_ff::AdditiveGroup;
use ark_groth16::ProvingKey;
use ark_groth16::r1cs_to_qap::evaluate_constraint;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_relations::r1cs::ConstraintMatrices;
use rayon::prelude::*;
use rln::prelude::default_zkey_single;
use zeroize::Zeroizing;

use super::graph::Graph;
use crate::field::Fr;
use crate::groth16::multi_scalar;

/// Public wires (RLN-7); the first wire is the constant one.
pub(super) const Y: usize = 1;
pub(super) const ROOT: usize = 2;
pub(super) const NULLIFIER: usize = 3;
pub(super) const X: usize = 4;

/// The inputs that another epoch, message id or message changes.
const MOVING: [&str; 3] = ["externalNullifier", "messageId", "x"];

/// A value for each row.
pub(super) type Rows = Zeroizing<Vec<Fr>>;

/// The key, and what follows from it alone.
pub(super) struct Key {
    pub points: &'static ProvingKey<Bn254>,
    pub graph: Graph,
    /// Of every wire but the constant one, whether it belongs to the membership.
    pub is_fixed: Vec<bool>,
    matrices: &'static ConstraintMatrices<Fr>,
    domain: Radix2EvaluationDomain<Fr>,
    /// A primitive root of twice the domain's order.
    half_step: Fr,
    /// The row of B in which x stands, and with which coefficient.
    pub row: usize,
    pub coefficient: Fr,
}

/// The key, read on first use.
pub(super) fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(Key::read)
}

impl Key {
    /// # Panics
    /// If the crate's key were of another circuit than the graph's.
    fn read() -> Self {
        let zkey = default_zkey_single();
        let (points, matrices) = (&zkey.0, &zkey.1);
        let graph = Graph::read(include_bytes!("../../../resources/zerokit/rln-20.graph"))
            .expect("the graph is the crate's");
        let rows = matrices.num_constraints + matrices.num_instance_variables;
        let domain = Radix2EvaluationDomain::new(rows).expect("the key has a domain");
        let double = Radix2EvaluationDomain::<Fr>::new(2 * domain.size()).expect("likewise");
        let (row, coefficient) = only_row_of_x(matrices);
        let mut is_fixed = graph.unmoved(&MOVING);
        is_fixed.remove(0);
        Self {
            points,
            graph,
            is_fixed,
            matrices,
            domain,
            half_step: double.group_gen(),
            row,
            coefficient,
        }
    }

    /// The domain's size.
    pub(super) fn size(&self) -> usize {
        self.domain.size()
    }

    /// The place of the domain at which a row is taken.
    pub(super) fn element(&self, row: usize) -> Fr {
        self.domain.element(row)
    }

    /// The row that the reduction adds to A for a public wire.
    pub(super) fn instance_row(&self, wire: usize) -> usize {
        self.matrices.num_constraints + wire
    }

    /// Whether another epoch or id changes the values of a row.
    pub(super) fn moves(&self, row: usize) -> bool {
        let is_moving = |wire: usize| wire > 0 && !self.is_fixed[wire - 1];
        let constraints = self.matrices.num_constraints;
        if row >= constraints {
            let wire = row - constraints;
            return wire < self.matrices.num_instance_variables && is_moving(wire);
        }
        let terms = self.matrices.a[row].iter().chain(&self.matrices.b[row]);
        terms.into_iter().any(|(_, wire)| is_moving(*wire))
    }

    /// The rows of both matrices, with the instance's rows that the reduction adds to A.
    pub(super) fn rows(&self, wires: &[Fr]) -> (Rows, Rows) {
        let rows_of = |matrix: &[Vec<(Fr, usize)>]| {
            let mut rows = Zeroizing::new(vec![Fr::ZERO; self.domain.size()]);
            rows.par_iter_mut()
                .zip(matrix)
                .for_each(|(value, row)| *value = evaluate_constraint(row, wires));
            rows
        };
        let mut a = rows_of(&self.matrices.a);
        let start = self.matrices.num_constraints;
        let instance = self.matrices.num_instance_variables;
        a[start..start + instance].copy_from_slice(&wires[..instance]);
        (a, rows_of(&self.matrices.b))
    }

    /// Takes the values of a polynomial at the domain's places to those between them, where
    /// zerokit's reduction takes the quotient.
    pub(super) fn extended(&self, mut rows: Rows) -> Rows {
        self.domain.ifft_in_place(&mut *rows);
        Radix2EvaluationDomain::distribute_powers(&mut rows, self.half_step);
        self.domain.fft_in_place(&mut *rows);
        rows
    }

    /// The sum over the quotient's points.
    pub(super) fn weigh(&self, scalars: &[Fr]) -> G1Projective {
        multi_scalar(&self.points.h_query, scalars)
    }

    /// A polynomial that is zero at all places of the domain but one, extended.
    pub(super) fn extended_row(&self, row: usize, value: Fr) -> Vec<Fr> {
        let mut rows = Zeroizing::new(vec![Fr::ZERO; self.domain.size()]);
        rows[row] = value;
        self.extended(rows).to_vec()
    }
}

/// Where x stands in B, with its coefficient.
///
/// # Panics
/// If it stood elsewhere too, or y anywhere: the formulas would miss it.
fn only_row_of_x(matrices: &ConstraintMatrices<Fr>) -> (usize, Fr) {
    let moves = |(_, wire): &&(Fr, usize)| *wire == X || *wire == Y;
    assert!(!matrices.a.iter().flatten().any(|term| moves(&term)));
    let rows = matrices.b.iter().enumerate();
    let terms: Vec<_> = rows
        .flat_map(|(row, terms)| terms.iter().filter(moves).map(move |term| (row, *term)))
        .collect();
    let [(row, (coefficient, X))] = terms[..] else {
        panic!("in zerokit's circuit x stands in one row, and y in none");
    };
    (row, coefficient)
}
