//! Texts of the query log -> the pure crate's statement trees, through the server's own parser.
//!
//! There is no second SQL grammar here: [`super::tree`] holds what `raw_parser` made, [`query`] and [`expr`] pick from
//! it what says where rows are found. Nothing is looked up in a catalog.

mod expr;
mod query;

pub use query::view;

use super::tree;
use foreshard_core::backup::script::replace_parameters;
use foreshard_core::model::statement::Query;
use pgrx::pg_sys::RawParseMode;

/// Parses one text of the query log. pg_stat_statements writes `$1` where a constant stood, which is not always a
/// legal text (`interval $1`): then the parameters are replaced by quoted literals and the text is tried again.
///
/// # Errors
/// Why the text cannot be read, as a reason to be counted: the same words for the same cause.
pub fn statements(text: &str) -> Result<Vec<Query>, String> {
    let read = |text: &str| read(text, RawParseMode::RAW_PARSE_DEFAULT);
    let parsed = read(text).or_else(|first| {
        let repaired = replace_parameters(text);
        // What is still wrong after the repair was wrong before.
        if repaired == text { Err(first) } else { read(&repaired) }
    });
    match parsed {
        Ok(found) if found.is_empty() => Err("empty text".to_owned()),
        Ok(found) => Ok(found),
        // The grammar's own stack is limited to 10,000 levels and says so as a syntax error.
        Err(problem) if problem.sqlstate == "54001" || problem.message.starts_with("memory exhausted") => {
            Err("nested too deeply".to_owned())
        }
        Err(problem) if problem.sqlstate == "42601" => {
            let cut = problem.message.ends_with("at end of input") || problem.message.contains("unterminated");
            Err(if cut { "text is cut off" } else { "syntax error" }.to_owned())
        }
        // An escape that stands for no character of this database.
        Err(problem) if matches!(problem.sqlstate.as_str(), "22021" | "22P05" | "22025") => {
            Err("invalid escape".to_owned())
        }
        Err(problem) => Err(problem.message),
    }
}

/// Parses one text of a function's inner statements. PL/pgSQL's expressions and assignments (`total := (SELECT …)`) are
/// logged as they stand, and its variables where a parameter would be.
///
/// # Errors
/// As of [`statements`].
pub fn inner_statements(text: &str) -> Result<Vec<Query>, String> {
    // The variable of an assignment has one to three names.
    const MODES: [RawParseMode::Type; 4] = [
        RawParseMode::RAW_PARSE_PLPGSQL_EXPR,
        RawParseMode::RAW_PARSE_PLPGSQL_ASSIGN1,
        RawParseMode::RAW_PARSE_PLPGSQL_ASSIGN2,
        RawParseMode::RAW_PARSE_PLPGSQL_ASSIGN3,
    ];
    let mut queries = statements(text).or_else(|reason| {
        let first = MODES.iter().find_map(|mode| read(text, *mode).ok().filter(|found| !found.is_empty()));
        first.ok_or(reason)
    })?;
    queries.iter_mut().for_each(|query| query.variables = true);
    Ok(queries)
}

fn read(text: &str, mode: RawParseMode::Type) -> Result<Vec<Query>, foreshard_core::model::Problem> {
    tree::with_mode(text, mode, |nodes| {
        nodes.iter().map(|node| query::statement(*node, 0)).collect::<Option<Vec<_>>>()
    })?
    .ok_or_else(|| foreshard_core::model::Problem::new("54001", "statement is nested too deeply"))
}

/// Levels of nesting that are followed; deeper ones are counted as not understood. Written statements stay below 20,
/// generated ones (long OR chains are flat lists) below 100; a thousand levels fit the smallest stack many times.
const MAX_DEPTH: usize = 500;
