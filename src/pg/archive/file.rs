//! A backup's file or directory: may it be read, and what is it?

use super::compressed::Decompressed;
use super::objects;
use super::place::{CONTENTS, Place};
use crate::pg::error::{Error, Result};
use crate::pg::store::told;
use foreshard_core::backup::address::Address;
use foreshard_core::backup::format::{Compression, Content, HEAD, sniff};
use foreshard_core::model::Problem;
use foreshard_core::model::config::BackupFormat;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Opens a plain file, with PostgreSQL's SQLSTATEs for what may go wrong.
pub fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|e| unreadable(path, &e).into())
}

/// A file that a backup consists of.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub place: Place,
    /// Of the file as a whole.
    pub compression: Option<Compression>,
}

/// The format that the content shows, `declared` where the user said it, and the files that it is in.
///
/// # Errors
/// 58P01, 42501 or 58030 when it cannot be read; 22P04 when it is no backup; 22023 when it is not what was declared.
pub(super) fn format(path: &str, declared: Option<BackupFormat>) -> Result<(BackupFormat, Vec<Part>)> {
    let places = match Address::read(path) {
        Some(address) => objects::places(&address?, declared)?,
        None => places(path, declared)?,
    };
    let mut parts = Vec::new();
    let mut found = None;
    for place in places {
        let (format, compression) = match &place {
            Place::Path(path) if std::fs::metadata(path).map_err(|e| unreadable(path, &e))?.is_dir() => {
                (directory(path)?, None)
            }
            Place::Folder(_) => (Some(BackupFormat::Directory), None),
            Place::Path(_) | Place::Object(_) => content(&place, declared)?,
        };
        found = format;
        parts.push(Part { place, compression });
    }
    match (declared, found) {
        (Some(declared), Some(found)) if declared != found => {
            Err(Problem::new("22023", format!("the backup \"{path}\" is not of the format {}", name(declared)))
                .detail(format!("Its content is of the format {}.", name(found)))
                .hint("Leave \"format\" out of the config: it is found out from the content.")
                .into())
        }
        (Some(format), _) | (None, Some(format)) => Ok((format, parts)),
        (None, None) => Err(Problem::new("22P04", format!("\"{path}\" is no backup that foreshard knows"))
            .detail("It is no archive of pg_dump (custom, directory, tar) and no SQL script.")
            .hint("For a file of rows, say {\"format\": \"csv\"} or \"text\", and which table it is like: {\"like\": \"schema.table\"}.")
            .into()),
    }
}

/// The files that a path with wildcards means, in the order of their names; any other path means itself.
fn places(path: &str, declared: Option<BackupFormat>) -> Result<Vec<Place>> {
    if !Path::new(path).is_absolute() {
        return Err(Problem::new("22023", format!("the backup's path \"{path}\" is not absolute"))
            .detail("The server reads the file, and its working directory is the data directory.")
            .hint("Write the full path, as the server sees it.")
            .into());
    }
    if !path.contains(['*', '?', '[']) || Path::new(path).exists() {
        return Ok(vec![Place::Path(path.to_owned())]);
    }
    only_rows(path, declared)?;
    let wrong = |e: String| no_pattern(path, &e);
    let mut found = Vec::new();
    for path in glob::glob(path).map_err(|e| wrong(e.to_string()))? {
        let path = path.map_err(|e| unreadable(&e.path().to_string_lossy(), e.error()))?;
        let path = path.into_os_string().into_string().map_err(|_| wrong("A file\'s name is not UTF-8".to_owned()))?;
        found.push(Place::Path(path));
    }
    if found.is_empty() {
        return Err(Problem::new("58P01", format!("no file matches \"{path}\""))
            .hint("The path is seen from the server, not from the client.")
            .into());
    }
    Ok(found)
}

/// # Errors
/// 22023 for several files that are no rows.
pub(super) fn only_rows(path: &str, declared: Option<BackupFormat>) -> Result<()> {
    if matches!(declared, Some(BackupFormat::Csv | BackupFormat::Text)) {
        return Ok(());
    }
    Err(Problem::new("22023", format!("the backup's path \"{path}\" has wildcards"))
        .detail("Only files of rows can be several.")
        .hint("For files of rows, say {\"format\": \"csv\"} or \"text\", and which table they are like: {\"like\": \"schema.table\"}.")
        .into())
}

