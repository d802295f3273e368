//! Rows as PostgreSQL's heap stores them: values, tuples and pages, made from COPY text without asking the server.
//!
//! COPY spends two microseconds of one core on a row. What it does for the usual types can be done in threads: a
//! [`Filler`] reads rows, routes them and fills one page for each shard; the backend that owns the tables only writes the pages. A
//! row that is not understood to the last byte (a type, an input that the server would round, a value that is too large for a page) is
//! left to COPY, which knows better or has the right error. The way back, from a page to the checksum of its rows, is [`Reader`]. Rows of
//! shards that live on another server are written in COPY's binary format instead.
//!
//! The layout is that of PostgreSQL 14 to 18 on little-endian machines with 8 kB pages and 8-byte alignment: `htup_details.h`,
//! `bufpage.h`, `varatt.h` and `numeric.c`. Whether a server is such a one, the caller has to ask.

pub mod binary;
mod field;
mod filler;
mod numeric;
mod page;
mod reader;
mod tuple;

pub use field::Kind;
pub use filler::{Filled, Filler, Odd, Report};
pub use page::{PAGE, Page};
pub use reader::Reader;
pub use tuple::{Column, Shape, Values};
