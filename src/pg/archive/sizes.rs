//! How many bytes an archive stores for each of its tables.
//!
//! Its table of contents says where the rows are; what lies between two places, or what a file measures, is their size.
//! Nothing here is an error: an archive that is not as expected is pg_restore's to refuse, and then no size is known.

use super::{Bytes, Origin, file};
use foreshard_core::backup::sizes::Stored;
use foreshard_core::backup::toc;
use foreshard_core::model::config::BackupFormat;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// None where it is no archive, or does not tell.
pub(super) fn of_archive(path: &str, format: BackupFormat) -> Option<Stored> {
    match format {
        BackupFormat::Custom => {
            let file = file::open(path).ok()?;
            let end = file.metadata().ok()?.len();
            let contents = toc::read(BufReader::new(attended(file)))?;
            Some(Stored::of_archive(contents.compressed, contents.sizes_by_offset(end)))
        }
        BackupFormat::Tar => {
            let (contents, members) = toc::read_tar(BufReader::new(attended(file::open(path).ok()?)))?;
            // pg_dump does not compress what it puts into a tar, whatever the head says.
            Some(Stored::of_archive(false, contents.sizes_by_file(|name| members.get(name).copied())))
        }
        BackupFormat::Directory => {
            let folder = Path::new(path);
            let toc = file::open(&folder.join("toc.dat").to_string_lossy()).ok()?;
            let contents = toc::read(BufReader::new(attended(toc)))?;
            let sizes = contents.sizes_by_file(|name| size(folder, name));
            Some(Stored::of_archive(contents.compressed, sizes))
        }
        BackupFormat::Plain | BackupFormat::Csv | BackupFormat::Text => None,
    }
}

/// Endings that pg_dump gives to compressed files; the table of contents names them without.
const ENDINGS: [&str; 4] = ["", ".gz", ".lz4", ".zst"];

fn size(folder: &Path, name: &str) -> Option<u64> {
    std::fs::metadata(stored_file(folder, name)?).ok().map(|m| m.len())
}

/// The file of a directory archive that the table of contents calls `name`.
pub(super) fn stored_file(folder: &Path, name: &str) -> Option<PathBuf> {
    // A name of the table of contents is a file of this directory, and nothing else.
    if name.contains('/') {
        return None;
    }
    let mut files = ENDINGS.iter().map(|ending| folder.join(format!("{name}{ending}")));
    files.find(|file| std::fs::metadata(file).is_ok_and(|m| m.is_file()))
}

fn attended(file: File) -> Bytes {
    Origin::File(file).into()
}
