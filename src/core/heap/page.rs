//! One page of a heap, filled from its end as the server does (`bufpage.h`).

/// Bytes of a page, BLCKSZ.
pub const PAGE: usize = 8192;

/// Bytes of the page's header, and of one line pointer.
const HEADER: usize = 24;
const POINTER: usize = 4;
/// Size and layout version of a page, PG_PAGE_LAYOUT_VERSION 4.
const SIZE_AND_VERSION: u16 = PAGE as u16 | 4;
/// Everyone sees all tuples of the page.
const ALL_VISIBLE: u16 = 0x0004;
const NORMAL: u32 = 1;
/// MaxHeapTuplesPerPage: as many as fit when each has no more than a header.
const MAX_TUPLES: usize = (PAGE - HEADER) / (24 + POINTER);
/// Place of a tuple's own address in its header.
const ADDRESS: std::ops::Range<usize> = 12..16;

#[derive(Debug, Clone)]
pub struct Page {
    bytes: Box<[u8]>,
    tuples: usize,
    upper: usize,
}

pub(super) fn aligned(length: usize, to: usize) -> usize {
    length.next_multiple_of(to)
}

impl Default for Page {
    fn default() -> Self {
        Self { bytes: vec![0; PAGE].into_boxed_slice(), tuples: 0, upper: PAGE }
    }
}

impl Page {
    pub fn tuples(&self) -> usize {
        self.tuples
    }

    /// A page as it was read. None for one of another size.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let tuples = usize::from(word(bytes, 12)?).checked_sub(HEADER)? / POINTER;
        Some(Self { bytes: bytes.into(), tuples, upper: usize::from(word(bytes, 14)?) }).filter(|_| bytes.len() == PAGE)
    }

    /// Room for a tuple of so many bytes, which leaves `spare` bytes free, and its number on the page; None on a page that is too full.
    pub(super) fn add(&mut self, length: usize, spare: usize) -> Option<(&mut [u8], u16)> {
        let lower = HEADER + POINTER * (self.tuples + 1);
        let start = self.upper.checked_sub(aligned(length, 8))?;
        if start < lower + spare || self.tuples >= MAX_TUPLES {
            return None;
        }
        let pointer = start as u32 | NORMAL << 15 | (length as u32) << 17;
        self.bytes.get_mut(lower - POINTER..lower)?.copy_from_slice(&pointer.to_le_bytes());
        self.upper = start;
        self.tuples += 1;
        let number = u16::try_from(self.tuples).ok()?;
        Some((self.bytes.get_mut(start..start + length)?, number))
    }

    /// The page as it stands in a file at `block`, all its tuples visible to everyone.
    pub fn finish(&mut self, block: u32) -> &mut [u8] {
        let lower = HEADER + POINTER * self.tuples;
        for (at, value) in
            [(10, ALL_VISIBLE), (12, lower as u16), (14, self.upper as u16), (16, PAGE as u16), (18, SIZE_AND_VERSION)]
        {
            if let Some(place) = self.bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&value.to_le_bytes());
            }
        }
        let [low, high] = [block as u16, (block >> 16) as u16].map(u16::to_le_bytes);
        for number in 0..self.tuples {
            let Some((start, _)) = self.pointer(number) else { continue };
            if let Some(address) = self.bytes.get_mut(start + ADDRESS.start..start + ADDRESS.end) {
                address.copy_from_slice(&[high[0], high[1], low[0], low[1]]);
            }
        }
        &mut self.bytes
    }

    /// The tuples with their numbers; None in place of what is none (a redirected or dead line pointer).
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, Option<&[u8]>)> {
        (0..self.tuples).zip(1..).filter_map(|(number, shown)| match self.flags(number) {
            0 => None,
            NORMAL => Some((shown, self.pointer(number).and_then(|(at, len)| self.bytes.get(at..at + len)))),
            _ => Some((shown, None)),
        })
    }

    /// The tuple of that number, from 1.
    pub fn tuple(&self, number: u16) -> Option<&[u8]> {
        let (at, length) = self.pointer(usize::from(number).checked_sub(1)?)?;
        self.bytes.get(at..at + length)
    }

    fn raw(&self, number: usize) -> u32 {
        let at = HEADER + POINTER * number;
        let bytes = self.bytes.get(at..at + POINTER).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    fn flags(&self, number: usize) -> u32 {
        self.raw(number) >> 15 & 3
    }

    /// Where a tuple starts, and its length.
    fn pointer(&self, number: usize) -> Option<(usize, usize)> {
        let raw = self.raw(number);
        (raw >> 15 & 3 == NORMAL).then_some(((raw & 0x7FFF) as usize, (raw >> 17) as usize))
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
