//! A sliding window over a stream.
//!
//! What was read and not yet used lies in one buffer, as one slice. The buffer keeps its size while what is looked at fits
//! half of it, doubles for something larger, and shrinks back afterwards; each byte is moved a bounded number of times.

use std::io::{ErrorKind, Read, Result};

/// Several pipe buffers (64 kB on Linux), and still within a second-level cache.
const CAPACITY: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the stream before `start`.
    offset: u64,
    whole: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CAPACITY], start: 0, end: 0, offset: 0, whole: false }
    }

    pub(super) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    pub(super) fn into_source(self) -> R {
        self.source
    }

    /// What was read and not yet taken.
    pub(super) fn text(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The stream has ended: nothing follows the text.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// Place of the text in the stream, in bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves the window behind the first `len` bytes of the text and hands them out.
    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        let taken = self.start..self.end.min(self.start.saturating_add(len));
        self.start = taken.end;
        self.offset += taken.len() as u64;
        self.buffer.get(taken).unwrap_or_default()
    }

    /// Reads until the text has `want` bytes or the stream ends. Asking for twice as much each time keeps the work linear
    /// for a caller that looks at the whole text again.
    pub(super) fn grow(&mut self, want: usize) -> Result<()> {
        while self.end - self.start < want && !self.whole {
            if self.end == self.buffer.len() {
                self.make_room();
            }
            match self.source.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => self.whole = true,
                // A source that claims more than it was given room for is wrong; believe the room.
                Ok(read) => self.end = self.buffer.len().min(self.end + read),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn make_room(&mut self) {
        let len = self.end - self.start;
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, len);
        if len > self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if self.buffer.len() > CAPACITY && len < CAPACITY / 2 {
            self.buffer.truncate(CAPACITY);
            self.buffer.shrink_to_fit();
        }
    }
}
