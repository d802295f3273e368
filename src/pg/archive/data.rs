//! The rows of one table, section by section.
//!
//! A script has a COPY for the table, or one for each partition of a partitioned table; a file of rows is one section
//! by itself. Everything else in a script is passed over, except what the restore must know: the last values of the
//! table's sequences, and INSERT statements, which are no COPY and are refused.

use super::file::{self, Part};
use super::text::decoded;
use super::{Bytes, starts_with_word};
use crate::pg::error::Result;
use crate::pg::{ffi, tree};
use foreshard_core::backup::script::{Piece, ScriptError, ScriptReader};
use foreshard_core::model::config::{BackupFormat, CopyOptions};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::io::Read;

/// One run of rows.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// Column names in the order of the fields; None: all columns of the table that are not generated.
    pub columns: Option<Vec<String>>,
    /// How the rows are written.
    pub csv: bool,
    pub copy: CopyOptions,
    /// The file that they are in, where there are several.
    pub file: Option<String>,
}

/// A script that a thread reads: it does not call the server.
#[derive(Debug)]
pub struct Lent(ScriptReader<Bytes>);

impl Lent {
    /// Appends whole lines of the section; false after the last one.
    pub fn append_rows(&mut self, lines: &mut Vec<u8>) -> std::result::Result<bool, ScriptError> {
        let rows = self.0.read_rows()?;
        lines.extend_from_slice(rows.unwrap_or_default());
        Ok(rows.is_some())
    }
}

/// What setval says of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceState {
    pub sequence: TableName,
    /// `value, is_called`, as setval takes them.
    pub arguments: String,
}

impl SequenceState {
    /// The arguments are a number and a boolean, as far as they can do harm.
    pub fn is_plain(&self) -> bool {
        self.arguments.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b',' | b' '))
    }
}

#[derive(Debug)]
pub struct Data {
    source: Source,
    tables: Vec<TableName>,
    /// Those of which a section was met.
    met: BTreeSet<TableName>,
    sequences: Vec<TableName>,
    states: Vec<SequenceState>,
    encoding: Option<String>,
}

#[derive(Debug)]
enum Source {
    Script(ScriptReader<Bytes>),
    /// The file that is being read, those after it, and how their rows are written.
    Rows {
        bytes: Option<Bytes>,
        /// Bytes of the files before it.
        before: u64,
        parts: VecDeque<Part>,
        section: Section,
    },
    /// COPY text that is in no file, in one section.
    Made {
        rows: Made,
        columns: Option<Vec<String>>,
        begun: bool,
    },
}

struct Made(Box<dyn Read>);

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made")
    }
}

/// Bytes of a file of rows read at a time: large enough for few calls, small beside work_mem.
const BLOCK: usize = 256 << 10;

impl Data {
    pub(super) fn script(
        script: ScriptReader<Bytes>,
        tables: Vec<TableName>,
        sequences: Vec<TableName>,
        encoding: Option<String>,
    ) -> Self {
        Self { source: Source::Script(script), tables, met: BTreeSet::new(), sequences, states: Vec::new(), encoding }
    }

    pub(super) fn rows(parts: Vec<Part>, format: BackupFormat, copy: CopyOptions) -> Self {
        let section = Section { columns: copy.columns.clone(), csv: format == BackupFormat::Csv, copy, file: None };
        Self {
            source: Source::Rows { bytes: None, before: 0, parts: parts.into(), section },
            tables: Vec::new(),
            met: BTreeSet::new(),
            sequences: Vec::new(),
            states: Vec::new(),
            encoding: None,
        }
    }

    /// Rows made up as they are asked for, as COPY text.
    pub fn made_up(rows: impl Read + 'static) -> Self {
        let source = Source::Made { rows: Made(Box::new(rows)), columns: None, begun: false };
        Self {
            source,
            tables: Vec::new(),
            met: BTreeSet::new(),
            sequences: Vec::new(),
            states: Vec::new(),
            encoding: None,
        }
    }

    /// Rows of a live table, likewise, with what its sequences stand at.
    pub(super) fn live(rows: impl Read + 'static, columns: Vec<String>, states: Vec<SequenceState>) -> Self {
        let source = Source::Made { rows: Made(Box::new(rows)), columns: Some(columns), begun: false };
        Self { source, states, ..Self::made_up(std::io::empty()) }
    }

