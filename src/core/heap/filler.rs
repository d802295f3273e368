//! Rows into pages: what one thread does.

use super::page::Page;
use super::tuple::{LONGEST, Shape, Values};
use crate::backup::checksum::Checksum;
use crate::backup::rows::{Row, RowError, RowFormat, RowReader};
use crate::route::Router;
use smallvec::SmallVec;

/// A page that is full, or the last one of its shard.
#[derive(Debug)]
pub struct Filled {
    pub shard: u32,
    pub page: Page,
}

/// Rows that COPY has to take, as they stand in the data with their line ends.
#[derive(Debug, Default)]
pub struct Odd {
    pub lines: Vec<u8>,
    /// The number of each in what was read: in a chunk from 0.
    pub numbers: Vec<u64>,
}

/// What became of a chunk.
#[derive(Debug, Default)]
pub struct Report {
    /// All its rows.
    pub rows: u64,
    /// Of those that were understood: they went into pages, or away.
    pub checksum: Checksum,
    pub odd: Odd,
    /// Rows of shards that live elsewhere in COPY's binary format ([`super::binary`]), by the number of the place; their fields are
    /// the columns of the table in its order.
    pub away: Vec<Vec<u8>>,
}

/// Fills the pages of all shards; has one page for each in its hands.
#[derive(Debug, Clone)]
pub struct Filler {
    lines: Lines,
    pages: Vec<Option<Page>>,
    /// Of each shard, where its rows are sent instead of being made into pages.
    places: Vec<Option<u32>>,
}

/// How rows are understood.
#[derive(Debug, Clone)]
struct Lines {
    shape: Shape,
    /// None for a table that is not sharded.
    router: Option<Router>,
    /// Which columns of the table are the key, in its order.
    key: Vec<usize>,
    /// Which field of a row each column of the table is.
    fields: Vec<usize>,
    reader: RowReader,
    values: Values,
}

impl Filler {
    /// `fields`: which field of a row each column of the shape is; `key`: which columns the router wants.
    pub fn new(shape: Shape, router: Option<Router>, key: Vec<usize>, fields: Vec<usize>, format: RowFormat) -> Self {
        let reader = RowReader::new(format, None);
        let lines = Lines { shape, router, key, fields, reader, values: Values::default() };
        Self { lines, pages: Vec::new(), places: Vec::new() }
    }

    /// `places`: the place elsewhere that each shard's rows are sent to, None for those that pages are made of.
    pub fn sending(self, places: &[Option<u32>]) -> Self {
        Self { places: places.to_vec(), ..self }
    }

    /// Whole lines of COPY text.
    ///
    /// # Errors
    /// A row that is longer than COPY takes.
    pub fn rows(&mut self, chunk: &[u8], full: &mut impl FnMut(Filled)) -> Result<Report, RowError> {
        let Self { lines, pages, places } = self;
        let mut away: Vec<Vec<u8>> = Vec::new();
        let report = lines.each(chunk, |shard, _, shape, values| {
            let at = usize::try_from(shard).ok()?;
            if let Some(place) = places.get(at).copied().flatten() {
                let place = usize::try_from(place).ok()?;
                if away.len() <= place {
                    away.resize_with(place + 1, Vec::new);
                }
                let rows = away.get_mut(place)?;
                let before = rows.len();
                let sent = shape.send(values, rows);
                if sent.is_none() {
                    rows.truncate(before);
                }
                return sent;
            }
            if shape.length(values) > LONGEST {
                return None;
            }
            if pages.len() <= at {
                pages.resize(at + 1, None);
            }
            let page = pages.get_mut(at)?;
            if shape.add(values, page.get_or_insert_default()).is_none() {
                full(Filled { shard, page: page.replace(Page::default())? });
                shape.add(values, page.as_mut()?)?;
            }
            Some(())
        })?;
        Ok(Report { away, ..report })
    }

    /// Reads the same, and makes nothing of it; `seen` is told the shard, the number in the chunk and the values of each row that is
    /// understood.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn read(&mut self, chunk: &[u8], seen: &mut impl FnMut(u32, u64, &Shape, &Values)) -> Result<Report, RowError> {
        self.lines.each(chunk, |shard, number, shape, values| {
            seen(shard, number, shape, values);
            Some(())
        })
    }

    /// The pages that are not full.
    pub fn finish(self) -> impl Iterator<Item = Filled> {
        self.pages.into_iter().zip(0..).filter_map(|(page, shard)| Some(Filled { shard, page: page? }))
    }
}

impl Lines {
    /// `take` may give back, by None, a row that was understood.
    fn each(
        &mut self,
        chunk: &[u8],
        mut take: impl FnMut(u32, u64, &Shape, &Values) -> Option<()>,
    ) -> Result<Report, RowError> {
        let mut report = Report::default();
        let Self { shape, router, key, fields, reader, values } = self;
        // Line ends of another system: COPY knows what to do with them.
        let foreign = memchr::memchr(b'\r', chunk).is_some();
        reader.push(chunk, |row| {
            let shard = fill_one(&row, shape, router.as_ref(), key, fields, values).filter(|_| !foreign);
            match shard.and_then(|shard| take(shard, report.rows, shape, values)) {
                Some(()) => report.checksum.add(values.hash()),
                None => {
                    report.odd.lines.extend_from_slice(row.line());
                    report.odd.lines.push(b'\n');
                    report.odd.numbers.push(report.rows);
                }
            }
            report.rows += 1;
        })?;
        Ok(report)
    }
}

/// The row's values, and the shard that it belongs to.
fn fill_one(
    row: &Row<'_>,
    shape: &Shape,
    router: Option<&Router>,
    key: &[usize],
    fields: &[usize],
    values: &mut Values,
) -> Option<u32> {
    let texts: SmallVec<[Option<&[u8]>; 16]> = row.fields().collect();
    if texts.len() != fields.len() {
        return None;
    }
    let of_column = |column: usize| texts.get(*fields.get(column)?).copied();
    shape.read(fields.iter().map(|field| texts.get(*field).copied().flatten()), values)?;
    let Some(router) = router else { return Some(0) };
    let key: SmallVec<[Option<&[u8]>; 4]> = key.iter().map(|column| of_column(*column)).collect::<Option<_>>()?;
    router.shard_of(&key)
}
