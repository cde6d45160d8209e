//! Hosts on loopback, driven as their owner drives them. Every wait has an end.

mod discovery;
mod faults;
mod gossip;
mod node;
mod peers;
mod streams;
