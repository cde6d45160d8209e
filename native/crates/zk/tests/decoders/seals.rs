//! Lengths, hashes and roots made to fit again, as far as what they stand for can be found.

use blake2::digest::{Digest, consts::U32};
use logos_zk::field::{self, Fr};
use logos_zk::keys::{HEADER_BYTES, KeyHeader};
use logos_zk::tree::NodeHash;

const VERIFYING_KEY_TAG: &[u8] = b"LOGOS_VERIFYING_KEY_V1";
/// No file is made longer than this to fit its counts.
const LONGEST: usize = 1 << 12;

fn blake2b(tag: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let hasher = blake2::Blake2b::<U32>::new_with_prefix(tag);
    let all = parts
        .iter()
        .fold(hasher, |all, part| all.chain_update(part));
    all.finalize().into()
}

fn number_at<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let mut word = [0; 8];
    word[..BYTES].copy_from_slice(bytes.get(at..at + BYTES)?);
    usize::try_from(u64::from_le_bytes(word)).ok()
}

/// KEY-2, KEY-4: the length, the verifying key's hash, the file's.
pub fn key(bytes: &mut Vec<u8>, fit: bool) -> Option<KeyHeader> {
    let header = KeyHeader::decode(bytes).ok()?;
    let length = header.file_bytes() as usize;
    if fit && length <= LONGEST {
        bytes.resize(length, 0);
    }
    let name_end = 12 + usize::from(bytes[11]);
    let points_end = HEADER_BYTES + 224 + 32 * header.instance_variables as usize;
    let points = bytes.get(HEADER_BYTES..points_end)?;
    let parts = [&bytes[10..name_end], &bytes[48..52], points];
    let hash = blake2b(VERIFYING_KEY_TAG, &parts);
    bytes[96..128].copy_from_slice(&hash);
    let parts = [&bytes[..160], &bytes[HEADER_BYTES..]];
    let hash = blake2b(b"LOGOS_KEY_FILE_V1", &parts);
    bytes[160..HEADER_BYTES].copy_from_slice(&hash);
    Some(header)
}

/// KEY-2, KEY-6: the length and the hash.
pub fn verifying_key(bytes: &mut Vec<u8>, fit: bool) -> Option<()> {
    let count_at = 12 + usize::from(*bytes.get(11)?);
    let length = count_at + 4 + 224 + 32 * number_at::<4>(bytes, count_at)? + 32;
    if fit && length <= LONGEST {
        bytes.resize(length, 0);
    }
    let hash_at = bytes.len().checked_sub(32)?;
    let hash = blake2b(VERIFYING_KEY_TAG, &[bytes.get(10..hash_at)?]);
    bytes[hash_at..].copy_from_slice(&hash);
    Some(())
}

/// CER-1, CER-3: the initial key and its length, then every link.
pub fn transcript(bytes: &mut Vec<u8>, fit: bool) -> Option<()> {
    let end = number_at::<8>(bytes, 16)?.checked_add(24)?;
    let mut initial = bytes.get(24..end)?.to_vec();
    let header = key(&mut initial, fit)?;
    let rows = header.constraints as usize + header.instance_variables as usize;
    let points = header.witness_variables as usize + rows.next_power_of_two() - 1;
    let mut previous = blake2b(b"LOGOS_CEREMONY_START_V1", &[&initial]);
    let mut at = 24 + initial.len();
    bytes[16..24].copy_from_slice(&(initial.len() as u64).to_le_bytes());
    bytes.splice(24..end, initial);
    for number in 1u32.. {
        let hash_at = at + 1 + usize::from(*bytes.get(at)?) + 3 * 64 + 2 * 128 + 64 * points;
        let parts = [
            &previous[..],
            &number.to_le_bytes(),
            bytes.get(at..hash_at)?,
        ];
        previous = blake2b(b"LOGOS_CEREMONY_LINK_V1", &parts);
        at = hash_at + 32;
        bytes.get_mut(hash_at..at)?.copy_from_slice(&previous);
    }
    Some(())
}

/// A snapshot's length and its newest root.
pub fn tree<H: NodeHash>(bytes: &mut Vec<u8>, depth: usize) -> Option<()> {
    let roots_end = 11 + 32 * number_at::<4>(bytes, 7)?;
    let leaves = number_at::<8>(bytes, roots_end)?.checked_mul(40)?;
    if leaves > LONGEST {
        return None;
    }
    let leaves_at = roots_end + 8;
    bytes.resize(leaves_at + leaves, 1);
    let leaf = |bytes: &[u8]| Some((number_at::<8>(bytes, 0)?, field::decode(&bytes[8..]).ok()?));
    let leaves: Option<Vec<_>> = bytes[leaves_at..].chunks(40).map(leaf).collect();
    let root = root_of::<H>(&leaves?, depth);
    let newest = bytes.get_mut(roots_end - 32..roots_end)?;
    newest.copy_from_slice(&field::encode(&root));
    Some(())
}

/// The root by its definition. The leaves stand by ascending index.
fn root_of<H: NodeHash>(leaves: &[(usize, Fr)], height: usize) -> Fr {
    match (leaves, height) {
        ([], _) => H::empty()[height],
        ([(_, leaf), ..], 0) => *leaf,
        _ => {
            let below = height - 1;
            let middle = leaves.partition_point(|(index, _)| index >> below & 1 == 0);
            let (left, right) = leaves.split_at(middle);
            H::node(root_of::<H>(left, below), root_of::<H>(right, below))
        }
    }
}
