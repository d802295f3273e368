//! Where the rows of each table lie in an archive of pg_dump, from its table of contents.
//!
//! Nothing that pg_restore prints says how large a table is, and a planner that weighs tables against each other wants to know;
//! and it decompresses rows in a process of its own, behind a pipe. So this reads the few fields that tell (names, places, how it is compressed)
//! and passes over all others; the layout is the one of pg_backup_archiver.c for the versions 1.12 (PostgreSQL 9.0) to 1.16.
//! Nothing depends on it: whatever is not as expected ends the reading with None, and the sizes are not known.

use crate::model::TableName;
use std::collections::BTreeMap;
use std::io::{Read, Result, Seek, SeekFrom, copy, sink};

/// Versions that are read, as minor numbers of version 1.
const OLDEST: u8 = 12;
const NEWEST: u8 = 16;
/// Bytes of a text that is looked at: names have 63, file names less. Longer ones are not ours.
const NAME_LIMIT: u64 = 1024;

/// Bytes of a COPY statement at most: 1,600 columns of 63 bytes, quoted, each byte twice.
const COPY_LIMIT: u64 = 256 << 10;
/// Number of zlib among the algorithms of versions from 1.15 on; 0 is none.
const ZLIB: u8 = 1;

/// What a table of contents says of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The rows are compressed.
    pub compressed: bool,
    /// They are so by zlib, if at all: the only way before version 1.15.
    pub by_zlib: bool,
    /// Bytes of an integer in the archive.
    pub integer: usize,
    pub data: Vec<TableData>,
    /// Where data of any kind begins, for archives that are one file.
    offsets: Vec<u64>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableData {
    pub table: TableName,
    pub place: Place,
    /// Its number in the archive.
    pub id: i64,
    /// `COPY … FROM stdin;`; None for rows in INSERTs.
    pub copy: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Byte in the archive's file.
    Offset(u64),
    /// File of a directory, or member of a tar.
    File(String),
    /// The archive was written to a pipe, so that pg_dump could not go back and note the place.
    Unknown,
}

impl Contents {
    /// Bytes of each table's rows as they are stored in an archive that is one file of `end` bytes: up to where the next
    /// data begins.
    pub fn sizes_by_offset(&self, end: u64) -> BTreeMap<TableName, u64> {
        let mut starts = self.offsets.clone();
        starts.push(end);
        starts.sort_unstable();
        self.sizes(|place| match place {
            Place::Offset(start) => {
                let next = starts.get(starts.partition_point(|next| next <= start))?;
                Some(next - start)
            }
            _ => None,
        })
    }

    /// The same for an archive of many files, of which `size` knows the sizes.
    pub fn sizes_by_file(&self, mut size: impl FnMut(&str) -> Option<u64>) -> BTreeMap<TableName, u64> {
        self.sizes(|place| match place {
            Place::File(name) => size(name),
            _ => None,
        })
    }

    /// Several entries of one table (a dump by way of the partitioned root) add up.
    fn sizes(&self, mut size: impl FnMut(&Place) -> Option<u64>) -> BTreeMap<TableName, u64> {
        let mut out = BTreeMap::new();
        for data in &self.data {
            if let Some(bytes) = size(&data.place) {
                let sum = out.entry(data.table.clone()).or_insert(0_u64);
                *sum = sum.saturating_add(bytes);
            }
        }
        out
    }
}

/// Reads a table of contents: the head of a custom archive, the `toc.dat` of the others. None where it is not as expected.
pub fn read(source: impl Read) -> Option<Contents> {
    Reader { source, integer: 0, offset: 0, version: 0, custom: false }.contents()
}

