//! A backup's file or directory: may it be read, and what is it?

use crate::pg::error::Result;
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

/// The format that the content shows; `declared` where the user said it.
///
/// # Errors
/// 58P01, 42501 or 58030 when it cannot be read; 22P04 when it is no backup; 22023 when it is not what was declared.
pub fn format(path: &str, declared: Option<BackupFormat>) -> Result<BackupFormat> {
    if !Path::new(path).is_absolute() {
        return Err(Problem::new("22023", format!("the backup's path \"{path}\" is not absolute"))
            .detail("The server reads the file, and its working directory is the data directory.")
            .hint("Write the full path, as the server sees it.")
            .into());
    }
    let meta = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    let found = if meta.is_dir() { directory(path)? } else { content(path, declared)? };
    match (declared, found) {
        (Some(declared), Some(found)) if declared != found => {
            Err(Problem::new("22023", format!("the backup \"{path}\" is not of the format {}", name(declared)))
                .detail(format!("Its content is of the format {}.", name(found)))
                .hint("Leave \"format\" out of the config: it is found out from the content.")
                .into())
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => Err(Problem::new("22P04", format!("\"{path}\" is no backup that foreshard knows"))
            .detail("It is no archive of pg_dump (custom, directory, tar) and no SQL script.")
            .hint("For a file of rows, say {\"format\": \"csv\"} or \"text\", and which table it is like: {\"like\": \"schema.table\"}.")
            .into()),
    }
}

fn directory(path: &str) -> Result<Option<BackupFormat>> {
    let toc = Path::new(path).join("toc.dat");
    match File::open(&toc) {
        Ok(_) => Ok(Some(BackupFormat::Directory)),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Err(Problem::new("22P04", format!("the directory \"{path}\" is no backup"))
                .detail("It has no file toc.dat, which pg_dump --format=directory writes.")
                .hint("Name the directory that pg_dump wrote, or the file inside it that is a backup.")
                .into())
        }
        Err(e) => Err(unreadable(&toc.to_string_lossy(), &e).into()),
    }
}

/// None for rows without a mark of their own (CSV, COPY text), when the user declared them.
fn content(path: &str, declared: Option<BackupFormat>) -> Result<Option<BackupFormat>> {
    let mut head = Vec::with_capacity(HEAD);
    open(path)?.take(HEAD as u64).read_to_end(&mut head).map_err(|e| unreadable(path, &e))?;
    if matches!(declared, Some(BackupFormat::Csv | BackupFormat::Text)) {
        return Ok(None);
    }
    match sniff(&head) {
        Some(Content::Backup(BackupFormat::Directory)) => {
            Err(Problem::new("22P04", format!("\"{path}\" is the table of contents of a directory backup"))
                .hint("Name the directory that it is in.")
                .into())
        }
        Some(Content::Backup(found)) => Ok(Some(found)),
        Some(Content::Compressed(compression)) => {
            let program = match compression {
                Compression::Gzip => "gunzip",
                Compression::Zstd => "unzstd",
                Compression::Lz4 => "unlz4",
            };
            Err(Problem::new("0A000", format!("\"{path}\" is compressed as a whole"))
                .detail("Archives that pg_dump compresses itself are read as they are; a file compressed afterwards is not.")
                .hint(format!("Decompress it with {program} first."))
                .into())
        }
        None if head.is_empty() => {
            Err(Problem::new("22P04", format!("the backup \"{path}\" is empty")).hint("Take the backup again.").into())
        }
        None => Ok(None),
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> Problem {
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
