//! The messages of a graph's file, as far as zerokit's file uses them.

use std::collections::HashMap;

/// A number, little-endian.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Number {
    #[prost(bytes = "vec", tag = "1")]
    pub value_le: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Input {
    #[prost(uint32, tag = "1")]
    pub at: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Constant {
    #[prost(message, optional, tag = "1")]
    pub value: Option<Number>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Both {
    #[prost(enumeration = "Operation", tag = "1")]
    pub operation: i32,
    #[prost(uint32, tag = "2")]
    pub one: u32,
    #[prost(uint32, tag = "3")]
    pub other: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(oneof = "Step", tags = "1, 2, 4")]
    pub step: Option<Step>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Step {
    #[prost(message, tag = "1")]
    Input(Input),
    #[prost(message, tag = "2")]
    Constant(Constant),
    #[prost(message, tag = "4")]
    Both(Both),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Span {
    #[prost(uint32, tag = "1")]
    pub start: u32,
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Metadata {
    #[prost(uint32, repeated, tag = "1")]
    pub wires: Vec<u32>,
    #[prost(map = "string, message", tag = "2")]
    pub inputs: HashMap<String, Span>,
    #[prost(message, optional, tag = "3")]
    pub prime: Option<Number>,
}

/// The format knows others; zerokit's file uses these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Operation {
    Multiply = 0,
    Add = 2,
    Subtract = 3,
    ShiftRight = 16,
    And = 18,
}
