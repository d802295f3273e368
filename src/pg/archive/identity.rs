//! Is it the same backup as before? By the names, sizes and times of its files, or the tags of its objects, without reading them.

use super::place::Place;
use super::{Backup, file};
use crate::pg::error::Result;
use crate::pg::store::Object;
use foreshard_core::backup::checksum::{Checksum, RowHasher};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Backup {
    /// Differs when a file of the backup was written, added, removed or exchanged. None for a live table, which has no such thing.
    ///
    /// # Errors
    /// 58030 for files that cannot be looked at.
    pub fn identity(&self) -> Result<Option<String>> {
        if self.live.is_some() {
            return Ok(None);
        }
        let mut found = Checksum::default();
        for part in &self.parts {
            match &part.place {
                Place::Path(path) => identify(Path::new(path), &mut found).map_err(|e| file::unread(&e))?,
                Place::Object(object) => found.add(of_object(object)),
                Place::Folder(folder) => folder.objects.values().for_each(|object| found.add(of_object(object))),
            }
        }
        Ok(Some(found.to_string()))
    }
}

/// A file, or all files of a directory, in whatever order.
fn identify(path: &Path, found: &mut Checksum) -> std::io::Result<()> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_dir() {
        found.add(fingerprint(path, &meta));
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        found.add(fingerprint(&path, &std::fs::metadata(&path)?));
    }
    Ok(())
}

/// By what the store calls its content.
fn of_object(object: &Object) -> u128 {
    let facts = format!("{} {}", object.size, object.tag().unwrap_or_default());
    RowHasher::new().hash([Some(object.address.to_string().as_bytes()), Some(facts.as_bytes())])
}

fn fingerprint(path: &Path, meta: &Metadata) -> u128 {
    let facts = format!("{} {} {}", meta.len(), meta.mtime(), meta.mtime_nsec());
    RowHasher::new().hash([Some(path.as_os_str().as_encoded_bytes()), Some(facts.as_bytes())])
}