pub(super) fn no_pattern(path: &str, why: &str) -> Error {
    Problem::new("22023", format!("the backup's path \"{path}\" is no pattern"))
        .detail(format!("{why}."))
        .hint("A pattern has * for any characters, ? for one, and [abc] for one of several.")
        .into()
}

/// A directory in which pg_dump wrote nothing.
pub(super) fn no_contents(path: &str) -> Error {
    Problem::new("22P04", format!("the directory \"{path}\" is no backup"))
        .detail("It has no file toc.dat, which pg_dump --format=directory writes.")
        .hint("Name the directory that pg_dump wrote, or the file inside it that is a backup.")
        .into()
}

fn directory(path: &str) -> Result<Option<BackupFormat>> {
    let toc = Path::new(path).join(CONTENTS);
    match File::open(&toc) {
        Ok(_) => Ok(Some(BackupFormat::Directory)),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(no_contents(path)),
        Err(e) => Err(unreadable(&toc.to_string_lossy(), &e).into()),
    }
}

/// The format is None for rows without a mark of their own (CSV, COPY text), when the user declared them.
fn content(path: &Place, declared: Option<BackupFormat>) -> Result<(Option<BackupFormat>, Option<Compression>)> {
    let head = head(path.open()?).map_err(|e| unreadable(&path.to_string(), &e))?;
    let (found, compression) = match sniff(&head) {
        Some(Content::Compressed(compression)) => (inside(path, compression)?, Some(compression)),
        found => (found, None),
    };
    if matches!(declared, Some(BackupFormat::Csv | BackupFormat::Text)) {
        return Ok((None, compression));
    }
    match (found, compression) {
        (Some(Content::Backup(BackupFormat::Directory)), None) => {
            Err(Problem::new("22P04", format!("\"{path}\" is the table of contents of a directory backup"))
                .hint("Name the directory that it is in.")
                .into())
        }
        (Some(Content::Backup(BackupFormat::Plain)), _) => Ok((Some(BackupFormat::Plain), compression)),
        (Some(Content::Backup(found)), None) => Ok((Some(found), None)),
        (Some(_), Some(compression)) => {
            let program = match compression {
                Compression::Gzip => "gunzip",
                Compression::Zstd => "unzstd",
                Compression::Lz4 => "unlz4",
            };
            Err(Problem::new("0A000", format!("\"{path}\" is an archive that is compressed as a whole"))
                .detail(
                    "pg_restore reads archives that pg_dump compresses itself; one compressed afterwards it does not.",
                )
                .hint(format!("Decompress it with {program} first."))
                .into())
        }
        (None, None) if head.is_empty() => {
            Err(Problem::new("22P04", format!("the backup \"{path}\" is empty")).hint("Take the backup again.").into())
        }
        (None | Some(Content::Compressed(_)), _) => Ok((None, compression)),
    }
}

fn head(file: impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What a compressed file shows at its beginning.
fn inside(path: &Place, compression: Compression) -> Result<Option<Content>> {
    let opened = Decompressed::open(path.open()?, compression);
    let mut file = opened.map_err(|e| unreadable(&path.to_string(), &e))?;
    match head(&mut file) {
        Ok(head) => Ok(sniff(&head)),
        Err(error) => Err(file.problem(&error).into()),
    }
}

/// A file that could be opened and not be read.
pub(super) fn unread(error: &std::io::Error) -> Problem {
    if let Some(problem) = told(error) {
        return problem;
    }
    Problem::new("58030", "could not read the backup").detail(format!("The operating system says: {error}."))
}

fn unreadable(path: &str, error: &std::io::Error) -> Problem {
    if let Some(problem) = told(error) {
        return problem;
    }
    let (sqlstate, hint) = match error.kind() {
        ErrorKind::NotFound => ("58P01", "The path is seen from the server, not from the client."),
        ErrorKind::PermissionDenied => ("42501", "Give the server's operating-system user the right to read it."),
        _ => ("58030", "Check the file and the disk that it is on."),
    };
    Problem::new(sqlstate, format!("could not open the backup \"{path}\""))
        .detail(format!("The operating system says: {error}."))
        .hint(hint)
}

pub fn name(format: BackupFormat) -> &'static str {
    match format {
        BackupFormat::Custom => "custom",
        BackupFormat::Directory => "directory",
        BackupFormat::Tar => "tar",
        BackupFormat::Plain => "plain",
        BackupFormat::Csv => "csv",
        BackupFormat::Text => "text",
    }
}
