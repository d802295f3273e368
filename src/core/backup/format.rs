//! What a backup file is, from its first bytes.
//!
//! Only what can be told for certain, or nearly so, is told: a CSV file has no mark of its own, so that it is named by the
//! user, and everything unknown is None.

use super::lexer::{self, Kind};
use crate::model::config::BackupFormat;
use memchr::memmem;

/// Bytes of a file's head that are enough for [`sniff`]: a tar header is 512, the comments above a hand-written script's
/// first statement seldom exceed some thousand.
pub const HEAD: usize = 8192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Backup(BackupFormat),
    /// Must be decompressed first.
    Compressed(Compression),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Lz4,
}

/// What the file is that starts with `head` (up to [`HEAD`] bytes of it). The table of contents of a directory backup
/// (`toc.dat`) is told as [`BackupFormat::Directory`].
pub fn sniff(head: &[u8]) -> Option<Content> {
    match head {
        [b'P', b'G', b'D', b'M', b'P', rest @ ..] => Some(Content::Backup(archive(rest))),
        [0x1f, 0x8b, ..] => Some(Content::Compressed(Compression::Gzip)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Content::Compressed(Compression::Zstd)),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Content::Compressed(Compression::Lz4)),
        _ if is_tar(head) => Some(Content::Backup(BackupFormat::Tar)),
        _ if is_script(head) => Some(Content::Backup(BackupFormat::Plain)),
        _ => None,
    }
}

/// After the magic: three bytes of version, sizes of an integer and an offset, then the archive's kind. pg_dump writes the
/// table of contents of a directory as that of a tar (archTar, 3), so that both can be read the same way.
fn archive(header: &[u8]) -> BackupFormat {
    if header.get(5) == Some(&3) { BackupFormat::Directory } else { BackupFormat::Custom }
}

/// A tar of pg_dump has its table of contents first; another tar is no backup of ours.
fn is_tar(head: &[u8]) -> bool {
    head.starts_with(b"toc.dat\0") && head.get(257..262) == Some(b"ustar")
}

/// First words of a script that PostgreSQL takes.
const OPENINGS: &[&str] = &[
    "alter", "begin", "comment", "copy", "create", "delete", "do", "drop", "grant", "insert", "revoke", "select",
    "set", "start", "truncate", "update", "with",
];

fn is_script(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    while let Some(token) = lexer::token(rest, true) {
        let (text, after) = rest.split_at_checked(token.len).unwrap_or((rest, &[]));
        match token.kind {
            // "PostgreSQL database dump" by pg_dump, "… cluster dump" by pg_dumpall.
            Kind::Comment if memmem::find(text, b"PostgreSQL database ").is_some() => return true,
            Kind::Space | Kind::Comment => rest = after,
            Kind::Word => {
                // A column of a CSV header may be called "comment", but a comma follows it.
                return OPENINGS.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
                    && after.first().is_some_and(|&b| lexer::is_space(b) || b == b';');
            }
            Kind::Byte(b'\\') => {
                return [&b"\\restrict "[..], b"\\connect ", b"\\set "].iter().any(|meta| rest.starts_with(meta));
            }
            _ => return false,
        }
    }
    false
}
