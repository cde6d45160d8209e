//! Files written whole or not at all, and read through the page cache.

use std::fs::{self, File};
use std::io::Write;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};
use rand::RngCore;

use super::{KeyError, hex};

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io {
        action,
        path,
        source,
    }
}

/// A file that is mapped whole.
pub struct MappedFile {
    path: PathBuf,
    file: File,
    bytes: Mmap,
}

impl MappedFile {
    /// Maps a part of the same file on its own, to outlive the whole: pages of the rest that were
    /// read are then no longer counted as this process's.
    ///
    /// # Errors
    /// `KeyError::Io`.
    pub(super) fn part(&self, range: Range<usize>) -> Result<Mmap, KeyError> {
        let mut options = MmapOptions::new();
        options.offset(range.start as u64).len(range.len());
        // SAFETY: as in `map`.
        unsafe { options.map(&self.file) }.map_err(io("map", &self.path))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Maps a file. Empty files cannot be mapped and are an error like any other.
///
/// # Errors
/// `KeyError::Io`.
pub fn map(path: &Path) -> Result<MappedFile, KeyError> {
    let file = File::open(path).map_err(io("open", path))?;
    // SAFETY: files here are replaced by a rename and never written in place (`write`), so the
    // mapped one does not change. Truncating it by hand while it is used causes a SIGBUS.
    let bytes = unsafe { Mmap::map(&file) }.map_err(io("map", path))?;
    Ok(MappedFile {
        path: path.to_owned(),
        file,
        bytes,
    })
}

/// Writes a file under a temporary name, syncs it, renames it, and syncs the folder (KEY-7).
///
/// # Errors
/// `KeyError::Io`. What stood at the path still does, and nothing half-written remains.
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<(), KeyError> {
    let temporary = temporary_name(path);
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(source) = written {
        let _ = fs::remove_file(&temporary);
        return Err(io("write", path)(source));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", folder))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut random = [0u8; 8];
    rand::rngs::OsRng.fill_bytes(&mut random);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", hex(&random)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");

        write(&path, &[b"old and long"]).unwrap();
        write(&path, &[b"ne", b"w"]).unwrap();

        assert_eq!(&map(&path).unwrap()[..], b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();

        let error = write(&path, &[b"x"]).unwrap_err();

        assert!(matches!(
            error,
            KeyError::Io {
                action: "write",
                ..
            }
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
