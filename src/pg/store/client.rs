//! A bucket of a store: requests are signed, sent, and sent again where that may help.
//!
//! Everything here that talks to the store blocks, and is for threads alone.

use super::answer::{Failure, Refusal, changed, cut, odd, transport};
use super::identity;
use crate::pg::error::Result;
use crate::pg::settings;
use crate::pg::threads::Stop;
use foreshard_core::backup::address::Address;
use foreshard_core::model::Problem;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::ops::Range;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};

/// Region of the signatures where none is set: what stores other than AWS take.
const REGION: &str = "us-east-1";
/// How long a signed address is good: as clocks may differ, and as a request may wait. Assumed.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// Time to connect, and time without a byte, after which an attempt is given up. Assumed: longer than a busy store lets wait.
const CONNECTING: Duration = Duration::from_secs(10);
const SILENT: Duration = Duration::from_secs(30);
/// Pauses before further attempts: AWS advises exponential ones, and asks for few.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// Bytes of a refusal that are looked at, and of a part of a listing: a thousand keys of a kilobyte, escaped.
const REFUSAL: u64 = 16 << 10;
const LISTING: u64 = 8 << 20;
/// Objects that one pattern, or one directory, means at most.
const OBJECTS: usize = 100_000;

pub struct Store {
    bucket: Bucket,
    credentials: Option<Credentials>,
    agent: Agent,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}

/// Bytes of an object, and what the store says of it.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// Of the whole object.
    pub size: u64,
    /// Of its content.
    pub tag: Option<String>,
}

/// An object of a listing.
#[derive(Debug)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub tag: Option<String>,
}

/// The answer to one request.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: ureq::Body,
}

impl Store {
    /// The store of the settings, and the bucket of `address`.
    ///
    /// # Errors
    /// 22023 for an endpoint that is none, and those of the credentials.
    pub fn configured(address: &Address) -> Result<Self> {
        let settings = settings::s3();
        let region = settings.region.clone().unwrap_or_else(|| REGION.to_owned());
        let of_aws = || format!("https://s3.{region}.amazonaws.com");
        let wrong = |detail: &str| {
            Problem::new("22023", "foreshard.s3_endpoint is no address of a store").detail(detail).hint(
                "Write it as https://host or https://host:port; credentials are in foreshard.s3_credentials_file.",
            )
        };
        let endpoint = settings.endpoint.clone().unwrap_or_else(of_aws);
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        if endpoint.contains(['@', '?', '#']) {
            return Err(wrong("It has more than a host, a port and a path.").into());
        }
        let url = endpoint.parse().map_err(|_| wrong("It cannot be read as one."))?;
        let bucket = Bucket::new(url, style, address.bucket.clone(), region).map_err(|_| {
            wrong("It does not begin with https:// or http:// and a host that buckets can be named under.")
        })?;
        let credentials = identity::credentials(&settings)?.map(|c| match c.token {
            Some(token) => Credentials::new_with_token(c.key, c.secret, token),
            None => Credentials::new(c.key, c.secret),
        });
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A signature is for one host, and where else a server connects to is not the store's to say.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .timeout_resolve(Some(CONNECTING))
            .timeout_connect(Some(CONNECTING))
            .timeout_recv_response(Some(SILENT))
            .timeout_per_read(Some(SILENT))
            .build()
            .into();
        Ok(Self { bucket, credentials, agent })
    }

    /// Bytes of an object: fewer than asked for only at its end, and none of one that has none. With `tag`, only while its content is that.
    pub fn get(
        &self,
        address: &Address,
        range: Range<u64>,
        tag: Option<&str>,
        stop: &Stop,
    ) -> std::result::Result<Piece, Problem> {
        insist(stop, || self.get_once(address, range.clone(), tag))
    }