/// Name and size of each member of a tar whose first one is a table of contents, and that one's contents.
pub fn read_tar(mut source: impl Read + Seek) -> Option<(Contents, BTreeMap<String, u64>)> {
    let mut members = BTreeMap::new();
    let mut contents = None;
    let mut at = 0_u64;
    loop {
        source.seek(SeekFrom::Start(at)).ok()?;
        let mut header = Vec::with_capacity(TAR_BLOCK);
        Read::by_ref(&mut source).take(TAR_BLOCK as u64).read_to_end(&mut header).ok()?;
        // Two empty blocks end a tar.
        if header.iter().all(|b| *b == 0) {
            break;
        }
        let name = header.get(..100)?.split(|b| *b == 0).next()?;
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let size = tar_number(header.get(124..136)?)?;
        if members.is_empty() {
            contents = read(Read::by_ref(&mut source).take(size));
        }
        members.insert(name, size);
        at = at.checked_add(TAR_BLOCK as u64)?.checked_add(size.checked_next_multiple_of(TAR_BLOCK as u64)?)?;
    }
    Some((contents?, members))
}

const TAR_BLOCK: usize = 512;

/// Octal digits, or big-endian bytes after a byte of 0x80 for what octal digits cannot tell (8 GB and more).
fn tar_number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
        return high.iter().all(|b| *b == 0).then(|| low.iter().fold(0, |n, b| n << 8 | u64::from(*b)));
    }
    let digits = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(digits, 8).ok()
}

struct Reader<R> {
    source: R,
    /// Bytes of an integer and of an offset, as the archive's head says.
    integer: usize,
    offset: usize,
    version: u8,
    custom: bool,
}

impl<R: Read> Reader<R> {
    fn contents(&mut self) -> Option<Contents> {
        let [b'P', b'G', b'D', b'M', b'P', 1, version, _revision, integer, offset, format] = self.bytes()? else {
            return None;
        };
        self.custom = match format {
            1 => true,
            // pg_dump writes the table of contents of a directory as that of a tar.
            3 | 5 => false,
            _ => return None,
        };
        (self.integer, self.offset, self.version) = (usize::from(integer), usize::from(offset), version);
        let known = (OLDEST..=NEWEST).contains(&version) && matches!(integer, 4 | 8) && matches!(offset, 4 | 8);
        if !known {
            return None;
        }
        // An algorithm since 1.15, before that a level of zlib, of which -1 is the usual one.
        let (compressed, by_zlib) = match version >= 15 {
            true => self.bytes::<1>().map(|[algorithm]| (algorithm != 0, algorithm <= ZLIB))?,
            false => (self.number()? != 0, true),
        };
        // When it was made, of what, and by which versions.
        (0..7).try_for_each(|_| self.number().map(drop))?;
        (0..3).try_for_each(|_| self.pass())?;
        let mut contents =
            Contents { compressed, by_zlib, integer: self.integer, data: Vec::new(), offsets: Vec::new() };
        for _ in 0..self.number()? {
            self.entry(&mut contents)?;
        }
        Some(contents)
    }

    fn entry(&mut self, contents: &mut Contents) -> Option<()> {
        let (id, _has_data) = (self.number()?, self.number()?);
        // Catalog and object in it.
        (0..2).try_for_each(|_| self.pass())?;
        let tag = self.name()?;
        let kind = self.name()?;
        let _section = self.number()?;
        // How to create and to drop it.
        (0..2).try_for_each(|_| self.pass())?;
        let copy = self.text(COPY_LIMIT)?.filter(|text| !text.is_empty());
        let schema = self.name()?;
        // Tablespace and, since 1.14, access method.
        (0..if self.version >= 14 { 2 } else { 1 }).try_for_each(|_| self.pass())?;
        if self.version >= 16 {
            let _relation_kind = self.number()?;
        }
        // Owner, and whether it has OIDS.
        (0..2).try_for_each(|_| self.pass())?;
        // What it depends on, up to a missing text.
        while self.skip_text()? {}
        let place = if self.custom { self.data_offset()? } else { self.name()?.map(Place::File) };
        if let Some(Place::Offset(start)) = place {
            contents.offsets.push(start);
        }
        if let (Some("TABLE DATA"), Some(name), Some(schema), Some(place)) = (kind.as_deref(), tag, schema, place) {
            contents.data.push(TableData { table: TableName::new(schema, name), place, id, copy });
        }
        Some(())
    }

