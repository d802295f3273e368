//! Looking at the rows before planning: all of them, or the first ones.

use super::reading::Reading;
use crate::pg::archive::{Data, Section};
use crate::pg::error::Result;
use crate::pg::progress;
use foreshard_core::backup::profile::extent::Pass;
use foreshard_core::backup::profile::{Profiler, Sampled, ValueOrder};
use foreshard_core::model::config::Profiling;
use foreshard_core::model::{Column, Problem, Table};

/// What is wanted of a pass.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub asked: Profiling,
    /// Bytes of text at which it may end.
    pub bound: u64,
    /// What the backup stores of the rows, in the measure of [`Data::consumed`].
    pub stored: Option<u64>,
}

/// The columns that a backup stores, and how their text can be ordered.
pub fn orders(table: &Table) -> Vec<(String, ValueOrder)> {
    let stored = table.columns.iter().filter(|c| !c.generated);
    stored.map(|c| (c.name.clone(), ValueOrder::of_type(&c.type_name))).collect()
}

/// One pass over the rows, or the first of them.
///
/// # Errors
/// Those of the source, and 22P04 for rows that do not have the columns they should have.
pub fn profile(mut data: Data, table: &Table, wanted: Wanted) -> Result<(Sampled, Pass)> {
    let stored: Vec<_> = table.columns.iter().filter(|c| !c.generated).collect();
    let mut profiler = Profiler::new(&orders(table));
    let mut line: Vec<Option<Vec<u8>>> = Vec::new();
    let mut chunk = Vec::new();
    let (mut text, mut begun, mut pass) = (0, None, Pass::Short);
    while let Some(section) = data.next_section()? {
        // An archive's table of contents was read before.
        let begin = *begun.get_or_insert_with(|| data.consumed(0));
        known_once(&section, &stored, table)?;
        let places: Vec<Option<usize>> = match &section.columns {
            None => (0..stored.len()).map(Some).collect(),
            Some(names) => stored.iter().map(|c| names.iter().position(|n| *n == c.name)).collect(),
        };
        let width = section.columns.as_ref().map_or(stored.len(), Vec::len);
        let mut reading = Reading::new(&section, Some(width))?;
        let in_order = places.iter().enumerate().all(|(i, p)| *p == Some(i)) && width == places.len();
        let mut look = |row: foreshard_core::backup::rows::Row<'_>| {
            if in_order {
                profiler.row(row.fields());
            } else {
                line.clear();
                line.extend(row.fields().map(|f| f.map(<[u8]>::to_vec)));
                profiler.row(places.iter().map(|p| p.and_then(|p| line.get(p)).and_then(|f| f.as_deref())));
            }
        };
        while data.next_chunk(&mut chunk)? {
            reading.push(&chunk, &mut look)?;
            progress::advance(chunk.len(), 0);
            text += chunk.len() as u64;
            if pass == Pass::Short && text >= wanted.bound {
                let consumed = begin.zip(data.consumed(text)).map(|(begin, now)| now.saturating_sub(begin) as f64);
                let share = consumed.zip(wanted.stored).map(|(consumed, all)| consumed / all as f64);
                pass = Pass::at_bound(wanted.asked, share);
            }
            if let Pass::Stopped(share) = pass {
                progress::expect((text as f64 / share) as u64);
                return Ok((profiler.finish_sample(share), pass));
            }
        }
        reading.finish(&mut look)?;
    }
    data.finish()?;
    progress::expect(text);
    Ok((Sampled { profile: profiler.finish(), untold: Vec::new() }, pass))
}

/// The columns of a section are the table's, each of them once.
fn known_once(section: &Section, stored: &[&Column], table: &Table) -> Result<()> {
    let names = section.columns.as_deref().unwrap_or_default();
    let mut problems = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if !stored.iter().any(|c| c.name == *name) {
            problems.push(
                Problem::new("42703", format!("column \"{name}\" of the rows is not in the table"))
                    .detail(format!(
                        "Values can be loaded into {} of {}.",
                        stored.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "),
                        table.name
                    ))
                    .hint("Names are compared as they are, case included."),
            );
        } else if names.iter().take(i).any(|other| other == name) {
            problems.push(Problem::new("42701", format!("column \"{name}\" of the rows is named twice")));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}