    fn get_once(&self, address: &Address, range: Range<u64>, tag: Option<&str>) -> std::result::Result<Piece, Failure> {
        let url = self.bucket.get_object(self.credentials.as_ref(), &address.key).sign(SIGNED_FOR);
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let mut answer = self.send(address, url.as_str(), &[("range", Some(&bytes)), ("if-match", tag)])?;
        let told = answer.headers.get("etag").and_then(|t| t.to_str().ok()).and_then(strong);
        if answer.status == StatusCode::RANGE_NOT_SATISFIABLE && range.start == 0 && tag.is_none() {
            return Ok(Piece { bytes: Vec::new(), size: 0, tag: told });
        }
        if answer.status != StatusCode::PARTIAL_CONTENT {
            return Err(match answer.status.is_success() {
                true => odd(address, "It does not give a part of an object when asked for one."),
                false => self.refusal(address, &mut answer),
            });
        }
        let (start, end, size) = content_range(&answer.headers)
            .ok_or_else(|| odd(address, "It does not say which part of an object it gives."))?;
        if start != range.start || end != range.end.min(size) {
            return Err(odd(address, "It gives another part of an object than was asked for."));
        }
        // Where a store knows no If-Match.
        if tag.is_some_and(|tag| told.as_deref() != Some(tag)) {
            return Err(Failure { problem: changed(address), again: false });
        }
        let promised = end - start;
        let body = answer.body.with_config().limit(promised.saturating_add(1)).read_to_vec();
        let bytes = body.map_err(|e| transport(address, &e))?;
        if bytes.len() as u64 != promised {
            return Err(cut(address, bytes.len(), promised));
        }
        Ok(Piece { bytes, size, tag: told })
    }

    /// All objects whose keys begin with `prefix`, in the order of their keys.
    pub fn list(&self, address: &Address, prefix: &str, stop: &Stop) -> std::result::Result<Vec<Listed>, Problem> {
        let mut found: Vec<Listed> = Vec::new();
        let mut token = None;
        loop {
            let (objects, next) = insist(stop, || self.list_once(address, prefix, token.as_deref()))?;
            found.extend(objects);
            if found.len() > OBJECTS {
                return Err(Problem::new("54000", format!("more than {OBJECTS} objects begin like \"{address}\""))
                    .hint("Write more of the keys before the first wildcard."));
            }
            if next.is_none() || next == token || stop.is_set() {
                break;
            }
            token = next;
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn list_once(
        &self,
        address: &Address,
        prefix: &str,
        token: Option<&str>,
    ) -> std::result::Result<(Vec<Listed>, Option<String>), Failure> {
        let mut action = self.bucket.list_objects_v2(self.credentials.as_ref());
        action.with_prefix(prefix);
        if let Some(token) = token {
            action.with_continuation_token(token);
        }
        let url = action.sign(SIGNED_FOR);
        let mut answer = self.send(address, url.as_str(), &[])?;
        if !answer.status.is_success() {
            return Err(self.refusal(address, &mut answer));
        }
        let body = answer.body.with_config().limit(LISTING).read_to_string();
        let text = body.map_err(|e| transport(address, &e))?;
        let listing = ListObjectsV2::parse_response(&text).map_err(|_| odd(address, "Its listing cannot be read."))?;
        let listed = listing.contents.into_iter().map(|o| Listed {
            size: o.size.unwrap_or_default(),
            tag: o.etag.as_deref().and_then(strong),
            key: o.key,
        });
        Ok((listed.collect(), listing.next_continuation_token))
    }

    fn send(
        &self,
        address: &Address,
        url: &str,
        headers: &[(&str, Option<&str>)],
    ) -> std::result::Result<Answer, Failure> {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(*name, *value);
            }
        }
        let (parts, body) = request.call().map_err(|e| transport(address, &e))?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    fn refusal(&self, address: &Address, answer: &mut Answer) -> Failure {
        let text = answer.body.with_config().limit(REFUSAL).lossy_utf8(true).read_to_string().unwrap_or_default();
        let region = answer.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let signed = self.credentials.is_some();
        Refusal { status: answer.status.as_u16(), text: &text, region, signed }.failure(address)
    }
}

/// A tag that says that the content is the same to the last byte: only by such a one can a store be asked whether it is.
fn strong(tag: &str) -> Option<String> {
    (tag.len() > 1 && tag.starts_with('"') && tag.ends_with('"')).then(|| tag.to_owned())
}

/// First byte, byte behind the last, and size of the whole.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let text = headers.get("content-range")?.to_str().ok()?;
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (first <= last && last < size).then_some((first, last + 1, size))
}

/// Attempts, until one is well, or will never be.
fn insist<T>(
    stop: &Stop,
    mut attempt: impl FnMut() -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Problem> {
    for pause in PAUSES {
        match attempt() {
            Err(failure) if failure.again && !stop.is_set() => std::thread::sleep(pause),
            outcome => return outcome.map_err(|failure| failure.problem),
        }
    }
    attempt().map_err(|failure| {
        let mut problem = failure.problem;
        problem.detail =
            problem.detail.map(|detail| format!("{detail} That was the last of {} attempts.", PAUSES.len() + 1));
        problem
    })
}
