//! One page of an index (`nbtree.h`, `itup.h`).

use crate::heap::PAGE;

const HEADER: usize = 24;
/// Bytes of a line pointer.
pub(super) const POINTER: usize = 4;
const NORMAL: u32 = 1;
/// Bytes at the end of a page that link it to its siblings.
const SPECIAL: usize = PAGE - 16;
const SIZE_AND_VERSION: u16 = PAGE as u16 | 4;

/// INDEX_ALT_TID_MASK: the place in a tuple's head means something else than a row.
const ALTERNATIVE: u16 = 0x2000;
/// INDEX_NULL_MASK.
const HAS_NULL: u16 = 0x8000;
/// BT_IS_POSTING and BT_PIVOT_HEAP_TID_ATTR, beside a number.
const POSTING: u16 = 0x2000;
const WITH_PLACE: u16 = 0x1000;

/// What a page is: BTP_LEAF, BTP_ROOT, BTP_META.
pub(super) const LEAF: u16 = 1;
pub(super) const ROOT: u16 = 2;
const META: u16 = 8;

/// Bytes that items can take, a line pointer each.
pub(super) const ROOM: usize = SPECIAL - HEADER;

#[derive(Debug)]
pub(super) struct Page {
    bytes: Box<[u8]>,
    items: usize,
    upper: usize,
}

pub(super) struct Links {
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) level: u32,
    pub(super) flags: u16,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; PAGE].into_boxed_slice(), items: 0, upper: SPECIAL }
    }

    /// Adds an item behind those that there are; its length is a multiple of 8.
    pub(super) fn add(&mut self, item: &[u8]) -> Option<()> {
        let lower = HEADER + POINTER * (self.items + 1);
        let start = self.upper.checked_sub(item.len()).filter(|start| *start >= lower)?;
        let pointer = start as u32 | NORMAL << 15 | (item.len() as u32) << 17;
        self.bytes.get_mut(lower - POINTER..lower)?.copy_from_slice(&pointer.to_le_bytes());
        self.bytes.get_mut(start..start + item.len())?.copy_from_slice(item);
        self.upper = start;
        self.items += 1;
        Some(())
    }

    pub(super) fn finish(mut self, links: &Links) -> Box<[u8]> {
        let lower = HEADER + POINTER * self.items;
        self.head(lower, self.upper);
        self.put(SPECIAL, &links.previous.to_le_bytes());
        self.put(SPECIAL + 4, &links.next.to_le_bytes());
        self.put(SPECIAL + 8, &links.level.to_le_bytes());
        self.put(SPECIAL + 12, &links.flags.to_le_bytes());
        self.bytes
    }

    /// The first page, which says where the root is: BTMetaPageData.
    pub(super) fn meta(root: u32, level: u32) -> Box<[u8]> {
        const MAGIC: u32 = 0x0005_3162;
        const VERSION: u32 = 4;
        let mut page = Self::new();
        for (n, word) in [MAGIC, VERSION, root, level, root, level].into_iter().enumerate() {
            page.put(HEADER + 4 * n, &word.to_le_bytes());
        }
        // The rows that VACUUM saw last are not known; equal keys have equal bytes.
        page.put(HEADER + 32, &(-1.0_f64).to_le_bytes());
        page.put(HEADER + 40, &[1]);
        page.head(HEADER + 48, SPECIAL);
        page.put(SPECIAL + 12, &META.to_le_bytes());
        page.bytes
    }

    fn head(&mut self, lower: usize, upper: usize) {
        for (at, value) in [(12, lower as u16), (14, upper as u16), (16, SPECIAL as u16), (18, SIZE_AND_VERSION)] {
            self.put(at, &value.to_le_bytes());
        }
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    }
}

/// A row's place as it is stored: the block as two words, the high one first, and the number.
pub(super) fn place(tid: u64) -> [u8; 6] {
    let [block, number] = [(tid >> 16) as u32, tid as u32 & 0xFFFF];
    let [[a, b], [c, d], [e, f]] = [(block >> 16) as u16, block as u16, number as u16].map(u16::to_le_bytes);
    [a, b, c, d, e, f]
}

/// Head, key and what follows, padded to 8 bytes. `key`: None for NULL.
pub(super) fn tuple(head: [u8; 6], flags: u16, key: Option<&[u8]>, behind: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(head);
    out.extend([0, 0]);
    match key {
        Some(key) => out.extend(key),
        // The bitmap, in which the only column is not there.
        None => out.extend([0; 8]),
    }
    pad(out);
    out.extend(behind);
    pad(out);
    let null = if key.is_none() { HAS_NULL } else { 0 };
    let info = (out.len() as u16 | flags | null).to_le_bytes();
    if let Some(place) = out.get_mut(6..8) {
        place.copy_from_slice(&info);
    }
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}

/// One row.
pub(super) fn plain(key: Option<&[u8]>, tid: u64, out: &mut Vec<u8>) {
    tuple(place(tid), 0, key, &[], out);
}

/// Several rows of one key.
pub(super) fn posting(key: Option<&[u8]>, tids: impl ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    let start = 8 + key.map_or(8, <[u8]>::len).next_multiple_of(8);
    let head = (start as u64) << 16 | u64::from(tids.len() as u16 | POSTING);
    let list: Vec<u8> = tids.flat_map(place).collect();
    tuple(place(head), ALTERNATIVE, key, &list, out);
}

/// A border between pages, without a page yet: all that is not below the key, or at the key not before a place.
pub(super) fn pivot(key: Option<&[u8]>, columns: usize, from: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    let number = columns as u16 | if from.is_some() { WITH_PLACE } else { 0 };
    // A place stands in the last six of eight bytes.
    let behind = from.map(|tid| [[0; 2].as_slice(), place(tid).as_slice()].concat()).unwrap_or_default();
    tuple(place(number.into()), ALTERNATIVE, key, &behind, &mut out);
    out
}

/// Below everything.
pub(super) fn lowest() -> Vec<u8> {
    let mut out = Vec::new();
    tuple(place(0), ALTERNATIVE, Some(&[]), &[], &mut out);
    out
}

/// Lets a border point to a page.
pub(super) fn point(border: &mut [u8], block: u32) {
    let [low, high] = [block as u16, (block >> 16) as u16].map(u16::to_le_bytes);
    if let Some(place) = border.get_mut(..4) {
        place.copy_from_slice(&[high[0], high[1], low[0], low[1]]);
    }
}
