//! How the wires of zerokit's circuit follow from its inputs: the graph that its crate ships.
//!
//! ```text
//! "wtns.graph.001" | count, u64 LE | count nodes | metadata | place of the metadata, u64 LE
//! ```
//! Nodes and metadata are protobuf messages, each after its length as a varint. Only the operations
//! that the file uses are known here; any other refuses the file. Source: iden3's
//! circom-witnesscalc at 5cb365b6, `protos/messages.proto`.

use std::collections::HashMap;

use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
use prost::Message;
use zeroize::Zeroizing;

use super::wire::{self, Operation, Step};
use crate::field::{self, Fr};

const MAGIC: &[u8] = b"wtns.graph.001";

/// Why a file is no graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GraphError {
    #[error("the graph does not begin as one")]
    Magic,
    #[error("the graph ends early, or a message in it is malformed")]
    Malformed,
    #[error("an operation of the graph is not known")]
    Operation,
    #[error("a part of the graph refers to what does not come before it")]
    Reference,
    #[error("the graph is over another field")]
    Field,
}

/// A step of the computation. Numbers are places of earlier nodes.
#[derive(Clone, Copy)]
enum Node {
    Input(usize),
    Constant(Fr),
    Both(Operation, usize, usize),
}

/// The computation of a witness.
pub(super) struct Graph {
    nodes: Vec<Node>,
    /// The node of each wire.
    wires: Vec<usize>,
    /// First place and count of each input's values.
    inputs: HashMap<String, (usize, usize)>,
    input_values: usize,
}

impl Graph {
    /// Reads a graph.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, GraphError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(GraphError::Magic)?;
        let (count, mut rest) = rest.split_first_chunk().ok_or(GraphError::Malformed)?;
        let mut nodes = Vec::new();
        for place in 0..u64::from_le_bytes(*count) {
            let node: wire::Node = message(&mut rest)?;
            nodes.push(read_node(node, place as usize)?);
        }
        let metadata: wire::Metadata = message(&mut rest)?;
        let prime = metadata.prime.ok_or(GraphError::Field)?;
        if prime.value_le != Fr::MODULUS.to_bytes_le() {
            return Err(GraphError::Field);
        }
        let wires: Vec<usize> = metadata.wires.iter().map(|at| *at as usize).collect();
        if wires.iter().any(|at| *at >= nodes.len()) {
            return Err(GraphError::Reference);
        }
        Self::with_inputs(nodes, wires, &metadata.inputs)
    }

    fn with_inputs(
        nodes: Vec<Node>,
        wires: Vec<usize>,
        spans: &HashMap<String, wire::Span>,
    ) -> Result<Self, GraphError> {
        let inputs: HashMap<_, _> = spans
            .iter()
            .map(|(name, span)| (name.clone(), (span.start as usize, span.length as usize)))
            .collect();
        let ends = inputs.values().map(|(start, length)| start + length);
        let input_values = ends.max().unwrap_or(1);
        let beyond = |node: &Node| matches!(node, Node::Input(at) if *at >= input_values);
        if nodes.iter().any(beyond) {
            return Err(GraphError::Reference);
        }
        Ok(Self {
            nodes,
            wires,
            inputs,
            input_values,
        })
    }

    /// The value of every wire, the constant one first. Inputs that are not named are zero.
    ///
    /// # Panics
    /// If an input is not the graph's, or has another number of values.
    pub(super) fn evaluate(&self, named: &[(&str, &[Fr])]) -> Zeroizing<Vec<Fr>> {
        let mut inputs = Zeroizing::new(vec![Fr::ZERO; self.input_values]);
        inputs[0] = Fr::ONE;
        for (name, values) in named {
            let (start, length) = self.inputs[*name];
            inputs[start..start + length].copy_from_slice(values);
        }
        let mut values = Zeroizing::new(Vec::with_capacity(self.nodes.len()));
        for node in &self.nodes {
            let value = match *node {
                Node::Input(at) => inputs[at],
                Node::Constant(value) => value,
                Node::Both(operation, one, other) => apply(operation, values[one], values[other]),
            };
            values.push(value);
        }
        Zeroizing::new(self.wires.iter().map(|at| values[*at]).collect())
    }

    /// For every wire, whether it is the same whatever these inputs are.
    ///
    /// # Panics
    /// If an input is not the graph's.
    pub(super) fn unmoved(&self, inputs: &[&str]) -> Vec<bool> {
        let mut moving = vec![false; self.input_values];
        for name in inputs {
            let (start, length) = self.inputs[*name];
            moving[start..start + length].fill(true);
        }
        let mut moves: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            moves.push(match *node {
                Node::Input(at) => moving[at],
                Node::Constant(_) => false,
                Node::Both(_, one, other) => moves[one] || moves[other],
            });
        }
        self.wires.iter().map(|at| !moves[*at]).collect()
    }
}

/// Takes the next message, after its length.
fn message<M: Message + Default>(rest: &mut &[u8]) -> Result<M, GraphError> {
    let length = prost::decode_length_delimiter(&mut *rest).map_err(|_| GraphError::Malformed)?;
    let (own, others) = rest.split_at_checked(length).ok_or(GraphError::Malformed)?;
    *rest = others;
    M::decode(own).map_err(|_| GraphError::Malformed)
}

