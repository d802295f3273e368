//! Objects of an S3-compatible store, read as files are.
//!
//! A backup's address leads to a [`Store`], as the settings say where it is and who reads; there an [`Object`] is found, with its size and
//! the tag of its content, and read by ranges, each a request of its own: in a thread that never calls the server, repeated when the
//! connection or the store fails, and only while the tag is the same. Whoever waits for a range can be cancelled. A signed address lasts
//! for one request and is in no message: what is told of a failure is put together from the address as the user wrote it, the status,
//! and the store's short code, never from its text or the library's.

mod answer;
mod client;
mod identity;
mod object;
mod pending;

pub use answer::told;
pub use client::Store;
pub use object::{Fed, Object, Stream};
