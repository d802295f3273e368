//! A SQL script as pg_dump and `pg_restore -f -` write it, cut into pieces as psql cuts it.
//!
//! The reader pulls: [`ScriptReader::next_piece`] gives the next statement or backslash line. After the COPY statement that
//! announces rows, [`ScriptReader::read_rows`] gives them in large chunks of whole lines straight from the buffer, since a
//! data section may have tens of gigabytes; rows that nobody reads are skipped. Text that ends too early is an error that
//! says in what: a dump cut off by a full disk must not pass for a small one.

use super::lexer::{self, Kind, Token};
use super::outline::Outline;
use super::window::Window;
use crate::model::Problem;
use memchr::{memchr, memmem, memrchr};
use std::io::Read;

/// Bytes of one statement. The largest that pg_dump writes on purpose are large-object chunks and function bodies, far
/// below; without a bound, one missing quote would collect the whole file.
pub const STATEMENT_LIMIT: usize = 64 << 20;
/// Bytes of one row: PostgreSQL's MaxAllocSize, beyond which COPY itself cannot read a line.
pub const ROW_LIMIT: usize = (1 << 30) - 1;

/// The comments that pg_dump and pg_restore write before the first and after the last statement, in every version and
/// with every option. A dump that has the first and not the second was cut off, even where what is left is whole SQL:
/// then indexes and constraints, which come after the rows, are missing.
const DUMP_BEGINS: &str = "-- PostgreSQL database dump";
const DUMP_ENDS: &str = "-- PostgreSQL database dump complete";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Without the final semicolon, leading comments and blanks around it.
    Statement(Vec<u8>),
    /// A `COPY … FROM stdin`, written as a statement is; its rows follow.
    CopyIn(Vec<u8>),
    /// A line that starts with a backslash, for psql (`\restrict`, `\connect`), without its line end.
    Meta(Vec<u8>),
}

/// Offsets are bytes from the start of the script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("could not read the script: {0}")]
    Io(#[from] std::io::Error),
    #[error("the script ends inside the rows of a table")]
    TruncatedData { offset: u64 },
    #[error("the script ends inside a statement")]
    TruncatedStatement { offset: u64 },
    #[error("the script ends before its end")]
    TruncatedDump { offset: u64 },
    #[error("a statement of the script is too long")]
    StatementTooLong { offset: u64 },
    #[error("a row of the script is too long")]
    RowTooLong { offset: u64 },
    #[error("text follows COPY … FROM stdin on its line")]
    TextAfterCopy { offset: u64 },
}

impl ScriptError {
    /// The error as a pre-check reports it.
    pub fn problem(&self) -> Problem {
        const DAMAGED: &str = "The file is damaged or incomplete: check it and take the backup again.";
        let (sqlstate, detail, hint) = match self {
            Self::Io(e) => ("58030", format!("The operating system says: {e}."), "Check the file and its permissions."),
            Self::TruncatedData { offset } => {
                ("22P04", format!("There is no line \"\\.\" after the rows, at byte {offset}."), DAMAGED)
            }
            Self::TruncatedStatement { offset } => {
                ("22P04", format!("The statement that starts at byte {offset} has no end."), DAMAGED)
            }
            Self::TruncatedDump { offset } => {
                ("22P04", format!("pg_dump's last line, \"{DUMP_ENDS}\", is not in its {offset} bytes."), DAMAGED)
            }
            Self::StatementTooLong { offset } => (
                "54000",
                format!("The statement that starts at byte {offset} is longer than {STATEMENT_LIMIT} bytes."),
                "Look for a quote or comment that is not closed.",
            ),
            Self::RowTooLong { offset } => (
                "54000",
                format!("The row that starts at byte {offset} is longer than {ROW_LIMIT} bytes."),
                "COPY cannot read such a row either; look for missing line ends.",
            ),
            Self::TextAfterCopy { offset } => (
                "22P04",
                format!("At byte {offset}, something else than a comment stands where only a line end may."),
                "Put it on a line of its own, after the rows.",
            ),
        };
        Problem::new(sqlstate, self.to_string()).detail(detail).hint(hint)
    }
}

