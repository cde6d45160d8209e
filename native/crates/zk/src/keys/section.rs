//! Bytes that stay in use after a key was loaded: in memory, or in the file.

use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

/// A part of a key file. A clone shares it.
#[derive(Clone)]
pub(super) enum Section {
    Held(Arc<[u8]>),
    /// Pages of the file: they come when they are read, all processes share them, and the system
    /// takes them back when memory is short.
    Mapped(Arc<Mmap>),
}

impl Section {
    /// Copies bytes.
    pub(super) fn held(bytes: &[u8]) -> Self {
        Self::Held(bytes.into())
    }

    pub(super) fn mapped(map: Mmap) -> Self {
        Self::Mapped(Arc::new(map))
    }
}

impl Deref for Section {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}
