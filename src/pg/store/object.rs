//! One object of a store: found, read from any place, or fed into a pipe.

use super::answer::as_io;
use super::client::{Listed, Piece, Store};
use super::pending::Pending;
use crate::pg::error::{Error, Result};
use crate::pg::threads::{Stop, spawn_alone};
use foreshard_core::backup::address::Address;
use foreshard_core::model::Problem;
use parking_lot::Mutex;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of the first range that is asked for at a place, and of the largest: each is twice the one before, so that looking at a head
/// is cheap and reading on is not slowed by requests. AWS advises 8 to 16 MB.
const FIRST: u64 = 64 << 10;
const LARGEST: u64 = 8 << 20;

#[derive(Debug)]
pub struct Object {
    store: Arc<Store>,
    pub address: Address,
    pub size: u64,
    /// Of its content when it was found: it is read only as long as it has it.
    tag: Option<String>,
    /// Its beginning, if that was read when it was found.
    head: Vec<u8>,
}

/// The result of a thread's work for the backend.
fn ask<T: Send + 'static>(work: impl FnOnce(&Stop) -> std::result::Result<T, Problem> + Send + 'static) -> Result<T> {
    let outcome = Pending::start(work)?.wait().map_err(|e| {
        Error::from(Problem::new("XX000", "a request to the store failed").detail(format!("{e}.")).hint("Report this."))
    })?;
    Ok(outcome?)
}

impl Object {
    /// What the store calls its content.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// # Errors
    /// Why it cannot be read.
    pub fn find(store: &Arc<Store>, address: Address) -> Result<Arc<Self>> {
        let (asked, at) = (Arc::clone(store), address.clone());
        let Piece { bytes, size, tag } = ask(move |stop| asked.get(&at, 0..FIRST, None, stop))?;
        Ok(Arc::new(Self { store: Arc::clone(store), address, size, tag, head: bytes }))
    }

    /// All objects of the bucket whose keys begin so; their content is not looked at.
    ///
    /// # Errors
    /// Why the bucket cannot be listed.
    pub fn list(store: &Arc<Store>, address: &Address, prefix: &str) -> Result<Vec<Arc<Self>>> {
        let (asked, at, prefix) = (Arc::clone(store), address.clone(), prefix.to_owned());
        let listed = ask(move |stop| asked.list(&at, &prefix, stop))?;
        let object = |Listed { key, size, tag }| {
            let (store, address) = (Arc::clone(store), address.with_key(&key));
            Arc::new(Self { store, address, size, tag, head: Vec::new() })
        };
        Ok(listed.into_iter().map(object).collect())
    }

    pub fn open(self: &Arc<Self>) -> Stream {
        let chunk = Chunk { begins: 0, bytes: self.head.clone() };
        Stream { object: Arc::clone(self), at: 0, chunk, next: None }
    }

    fn get(&self, range: Range<u64>, stop: &Stop) -> std::result::Result<Vec<u8>, Problem> {
        self.store.get(&self.address, range, self.tag.as_deref(), stop).map(|piece| piece.bytes)
    }

    /// Writes it into a pipe, as far as that is read.
    ///
    /// # Errors
    /// 53000 when the system gives no thread.
    pub fn feed(self: &Arc<Self>, mut pipe: impl Write + Send + 'static) -> Result<Fed> {
        let fed = Fed::default();
        let (object, Fed { failed, stop }) = (Arc::clone(self), fed.clone());
        let _detached = spawn_alone(move || {
            let (mut at, mut step) = (object.head.len() as u64, FIRST);
            // Whoever has read enough closes the pipe.
            let mut open = pipe.write_all(&object.head).is_ok();
            while open && at < object.size && !stop.is_set() {
                let end = object.size.min(at + step);
                match object.get(at..end, &stop) {
                    Ok(bytes) => open = pipe.write_all(&bytes).is_ok(),
                    Err(problem) => {
                        *failed.lock() = Some(problem);
                        break;
                    }
                }
                (at, step) = (end, LARGEST.min(2 * step));
            }
        })?;
        Ok(fed)
    }
}

/// An object on its way into a pipe.
#[derive(Debug, Clone, Default)]
pub struct Fed {
    failed: Arc<Mutex<Option<Problem>>>,
    stop: Stop,
}

impl Fed {
    /// Why the pipe ended before the object did.
    pub fn problem(&self) -> Option<Problem> {
        self.failed.lock().clone()
    }

    /// Nobody reads from the pipe any more.
    pub fn stop(&self) {
        self.stop.set();
    }
}

/// Bytes at a place of the object.
#[derive(Debug)]
struct Chunk {
    begins: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    fn from(&self, at: u64) -> &[u8] {
        let skip = at.checked_sub(self.begins).and_then(|n| usize::try_from(n).ok());
        skip.and_then(|n| self.bytes.get(n..)).unwrap_or_default()
    }
}

/// A chunk that was asked for.
#[derive(Debug)]
struct Coming {
    range: Range<u64>,
    bytes: Pending<std::result::Result<Vec<u8>, Problem>>,
}

/// An object's bytes from any place on. While a chunk is used up by somebody who goes on, the one behind it is on its way.
#[derive(Debug)]
pub struct Stream {
    object: Arc<Object>,
    at: u64,
    chunk: Chunk,
    next: Option<Coming>,
}

impl Stream {
    fn ask(&self, begin: u64, step: u64) -> std::io::Result<Option<Coming>> {
        let range = begin..self.object.size.min(begin.saturating_add(step));
        if range.is_empty() {
            return Ok(None);
        }
        let (object, wanted) = (Arc::clone(&self.object), range.clone());
        let started = Pending::start(move |stop| object.get(wanted, stop));
        let bytes = started.map_err(|e| match e.into_problems().into_iter().next() {
            Some(problem) => as_io(problem),
            None => std::io::ErrorKind::Other.into(),
        })?;
        Ok(Some(Coming { range, bytes }))
    }

    /// Takes the chunk that `at` is in.
    fn fetch(&mut self) -> std::io::Result<()> {
        let read = self.chunk.bytes.len() as u64;
        // Whoever has come to the end of a chunk goes on; whoever begins may only want to look.
        let goes_on = read > 0 && self.chunk.begins + read == self.at;
        let asked = match self.next.take().filter(|next| next.range.contains(&self.at)) {
            Some(next) => Some(next),
            None => self.ask(self.at, if goes_on { LARGEST.min(2 * read) } else { FIRST })?,
        };
        let Some(Coming { range, bytes }) = asked else { return Ok(()) };
        let bytes = bytes.wait()?.map_err(as_io)?;
        self.chunk = Chunk { begins: range.start, bytes };
        if goes_on {
            self.next = self.ask(range.end, LARGEST.min(2 * (range.end - range.start)))?;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.chunk.from(self.at).is_empty() && self.at < self.object.size {
            self.fetch()?;
        }
        let there = self.chunk.from(self.at);
        let n = there.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n), there.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let from = |base: u64, by: i64| base.checked_add_signed(by).ok_or(std::io::ErrorKind::InvalidInput);
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => from(self.at, by)?,
            SeekFrom::End(by) => from(self.object.size, by)?,
        };
        Ok(self.at)
    }
}
