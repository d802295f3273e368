//! Files that were compressed as a whole after they were written, decompressed while they are read.
//!
//! pg_dump's own compression is not met here: archives are pg_restore's to read, which needs their bytes as they are.

use super::place::{Count, Counted, Source};
use crate::pg::store::told;
use flate2::bufread::MultiGzDecoder;
use foreshard_core::backup::format::Compression;
use foreshard_core::model::Problem;
use lz4_flex::frame::FrameDecoder;
use std::io::{BufReader, Read};

/// Bytes of the file read at a time.
const BLOCK: usize = 256 << 10;

/// A file's content, decompressed.
pub(super) struct Decompressed {
    compression: Compression,
    decoder: Box<dyn Read + Send>,
    /// Bytes of the file that were decompressed.
    count: Count,
}

impl std::fmt::Debug for Decompressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressed").field("compression", &self.compression).finish_non_exhaustive()
    }
}

impl Decompressed {
    pub(super) fn open(file: Source, compression: Compression) -> std::io::Result<Self> {
        let count = Count::default();
        let file = Counted::new(BufReader::with_capacity(BLOCK, file), &count);
        // One file may be several compressed ones behind each other.
        let decoder: Box<dyn Read + Send> = match compression {
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(file)?),
            Compression::Lz4 => Box::new(Frames::new(file)),
        };
        Ok(Self { compression, decoder, count })
    }

    /// Bytes of the file decompressed so far.
    pub(super) fn consumed(&self) -> u64 {
        self.count.get()
    }

    /// What went wrong with reading: the disk, or what is on it.
    pub(super) fn problem(&self, error: &std::io::Error) -> Problem {
        if error.raw_os_error().is_some() || told(error).is_some() {
            return super::file::unread(error);
        }
        Problem::new("22P04", "the backup cannot be decompressed")
            .detail(format!("It is compressed by {}, which says: {error}.", name(self.compression)))
            .hint("The file is damaged or cut off: take it again.")
    }
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.decoder.read(buffer)
    }
}

/// LZ4 frames behind each other: the decoder stops at the end of each.
struct Frames<R: Read> {
    decoder: FrameDecoder<R>,
    /// Bytes have come from the frame that is being read.
    inside: bool,
    ended: bool,
}

impl<R: Read> Frames<R> {
    fn new(file: R) -> Self {
        Self { decoder: FrameDecoder::new(file), inside: false, ended: false }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            match self.decoder.read(buffer)? {
                0 if self.inside => self.inside = false,
                0 => self.ended = true,
                n => {
                    self.inside = true;
                    return Ok(n);
                }
            }
        }
        Ok(0)
    }
}

pub(super) fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Lz4 => "lz4",
    }
}
