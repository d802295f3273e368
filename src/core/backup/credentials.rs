//! Who reads from a store: an access key with its secret, from a file of AWS's shared-credentials format.
//!
//! The secret can be seen by whoever signs, and is in no text that this type makes of itself.

/// What a profile is called that nobody named.
pub const DEFAULT_PROFILE: &str = "default";

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Of `profile` in a file's text: sections in brackets, names and values with `=` between them, `#` and `;` before comments. None
    /// where it has no such profile, or not both of a key and its secret.
    pub fn of_profile(text: &str, profile: &str) -> Option<Self> {
        let (mut inside, mut key, mut secret, mut token) = (false, None, None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                inside = name.trim() == profile;
            } else if inside && let Some((name, value)) = line.split_once('=') {
                let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
                match name.trim() {
                    "aws_access_key_id" => key = value,
                    "aws_secret_access_key" => secret = value,
                    "aws_session_token" => token = value,
                    _ => {}
                }
            }
        }
        Some(Self { key: key?, secret: secret?, token })
    }
}
