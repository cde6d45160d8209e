//! Hashes that guard files, made to fit again.

use blake2::digest::{Digest, consts::U32};
use logos_zk::keys::HEADER_BYTES;

fn blake2b(tag: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake2::Blake2b::<U32>::new();
    hasher.update(tag);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// KEY-4: the hash is the header's last field.
pub fn reseal_key(bytes: &mut [u8]) {
    if bytes.len() >= HEADER_BYTES {
        let (head, body) = bytes.split_at_mut(HEADER_BYTES);
        let (fields, hash) = head.split_at_mut(HEADER_BYTES - 32);
        hash.copy_from_slice(&blake2b(b"LOGOS_KEY_FILE_V1", &[fields, body]));
    }
}

/// KEY-2, KEY-6: the hash is at the end, over all behind magic and version.
pub fn reseal_verifying_key(bytes: &mut [u8]) {
    if bytes.len() >= 42 {
        let (content, hash) = bytes.split_at_mut(bytes.len() - 32);
        hash.copy_from_slice(&blake2b(b"LOGOS_VERIFYING_KEY_V1", &[&content[10..]]));
    }
}

/// CER-1: the initial key's hash, and the link of the one contribution behind it.
pub fn reseal_transcript(bytes: &mut [u8]) {
    let Some(length) = bytes.get(16..24) else {
        return;
    };
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let Some(end) = length.checked_add(24).filter(|end| end + 32 < bytes.len()) else {
        return;
    };
    reseal_key(&mut bytes[24..end]);
    let start = blake2b(b"LOGOS_CEREMONY_START_V1", &[&bytes[24..end]]);
    let (before, hash) = bytes.split_at_mut(bytes.len() - 32);
    let link = blake2b(
        b"LOGOS_CEREMONY_LINK_V1",
        &[&start, &1u32.to_le_bytes(), &before[end..]],
    );
    hash.copy_from_slice(&link);
}