    /// The next section, or None after the last one. Rows of the section before that were not read are passed over.
    pub fn next_section(&mut self) -> Result<Option<Section>> {
        let script = match &mut self.source {
            Source::Rows { bytes, before, parts, section } => {
                let several = bytes.is_some() || parts.len() > 1;
                let Some(part) = parts.pop_front() else { return Ok(None) };
                *before += bytes.as_mut().and_then(Bytes::consumed).unwrap_or_default();
                *bytes = Some(Bytes::open(&part)?);
                return Ok(Some(Section { file: several.then(|| part.place.to_string()), ..section.clone() }));
            }
            Source::Made { begun, columns, .. } => {
                let section =
                    Section { columns: columns.clone(), csv: false, copy: CopyOptions::default(), file: None };
                return Ok((!std::mem::replace(begun, true)).then_some(section));
            }
            Source::Script(script) => script,
        };
        loop {
            let piece = match script.next_piece() {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(None),
                Err(error) => return Err(script.source_mut().cause(&error)),
            };
            match piece {
                Piece::CopyIn(text) => {
                    let header = copy_header(&decoded(&text, self.encoding.as_deref()))?;
                    if let Some((table, columns)) = header
                        && self.tables.contains(&table)
                    {
                        self.met.insert(table);
                        let copy = CopyOptions { encoding: self.encoding.clone(), ..CopyOptions::default() };
                        // A COPY written by hand may name none, and mean them all.
                        let columns = (!columns.is_empty()).then_some(columns);
                        return Ok(Some(Section { columns, csv: false, copy, file: None }));
                    }
                }
                Piece::Statement(text) => {
                    let text = decoded(&text, self.encoding.as_deref());
                    if starts_with_word(&text, "insert") {
                        refuse_insert(&text, &self.tables)?;
                    } else if starts_with_word(&text, "select") {
                        self.states.extend(sequence_state(&text).filter(|s| self.sequences.contains(&s.sequence)));
                    }
                }
                Piece::Meta(_) => {}
            }
        }
    }

    /// Puts the next bytes of the section into `chunk`: whole lines of a script, any bytes of a file of rows. False
    /// after the last one.
    pub fn next_chunk(&mut self, chunk: &mut Vec<u8>) -> Result<bool> {
        chunk.clear();
        match &mut self.source {
            Source::Script(script) => match script.read_rows() {
                Ok(Some(rows)) => {
                    chunk.extend_from_slice(rows);
                    Ok(true)
                }
                Ok(None) => Ok(false),
                Err(error) => Err(script.source_mut().cause(&error)),
            },
            Source::Rows { bytes, .. } => {
                let Some(bytes) = bytes else { return Ok(false) };
                chunk.resize(BLOCK, 0);
                let read = bytes.read(chunk).map_err(|e| bytes.unread(&e))?;
                chunk.truncate(read);
                Ok(read > 0)
            }
            Source::Made { rows, .. } => {
                chunk.resize(BLOCK, 0);
                let read = rows.0.read(chunk).map_err(|e| file::unread(&e))?;
                chunk.truncate(read);
                Ok(read > 0)
            }
        }
    }

    /// Passes over so many bytes of the section's rows, whole lines of a script, which were read before.
    ///
    /// # Errors
    /// 22P04 where there are fewer.
    pub fn skip(&mut self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let passed = match &mut self.source {
            Source::Script(script) => {
                let passed = script.skip_rows(bytes);
                passed.map_err(|error| script.source_mut().cause(&error))?
            }
            Source::Rows { .. } | Source::Made { .. } => 0,
        };
        if passed == bytes {
            return Ok(());
        }
        Err(Problem::new("22P04", "the backup has fewer rows than were read of it before").into())
    }

    /// The rows are in a script, which [`Self::lend`] lends.
    pub fn is_script(&self) -> bool {
        matches!(self.source, Source::Script(_))
    }

