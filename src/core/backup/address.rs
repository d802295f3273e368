//! Where a backup lies in an S3-compatible store: `s3://bucket/key`, the key being one object's or a pattern.
//!
//! What is no such address is refused without being repeated: somebody may have written a password into it.

use crate::model::Problem;

/// What an address starts with.
const SCHEME: &str = "s3://";
/// Bytes of a bucket's and of a key's name that S3 takes.
const BUCKET: std::ops::RangeInclusive<usize> = 3..=63;
const KEY: std::ops::RangeInclusive<usize> = 1..=1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub bucket: String,
    /// As it is: nothing stands for another character.
    pub key: String,
}

impl Address {
    /// None for what is a path, or anything else.
    ///
    /// # Errors
    /// 22023 for a bucket or a key that cannot be.
    pub fn read(text: &str) -> Option<Result<Self, Problem>> {
        let (bucket, key) = text.strip_prefix(SCHEME).map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        let detail = if !BUCKET.contains(&bucket.len()) || !bucket.bytes().all(letter) {
            "The name of a bucket has 3 to 63 characters: lower-case letters, digits, points and hyphens."
        } else if !KEY.contains(&key.len())
            || key.chars().any(char::is_control)
            || key.split('/').any(|p| matches!(p, "." | ".."))
        {
            "The key of an object has 1 to 1,024 bytes, no control characters, and no parts \".\" and \"..\"."
        } else {
            return Some(Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() }));
        };
        Some(Err(Problem::new("22023", "the backup's address is no s3://bucket/key")
            .detail(detail)
            .hint("Credentials are no part of it: see foreshard.s3_credentials_file.")))
    }

    /// Means several objects.
    pub fn is_pattern(&self) -> bool {
        self.key.contains(['*', '?', '['])
    }

    /// What the keys of all objects that are meant begin with.
    pub fn prefix(&self) -> &str {
        self.key.find(['*', '?', '[']).and_then(|at| self.key.get(..at)).unwrap_or(&self.key)
    }

    /// Of another object in the bucket.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}
