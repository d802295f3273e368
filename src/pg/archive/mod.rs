//! A backup, whatever its format: what it defines, and its rows. A live table is one, too.
//!
//! Archives are read through the server's own pg_restore, which knows every format and compression (but for rows that [`direct`] can read); its output and a
//! plain dump, be it compressed, are the same SQL script to us. Rows without a script may be in several files. All of them may be files of the server or
//! objects of a store ([`place`]). Rows can be read as often as wanted: once for the profile, once for the load.

mod child;
mod compressed;
mod data;
mod direct;
mod facts;
mod file;
mod identity;
mod live;
mod objects;
mod partial;
mod place;
mod sizes;
mod statistics;
mod text;

pub use data::{Data, Lent, Section, SequenceState};
pub use foreshard_core::backup::sizes::Stored;
pub use live::{lock, table_named};

use super::catalog;
use super::definition::{Definitions, Reader, like_table};
use super::error::{Error, Result};
use super::store::told;
use super::threads::still_wanted;
use child::PgRestore;
use compressed::Decompressed;
use data::copy_header;
use direct::Direct;
use file::Part;
use foreshard_core::backup::profile::statistics::Statistics;
use foreshard_core::backup::script::{Piece, ScriptError, ScriptReader};
use foreshard_core::model::config::{BackupFormat, CopyOptions};
use foreshard_core::model::{Config, Problem, TableName};
use live::Live;
use place::{Place, Source};
use std::io::{Read, Seek};

#[derive(Debug)]
pub struct Backup {
    /// The files that it is in: several only for files of rows.
    parts: Vec<Part>,
    format: BackupFormat,
    copy: CopyOptions,
    like: Option<TableName>,
    /// A table of this database in place of files.
    live: Option<Live>,
}

/// A script's bytes, wherever they come from. A thread may read them: then the server is not called.
#[derive(Debug)]
enum Bytes {
    Child(PgRestore),
    File(Source),
    Compressed(Decompressed),
    /// The rows as they lie in an archive; the last values of sequences by pg_restore.
    Direct {
        rows: Direct,
        rest: Option<PgRestore>,
    },
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        still_wanted()?;
        match self {
            Self::File(file) => file.read(buffer),
            Self::Compressed(file) => file.read(buffer),
            Self::Child(child) => child.read(buffer),
            Self::Direct { rows, rest } => match (rows.read(buffer)?, rest) {
                (0, Some(child)) => child.read(buffer),
                (read, _) => Ok(read),
            },
        }
    }
}

impl Bytes {
    fn open(part: &Part) -> Result<Self> {
        let file = part.place.open()?;
        Ok(match part.compression {
            None => Self::File(file),
            Some(compression) => Self::Compressed(Decompressed::open(file, compression).map_err(|e| file::unread(&e))?),
        })
    }

    /// Bytes read so far as the backup stores them, from whatever place they are counted.
    fn consumed(&mut self) -> Option<u64> {
        match self {
            Self::Child(child) => child.consumed(),
            Self::File(file) => file.stream_position().ok(),
            Self::Compressed(file) => Some(file.consumed()),
            Self::Direct { rows, .. } => Some(rows.consumed()),
        }
    }

    /// Why reading failed.
    fn unread(&self, error: &std::io::Error) -> Problem {
        match self {
            Self::Compressed(file) => file.problem(error),
            Self::Direct { .. } if error.raw_os_error().is_none() && told(error).is_none() => direct::damaged(error),
            Self::Child(_) | Self::File(_) | Self::Direct { .. } => file::unread(error),
        }
    }

    /// After the last byte: did the source end well?
    fn finish(&mut self) -> Result<()> {
        match self {
            Self::Child(child) | Self::Direct { rest: Some(child), .. } => child.finish(),
            Self::File(_) | Self::Compressed(_) | Self::Direct { rest: None, .. } => Ok(()),
        }
    }

    /// The cause of a script's error: a child that failed cuts its output off, and knows why.
    fn cause(&mut self, error: &ScriptError) -> Error {
        match error {
            ScriptError::Io(io) => self.unread(io).into(),
            ScriptError::TruncatedData { .. }
            | ScriptError::TruncatedStatement { .. }
            | ScriptError::TruncatedDump { .. } => self.finish().err().unwrap_or_else(|| error.problem().into()),
            _ => error.problem().into(),
        }
    }
}

impl Backup {
    /// Finds out what the backup is; reads no more than its head.
    ///
    /// # Errors
    /// 42501 without the right to read server files, and those of [`file::format`].
    pub fn open(path: &str, config: &Config, schema: Option<&str>) -> Result<Self> {
        if let Some(name) = live::table_named(path, schema)? {
            let live = Some(Live::find(name, config)?);
            let (parts, format, copy) = (Vec::new(), BackupFormat::Text, CopyOptions::default());
            return Ok(Self { parts, format, copy, like: None, live });
        }
        if !catalog::may_read_server_files() {
            return Err(Problem::new("42501", "permission denied to restore from a file of the server")
                .detail("Only roles with privileges of the \"pg_read_server_files\" role may read files of the server.")
                .hint("Ask a superuser: GRANT pg_read_server_files TO this role.")
                .into());
        }
        let (format, parts) = file::format(path, config.format)?;
        let like = config.like.as_deref().map(|name| catalog::resolve_name(name, schema)).transpose()?;
        let rows_only = matches!(format, BackupFormat::Csv | BackupFormat::Text);
        match (&like, rows_only) {
            (None, true) => Err(Problem::new("22023", "a backup of rows needs the definition of its table")
                .detail("A CSV or COPY-text file does not say what its columns are.")
                .hint("Name a table of this database that has them: {\"like\": \"schema.table\"}.")
                .into()),
            (Some(_), false) => Err(Problem::new("22023", "\"like\" goes with a backup of rows only")
                .detail(format!("A backup of the format {} brings the table's definition along.", file::name(format)))
                .hint("Leave \"like\" out, or use \"source\" to name the table in the backup.")
                .into()),
            _ => Ok(Self { parts, format, copy: config.copy.clone(), like, live: None }),
        }
    }

