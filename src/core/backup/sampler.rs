//! A sample of a table's rows in which rows that belong together stay together.
//!
//! A row has a group: the value of the column by which tables are cut alike. Groups are kept or left whole, by a hash of
//! their value, so that samples of several tables hold the same groups and joins find their partners. Only where too few
//! groups would be left are rows taken out of them, by a hash of their number. One pass, bounded memory, and the same
//! sample for the same rows and seed.

use super::checksum::RowHasher;
use std::collections::BTreeSet;

/// Bytes of values that one sample holds at most.
const MAX_BYTES: usize = 64 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    group: Option<u64>,
    ticket: u64,
    fields: Vec<Option<String>>,
}

/// Takes the rows of one table as they pass.
#[derive(Debug)]
pub struct Sampler {
    limit: usize,
    groups: usize,
    seed: u64,
    seen: u64,
    bytes: usize,
    kept: Vec<Kept>,
    /// Only groups and tickets below are kept; None for all of them.
    group_below: Option<u64>,
    ticket_below: Option<u64>,
    hasher: RowHasher,
}

/// The sample; each row has its fields in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    kept: Vec<Kept>,
    group_below: Option<u64>,
    /// Rows that passed.
    pub seen: u64,
}

impl Sampler {
    /// `limit` rows at most, of at least `groups` groups where there are so many.
    pub fn new(limit: usize, groups: usize, seed: u64) -> Self {
        Self {
            limit: limit.max(1),
            groups: groups.max(1),
            seed,
            seen: 0,
            bytes: 0,
            kept: Vec::new(),
            group_below: None,
            ticket_below: None,
            hasher: RowHasher::new(),
        }
    }

    /// One row; `group` are the values that say where it belongs, none for a table that belongs nowhere.
    pub fn row(&mut self, group: &[Option<&[u8]>], fields: &[Option<&[u8]>]) {
        let number = self.seen;
        self.seen += 1;
        let ticket = self.hash(&[Some(&number.to_le_bytes())]);
        let group = (!group.is_empty()).then(|| self.hash(group));
        if self.ticket_below.is_some_and(|limit| ticket >= limit)
            || self.group_below.zip(group).is_some_and(|(limit, group)| group >= limit)
        {
            return;
        }
        let fields: Vec<Option<String>> =
            fields.iter().map(|f| f.map(|bytes| String::from_utf8_lossy(bytes).into_owned())).collect();
        self.bytes += size(&fields);
        self.kept.push(Kept { group, ticket, fields });
        while self.kept.len() > self.limit || (self.bytes > MAX_BYTES && self.kept.len() > 1) {
            self.thin();
        }
    }

    pub fn finish(self) -> Sample {
        Sample { kept: self.kept, group_below: self.group_below, seen: self.seen }
    }

    fn hash(&mut self, fields: &[Option<&[u8]>]) -> u64 {
        let seed = self.seed.to_le_bytes();
        self.hasher.hash(std::iter::once(Some(seed.as_slice())).chain(fields.iter().copied())) as u64
    }

    /// About half of the groups go; or, where there would be too few, half of the rows.
    fn thin(&mut self) {
        let groups: BTreeSet<u64> = self.kept.iter().filter_map(|k| k.group).collect();
        let wanted = (groups.len() / 2).max(self.groups);
        match groups.iter().nth(wanted) {
            Some(first_to_go) => {
                let limit = *first_to_go;
                self.group_below = Some(limit);
                self.kept.retain(|k| k.group.is_none_or(|g| g < limit));
            }
            None => {
                let mut tickets: Vec<u64> = self.kept.iter().map(|k| k.ticket).collect();
                tickets.sort_unstable();
                let limit = tickets.get(tickets.len() / 2).copied().unwrap_or(0);
                self.ticket_below = Some(limit);
                self.kept.retain(|k| k.ticket < limit);
            }
        }
        self.bytes = self.kept.iter().map(|k| size(&k.fields)).sum();
    }
}

impl Sample {
    /// Brings samples to the groups that all of them kept.
    pub fn agree(samples: &mut [&mut Self]) {
        let Some(limit) = samples.iter().filter_map(|s| s.group_below).min() else { return };
        for sample in samples {
            sample.kept.retain(|k| k.group.is_none_or(|g| g < limit));
        }
    }

    /// Takes up to `count` rows out, no more than one in `of`: those that are not to be in the table.
    pub fn hold_out(&mut self, count: usize, of: usize) -> Vec<Vec<Option<String>>> {
        let count = count.min(self.kept.len() / of.max(1));
        let mut tickets: Vec<u64> = self.kept.iter().map(|k| k.ticket).collect();
        tickets.sort_unstable();
        let Some(limit) = tickets.get(count).copied() else { return Vec::new() };
        let (out, kept) = std::mem::take(&mut self.kept).into_iter().partition(|k| k.ticket < limit);
        self.kept = kept;
        out.into_iter().map(|k: Kept| k.fields).collect()
    }

    pub fn into_rows(self) -> Vec<Vec<Option<String>>> {
        self.kept.into_iter().map(|k| k.fields).collect()
    }
}

fn size(fields: &[Option<String>]) -> usize {
    fields.iter().map(|f| std::mem::size_of::<Option<String>>() + f.as_ref().map_or(0, String::len)).sum()
}
