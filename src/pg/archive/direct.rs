//! The rows of an archive without pg_restore, where its table of contents says where they lie: decompressed by the thread that reads them.
//!
//! pg_restore decompresses with the system's zlib, half as fast, and sends the rows through a pipe. What is not as
//! expected (a place that is not known, another compression, rows in INSERTs) is left to it, and so is everything else in an archive.

use super::place::{CONTENTS, Count, Counted, Place};
use super::sizes::stored_file;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use foreshard_core::backup::toc::{self, Blocks, Contents, TableData};
use foreshard_core::model::config::BackupFormat;
use foreshard_core::model::{Problem, TableName};
use std::collections::VecDeque;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

/// Bytes of the archive read at a time.
const BLOCK: usize = 256 << 10;

/// COPY statements with their rows, one after the other.
pub(super) struct Direct {
    parts: VecDeque<Box<dyn Read + Send>>,
    /// Stored bytes of the rows that were read.
    count: Count,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").field("parts", &self.parts.len()).finish()
    }
}

impl Direct {
    /// None where pg_restore has to read the rows of `tables`.
    pub(super) fn open(place: &Place, format: BackupFormat, tables: &[TableName]) -> Option<Self> {
        let toc = match format {
            BackupFormat::Custom => place.clone(),
            BackupFormat::Directory => place.member(CONTENTS)?,
            BackupFormat::Tar | BackupFormat::Plain | BackupFormat::Csv | BackupFormat::Text => return None,
        };
        let contents = toc::read(BufReader::new(toc.open().ok()?)).filter(|c| c.by_zlib)?;
        let count = Count::default();
        let mut parts: VecDeque<Box<dyn Read + Send>> = VecDeque::new();
        for data in contents.data.iter().filter(|d| tables.contains(&d.table)) {
            let copy = data.copy.as_ref()?;
            parts.push_back(Box::new(Cursor::new(copy.clone().into_bytes())));
            parts.push_back(rows(place, &contents, data, &count)?);
        }
        Some(Self { parts, count }).filter(|direct| !direct.parts.is_empty())
    }

    /// Bytes of the rows read so far, as they are stored.
    pub(super) fn consumed(&self) -> u64 {
        self.count.get()
    }
}

/// The rows of one entry, up to the line that ends them.
fn rows(archive: &Place, contents: &Contents, data: &TableData, count: &Count) -> Option<Box<dyn Read + Send>> {
    match &data.place {
        toc::Place::Offset(offset) => {
            let mut file = archive.open().ok()?;
            file.seek(SeekFrom::Start(*offset)).ok()?;
            let blocks = Blocks::open(buffered(file), contents.integer, data.id).ok()?;
            let blocks = Counted::new(buffered(blocks), count);
            Some(if contents.compressed { Box::new(ZlibDecoder::new(blocks)) } else { Box::new(blocks) })
        }
        toc::Place::File(name) => {
            let (file, ending) = stored_file(archive, name)?;
            let file = Counted::new(buffered(file.open().ok()?), count);
            match ending {
                ".gz" => Some(Box::new(GzDecoder::new(file))),
                "" => Some(Box::new(file)),
                _ => None,
            }
        }
        toc::Place::Unknown => None,
    }
}

fn buffered<R: Read>(source: R) -> BufReader<R> {
    BufReader::with_capacity(BLOCK, source)
}

/// What the decompression, or a block's head, says of it.
pub(super) fn damaged(error: &std::io::Error) -> Problem {
    Problem::new("22P04", "could not read the backup")
        .detail(format!("Its rows cannot be decompressed: {error}."))
        .hint("The file is damaged or incomplete: check it with pg_restore -l, and take the backup again.")
}

impl Read for Direct {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(part) = self.parts.front_mut() {
            match part.read(buffer)? {
                0 if !buffer.is_empty() => drop(self.parts.pop_front()),
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}