#[derive(Debug)]
pub struct ScriptReader<R> {
    window: Window<R>,
    in_rows: bool,
    /// A dump has begun and not ended.
    in_dump: bool,
    /// Finds lines that start as the end marker does.
    marker: memmem::Finder<'static>,
}

impl<R: Read> ScriptReader<R> {
    /// Reads in large blocks of its own: `source` need not be buffered.
    pub fn new(source: R) -> Self {
        Self { window: Window::new(source), in_rows: false, in_dump: false, marker: memmem::Finder::new(b"\n\\.") }
    }

    /// The source, for a question to it: reading from it loses what it gives.
    pub fn source_mut(&mut self) -> &mut R {
        self.window.source_mut()
    }

    pub fn into_source(self) -> R {
        self.window.into_source()
    }

    /// The next piece, or None at the end of the script. Rows of the last COPY that were not read are skipped.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, ScriptError> {
        while self.read_rows()?.is_some() {}
        self.skip_byte_order_mark()?;
        let Some(first) = self.skip_blank()? else {
            let offset = self.window.offset();
            return if self.in_dump { Err(ScriptError::TruncatedDump { offset }) } else { Ok(None) };
        };
        if first.kind == Kind::Byte(b'\\') {
            return Ok(Some(Piece::Meta(self.line()?.trim_ascii_end().to_vec())));
        }
        let mut outline = Outline::default();
        let mut at = 0;
        loop {
            let Some(token) = self.token(at)? else {
                return Err(ScriptError::TruncatedStatement { offset: self.window.offset() });
            };
            if at + token.len > STATEMENT_LIMIT {
                return Err(ScriptError::StatementTooLong { offset: self.window.offset() });
            }
            if outline.ends_at(token, self.window.text().get(at..at + token.len).unwrap_or_default()) {
                break;
            }
            at += token.len;
        }
        let text = self.window.take(at).trim_ascii_end().to_vec();
        self.window.take(1);
        if !outline.reads_stdin() {
            return Ok(Some(Piece::Statement(text)));
        }
        let offset = self.window.offset();
        let rest = self.line()?.trim_ascii();
        if !(rest.is_empty() || rest.starts_with(b"--")) {
            return Err(ScriptError::TextAfterCopy { offset });
        }
        self.in_rows = true;
        Ok(Some(Piece::CopyIn(text)))
    }

    /// The next rows of the COPY that [`Self::next_piece`] gave last: one or more whole lines with their line ends,
    /// without the end marker. None after the last one.
    pub fn read_rows(&mut self) -> Result<Option<&[u8]>, ScriptError> {
        let ready = self.rows_ready()?;
        Ok(ready.map(|len| self.window.take(len)))
    }

    /// Passes over the next rows of that COPY: so many bytes of whole lines. Gives how many there were, fewer at its end.
    pub fn skip_rows(&mut self, bytes: u64) -> Result<u64, ScriptError> {
        let mut passed = 0;
        while passed < bytes
            && let Some(ready) = self.rows_ready()?
        {
            let some = usize::try_from(bytes - passed).unwrap_or(usize::MAX).min(ready);
            self.window.take(some);
            passed += some as u64;
        }
        Ok(passed)
    }

    /// Bytes of the whole lines that are in the window; None at the end of the rows.
    fn rows_ready(&mut self) -> Result<Option<usize>, ScriptError> {
        if !self.in_rows {
            return Ok(None);
        }
        let len = loop {
            let text = self.window.text();
            let whole = self.window.whole();
            match end_marker(text, whole) {
                Marker::Yes(len) => {
                    self.window.take(len);
                    self.in_rows = false;
                    return Ok(None);
                }
                Marker::No => {
                    if let Some(len) = self.whole_lines(text) {
                        break len;
                    }
                }
                Marker::Unclear => {}
            }
            let (offset, read) = (self.window.offset(), text.len());
            if whole {
                return Err(ScriptError::TruncatedData { offset: offset + read as u64 });
            }
            if read > ROW_LIMIT {
                return Err(ScriptError::RowTooLong { offset });
            }
            self.window.grow(2 * read.max(1))?;
        };
        Ok(Some(len))
    }

    /// Length of the whole lines before the end marker; None where not one line is whole.
    fn whole_lines(&self, text: &[u8]) -> Option<usize> {
        let lines = text.get(..=memrchr(b'\n', text)?)?;
        let is_marker =
            |&line: &usize| matches!(end_marker(lines.get(line..).unwrap_or_default(), true), Marker::Yes(_));
        Some(self.marker.find_iter(lines).map(|line_end| line_end + 1).find(is_marker).unwrap_or(lines.len()))
    }

    /// Blanks, comments and empty statements; stops before the first token of something else.
    fn skip_blank(&mut self) -> Result<Option<Token>, ScriptError> {
        while let Some(token) = self.token(0)? {
            if !matches!(token.kind, Kind::Space | Kind::Comment | Kind::Byte(b';')) {
                return Ok(Some(token));
            }
            let text = self.window.take(token.len);
            if token.kind == Kind::Comment {
                self.in_dump = (self.in_dump || text == DUMP_BEGINS.as_bytes()) && text != DUMP_ENDS.as_bytes();
            }
        }
        Ok(None)
    }

    /// The token at `at`, of which as much is read as it needs.
    fn token(&mut self, at: usize) -> Result<Option<Token>, ScriptError> {
        loop {
            let rest = self.window.text().get(at..).unwrap_or_default();
            let whole = self.window.whole();
            if let Some(token) = lexer::token(rest, whole) {
                return Ok(Some(token));
            }
            if whole && rest.is_empty() {
                return Ok(None);
            }
            let want = at + 2 * rest.len().max(1);
            self.open_end(at + rest.len())?;
            self.window.grow(want)?;
        }
    }

    /// Takes the rest of the line, with its line end.
    fn line(&mut self) -> Result<&[u8], ScriptError> {
        let len = loop {
            let text = self.window.text();
            let read = text.len();
            if let Some(end) = memchr(b'\n', text) {
                break end + 1;
            }
            if self.window.whole() {
                break read;
            }
            self.open_end(read)?;
            self.window.grow(2 * read.max(1))?;
        };
        Ok(self.window.take(len))
    }

    /// Refuses to go on reading something that was not closed in `read` bytes.
    fn open_end(&self, read: usize) -> Result<(), ScriptError> {
        let offset = self.window.offset();
        match (self.window.whole(), read > STATEMENT_LIMIT) {
            (true, _) => Err(ScriptError::TruncatedStatement { offset }),
            (_, true) => Err(ScriptError::StatementTooLong { offset }),
            _ => Ok(()),
        }
    }

    /// Editors of some systems put one before UTF-8 text; psql skips it as well.
    fn skip_byte_order_mark(&mut self) -> Result<(), ScriptError> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.window.offset() == 0 {
            self.window.grow(MARK.len())?;
            if self.window.text().starts_with(MARK) {
                self.window.take(MARK.len());
            }
        }
        Ok(())
    }
}