    /// Some(None) for an entry without data.
    fn data_offset(&mut self) -> Option<Option<Place>> {
        let [state] = self.bytes()?;
        let mut offset = 0_u64;
        for at in 0..self.offset {
            let [byte] = self.bytes()?;
            offset |= u64::from(byte) << (8 * at);
        }
        match state {
            1 => Some(Some(Place::Unknown)),
            2 => Some(Some(Place::Offset(offset))),
            3 => Some(None),
            _ => None,
        }
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A byte for the sign, then the amount, lowest byte first.
    fn number(&mut self) -> Option<i64> {
        let [sign] = self.bytes()?;
        let mut amount = 0_i64;
        for at in 0..self.integer {
            let [byte] = self.bytes()?;
            // An integer of pg_dump has four bytes that count, however many are written.
            if at < 4 {
                amount |= i64::from(byte) << (8 * at);
            } else if byte != 0 {
                return None;
            }
        }
        Some(if sign == 0 { amount } else { -amount })
    }

    fn name(&mut self) -> Option<Option<String>> {
        self.text(NAME_LIMIT)
    }

    /// Length first; a negative one is a missing text, Some(None).
    fn text(&mut self, limit: u64) -> Option<Option<String>> {
        let Ok(length) = u64::try_from(self.number()?) else { return Some(None) };
        if length > limit {
            // Too long for what it should be: passed over, and nothing.
            return self.skip(length).ok().map(|()| None);
        }
        let mut text = Vec::new();
        Read::by_ref(&mut self.source).take(length).read_to_end(&mut text).ok()?;
        let whole = text.len() as u64 == length;
        // Names of an archive are in its own encoding.
        whole.then(|| Some(String::from_utf8_lossy(&text).into_owned()))
    }

    fn pass(&mut self) -> Option<()> {
        self.skip_text().map(drop)
    }

    /// False for a missing text.
    fn skip_text(&mut self) -> Option<bool> {
        match u64::try_from(self.number()?) {
            Ok(length) => self.skip(length).ok().map(|()| true),
            Err(_) => Some(false),
        }
    }

    fn skip(&mut self, length: u64) -> Result<()> {
        let skipped = copy(&mut Read::by_ref(&mut self.source).take(length), &mut sink())?;
        if skipped == length { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The bytes of one entry's data in a custom archive: blocks, each with its length, up to one of none.
#[derive(Debug)]
pub struct Blocks<R> {
    source: R,
    integer: usize,
    left: u64,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// `source` stands at the entry's offset.
    ///
    /// # Errors
    /// InvalidData where there is no data of that entry.
    pub fn open(source: R, integer: usize, id: i64) -> Result<Self> {
        const DATA: [u8; 1] = [1];
        let mut blocks = Self { source, integer, left: 0, ended: false };
        let mut kind = [0];
        blocks.source.read_exact(&mut kind)?;
        if kind == DATA && blocks.number()? == id { Ok(blocks) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    }

    fn number(&mut self) -> Result<i64> {
        let mut bytes = [0; 9];
        let Some(bytes) = bytes.get_mut(..=self.integer) else { return Err(std::io::ErrorKind::InvalidData.into()) };
        self.source.read_exact(bytes)?;
        let (sign, amount) = bytes.split_first().unwrap_or((&0, &[]));
        let amount = amount.iter().take(4).rev().fold(0_i64, |n, b| n << 8 | i64::from(*b));
        Ok(if *sign == 0 { amount } else { -amount })
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.left == 0 && !self.ended {
            self.left = u64::try_from(self.number()?).map_err(|_| std::io::ErrorKind::InvalidData)?;
            self.ended = self.left == 0;
        }
        let read = Read::by_ref(&mut self.source).take(self.left).read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}
