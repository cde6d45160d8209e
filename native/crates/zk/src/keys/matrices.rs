//! A circuit's constraints as bytes: every distinct coefficient once, then for each of A, B and C
//! the end of each row and the entries (column, coefficient), all u32 little-endian (KEY-4).
//!
//! Witnesses repeat a few coefficients (1, -1, round constants), so an entry has 8 bytes, not 36.

use std::collections::HashMap;

use ark_bn254::Fr;
use ark_relations::r1cs::Matrix;

use super::{KeyError, Matrices};
use crate::field::{self, FIELD_BYTES};

const U32_BYTES: usize = 4;
const ENTRY_BYTES: usize = 2 * U32_BYTES;

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
pub(super) fn encode(matrices: &Matrices, out: &mut Vec<u8>) -> Result<MatrixSizes, KeyError> {
    let mut numbers: HashMap<Fr, u32> = HashMap::new();
    let mut table = Vec::new();
    let mut rows = Vec::new();
    let mut entries = [0u32; 3];
    for (matrix, total) in [&matrices.a, &matrices.b, &matrices.c]
        .into_iter()
        .zip(&mut entries)
    {
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
    out.extend_from_slice(&table);
    out.extend_from_slice(&rows);
    Ok(MatrixSizes {
        entries,
        coefficients: counted(numbers.len())?,
    })
}

/// Reads matrices from exactly `sizes.bytes(constraints)` bytes.
///
/// # Errors
/// `KeyError::Matrices` if an entry stands for no variable or no coefficient.
pub(super) fn decode(
    bytes: &[u8],
    sizes: MatrixSizes,
    constraints: usize,
    instance_variables: usize,
    witness_variables: usize,
) -> Result<Matrices, KeyError> {
    let (table, mut rest) = bytes.split_at(sizes.coefficients as usize * FIELD_BYTES);
    let coefficients = field::decode_many(table)
        .map_err(|_| KeyError::Matrices("a coefficient is no field value"))?;
    let variables = instance_variables + witness_variables;
    let mut read = |entries: u32| {
        let (ends, behind) = rest.split_at(constraints * U32_BYTES);
        let (cells, behind) = behind.split_at(entries as usize * ENTRY_BYTES);
        rest = behind;
        decode_matrix(ends, cells, &coefficients, variables)
    };
    let [a, b, c] = sizes.entries;
    Ok(Matrices {
        num_instance_variables: instance_variables,
        num_witness_variables: witness_variables,
        num_constraints: constraints,
        a_num_non_zero: a as usize,
        b_num_non_zero: b as usize,
        c_num_non_zero: c as usize,
        a: read(a)?,
        b: read(b)?,
        c: read(c)?,
    })
}

fn decode_matrix(
    ends: &[u8],
    cells: &[u8],
    coefficients: &[Fr],
    variables: usize,
) -> Result<Matrix<Fr>, KeyError> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize;
    let mut start = 0;
    let matrix = ends
        .chunks_exact(U32_BYTES)
        .map(|chunk| {
            let end = number(chunk) * ENTRY_BYTES;
            let row = cells.get(start..end).ok_or(KeyError::Matrices(
                "a row ends before it begins, or too late",
            ))?;
            start = end;
            row.chunks_exact(ENTRY_BYTES)
                .map(|cell| {
                    let column = number(&cell[..U32_BYTES]);
                    let coefficient = coefficients.get(number(&cell[U32_BYTES..]));
                    match coefficient {
                        Some(coefficient) if column < variables => Ok((*coefficient, column)),
                        _ => Err(KeyError::Matrices("an entry points at nothing")),
                    }
                })
                .collect()
        })
        .collect::<Result<Matrix<Fr>, _>>()?;
    if start == cells.len() {
        Ok(matrix)
    } else {
        Err(KeyError::Matrices("entries behind the last row"))
    }
}
