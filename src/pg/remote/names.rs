//! What shards are called on the servers where they live.
//!
//! Several databases may have shards on one node, and a restore that failed may not have been swept yet: the schema is named after
//! this database, and the tables after the transaction that makes them. A comment on the shell says the same, so that what was left
//! can be told from what is in use without any record here.
#![allow(unsafe_code)]

use crate::pg::create::{part_name, shard_name};
use crate::pg::error::Result;
use crate::pg::ffi;
use foreshard_core::backup::checksum::RowHasher;
use foreshard_core::model::TableName;
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;

/// Of one table on all nodes.
#[derive(Debug, Clone)]
pub struct Names {
    pub target: TableName,
    pub shell: TableName,
    pub xid: u64,
}

/// The comment on a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The table that it belongs to, in the database that the schema is named after.
    pub foreshard: String,
    /// The transaction there that made it.
    pub transaction: u64,
    /// See [`this_server`]: numbers of transactions mean nothing to a copy of a server.
    pub server: String,
}

impl Names {
    /// For what the current (sub)transaction makes.
    pub fn new(target: &TableName) -> Result<Self> {
        let xid = ffi::known_transaction()?;
        let end = (0..=target.name.len().min(32)).rev().find(|n| target.name.is_char_boundary(*n)).unwrap_or(0);
        let short = target.name.get(..end).unwrap_or_default();
        Ok(Self { target: target.clone(), shell: TableName::new(schema(), format!("{short}_{xid}")), xid })
    }

    pub fn shard(&self, ordinal: u32) -> TableName {
        shard_name(&self.shell, ordinal)
    }

    pub fn part(&self, number: u32) -> TableName {
        part_name(&self.shell, number)
    }

    pub fn mark(&self) -> String {
        let mark = Mark { foreshard: self.target.to_string(), transaction: self.xid, server: this_server() };
        serde_json::to_string(&mark).unwrap_or_default()
    }
}

/// Tells this server from its copies, which have its system identifier and its databases' numbers: by the machine, and the place of its files there.
pub fn this_server() -> String {
    let directory = ffi::data_directory();
    let place = std::fs::metadata(&directory).map(|meta| format!("{} {}", meta.dev(), meta.ino())).unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let parts = [machine.trim(), &directory, &place];
    format!("{:016x}", RowHasher::new().hash(parts.iter().map(|part| Some(part.as_bytes()))) as u64)
}

/// The schema on every node that holds this database's shards, and nobody else's.
pub fn schema() -> String {
    // SAFETY: reads two constants of the running server.
    let (system, database) = unsafe { (pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId) };
    format!("foreshard_{system}_{}", database.to_u32())
}
