//! Scripts: any bytes are cut into the same pieces, whatever the blocks they are read in, and the reader ends.
#![no_main]

use foreshard_core::backup::script::{Piece, ScriptReader, replace_parameters};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};

struct Blocks<'a>(&'a [u8], usize);

impl Read for Blocks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(into.len()).min(self.1.max(1));
        let (now, later) = self.0.split_at(len);
        into[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

fn pieces(bytes: &[u8], block: usize) -> (Vec<Piece>, Vec<u8>, Option<String>) {
    let mut reader = ScriptReader::new(Blocks(bytes, block));
    let (mut pieces, mut rows) = (Vec::new(), Vec::new());
    loop {
        match reader.next_piece() {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, rows, None),
            Err(error) => return (pieces, rows, Some(format!("{:?}", error.problem()))),
        }
        // Every other COPY is skipped.
        while pieces.len() % 2 == 1 {
            match reader.read_rows() {
                Ok(Some(some)) => rows.extend_from_slice(some),
                Ok(None) => break,
                Err(error) => return (pieces, rows, Some(format!("{:?}", error.problem()))),
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = pieces(bytes, usize::MAX);
    let block = usize::from(bytes.first().copied().unwrap_or(1)) % 17;
    assert_eq!(whole, pieces(bytes, block));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let replaced = replace_parameters(text);
        assert_eq!(replaced, replace_parameters(&replaced), "nothing is left to be replaced");
    }
});
