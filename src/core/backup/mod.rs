//! From the bytes of a backup to rows and statistics.
//!
//! Everything here takes foreign bytes as a stream, in chunks cut anywhere, keeps a bounded amount of them and never
//! panics on any of them. A restore walks through it in this order: [`mod@format`] tells what a file is, [`script`] cuts a
//! dump into its statements and the rows of its COPY sections, [`rows`] cuts those into fields, [`profile`] counts what
//! is in the columns, and [`checksum`] remembers what was there, so that the shards can be compared with it.
//! How large the tables are whose rows nobody reads, [`sizes`] tells from what is stored, with [`toc`] for archives;
//! [`sampler`] keeps a few rows for a replay. Backups in a store have an [`address`], and whoever reads them [`credentials`].

pub mod address;
pub mod checksum;
pub mod credentials;
pub mod format;
mod lexer;
mod outline;
pub mod profile;
pub mod rows;
pub mod sampler;
pub mod script;
pub mod sizes;
pub mod toc;
mod window;
