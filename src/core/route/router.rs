//! From a layout to the shard of a row.
//!
//! Made once per restore from the plan's [`Layout`], then asked for every row. It trusts the layout to be legal (the
//! server refuses overlapping bounds when the shards are made) and answers None wherever only the server can tell.

use super::hash;
use super::types::HashType;
use super::value::Value;
use crate::model::plan::{Bound, Layout, Method};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Routes rows of one layout.
#[derive(Debug, Clone)]
pub struct Router {
    types: SmallVec<[HashType; 2]>,
    rule: Rule,
    /// Where rows go that no other bound takes; hash layouts have none.
    default: Option<u32>,
}

type Key<'a> = SmallVec<[Value<'a>; 2]>;

#[derive(Debug, Clone)]
enum Rule {
    /// Shards by (modulus, remainder): after a split there is more than one modulus.
    Hash { moduli: Vec<u32>, shards: BTreeMap<(u32, u32), u32> },
    /// By lower bound; MINVALUE (None) sorts first.
    Range(Vec<RangeShard>),
    /// NULL is a value like any other.
    List(BTreeMap<Option<Value<'static>>, u32>),
}

#[derive(Debug, Clone)]
struct RangeShard {
    from: Option<Key<'static>>,
    to: Option<Key<'static>>,
    ordinal: u32,
}

impl Router {
    /// `types` are the key columns' types in the key's order, as `format_type` writes them. None where rows of such a
    /// layout have to be routed by the server: a type not understood, a range over a collation's order.
    pub fn new(layout: &Layout, types: &[impl AsRef<str>]) -> Option<Self> {
        let types: SmallVec<[HashType; 2]> =
            types.iter().map(|t| HashType::of_type(t.as_ref())).collect::<Option<_>>()?;
        if types.is_empty() || types.len() != layout.key.len() {
            return None;
        }
        let rule = match layout.method {
            Method::Hash => hash_rule(layout)?,
            Method::Range => range_rule(layout, &types)?,
            Method::List => list_rule(layout, &types)?,
            Method::Reference | Method::None => return None,
        };
        let default = layout.shards.iter().find(|s| s.bound == Bound::Default).map(|s| s.ordinal);
        Some(Self { types, rule, default })
    }

    /// Ordinal of the shard that takes a row, from the COPY text (already unescaped) of its key columns, None for NULL.
    /// None if the text does not tell or no shard takes the row: the server knows better, or has the right error.
    pub fn shard_of(&self, key: &[Option<&[u8]>]) -> Option<u32> {
        let key = self.read(key)?;
        match &self.rule {
            Rule::Hash { moduli, shards } => {
                let hash = hash::of_key(&key);
                moduli.iter().find_map(|m| shards.get(&(*m, hash::remainder(hash, *m)?)).copied())
            }
            Rule::Range(shards) => {
                // No range takes a NULL, wherever in the key it stands.
                let Some(key) = key.into_iter().collect::<Option<Key<'_>>>() else { return self.default };
                let after =
                    shards.partition_point(|s| s.from.as_ref().is_none_or(|from| from.as_slice() <= key.as_slice()));
                let shard = after.checked_sub(1).and_then(|last| shards.get(last));
                shard
                    .filter(|s| s.to.as_ref().is_none_or(|to| key.as_slice() < to.as_slice()))
                    .map(|s| s.ordinal)
                    .or(self.default)
            }
            Rule::List(shards) => shards.get(key.first()?).copied().or(self.default),
        }
    }

    fn read<'a>(&self, key: &[Option<&'a [u8]>]) -> Option<SmallVec<[Option<Value<'a>>; 2]>> {
        if key.len() != self.types.len() {
            return None;
        }
        let column = |(hash_type, text): (&HashType, &Option<&'a [u8]>)| match text {
            Some(text) => Value::read(*hash_type, text).map(Some),
            None => Some(None),
        };
        self.types.iter().zip(key).map(column).collect()
    }
}

fn hash_rule(layout: &Layout) -> Option<Rule> {
    let mut shards = BTreeMap::new();
    for shard in &layout.shards {
        let Bound::Hash { modulus, remainder } = shard.bound else { return None };
        shards.insert((modulus, remainder), shard.ordinal);
    }
    let mut moduli: Vec<u32> = shards.keys().map(|(modulus, _)| *modulus).collect();
    moduli.dedup();
    Some(Rule::Hash { moduli, shards })
}

fn range_rule(layout: &Layout, types: &[HashType]) -> Option<Rule> {
    if !types.iter().all(|t| t.has_known_order()) {
        return None;
    }
    let mut shards = Vec::with_capacity(layout.shards.len());
    for shard in &layout.shards {
        match &shard.bound {
            Bound::Range { from, to } => shards.push(RangeShard {
                from: read_bound(from.as_deref(), types)?,
                to: read_bound(to.as_deref(), types)?,
                ordinal: shard.ordinal,
            }),
            Bound::Default => {}
            Bound::Hash { .. } | Bound::List { .. } => return None,
        }
    }
    shards.sort_by(|a, b| a.from.cmp(&b.from));
    Some(Rule::Range(shards))
}

fn read_bound(bound: Option<&[String]>, types: &[HashType]) -> Option<Option<Key<'static>>> {
    let Some(texts) = bound else { return Some(None) };
    if texts.len() != types.len() {
        return None;
    }
    types
        .iter()
        .zip(texts)
        .map(|(t, text)| Some(Value::read(*t, text.as_bytes())?.into_owned()))
        .collect::<Option<_>>()
        .map(Some)
}

fn list_rule(layout: &Layout, types: &[HashType]) -> Option<Rule> {
    let [hash_type] = types else { return None };
    let mut shards = BTreeMap::new();
    for shard in &layout.shards {
        match &shard.bound {
            Bound::List { values } => {
                for text in values {
                    let value = match text {
                        Some(text) => Some(Value::read(*hash_type, text.as_bytes())?.into_owned()),
                        None => None,
                    };
                    shards.insert(value, shard.ordinal);
                }
            }
            Bound::Default => {}
            Bound::Hash { .. } | Bound::Range { .. } => return None,
        }
    }
    Some(Rule::List(shards))
}
