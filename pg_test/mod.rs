// In-server tests, one file per area: each calls the adapters inside a backend, as the extension does.
// A test runs in a transaction of its own that is rolled back; the names of all tests are in one schema and differ.

mod checksum;
mod definition;
mod ffi;
mod parse;
mod query_log;
mod replay;
mod repoint;
mod route;
mod show;
mod texts;
mod workload;
