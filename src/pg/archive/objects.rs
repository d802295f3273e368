//! The objects of a store that a backup's address means: one, those of a pattern, or those of a directory.

use super::file::{no_pattern, only_rows};
use super::place::{CONTENTS, Folder, Place};
use crate::pg::error::Result;
use crate::pg::store::{Object, Store};
use foreshard_core::backup::address::Address;
use foreshard_core::model::Problem;
use foreshard_core::model::config::BackupFormat;
use glob::{MatchOptions, Pattern};
use std::sync::Arc;

/// In the order of their keys.
///
/// # Errors
/// What the store has against it; 22023 for a pattern that is none, 58P01 where nothing is.
pub(super) fn places(address: &Address, declared: Option<BackupFormat>) -> Result<Vec<Place>> {
    let store = Arc::new(Store::configured(address)?);
    if address.is_pattern() {
        return matching(&store, address, declared);
    }
    if !address.key.ends_with('/') && declared != Some(BackupFormat::Directory) {
        return Ok(vec![Place::Object(Object::find(&store, address.clone())?)]);
    }
    Ok(vec![Place::Folder(Arc::new(folder(&store, address)?))])
}

fn matching(store: &Arc<Store>, address: &Address, declared: Option<BackupFormat>) -> Result<Vec<Place>> {
    let text = address.to_string();
    only_rows(&text, declared)?;
    let pattern = Pattern::new(&address.key).map_err(|e| no_pattern(&text, e.msg))?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let objects = Object::list(store, address, address.prefix())?;
    let found = objects.into_iter().filter(|o| pattern.matches_with(&o.address.key, options));
    let found: Vec<Place> = found.map(Place::Object).collect();
    if found.is_empty() {
        return Err(Problem::new("58P01", format!("no object matches \"{text}\""))
            .hint("* and ? stand for no slash; case counts.")
            .into());
    }
    Ok(found)
}

fn folder(store: &Arc<Store>, address: &Address) -> Result<Folder> {
    let prefix = format!("{}/", address.key.trim_end_matches('/'));
    let objects = Object::list(store, address, &prefix)?;
    let named = |object: Arc<Object>| Some((object.address.key.strip_prefix(&prefix)?.to_owned(), object));
    let folder = Folder { address: address.to_string(), objects: objects.into_iter().filter_map(named).collect() };
    if folder.objects.contains_key(CONTENTS) { Ok(folder) } else { Err(super::file::no_contents(&folder.address)) }
}