fn read_node(node: wire::Node, place: usize) -> Result<Node, GraphError> {
    match node.step.ok_or(GraphError::Operation)? {
        Step::Input(input) => Ok(Node::Input(input.at as usize)),
        Step::Constant(constant) => {
            let number = constant.value.ok_or(GraphError::Malformed)?;
            let value = field::decode(&number.value_le).map_err(|_| GraphError::Field)?;
            Ok(Node::Constant(value))
        }
        Step::Both(both) => {
            let operation =
                Operation::try_from(both.operation).map_err(|_| GraphError::Operation)?;
            let (one, other) = (both.one as usize, both.other as usize);
            if one >= place || other >= place {
                return Err(GraphError::Reference);
            }
            Ok(Node::Both(operation, one, other))
        }
    }
}

/// Shifts and conjunctions are those of the canonical numbers.
fn apply(operation: Operation, one: Fr, other: Fr) -> Fr {
    match operation {
        Operation::Multiply => one * other,
        Operation::Add => one + other,
        Operation::Subtract => one - other,
        Operation::ShiftRight => {
            let bits = other.into_bigint();
            if bits >= BigInt::from(Fr::MODULUS_BIT_SIZE) {
                return Fr::ZERO;
            }
            small(one.into_bigint() >> bits.0[0] as u32)
        }
        Operation::And => small(one.into_bigint() & other.into_bigint()),
    }
}

/// A number that is at most one that was a value.
fn small(number: BigInt<4>) -> Fr {
    Fr::from_bigint(number).expect("not above a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of the field's prime: a node for each step, the last of them its only wire.
    fn file(steps: &[Step]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((steps.len() as u64).to_le_bytes());
        for step in steps {
            let step = Some(step.clone());
            bytes.extend(wire::Node { step }.encode_length_delimited_to_vec());
        }
        let prime = Some(number(Fr::MODULUS));
        let spans = [("a", 1, 1), ("b", 2, 1)];
        let metadata = wire::Metadata {
            wires: vec![steps.len() as u32 - 1],
            inputs: spans
                .map(|(name, start, length)| (name.to_owned(), wire::Span { start, length }))
                .into(),
            prime,
        };
        bytes.extend(metadata.encode_length_delimited_to_vec());
        bytes.extend([0; 8]);
        bytes
    }

    fn number(value: BigInt<4>) -> wire::Number {
        wire::Number {
            value_le: value.to_bytes_le(),
        }
    }

    fn input(at: u32) -> Step {
        Step::Input(wire::Input { at })
    }

    fn both(operation: i32, one: u32, other: u32) -> Step {
        Step::Both(wire::Both {
            operation,
            one,
            other,
        })
    }

    fn computed(operation: Operation, a: Fr, b: Fr) -> Fr {
        let graph =
            Graph::read(&file(&[input(1), input(2), both(operation as i32, 0, 1)])).unwrap();
        graph.evaluate(&[("a", &[a]), ("b", &[b])])[0]
    }

    #[test]
    fn operations_are_those_of_the_field_and_of_its_numbers() {
        let (a, b) = (Fr::from(0b1101), Fr::from(0b0110));

        assert_eq!(computed(Operation::Multiply, a, b), a * b);
        assert_eq!(computed(Operation::Add, a, -a), Fr::ZERO);
        assert_eq!(computed(Operation::Subtract, b, a), -Fr::from(7));
        assert_eq!(computed(Operation::And, a, b), Fr::from(0b0100));
        assert_eq!(computed(Operation::And, -Fr::ONE, -Fr::ONE), -Fr::ONE);
        assert_eq!(
            computed(Operation::ShiftRight, a, Fr::from(2)),
            Fr::from(0b11)
        );
        assert_eq!(computed(Operation::ShiftRight, a, Fr::from(300)), Fr::ZERO);
        assert_eq!(computed(Operation::ShiftRight, a, -Fr::ONE), Fr::ZERO);
    }

    #[test]
    fn a_wire_moves_with_the_inputs_it_follows_from() {
        let graph = Graph::read(&file(&[
            input(1),
            Step::Constant(wire::Constant {
                value: Some(number(BigInt::from(5u32))),
            }),
            both(Operation::Add as i32, 0, 1),
        ]))
        .unwrap();

        assert_eq!(graph.unmoved(&["a"]), [false]);
        assert_eq!(graph.unmoved(&["b"]), [true]);
        assert_eq!(*graph.evaluate(&[("a", &[Fr::ONE])]), [Fr::from(6)]);
    }

    #[test]
    fn a_file_that_is_no_graph_is_refused() {
        let good = file(&[input(1)]);
        let mut other_field = good.clone();
        let prime = good
            .windows(32)
            .position(|at| at == number(Fr::MODULUS).value_le);
        other_field[prime.unwrap()] ^= 2;
        let refused = |bytes: &[u8]| Graph::read(bytes).err().unwrap();

        assert_eq!(refused(b"wtns.graph.002"), GraphError::Magic);
        for end in MAGIC.len()..good.len() - 8 {
            assert_eq!(refused(&good[..end]), GraphError::Malformed, "{end}");
        }
        assert_eq!(refused(&file(&[both(1, 0, 0)])), GraphError::Operation);
        assert_eq!(refused(&file(&[both(2, 0, 0)])), GraphError::Reference);
        assert_eq!(refused(&file(&[input(3)])), GraphError::Reference);
        assert_eq!(refused(&other_field), GraphError::Field);
    }
}
