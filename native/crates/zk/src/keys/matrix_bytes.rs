//! The bytes of matrices: written, and checked before they are used (KEY-4).

use std::collections::{HashMap, HashSet};

use ark_bn254::Fr;
use ark_relations::r1cs::ConstraintMatrices;

use super::KeyError;
use crate::field::{self, FIELD_BYTES};

pub(super) const U32_BYTES: usize = 4;
/// Column and number of the coefficient.
pub(super) const ENTRY_BYTES: usize = 2 * U32_BYTES;

/// How much the matrices hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixSizes {
    /// Non-zero entries of A, B and C.
    pub entries: [u32; 3],
    /// Distinct coefficients.
    pub coefficients: u32,
}

impl MatrixSizes {
    pub(super) fn bytes(self, constraints: usize) -> usize {
        self.coefficients as usize * FIELD_BYTES
            + 3 * constraints * U32_BYTES
            + self
                .entries
                .iter()
                .map(|count| *count as usize * ENTRY_BYTES)
                .sum::<usize>()
    }
}

fn counted(count: usize) -> Result<u32, KeyError> {
    u32::try_from(count)
        .ok()
        .filter(|count| *count <= super::header::MAX_COUNT)
        .ok_or(KeyError::TooLarge("too many entries in its matrices"))
}

/// Writes matrices.
///
/// # Errors
/// `KeyError::TooLarge`.
pub(super) fn encode(made: &ConstraintMatrices<Fr>) -> Result<(Vec<u8>, MatrixSizes), KeyError> {
    let mut numbers: HashMap<Fr, u32> = HashMap::new();
    let mut table = Vec::new();
    let mut rows = Vec::new();
    let mut entries = [0u32; 3];
    for (matrix, total) in [&made.a, &made.b, &made.c].into_iter().zip(&mut entries) {
        let mut end = 0;
        let mut cells = Vec::new();
        for row in matrix {
            end += row.len();
            rows.extend_from_slice(&counted(end)?.to_le_bytes());
            for (coefficient, column) in row {
                let next = counted(numbers.len())?;
                let number = *numbers.entry(*coefficient).or_insert_with(|| {
                    table.extend_from_slice(&field::encode(coefficient));
                    next
                });
                cells.extend_from_slice(&counted(*column)?.to_le_bytes());
                cells.extend_from_slice(&number.to_le_bytes());
            }
        }
        *total = counted(end)?;
        rows.append(&mut cells);
    }
    let sizes = MatrixSizes {
        entries,
        coefficients: counted(numbers.len())?,
    };
    table.append(&mut rows);
    Ok((table, sizes))
}

/// Checks that matrices are spelled as `encode` does, and stand for variables that there are.
/// Untrusted.
///
/// # Errors
/// `KeyError::Matrices`.
pub(super) fn check(
    coefficients: &[Fr],
    matrices: [(&[u8], &[u8]); 3],
    variables: usize,
) -> Result<(), KeyError> {
    let mut used = 0;
    for (ends, entries) in matrices {
        check_rows(ends, entries.len())?;
        for cell in entries.chunks_exact(ENTRY_BYTES) {
            let (column, number) = entry(cell);
            if column >= variables || number >= coefficients.len() {
                return Err(KeyError::Matrices("an entry points at nothing"));
            }
            if number > used {
                return Err(KeyError::Matrices("coefficients are not in order of use"));
            }
            used += usize::from(number == used);
        }
    }
    if used != coefficients.len() {
        return Err(KeyError::Matrices("a coefficient is not used"));
    }
    if coefficients.iter().collect::<HashSet<_>>().len() != used {
        return Err(KeyError::Matrices("a coefficient stands there twice"));
    }
    Ok(())
}

fn check_rows(ends: &[u8], entries_bytes: usize) -> Result<(), KeyError> {
    let mut start = 0;
    for end in ends.chunks_exact(U32_BYTES).map(number) {
        if end < start || end * ENTRY_BYTES > entries_bytes {
            return Err(KeyError::Matrices(
                "a row ends before it begins, or too late",
            ));
        }
        start = end;
    }
    if start * ENTRY_BYTES != entries_bytes {
        return Err(KeyError::Matrices("entries behind the last row"));
    }
    Ok(())
}

/// The first four bytes as a number.
pub(super) fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..U32_BYTES].try_into().expect("four bytes")) as usize
}

/// Column and number of the coefficient.
pub(super) fn entry(bytes: &[u8]) -> (usize, usize) {
    (number(bytes), number(&bytes[U32_BYTES..]))
}