enum Marker {
    /// With its length, line end included.
    Yes(usize),
    No,
    /// The text ends too early to tell.
    Unclear,
}

/// Does a line start with the end marker `\.`, alone on it? `whole`: no text follows.
fn end_marker(line: &[u8], whole: bool) -> Marker {
    match line {
        [b'\\', b'.', b'\n', ..] => Marker::Yes(3),
        [b'\\', b'.', b'\r', b'\n', ..] => Marker::Yes(4),
        [b'\\', b'.'] | [b'\\', b'.', b'\r'] if whole => Marker::Yes(line.len()),
        [] | [b'\\'] | [b'\\', b'.'] | [b'\\', b'.', b'\r'] if !whole => Marker::Unclear,
        _ => Marker::No,
    }
}

/// Replaces each parameter `$n` by the string constant `'$n'`, so that a normalised text such as `interval $1` can be
/// parsed. Quotes, comments and identifiers stay as they are, also what follows a quote that is not closed.
pub fn replace_parameters(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(text.len() + 16);
    while let Some(token) = lexer::token(rest, true) {
        let (found, after) = rest.split_at_checked(token.len).unwrap_or((rest, &[]));
        if token.kind == Kind::Parameter {
            out.push(b'\'');
            out.extend_from_slice(found);
            out.push(b'\'');
        } else {
            out.extend_from_slice(found);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    // Tokens end only before or after ASCII bytes, so this is UTF-8 as the text was.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
