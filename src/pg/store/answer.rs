//! What a store answers instead of what was asked for, as a problem; and whether to ask again.
//!
//! Texts of the store are not passed on: they repeat the signature, and the key that made it. Its codes are short words.

use foreshard_core::backup::address::Address;
use foreshard_core::model::Problem;
use std::io::ErrorKind;
use ureq::Error;

/// Letters and digits of a code, or of a region's name, at most.
const WORD: usize = 64;

/// One attempt that failed.
#[derive(Debug)]
pub struct Failure {
    pub problem: Problem,
    /// It may go well the next time.
    pub again: bool,
}

/// An answer that is no success.
#[derive(Debug)]
pub struct Refusal<'a> {
    pub status: u16,
    /// The head of its text, an XML document.
    pub text: &'a str,
    /// The region that it names in a header.
    pub region: Option<&'a str>,
    /// The request was signed.
    pub signed: bool,
}

impl Refusal<'_> {
    pub fn failure(&self, address: &Address) -> Failure {
        let again = matches!(self.status, 429 | 500..) || self.code() == Some("RequestTimeout");
        Failure { problem: self.problem(address), again }
    }

    fn problem(&self, address: &Address) -> Problem {
        let Address { bucket, .. } = address;
        let answers = match self.code() {
            Some(code) => format!("The store answers {} ({code}).", self.status),
            None => format!("The store answers {}.", self.status),
        };
        let problem = |sqlstate: &str, message: String, hint: &str| {
            Problem::new(sqlstate, message).detail(answers.clone()).hint(hint)
        };
        match (self.status, self.code().unwrap_or_default()) {
            (_, "NoSuchBucket") => problem(
                "58P01",
                format!("the store has no bucket \"{bucket}\""),
                "Check its name, and with foreshard.s3_endpoint and foreshard.s3_region which store is asked.",
            ),
            (404, _) => problem(
                "58P01",
                format!("the store has no object \"{address}\""),
                "Keys are compared as they are: case, spaces and slashes count.",
            ),
            (412, _) => changed(address).detail(answers),
            (301 | 307 | 308, _)
            | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                match word(self.region).or(element(self.text, "Region")) {
                    Some(region) => problem(
                        "22023",
                        format!("the bucket \"{bucket}\" is in another region"),
                        &format!("SET foreshard.s3_region = '{region}'"),
                    ),
                    None => problem(
                        "22023",
                        format!("the bucket \"{bucket}\" is elsewhere"),
                        "Set foreshard.s3_region, and foreshard.s3_endpoint for a store that is not of AWS, to where it is.",
                    ),
                }
            }
            (_, "RequestTimeTooSkewed" | "RequestExpired") => problem(
                "28000",
                "the store does not accept the time of a request".to_owned(),
                "Set the clock of the server's machine.",
            ),
            (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
                | "InvalidSecurity",
            )
            | (401, _) => problem(
                "28000",
                "the store does not accept the credentials".to_owned(),
                "They are those of foreshard.s3_credentials_file, or else of the server's environment; the region must be right, too.",
            ),
            (_, "InvalidObjectState") => problem(
                "55000",
                format!("the object \"{address}\" is in an archive"),
                "Have the store bring it back first.",
            ),
            (403, _) => problem(
                "42501",
                format!("the store denies access to \"{address}\""),
                if self.signed {
                    "Whoever the credentials are of needs s3:GetObject on it, and s3:ListBucket for a pattern or a directory."
                } else {
                    "The request was anonymous: name a file of credentials with foreshard.s3_credentials_file."
                },
            ),
            (416, _) => changed(address).detail(answers),
            (500.., _) => problem("08006", format!("the store failed to give \"{address}\""), "Try again later."),
            _ => problem(
                "08P01",
                format!("the store does not answer as S3 does for \"{address}\""),
                "Check foreshard.s3_endpoint and foreshard.s3_path_style.",
            ),
        }
    }

    fn code(&self) -> Option<&str> {
        element(self.text, "Code")
    }
}

/// The object is not the one whose beginning was read.
pub fn changed(address: &Address) -> Problem {
    Problem::new("55000", format!("the object \"{address}\" changed while it was read"))
        .hint("Start again when nothing writes to it; nothing of it was kept.")
}

/// An answer that is not what S3 promises.
pub fn odd(address: &Address, what: &str) -> Failure {
    let problem = Problem::new("08P01", format!("the store does not answer as S3 does for \"{address}\""))
        .detail(what)
        .hint("Check foreshard.s3_endpoint and foreshard.s3_path_style.");
    Failure { problem, again: false }
}

/// Fewer bytes than were promised.
pub fn cut(address: &Address, got: usize, promised: u64) -> Failure {
    let problem = broken(address).detail(format!("It sent {got} of {promised} bytes."));
    Failure { problem, again: true }
}

fn broken(address: &Address) -> Problem {
    Problem::new("08006", format!("the connection to the store broke while \"{address}\" was read"))
        .hint("Check the network and the store, and start again; nothing was kept.")
}

/// No answer at all, or not all of it.
pub fn transport(address: &Address, error: &Error) -> Failure {
    let unreachable = |detail: String| {
        Problem::new("08001", format!("could not reach the store for \"{address}\""))
            .detail(detail)
            .hint("Check foreshard.s3_endpoint and foreshard.s3_region, and the network from the server's machine.")
    };
    let tls = |detail: String| {
        Problem::new("08001", format!("no secure connection to the store for \"{address}\""))
            .detail(detail)
            .hint("The server's machine must trust who signed the store's certificate; an endpoint without TLS begins with http://.")
    };
    let (problem, again) = match error {
        Error::HostNotFound => (unreachable("There is no host of that name.".to_owned()), true),
        Error::ConnectionFailed => (unreachable("No address of the host takes connections.".to_owned()), true),
        Error::Timeout(_) => (broken(address).detail("The store took too long to answer."), true),
        Error::Rustls(e) => (tls(format!("TLS says: {e}.")), false),
        Error::Tls(e) => (tls(format!("TLS says: {e}.")), false),
        Error::Io(e) if e.kind() == ErrorKind::InvalidData => (tls(format!("TLS says: {e}.")), false),
        Error::Io(e) if e.kind() == ErrorKind::ConnectionRefused => {
            (unreachable(format!("The operating system says: {e}.")), true)
        }
        Error::Io(e) => (broken(address).detail(format!("The connection says: {e}.")), true),
        // Not its text, which may have the address of the request.
        Error::Protocol(_) => (broken(address).detail("What it sent is no HTTP."), true),
        _ => (broken(address).detail("The request could not be made."), false),
    };
    Failure { problem, again }
}

/// The text of an XML element, if it is one short word.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    word(rest.split_once('<').map(|(value, _)| value))
}

fn word(text: Option<&str>) -> Option<&str> {
    let plain = |t: &&str| (1..=WORD).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.filter(plain)
}

/// A problem on its way through what reads.
#[derive(Debug)]
struct Told(Problem);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Told {}

/// The problem as an error of reading.
pub fn as_io(problem: Problem) -> std::io::Error {
    std::io::Error::other(Told(problem))
}

/// The problem that an error of reading is, if it comes from a store.
pub fn told(error: &std::io::Error) -> Option<Problem> {
    error.get_ref()?.downcast_ref::<Told>().map(|told| told.0.clone())
}
