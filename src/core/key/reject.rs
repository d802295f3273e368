//! What speaks against a candidate so strongly that it is not chosen unless the config insists.

use super::cost::REFERENCE_BYTES;
use super::subject::{Basis, Subject};
use super::values::KeyValues;
use crate::model::config::UniquePolicy;
use crate::model::words::{bytes, counted, list, percent};
use crate::model::{Candidate, Method};

/// Share of the calls that may move rows between shards. Assumed; over postgres_fdw such an update even leaves the row
/// in the wrong shard.
const MAX_KEY_UPDATES: f64 = 0.05;
/// Rows without a key that one shard may be burdened with.
const MAX_NULLS: f64 = 0.5;

pub(super) fn reason(
    subject: &Subject<'_>,
    candidate: &Candidate,
    values: &KeyValues,
    unique: UniquePolicy,
) -> Option<String> {
    let key = list(&candidate.columns(), 4);
    let evidence = &candidate.evidence;
    if evidence.key_updates > MAX_KEY_UPDATES {
        let share = percent(evidence.key_updates);
        return Some(format!("{share} of the calls change {key}, and each would move a row to another shard."));
    }
    if unique == UniquePolicy::Refuse && !evidence.constraints_lost.is_empty() {
        let lost = list(&evidence.constraints_lost, 3);
        return Some(format!("{lost} would not hold across shards, and the config says to refuse that."));
    }
    if values.null_share.is_some_and(|n| n > MAX_NULLS) {
        let share = percent(values.null_share.unwrap_or_default());
        return Some(format!("{share} of the rows have no {key}, and all of them would be in one shard."));
    }
    if subject.table.columns.is_empty() || candidate.shard_count >= 2 {
        return None;
    }
    Some(match (values.distinct, values.largest_group()) {
        (_, Some(share)) if share > 0.6 => {
            format!("{} of the rows have one {key}, so that more shards would not help.", percent(share))
        }
        (Some(distinct), _) => format!("{} of {key} cannot be spread over shards.", counted(distinct, "value")),
        _ => "One shard is all that the bounds allow.".to_owned(),
    })
}

pub(super) fn unsharded(subject: &Subject<'_>, method: Method, growth: f64) -> Option<String> {
    if method != Method::Reference {
        return None;
    }
    let grown = subject.text_bytes().map(|b| b as f64 * growth);
    if let Some(size) = grown.filter(|b| *b > REFERENCE_BYTES as f64) {
        let (size, limit) = (bytes(size), bytes(REFERENCE_BYTES as f64));
        return Some(format!("It is too large to copy to every node: {size} of text, more than {limit}."));
    }
    if subject.basis == Basis::Assumed || !subject.looked_up {
        return Some("The query log does not show it as a table that is only looked up.".to_owned());
    }
    None
}
