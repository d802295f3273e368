//! Where the bytes of a backup lie: in a file of the server, in its directories, or in objects of a store; and those bytes.

use super::file;
use crate::pg::error::Result;
use crate::pg::store::{Object, Stream};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The table of contents among the files of a directory.
pub(super) const CONTENTS: &str = "toc.dat";

#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Of the server: a file, or a directory of pg_dump.
    Path(String),
    Object(Arc<Object>),
    /// The objects of a directory by their names in it.
    Folder(Arc<Folder>),
}

#[derive(Debug)]
pub(super) struct Folder {
    /// As it is called in messages.
    pub address: String,
    pub objects: BTreeMap<String, Arc<Object>>,
}

impl Place {
    pub fn open(&self) -> Result<Source> {
        Ok(match self {
            Self::Path(path) => Source::File(file::open(path)?),
            Self::Object(object) => Source::Object(object.open()),
            Self::Folder(folder) => return Err(file::no_contents(&folder.address)),
        })
    }

    /// Bytes of it; None for what is no file.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Path(path) => std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len()),
            Self::Object(object) => Some(object.size),
            Self::Folder(_) => None,
        }
    }

    /// A file of a directory; None where there is none of that name.
    pub fn member(&self, name: &str) -> Option<Self> {
        // What a table of contents names is a file of this directory, and nothing else.
        if name.contains('/') {
            return None;
        }
        match self {
            Self::Path(path) => {
                let file = Path::new(path).join(name);
                std::fs::metadata(&file)
                    .is_ok_and(|m| m.is_file())
                    .then(|| Self::Path(file.to_string_lossy().into_owned()))
            }
            Self::Folder(folder) => folder.objects.get(name).cloned().map(Self::Object),
            Self::Object(_) => None,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Object(object) => write!(f, "{}", object.address),
            Self::Folder(folder) => f.write_str(&folder.address),
        }
    }
}

/// The bytes of a place.
#[derive(Debug)]
pub(super) enum Source {
    File(File),
    Object(Stream),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Object(object) => object.read(buffer),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Object(object) => object.seek(to),
        }
    }
}

/// How far something was read, for others to see.
#[derive(Debug, Clone, Default)]
pub(super) struct Count(Arc<AtomicU64>);

impl Count {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts the bytes that are taken out of a buffer.
#[derive(Debug)]
pub(super) struct Counted<R> {
    source: R,
    count: Count,
}

impl<R> Counted<R> {
    pub fn new(source: R, count: &Count) -> Self {
        Self { source, count: count.clone() }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
        self.count.0.fetch_add(amount as u64, Ordering::Relaxed);
    }
}
