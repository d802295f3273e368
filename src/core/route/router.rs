//! From a layout to the shard of a row.
//!
//! Made once per restore from the plan's [`Layout`], then asked for every row. With two levels the first names a part, and
//! each part has a level of its own. It trusts the layout to be legal (the
//! server refuses overlapping bounds when the shards are made) and answers None wherever only the server can tell.

use super::hash;
use super::types::HashType;
use super::value::Value;
use crate::model::layout::Part;
use crate::model::{Bound, Layout, Method, Shard};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Routes rows of one layout.
#[derive(Debug, Clone)]
pub struct Router {
    /// Names the shard, or with a second level the part.
    first: Level,
    /// By the part's number; empty for one level.
    within: Vec<Level>,
}

/// Bounds over one key, each with the number that it stands for.
#[derive(Debug, Clone)]
struct Level {
    types: SmallVec<[HashType; 2]>,
    rule: Rule,
    /// Where rows go that no other bound takes; a hash has none.
    default: Option<u32>,
}

type Key<'a> = SmallVec<[Value<'a>; 2]>;

#[derive(Debug, Clone)]
enum Rule {
    /// Shards by (modulus, remainder): after a split there is more than one modulus.
    Hash { moduli: Vec<u32>, numbers: BTreeMap<(u32, u32), u32> },
    /// By lower bound; MINVALUE (None) sorts first.
    Range(Vec<Span>),
    /// NULL is a value like any other.
    List(BTreeMap<Option<Value<'static>>, u32>),
}

#[derive(Debug, Clone)]
struct Span {
    from: Option<Key<'static>>,
    to: Option<Key<'static>>,
    number: u32,
}

impl Router {
    /// `types` are the key columns' types as `format_type` writes them, in the order of [`Layout::columns`]. None where rows
    /// of such a layout have to be routed by the server: a type not understood, a range over a collation's order.
    pub fn new(layout: &Layout, types: &[impl AsRef<str>]) -> Option<Self> {
        let types: SmallVec<[HashType; 2]> =
            types.iter().map(|t| HashType::of_type(t.as_ref())).collect::<Option<_>>()?;
        let (first, second) = types.split_at_checked(layout.key.len())?;
        let numbered = |s: &Shard| s.ordinal;
        let Some(within) = &layout.within else {
            let shards = layout.shards.iter().map(|s| (&s.bound, numbered(s)));
            let first = Level::new(layout.method, first, shards).filter(|_| second.is_empty())?;
            return Some(Self { first, within: Vec::new() });
        };
        let parts = layout.parts();
        let level = |part: &Part<'_>| {
            let shards =
                part.shards.iter().map(|s| Some((s.within.as_ref()?, numbered(s)))).collect::<Option<Vec<_>>>()?;
            Level::new(within.method, second, shards.into_iter()).filter(|_| second.len() == within.key.len())
        };
        let inner = parts.iter().map(level).collect::<Option<_>>()?;
        Some(Self { first: Level::new(layout.method, first, parts.iter().map(|p| p.bound).zip(0..))?, within: inner })
    }

    /// Ordinal of the shard that takes a row, from the COPY text (already unescaped) of its key columns, None for NULL.
    /// None if the text does not tell or no shard takes the row: the server knows better, or has the right error.
    pub fn shard_of(&self, key: &[Option<&[u8]>]) -> Option<u32> {
        if self.within.is_empty() {
            return self.first.number_of(key);
        }
        let (first, second) = key.split_at_checked(self.first.types.len())?;
        self.within.get(usize::try_from(self.first.number_of(first)?).ok()?)?.number_of(second)
    }
}

impl Level {
    fn new<'a>(
        method: Method,
        types: &[HashType],
        bounds: impl Iterator<Item = (&'a Bound, u32)> + Clone,
    ) -> Option<Self> {
        if types.is_empty() {
            return None;
        }
        let default = bounds.clone().find(|b| *b.0 == Bound::Default).map(|b| b.1);
        let rule = match method {
            Method::Hash => hash_rule(bounds)?,
            Method::Range => range_rule(bounds, types)?,
            Method::List => list_rule(bounds, types)?,
            Method::Reference | Method::None => return None,
        };
        Some(Self { types: SmallVec::from_slice(types), rule, default })
    }

    fn number_of(&self, key: &[Option<&[u8]>]) -> Option<u32> {
        let key = self.read(key)?;
        match &self.rule {
            Rule::Hash { moduli, numbers } => {
                let hash = hash::of_key(&key);
                moduli.iter().find_map(|m| numbers.get(&(*m, hash::remainder(hash, *m)?)).copied())
            }
            Rule::Range(spans) => {
                // No range takes a NULL, wherever in the key it stands.
                let Some(key) = key.into_iter().collect::<Option<Key<'_>>>() else { return self.default };
                let after =
                    spans.partition_point(|s| s.from.as_ref().is_none_or(|from| from.as_slice() <= key.as_slice()));
                let span = after.checked_sub(1).and_then(|last| spans.get(last));
                span.filter(|s| s.to.as_ref().is_none_or(|to| key.as_slice() < to.as_slice()))
                    .map(|s| s.number)
                    .or(self.default)
            }
            Rule::List(numbers) => numbers.get(key.first()?).copied().or(self.default),
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

fn hash_rule<'a>(bounds: impl Iterator<Item = (&'a Bound, u32)>) -> Option<Rule> {
    let mut numbers = BTreeMap::new();
    for (bound, number) in bounds {
        let Bound::Hash { modulus, remainder } = bound else { return None };
        numbers.insert((*modulus, *remainder), number);
    }
    let mut moduli: Vec<u32> = numbers.keys().map(|(modulus, _)| *modulus).collect();
    moduli.dedup();
    Some(Rule::Hash { moduli, numbers })
}

fn range_rule<'a>(bounds: impl Iterator<Item = (&'a Bound, u32)>, types: &[HashType]) -> Option<Rule> {
    if !types.iter().all(|t| t.has_known_order()) {
        return None;
    }
    let mut spans = Vec::new();
    for (bound, number) in bounds {
        match bound {
            Bound::Range { from, to } => spans.push(Span {
                from: read_bound(from.as_deref(), types)?,
                to: read_bound(to.as_deref(), types)?,
                number,
            }),
            Bound::Default => {}
            Bound::Hash { .. } | Bound::List { .. } => return None,
        }
    }
    spans.sort_by(|a, b| a.from.cmp(&b.from));
    Some(Rule::Range(spans))
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

fn list_rule<'a>(bounds: impl Iterator<Item = (&'a Bound, u32)>, types: &[HashType]) -> Option<Rule> {
    let [hash_type] = types else { return None };
    let mut numbers = BTreeMap::new();
    for (bound, number) in bounds {
        match bound {
            Bound::List { values } => {
                for text in values {
                    let value = match text {
                        Some(text) => Some(Value::read(*hash_type, text.as_bytes())?.into_owned()),
                        None => None,
                    };
                    numbers.insert(value, number);
                }
            }
            Bound::Default => {}
            Bound::Hash { .. } | Bound::Range { .. } => return None,
        }
    }
    Some(Rule::List(numbers))
}
