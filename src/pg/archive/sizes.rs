//! How many bytes an archive stores for each of its tables.
//!
//! Its table of contents says where the rows are; what lies between two places, or what a file measures, is their size.
//! Nothing here is an error: an archive that is not as expected is pg_restore's to refuse, and then no size is known.

use super::place::{CONTENTS, Place, Source};
use crate::pg::threads::still_wanted;
use foreshard_core::backup::sizes::Stored;
use foreshard_core::backup::toc;
use foreshard_core::model::config::BackupFormat;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// None where it is no archive, or does not tell.
pub(super) fn of_archive(place: &Place, format: BackupFormat) -> Option<Stored> {
    match format {
        BackupFormat::Custom => {
            let end = place.size()?;
            let contents = toc::read(BufReader::new(attended(place)?))?;
            Some(Stored::of_archive(contents.compressed, contents.sizes_by_offset(end)))
        }
        // Each member of a tar would be a request to the store.
        BackupFormat::Tar if matches!(place, Place::Object(_)) => None,
        BackupFormat::Tar => {
            let (contents, members) = toc::read_tar(BufReader::new(attended(place)?))?;
            // pg_dump does not compress what it puts into a tar, whatever the head says.
            Some(Stored::of_archive(false, contents.sizes_by_file(|name| members.get(name).copied())))
        }
        BackupFormat::Directory => {
            let contents = toc::read(BufReader::new(attended(&place.member(CONTENTS)?)?))?;
            let sizes = contents.sizes_by_file(|name| stored_file(place, name)?.0.size());
            Some(Stored::of_archive(contents.compressed, sizes))
        }
        BackupFormat::Plain | BackupFormat::Csv | BackupFormat::Text => None,
    }
}

/// Endings that pg_dump gives to compressed files; the table of contents names them without.
const ENDINGS: [&str; 4] = ["", ".gz", ".lz4", ".zst"];

/// The file of a directory archive that the table of contents calls `name`, and its ending.
pub(super) fn stored_file(folder: &Place, name: &str) -> Option<(Place, &'static str)> {
    ENDINGS.into_iter().find_map(|ending| Some((folder.member(&format!("{name}{ending}"))?, ending)))
}

/// Whoever reads can be cancelled.
struct Attended(Source);

fn attended(place: &Place) -> Option<Attended> {
    place.open().ok().map(Attended)
}

impl Read for Attended {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        still_wanted()?;
        self.0.read(buffer)
    }
}

impl Seek for Attended {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}
