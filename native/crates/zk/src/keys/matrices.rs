//! A circuit's constraints as they stand in a key file: every distinct coefficient once, then for
//! each of A, B and C the end of each row and the entries (column, coefficient), all u32
//! little-endian (KEY-4).
//!
//! Constraints repeat a few coefficients (1, -1, round constants), so an entry has 8 bytes where
//! arkworks' has 40. They are used as they stand, and are not even copied where the file is mapped.

use std::fmt;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field};
use ark_relations::r1cs::ConstraintMatrices;
use rayon::prelude::*;

use super::matrix_bytes::{self, ENTRY_BYTES, U32_BYTES};
use super::section::Section;
use super::{KeyError, MatrixSizes};
use crate::field::{self, FIELD_BYTES};

/// Rows that one thread multiplies at a time: fewer are not worth the hand-over.
const ROWS_PER_TASK: usize = 128;

/// A circuit's constraints as sparse matrices. A clone shares them.
#[derive(Clone)]
pub struct Matrices {
    pub constraints: usize,
    /// Public inputs, and the constant one.
    pub instance_variables: usize,
    pub witness_variables: usize,
    sizes: MatrixSizes,
    coefficients: Vec<Fr>,
    section: Section,
}

/// One of A, B and C: a row for each constraint, a column for each variable.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    coefficients: &'a [Fr],
    ends: &'a [u8],
    entries: &'a [u8],
}

/// How many rows and columns matrices have.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub constraints: usize,
    pub instance_variables: usize,
    pub witness_variables: usize,
}

impl Matrices {
    /// Takes over what arkworks made.
    ///
    /// # Errors
    /// `KeyError::TooLarge`.
    pub(crate) fn of(made: &ConstraintMatrices<Fr>) -> Result<Self, KeyError> {
        let (bytes, sizes) = matrix_bytes::encode(made)?;
        let shape = Shape {
            constraints: made.num_constraints,
            instance_variables: made.num_instance_variables,
            witness_variables: made.num_witness_variables,
        };
        Self::read(Section::held(&bytes), sizes, shape)
    }

    /// Reads matrices of exactly `sizes.bytes(constraints)` bytes; nothing is left to check when
    /// they are used.
    ///
    /// # Errors
    /// `KeyError::Matrices` if an entry stands for no variable, or the coefficients are not those of
    /// the entries, each once and in the order of their first use.
    pub(super) fn read(
        section: Section,
        sizes: MatrixSizes,
        shape: Shape,
    ) -> Result<Self, KeyError> {
        let table = &section[..sizes.coefficients as usize * FIELD_BYTES];
        let coefficients = field::decode_many(table)
            .map_err(|_| KeyError::Matrices("a coefficient is no field value"))?;
        let matrices = Self {
            constraints: shape.constraints,
            instance_variables: shape.instance_variables,
            witness_variables: shape.witness_variables,
            sizes,
            coefficients,
            section,
        };
        let variables = shape.instance_variables + shape.witness_variables;
        let parts = matrices.all().map(|each| (each.ends, each.entries));
        matrix_bytes::check(&matrices.coefficients, parts, variables)?;
        Ok(matrices)
    }

    #[must_use]
    pub fn a(&self) -> Matrix<'_> {
        let [a, _, _] = self.all();
        a
    }

    #[must_use]
    pub fn b(&self) -> Matrix<'_> {
        let [_, b, _] = self.all();
        b
    }

    #[must_use]
    pub fn c(&self) -> Matrix<'_> {
        let [_, _, c] = self.all();
        c
    }

    /// Whether they are those that arkworks made, entry by entry.
    #[must_use]
    pub fn are(&self, made: &ConstraintMatrices<Fr>) -> bool {
        self.constraints == made.num_constraints
            && self.instance_variables == made.num_instance_variables
            && self.witness_variables == made.num_witness_variables
            && self.a().is(&made.a)
            && self.b().is(&made.b)
            && self.c().is(&made.c)
    }

    /// How much they hold.
    pub(super) fn sizes(&self) -> MatrixSizes {
        self.sizes
    }

    /// As they stand in a file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.section
    }

    fn all(&self) -> [Matrix<'_>; 3] {
        let mut rest = &self.section[self.coefficients.len() * FIELD_BYTES..];
        self.sizes.entries.map(|count| {
            let (ends, behind) = rest.split_at(self.constraints * U32_BYTES);
            let (entries, behind) = behind.split_at(count as usize * ENTRY_BYTES);
            rest = behind;
            Matrix {
                coefficients: &self.coefficients,
                ends,
                entries,
            }
        })
    }
}

impl<'a> Matrix<'a> {
    /// The entries of each row: coefficient and column.
    pub fn rows(self) -> impl Iterator<Item = impl Iterator<Item = (Fr, usize)> + 'a> + 'a {
        (0..self.ends.len() / U32_BYTES).map(move |row| {
            let entries = self.row(row).chunks_exact(ENTRY_BYTES);
            entries.map(move |entry| {
                let (column, number) = matrix_bytes::entry(entry);
                (self.coefficients[number], column)
            })
        })
    }

