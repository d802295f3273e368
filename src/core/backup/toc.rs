//! Where the rows of each table lie in an archive of pg_dump, from its table of contents.
//!
//! Archives are restored by pg_restore alone. But nothing that it prints says how large a table is, and a planner that weighs
//! tables against each other wants to know. So this reads the few fields that tell (names, places, whether it is compressed)
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

/// What a table of contents says of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The rows are compressed.
    pub compressed: bool,
    pub data: Vec<TableData>,
    /// Where data of any kind begins, for archives that are one file.
    offsets: Vec<u64>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableData {
    pub table: TableName,
    pub place: Place,
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
        let compressed = if version >= 15 { self.bytes::<1>()? != [0] } else { self.number()? != 0 };
        // When it was made, of what, and by which versions.
        (0..7).try_for_each(|_| self.number().map(drop))?;
        (0..3).try_for_each(|_| self.pass())?;
        let mut contents = Contents { compressed, data: Vec::new(), offsets: Vec::new() };
        for _ in 0..self.number()? {
            self.entry(&mut contents)?;
        }
        Some(contents)
    }

    fn entry(&mut self, contents: &mut Contents) -> Option<()> {
        let (_dump_id, _has_data) = (self.number()?, self.number()?);
        // Catalog and object in it.
        (0..2).try_for_each(|_| self.pass())?;
        let tag = self.text()?;
        let kind = self.text()?;
        let _section = self.number()?;
        // How to create, to drop and to copy it.
        (0..3).try_for_each(|_| self.pass())?;
        let schema = self.text()?;
        // Tablespace and, since 1.14, access method.
        (0..if self.version >= 14 { 2 } else { 1 }).try_for_each(|_| self.pass())?;
        if self.version >= 16 {
            let _relation_kind = self.number()?;
        }
        // Owner, and whether it has OIDS.
        (0..2).try_for_each(|_| self.pass())?;
        // What it depends on, up to a missing text.
        while self.skip_text()? {}
        let place = if self.custom { self.data_offset()? } else { self.text()?.map(Place::File) };
        if let Some(Place::Offset(start)) = place {
            contents.offsets.push(start);
        }
        if let (Some("TABLE DATA"), Some(name), Some(schema), Some(place)) = (kind.as_deref(), tag, schema, place) {
            contents.data.push(TableData { table: TableName::new(schema, name), place });
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

    /// Length first; a negative one is a missing text, Some(None).
    fn text(&mut self) -> Option<Option<String>> {
        let Ok(length) = u64::try_from(self.number()?) else { return Some(None) };
        if length > NAME_LIMIT {
            // Too long for a name: passed over, and no name.
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
