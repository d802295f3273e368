// In-server tests, one file per area: each calls the adapters inside a backend, as the extension does.
// A test runs in a transaction of its own that is rolled back; the names of all tests are in one schema and differ.

mod definition;
mod parse;
mod show;
mod workload;
