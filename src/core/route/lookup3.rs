//! Bob Jenkins' lookup3 (public domain, 2006) as PostgreSQL seeds and reads it out: bytes in, 64 bits out.
//!
//! Words are taken from the bytes in little-endian order, as a server on such a machine does.

/// Starting value of the three words before the length is added: the golden ratio's fraction plus PostgreSQL's own constant.
const START: u32 = 0x9e37_79b9_u32.wrapping_add(3_923_095);

/// Rotations of one mixing round per step, from lookup3.
const MIX: [u32; 6] = [4, 6, 8, 16, 19, 4];

/// Rotations of the closing steps, from lookup3.
const CLOSE: [u32; 7] = [14, 11, 25, 16, 4, 14, 24];

const BLOCK: usize = 12;

/// Hash of a string of bytes (`hash_bytes_extended`).
pub(super) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    // A datum is shorter than 1 GB; PostgreSQL keeps the length in 32 bits as well.
    let mut state = seeded(bytes.len() as u32, seed);
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        state = mix(absorb(state, block.iter().copied()));
    }
    // The lowest byte of the last word stands for the length, so the tail steps over it.
    let tail = blocks.remainder();
    let (head, rest) = tail.split_at(tail.len().min(8));
    let gap = if rest.is_empty() { None } else { Some(0) };
    close(absorb(state, head.iter().copied().chain(gap).chain(rest.iter().copied())))
}

/// Hash of one 32-bit word (`hash_bytes_uint32_extended`).
pub(super) fn hash_word(word: u32, seed: u64) -> u64 {
    let [a, b, c] = seeded(size_of::<u32>() as u32, seed);
    close([a.wrapping_add(word), b, c])
}

fn seeded(length: u32, seed: u64) -> [u32; 3] {
    let start = START.wrapping_add(length);
    if seed == 0 {
        return [start; 3];
    }
    mix([start.wrapping_add((seed >> 32) as u32), start.wrapping_add(seed as u32), start])
}

/// Adds up to twelve bytes to the three words.
fn absorb(mut state: [u32; 3], bytes: impl Iterator<Item = u8>) -> [u32; 3] {
    let mut block = [0_u8; BLOCK];
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    for (word, four) in state.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = word.wrapping_add(u32::from_le_bytes(*four));
    }
    state
}

/// Every step treats the words alike and then passes their roles on; six steps bring them back in place.
fn mix([mut x, mut y, mut z]: [u32; 3]) -> [u32; 3] {
    for by in MIX {
        x = x.wrapping_sub(z) ^ z.rotate_left(by);
        z = z.wrapping_add(y);
        (x, y, z) = (y, z, x);
    }
    [x, y, z]
}

fn close([a, b, c]: [u32; 3]) -> u64 {
    let (mut x, mut y, mut z) = (c, b, a);
    for by in CLOSE {
        x = (x ^ y).wrapping_sub(y.rotate_left(by));
        (x, y, z) = (z, x, y);
    }
    // Seven steps and one hand-over more than two full turns: `z` is the second word, `y` the third.
    u64::from(z) << 32 | u64::from(y)
}
