//! RLN as its users see it, against the crate it stands on and against the published values.

mod batches;
mod encodings;
mod fixture;
mod garbage;
mod members;
mod preparing;
mod proving;
mod recovery;
mod refusals;
mod vectors;
mod verifying;