    /// Writes the products of the rows with the values of all variables, on all cores.
    ///
    /// # Panics
    /// If there are fewer values than columns, or not as many products as rows.
    pub fn multiply(self, values: &[Fr], products: &mut [Fr]) {
        assert_eq!(products.len(), self.ends.len() / U32_BYTES);
        let numbered = |wanted: Fr| self.coefficients.iter().position(|each| *each == wanted);
        let (one, minus_one) = (numbered(Fr::ONE), numbered(-Fr::ONE));
        let product = |row| {
            let mut sum = Fr::ZERO;
            for entry in self.row(row).chunks_exact(ENTRY_BYTES) {
                let (column, number) = matrix_bytes::entry(entry);
                if Some(number) == one {
                    sum += values[column];
                } else if Some(number) == minus_one {
                    sum -= values[column];
                } else {
                    sum += values[column] * self.coefficients[number];
                }
            }
            sum
        };
        products
            .par_iter_mut()
            .with_min_len(ROWS_PER_TASK)
            .enumerate()
            .for_each(|(row, out)| *out = product(row));
    }

    fn is(self, made: &[Vec<(Fr, usize)>]) -> bool {
        self.ends.len() / U32_BYTES == made.len()
            && self
                .rows()
                .zip(made)
                .all(|(row, made)| row.eq(made.iter().copied()))
    }

    fn row(self, row: usize) -> &'a [u8] {
        let end = |row| matrix_bytes::number(&self.ends[row * U32_BYTES..]) * ENTRY_BYTES;
        let start = row.checked_sub(1).map_or(0, end);
        &self.entries[start..end(row)]
    }
}

impl PartialEq for Matrices {
    fn eq(&self, other: &Self) -> bool {
        self.constraints == other.constraints
            && self.instance_variables == other.instance_variables
            && self.witness_variables == other.witness_variables
            && self.sizes == other.sizes
            && self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Matrices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Matrices")
            .field("constraints", &self.constraints)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{Random, expanded, random};
    use super::*;
    use ark_groth16::r1cs_to_qap::evaluate_constraint;
    use proptest::prelude::*;

    fn again(matrices: &Matrices, bytes: &[u8]) -> Result<Matrices, KeyError> {
        let shape = Shape {
            constraints: matrices.constraints,
            instance_variables: matrices.instance_variables,
            witness_variables: matrices.witness_variables,
        };
        Matrices::read(Section::held(bytes), matrices.sizes(), shape)
    }

    proptest! {
        /// KEY-4: nothing is lost on the way through the bytes.
        #[test]
        fn they_are_what_arkworks_made(Random { made, .. } in random()) {
            let matrices = Matrices::of(&made).unwrap();

            prop_assert!(matrices.are(&made));
            prop_assert_eq!(&again(&matrices, matrices.bytes()).unwrap(), &matrices);
            prop_assert_eq!(expanded(&matrices), made);
        }

        #[test]
        fn products_are_those_of_arkworks(Random { made, values } in random()) {
            let matrices = Matrices::of(&made).unwrap();

            for (matrix, made) in matrices.all().into_iter().zip([&made.a, &made.b, &made.c]) {
                let mut products = vec![Fr::ZERO; made.len()];
                matrix.multiply(&values, &mut products);

                let rows = made.iter().map(|row| evaluate_constraint(row, &values));
                prop_assert_eq!(products, rows.collect::<Vec<Fr>>());
            }
        }

        /// KEY-9: one entry more, less or other.
        #[test]
        fn other_matrices_are_others(Random { made, .. } in random(), at in any::<prop::sample::Index>()) {
            prop_assume!(made.num_constraints > 1);
            let matrices = Matrices::of(&made).unwrap();
            let row = at.index(made.num_constraints);

            for change in 0..3 {
                let mut other = made.clone();
                match change {
                    0 => other.b[row].push((Fr::ONE, 0)),
                    1 => drop(other.c.pop()),
                    _ => other.a[row] = vec![(Fr::from(7u64), 0)],
                }
                prop_assert!(!matrices.are(&other), "change {}", change);
            }
        }
    }

    /// KEY-4: x·x = 1 with a coefficient of 2 behind; each field of the bytes once out of place.
    #[test]
    fn malformed_bytes_are_refused() {
        let (one, two) = (Fr::ONE, Fr::from(2u64));
        let made = ConstraintMatrices {
            num_instance_variables: 1,
            num_witness_variables: 1,
            num_constraints: 1,
            a_num_non_zero: 1,
            b_num_non_zero: 2,
            c_num_non_zero: 0,
            a: vec![vec![(one, 1)]],
            b: vec![vec![(two, 1), (one, 0)]],
            c: vec![vec![]],
        };
        let matrices = Matrices::of(&made).unwrap();
        let (row, entry) = (2 * FIELD_BYTES, 2 * FIELD_BYTES + U32_BYTES);
        for (at, byte, reason) in [
            (31, 0xff, "no field value"),
            (32, 1, "twice"),
            (row, 2, "too late"),
            (row, 0, "behind the last row"),
            (entry, 2, "points at nothing"),
            (entry + 4, 2, "points at nothing"),
            (entry + 4, 1, "order of use"),
            (entry + 16, 0, "not used"),
        ] {
            let mut bytes = matrices.bytes().to_vec();
            bytes[at] = byte;

            let refused = again(&matrices, &bytes).unwrap_err();

            assert_eq!(refused.reason(), "KEY_MATRICES");
            assert!(refused.to_string().contains(reason), "{at}: {refused}");
        }
    }
}
