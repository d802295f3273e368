//! Sorted keys to pages: the leaves one after the other, then level by level up to the root, as `nbtsort.c` lays them out.

use super::keys::{Entries, Keys, Tid, Words};
use super::page::{LEAF, Links, POINTER, Page, ROOM, ROOT, lowest, pivot, plain, point, posting};
use crate::heap::PAGE;

/// A unique index has a key twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate;

/// Percent of a page that is filled: BTREE_DEFAULT_FILLFACTOR for leaves, BTREE_NONLEAF_FILLFACTOR above.
const LEAF_FILL: usize = 90;
const UPPER_FILL: usize = 70;
/// Bytes of a list of rows at most: a tenth of a page, without its line pointer.
const LONGEST_LIST: usize = PAGE / 10 / 8 * 8 - POINTER;
/// Bytes of a row's place in such a list.
const PLACE: usize = 6;

/// The pages of an index from its first block on. `unique`: no key twice, NULLs apart.
///
/// # Errors
/// [`Duplicate`]
pub fn build(keys: &Keys, mut entries: Entries, unique: bool) -> Result<Vec<Box<[u8]>>, Duplicate> {
    entries.sort();
    let mut leaves = Leaves { level: Level::new(LEAF_FILL), columns: keys.count(), unique, last: None };
    match &entries.words {
        Words::Narrow(words) => leaves.add_all(keys, words)?,
        Words::Wide(words) => leaves.add_all(keys, words)?,
    }
    leaves.add_rows(None, &entries.nulls, |tid| *tid);
    Ok(finish(leaves.level))
}

/// The pages of one level.
#[derive(Debug)]
struct Level {
    fill: usize,
    /// Items of the page in hand, without its high key: their bytes and lengths.
    items: Vec<u8>,
    lengths: Vec<usize>,
    /// The pages' lower borders.
    borders: Vec<Vec<u8>>,
    pages: Vec<Page>,
}

impl Level {
    fn new(fill: usize) -> Self {
        Self { fill, items: Vec::new(), lengths: Vec::new(), borders: vec![lowest()], pages: Vec::new() }
    }

    fn used(&self) -> usize {
        self.items.len() + POINTER * self.lengths.len()
    }

    /// Whether an item goes to the next page; a high key of `high` bytes must fit on this one.
    fn is_full(&self, item: usize, high: usize) -> bool {
        let with = self.used() + item + POINTER;
        !self.lengths.is_empty() && (with + high + POINTER > ROOM || with > ROOM * self.fill / 100)
    }

    fn add(&mut self, item: &[u8]) {
        self.items.extend_from_slice(item);
        self.lengths.push(item.len());
    }

    /// Finishes the page in hand; the next one begins at the border.
    fn cut(&mut self, border: Vec<u8>) {
        self.end_page(Some(&border));
        self.borders.push(border);
    }

    fn end_page(&mut self, high: Option<&[u8]>) {
        let mut page = Page::new();
        let mut at = 0;
        // There is room for all, since it was counted.
        let _high = high.map(|high| page.add(high));
        for length in self.lengths.drain(..) {
            let _item = self.items.get(at..at + length).map(|item| page.add(item));
            at += length;
        }
        self.items.clear();
        self.pages.push(page);
    }
}

/// The lowest level while it is filled.
struct Leaves {
    level: Level,
    columns: usize,
    unique: bool,
    /// The key of the last item, None for NULL, and the last of its rows.
    last: Option<(Option<Vec<u8>>, Tid)>,
}

impl Leaves {
    fn add_all<W: Copy + PartialEq + Into<u128>>(&mut self, keys: &Keys, words: &[(W, Tid)]) -> Result<(), Duplicate> {
        let mut key = Vec::new();
        for equal in words.chunk_by(|a, b| a.0 == b.0) {
            let [(word, _), others @ ..] = equal else { continue };
            if self.unique && !others.is_empty() {
                return Err(Duplicate);
            }
            key.clear();
            keys.values((*word).into(), &mut key);
            self.add_rows(Some(&key), equal, |entry| entry.1);
        }
        Ok(())
    }

    /// Rows of one key, in their order; in lists, but for a unique index.
    fn add_rows<E>(&mut self, key: Option<&[u8]>, rows: &[E], tid: impl Fn(&E) -> Tid) {
        let most = if self.unique { 1 } else { (LONGEST_LIST - pivot_size(key)) / PLACE };
        let mut item = Vec::new();
        for some in rows.chunks(most) {
            let Some(last) = some.last().map(&tid) else { continue };
            match some.len() {
                1 => plain(key, last, &mut item),
                _ => posting(key, some.iter().map(&tid), &mut item),
            }
            self.add(&item, key, last);
        }
    }

    fn add(&mut self, item: &[u8], key: Option<&[u8]>, last: Tid) {
        let same = |l: &&mut (Option<Vec<u8>>, Tid)| l.0.as_deref() == key;
        if self.level.is_full(item.len(), pivot_size(key)) {
            let row = self.last.as_mut().filter(same).map(|l| l.1);
            self.level.cut(pivot(key, self.columns, row));
        }
        self.level.add(item);
        match (&mut self.last, key) {
            (Some((Some(before), row)), Some(key)) => {
                before.clear();
                before.extend_from_slice(key);
                *row = last;
            }
            (before, key) => *before = Some((key.map(<[u8]>::to_vec), last)),
        }
    }
}

/// Bytes of a border with that key, at most.
fn pivot_size(key: Option<&[u8]>) -> usize {
    8 + key.map_or(8, <[u8]>::len).next_multiple_of(8) + 8
}

/// All pages in their order: the first one, the leaves, what is above them.
fn finish(mut level: Level) -> Vec<Box<[u8]>> {
    if level.lengths.is_empty() {
        return vec![Page::meta(0, 0)];
    }
    let mut out: Vec<Box<[u8]>> = vec![Box::default()];
    for height in 0.. {
        level.end_page(None);
        let first = out.len() as u32;
        let count = level.pages.len() as u32;
        let flags = if height == 0 { LEAF } else { 0 } | if count == 1 { ROOT } else { 0 };
        out.extend((0..).zip(level.pages).map(|(n, page)| {
            let previous = if n == 0 { 0 } else { first + n - 1 };
            let next = if n + 1 == count { 0 } else { first + n + 1 };
            page.finish(&Links { previous, next, level: height, flags })
        }));
        if count == 1 {
            if let Some(meta) = out.first_mut() {
                *meta = Page::meta(first, height);
            }
            break;
        }
        level = above(level.borders, first);
    }
    out
}

/// The level above pages with these lower borders, of which the first is at block `first`.
fn above(borders: Vec<Vec<u8>>, first: u32) -> Level {
    let mut level = Level::new(UPPER_FILL);
    for (block, mut border) in (first..).zip(borders) {
        if level.is_full(border.len(), border.len()) {
            // The first item of a page stands for all that is below the second.
            level.cut(std::mem::replace(&mut border, lowest()));
        }
        point(&mut border, block);
        level.add(&border);
    }
    level
}