    /// The table that a backup of rows is like.
    pub fn like(&self) -> Option<&TableName> {
        self.like.as_ref()
    }

    /// The table of this database that is the backup.
    pub fn live(&self) -> Option<&TableName> {
        self.live.as_ref().map(|live| &live.name)
    }

    /// What the server knows of a live table's rows.
    ///
    /// # Errors
    /// 22023 for a backup that does not live, 55000 where the server knows nothing.
    pub fn statistics(&self) -> Result<Statistics> {
        match &self.live {
            Some(live) => live.statistics(),
            None => Err(Problem::new("22023", "there are no statistics of the rows of a backup")
                .detail("A server has them of a table that lives in it.")
                .hint("Leave \"profile\" out of the config, or name a table: table:schema.name.")
                .into()),
        }
    }

    /// Reads everything that the backup defines, and how large the rows of its tables are.
    pub fn definitions(&self) -> Result<(Definitions, Stored)> {
        if let Some(live) = &self.live {
            return live.definitions();
        }
        if let Some(like) = &self.like {
            return Ok((like_table(like)?, Stored::default()));
        }
        let mut stored = self.place().and_then(|place| sizes::of_archive(place, self.format)).unwrap_or_default();
        let mut script = self.script(&["--schema-only".to_owned()])?;
        let mut reader = Reader::new();
        loop {
            let piece = match script.next_piece() {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return Err(script.source_mut().cause(&error)),
            };
            match piece {
                Piece::Statement(text) => {
                    let text = text::decoded(&text, reader.encoding());
                    if !starts_with_word(&text, "insert") {
                        reader.statement(&text);
                    }
                }
                Piece::CopyIn(text) => {
                    // What the parser does not take is told when the table's own rows are read.
                    let Ok(Some((table, _))) = copy_header(&text::decoded(&text, reader.encoding())) else { continue };
                    loop {
                        match script.read_rows() {
                            Ok(Some(lines)) => stored.count(&table, lines),
                            Ok(None) => break,
                            Err(error) => return Err(script.source_mut().cause(&error)),
                        }
                    }
                }
                Piece::Meta(_) => {}
            }
        }
        script.into_source().finish()?;
        Ok((reader.finish(), stored))
    }

    /// Opens the rows of `tables` (the table and its partitions) and the states of `sequences`.
    pub fn data(&self, tables: &[TableName], sequences: &[TableName], encoding: Option<&str>) -> Result<Data> {
        if let (Some(live), Some(table)) = (&self.live, tables.first()) {
            return live.data(table, sequences);
        }
        if self.like.is_some() {
            return Ok(Data::rows(self.parts.clone(), self.format, self.copy.clone()));
        }
        // Names in another encoding are pg_restore's to find.
        let plain = encoding.is_none_or(|e| e.eq_ignore_ascii_case("UTF8"));
        let direct = self.place().filter(|_| plain).and_then(|place| Direct::open(place, self.format, tables));
        let script = match direct {
            Some(rows) => {
                let of_sequences = || self.restoring(&data_of(sequences.iter(), encoding));
                let rest = (!sequences.is_empty()).then(of_sequences).transpose()?;
                ScriptReader::new(Bytes::Direct { rows, rest })
            }
            None => self.script(&data_of(tables.iter().chain(sequences), encoding))?,
        };
        Ok(Data::script(script, tables.to_vec(), sequences.to_vec(), encoding.map(str::to_owned)))
    }

    /// Bytes that the backup stores for the rows of `tables`, in the measure of [`Data::consumed`]; None where it does not
    /// tell.
    pub fn stored_bytes(&self, tables: &[TableName], stored: &Stored) -> Option<u64> {
        if self.like.is_none() {
            return stored.sum(tables).map(|rows| rows.bytes);
        }
        self.parts.iter().map(|part| part.place.size()).sum()
    }

    /// Files or tables of the backup in which rows of `tables` are, as far as it tells.
    pub fn parts_of(&self, tables: &[TableName], stored: &Stored) -> usize {
        if self.like.is_some() { self.parts.len() } else { tables.iter().filter(|t| stored.has_rows(t)).count() }
    }

    fn script(&self, arguments: &[String]) -> Result<ScriptReader<Bytes>> {
        let bytes = match (self.format, self.parts.first()) {
            (BackupFormat::Plain, Some(part)) => Bytes::open(part)?,
            _ => Bytes::Child(self.restoring(arguments)?),
        };
        Ok(ScriptReader::new(bytes))
    }

    fn restoring(&self, arguments: &[String]) -> Result<PgRestore> {
        match self.place() {
            Some(place) => PgRestore::start(place, arguments),
            None => Err(Problem::new("XX000", "the backup has no file").into()),
        }
    }

    /// Where an archive is, or the first file of rows.
    fn place(&self) -> Option<&Place> {
        self.parts.first().map(|part| &part.place)
    }
}

/// Arguments for the data of tables and sequences.
fn data_of<'a>(tables: impl Iterator<Item = &'a TableName> + Clone, encoding: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["--data-only".to_owned()];
    arguments.extend(text::selection(tables, encoding));
    arguments
}

/// The statement's first word, in any case.
fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        && text.as_bytes().get(word.len()).is_some_and(u8::is_ascii_whitespace)
}
