//! The rows of an archive without pg_restore, where its table of contents says where they lie: decompressed by the thread that reads them.
//!
//! pg_restore decompresses with the system's zlib, half as fast, and sends the rows through a pipe. What is not as
//! expected (a place that is not known, another compression, rows in INSERTs) is left to it, and so is everything else in an archive.

use super::file;
use super::sizes::stored_file;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use foreshard_core::backup::toc::{self, Blocks, Contents, Place, TableData};
use foreshard_core::model::config::BackupFormat;
use foreshard_core::model::{Problem, TableName};
use std::collections::VecDeque;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the archive read at a time.
const BLOCK: usize = 256 << 10;

/// COPY statements with their rows, one after the other.
pub(super) struct Direct {
    parts: VecDeque<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").field("parts", &self.parts.len()).finish()
    }
}

impl Direct {
    /// None where pg_restore has to read the rows of `tables`.
    pub(super) fn open(path: &str, format: BackupFormat, tables: &[TableName]) -> Option<Self> {
        let toc = match format {
            BackupFormat::Custom => path.to_owned(),
            BackupFormat::Directory => Path::new(path).join("toc.dat").to_string_lossy().into_owned(),
            BackupFormat::Tar | BackupFormat::Plain | BackupFormat::Csv | BackupFormat::Text => return None,
        };
        let contents = toc::read(BufReader::new(file::open(&toc).ok()?)).filter(|c| c.by_zlib)?;
        let mut parts: VecDeque<Box<dyn Read + Send>> = VecDeque::new();
        for data in contents.data.iter().filter(|d| tables.contains(&d.table)) {
            let copy = data.copy.as_ref()?;
            parts.push_back(Box::new(Cursor::new(copy.clone().into_bytes())));
            parts.push_back(rows(path, &contents, data)?);
        }
        Some(Self { parts }).filter(|direct| !direct.parts.is_empty())
    }
}

/// The rows of one entry, up to the line that ends them.
fn rows(path: &str, contents: &Contents, data: &TableData) -> Option<Box<dyn Read + Send>> {
    match &data.place {
        Place::Offset(offset) => {
            let mut file = file::open(path).ok()?;
            file.seek(SeekFrom::Start(*offset)).ok()?;
            let blocks = Blocks::open(buffered(file), contents.integer, data.id).ok()?;
            Some(if contents.compressed { Box::new(ZlibDecoder::new(buffered(blocks))) } else { Box::new(blocks) })
        }
        Place::File(name) => {
            let path = stored_file(Path::new(path), name)?;
            let file = buffered(file::open(&path.to_string_lossy()).ok()?);
            match path.extension()?.to_str()? {
                "gz" => Some(Box::new(GzDecoder::new(file))),
                "dat" => Some(Box::new(file)),
                _ => None,
            }
        }
        Place::Unknown => None,
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
