//! How a circuit's values stand one after the other.

use crate::field::Fr;
use crate::gadgets::merkle::Path;

/// Names of values, and how many each is.
pub type Layout = &'static [(&'static str, usize)];

/// How many values a layout has.
#[must_use]
pub const fn width(layout: Layout) -> usize {
    let (mut at, mut sum) = (0, 0);
    while at < layout.len() {
        sum += layout[at].1;
        at += 1;
    }
    sum
}

/// Reads values in order. Their number was checked.
pub struct Reader<'a>(&'a [Fr]);

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(values: &'a [Fr]) -> Self {
        Self(values)
    }

    pub fn one(&mut self) -> Fr {
        self.many(1)[0]
    }

    pub fn many(&mut self, count: usize) -> &'a [Fr] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    /// Reads siblings from the leaf up, then selectors from the root down (ZK-5).
    pub fn path(&mut self, depth: usize) -> Path {
        Path::from_values(self.many(2 * depth))
    }
}
