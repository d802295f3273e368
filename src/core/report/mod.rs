//! What people look at: pictures of a sharded table, from plain figures. Data in, text out.

pub mod heat;