    /// The script that stands at the section's rows, for a thread to read them; None where they are in no script. Until it is given back
    /// there is nothing to read here.
    pub fn lend(&mut self) -> Option<Lent> {
        if !self.is_script() {
            return None;
        }
        let nothing = Source::Rows { bytes: None, before: 0, parts: VecDeque::new(), section: Section::default() };
        match std::mem::replace(&mut self.source, nothing) {
            Source::Script(script) => Some(Lent(script)),
            other => {
                self.source = other;
                None
            }
        }
    }

    /// # Errors
    /// Why the script could not be read, where it could not.
    pub fn take_back(&mut self, lent: Lent, failed: Option<ScriptError>) -> Result<()> {
        let mut script = lent.0;
        let cause = failed.map(|error| script.source_mut().cause(&error));
        self.source = Source::Script(script);
        cause.map_or(Ok(()), Err)
    }

    /// Bytes read so far, as the backup stores them, when rows with `text` bytes have passed: only differences mean
    /// something. None where that is not known.
    pub fn consumed(&mut self, text: u64) -> Option<u64> {
        match &mut self.source {
            // The rows of a script were counted as they are.
            Source::Script(script) => match script.source_mut() {
                Bytes::File(_) | Bytes::Compressed(_) => Some(text),
                archive => archive.consumed(),
            },
            Source::Rows { bytes, before, .. } => Some(*before + bytes.as_mut()?.consumed()?),
            Source::Made { .. } => None,
        }
    }

    /// The tables of which a section was met so far; None for a file of rows, which names none.
    pub fn met(&self) -> Option<&BTreeSet<TableName>> {
        matches!(self.source, Source::Script(_)).then_some(&self.met)
    }

    /// After the last section: did the source end well, and what were the sequences' states?
    pub fn finish(self) -> Result<Vec<SequenceState>> {
        match self.source {
            Source::Script(script) => script.into_source().finish()?,
            Source::Rows { bytes, .. } => bytes.map_or(Ok(()), |mut b| b.finish())?,
            Source::Made { .. } => {}
        }
        Ok(self.states)
    }
}

/// Table and columns of a `COPY … FROM stdin`.
pub(super) fn copy_header(text: &str) -> Result<Option<(TableName, Vec<String>)>> {
    Ok(tree::with(text, |nodes| {
        let copy = nodes.first().and_then(|n| n.get::<pg_sys::CopyStmt>())?;
        Some((tree::table_name(copy.relation, "public")?, tree::strings(copy.attlist)))
    })?)
}

/// INSERT statements are not loaded; those of other tables do not matter.
fn refuse_insert(text: &str, tables: &[TableName]) -> Result<()> {
    // Only the head is parsed: a multi-row INSERT may have megabytes of values.
    let head: String = text.chars().take(1000).collect();
    let name = head.split_ascii_whitespace().nth(2).unwrap_or_default().to_owned();
    let ours = tables.iter().any(|t| {
        let qualified = ffi::quote_table(t);
        name == qualified
            || name == ffi::quote_ident(&t.name)
            || head.get(12..).is_some_and(|h| h.starts_with(&qualified))
    });
    if !ours {
        return Ok(());
    }
    Err(Problem::new("0A000", "the backup holds the rows as INSERT statements")
        .detail(format!(
            "It was made with --inserts, --column-inserts or --rows-per-insert: \"{name}\" has no COPY section."
        ))
        .hint("Take the backup without these options; COPY is also several times faster.")
        .into())
}

/// `SELECT pg_catalog.setval('schema.sequence', value, is_called)`.
fn sequence_state(text: &str) -> Option<SequenceState> {
    let (_, call) = text.split_once("setval(")?;
    let (name, arguments) = call.rsplit_once("', ")?;
    let name = name.strip_prefix('\'')?.replace("''", "'");
    let arguments = arguments.trim_end_matches(')').trim().to_owned();
    // The name is written as an identifier: the grammar that reads it is the server's.
    let sequence = tree::with(&format!("TABLE {name}"), |nodes| {
        let select = nodes.first().and_then(|n| n.get::<pg_sys::SelectStmt>())?;
        let relation = tree::items(select.fromClause).next()?.get::<pg_sys::RangeVar>()?;
        tree::table_name(std::ptr::from_ref(relation).cast_mut(), "public")
    })
    .ok()??;
    Some(SequenceState { sequence, arguments }).filter(SequenceState::is_plain)
}
