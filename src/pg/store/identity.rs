//! Who reads from the store: the profile of a file that the settings name, what the server's environment says, or nobody in particular.

use crate::pg::error::Result;
use crate::pg::settings::S3;
use foreshard_core::backup::credentials::{Credentials, DEFAULT_PROFILE};
use foreshard_core::model::Problem;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// Bytes of a credentials file at most.
const MOST: u64 = 64 << 10;
/// Rights of others than a file's owner and its group, and of its group.
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

/// # Errors
/// 58P01, 42501 or 58030 for a file that cannot be read, 42501 for one that others may read, 22023 without the profile.
pub fn credentials(settings: &S3) -> Result<Option<Credentials>> {
    let Some(path) = &settings.credentials_file else { return Ok(of_environment()) };
    let refused =
        |sqlstate: &str, what: &str| Problem::new(sqlstate, format!("{what} of foreshard.s3_credentials_file"));
    let failed = |error: &std::io::Error| {
        let sqlstate = match error.kind() {
            std::io::ErrorKind::NotFound => "58P01",
            std::io::ErrorKind::PermissionDenied => "42501",
            _ => "58030",
        };
        refused(sqlstate, "could not read the file").detail(format!("The operating system says: {error}.")).hint(
            "It is an absolute path on the server, and the server's operating-system user must be able to read it.",
        )
    };
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let meta = file.metadata().map_err(|e| failed(&e))?;
    // As the server itself asks of the key of its certificate: a group may read what belongs to root.
    let open_to = if meta.uid() == 0 { OTHERS } else { OTHERS | GROUP };
    if meta.mode() & open_to != 0 {
        return Err(refused("42501", "others may read the file")
            .detail(format!("Its mode is {:04o}.", meta.mode() & 0o7777))
            .hint("chmod 0600 is for a file of the server's operating-system user, 0640 for one of root's.")
            .into());
    }
    let mut text = String::new();
    Read::by_ref(&mut file).take(MOST).read_to_string(&mut text).map_err(|e| failed(&e))?;
    let profile = settings.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
    let found = Credentials::of_profile(&text, profile);
    found.map(Some).ok_or_else(|| {
        refused("22023", "there is no such profile in the file")
            .detail(format!("It has no aws_access_key_id with an aws_secret_access_key under [{profile}]."))
            .hint("Name another profile with foreshard.s3_profile, or write them into the file.")
            .into()
    })
}

fn of_environment() -> Option<Credentials> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let token = variable("AWS_SESSION_TOKEN");
    Some(Credentials { key: variable("AWS_ACCESS_KEY_ID")?, secret: variable("AWS_SECRET_ACCESS_KEY")?, token })
}
