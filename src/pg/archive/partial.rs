//! The table of contents of a directory archive in a store, as a directory that pg_restore can open.
//!
//! All that pg_restore is asked of such an archive is in there: definitions, and the states of sequences. The directory is one of the server's
//! temporary files, which the server itself removes after a crash.

use super::place::{CONTENTS, Folder, Source};
use crate::pg::error::Result;
use crate::pg::threads::still_wanted;
use foreshard_core::model::Problem;
use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The server's temporary files, from its data directory, and what their names begin with.
const DIRECTORY: &str = "base/pgsql_tmp";
const PREFIX: &str = "pgsql_tmp_foreshard_contents_";
/// Bytes of a table of contents that are copied at most. Assumed: an entry has some hundred.
const MOST: u64 = 256 << 20;
const BLOCK: usize = 256 << 10;

/// It goes with the value.
#[derive(Debug)]
pub(super) struct Partial(PathBuf);

impl Partial {
    /// # Errors
    /// 58030 where it cannot be written, 54000 for a table of contents that is too large, and those of the store.
    pub fn copy(folder: &Folder) -> Result<Self> {
        let contents = folder.objects.get(CONTENTS).ok_or_else(|| super::file::no_contents(&folder.address))?;
        if contents.size > MOST {
            return Err(Problem::new("54000", format!("the table of contents of \"{}\" is too large", folder.address))
                .detail(format!("It has {} bytes; {MOST} are copied at most.", contents.size))
                .hint("Copy the directory to the server, and name that.")
                .into());
        }
        let unwritten = |e: std::io::Error| {
            Problem::new("58030", "could not write a temporary file").detail(format!("The operating system says: {e}."))
        };
        let _there_already = DirBuilder::new().mode(0o700).create(DIRECTORY);
        let path = (0..)
            .map(|n| Path::new(DIRECTORY).join(format!("{PREFIX}{}.{n}", std::process::id())))
            .find(|p| !p.exists());
        let made = Self(path.unwrap_or_default());
        DirBuilder::new().mode(0o700).create(&made.0).map_err(unwritten)?;
        let mut file = File::create_new(made.0.join(CONTENTS)).map_err(unwritten)?;
        let (mut source, mut block) = (Source::Object(contents.open()), vec![0; BLOCK]);
        loop {
            still_wanted().map_err(|e| super::file::unread(&e))?;
            match source.read(&mut block).map_err(|e| super::file::unread(&e))? {
                0 => return Ok(made),
                n => file.write_all(block.get(..n).unwrap_or_default()).map_err(unwritten)?,
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What pg_restore lacks in it.
    pub fn problem(&self, said: &str) -> Problem {
        Problem::new("0A000", "the rows of this directory in a store cannot be read from there")
            .detail(format!(
                "They are compressed in another way than gzip, or in another encoding. pg_restore says: {said}."
            ))
            .hint("Copy the directory to the server, and name that; or take the backup with --format=custom.")
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed the server removes when it starts.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}
