//! The one jsonb that `plan_restore` and `restore_table` take.

use super::history::{HistoryConfig, horizon_problem};
use super::moves::Auto;
use super::plan::Method;
use super::problem::Problem;
use super::span::Span;
use super::workload::WorkloadProfile;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a user may say about a restore. Every field has a default; unknown fields are refused by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `schema.table` in the backup, where it differs from the target.
    pub source: Option<String>,
    /// Format of the backup; found out from its content by default.
    pub format: Option<BackupFormat>,
    /// `schema.table` whose definition a CSV or COPY-text backup follows.
    pub like: Option<String>,
    /// CSV and COPY text: how the rows are written.
    pub copy: CopyOptions,

    /// A relation with the columns of pg_stat_statements, in place of that view; `"off"` for none.
    pub query_log: Option<String>,
    /// An earlier copy of the query log: only what was counted since then counts.
    pub since: Option<String>,
    /// A relation with the columns of pg_qualstats, in place of that view; `"off"` for none.
    pub qualstats: Option<String>,
    /// Statements called less often than this are left out; 0 by default.
    pub min_calls: Option<f64>,
    /// Overrides the profile detected from the query log.
    pub workload: Option<WorkloadProfile>,
    /// The look at the rows before planning; `on` by default.
    pub profile: Profiling,

    /// Overrides the recommended key.
    pub shard_key: Option<Vec<String>>,
    /// Overrides the recommended method.
    pub method: Option<Method>,
    /// Overrides the predicted count.
    pub shard_count: Option<u32>,
    /// Cuts each part that the shard key makes once more.
    pub within: Option<WithinConfig>,
    /// Names of registered nodes to place shards on; all active ones by default.
    pub nodes: Option<Vec<String>>,
    /// Names of nodes that take no shards of this table.
    pub exclude_nodes: Option<Vec<String>>,
    /// Which applications use which values of the shard key: shards are placed near them, as far as balance allows.
    pub affinity: Option<Vec<AffinityConfig>>,
    /// Which values of the shard key are on which nodes and nowhere else.
    pub pin: Option<Vec<PinConfig>>,
    /// Further copies of each shard, on nodes of other zones; 0 by default.
    pub replicas: Option<u32>,
    /// A commit waits until all copies have it on disk.
    pub synchronous: bool,

    /// A relation with the load over time; what it is expected to be stands in for the fields below.
    pub history: Option<HistoryConfig>,
    /// How far ahead the plan is made for; `"7 days"` by default.
    pub horizon: Option<Span>,
    /// Bytes on disk (with indexes) that one shard should not exceed, e.g. `"10GB"`.
    pub target_shard_size: Option<ByteSize>,
    /// Factor by which the table is expected to grow before the next restore or split; 1.0 by default.
    pub growth: Option<f64>,
    /// Statements per second expected on this table at its peak.
    pub throughput: Option<f64>,
    /// Clients expected to work on this table at the same time at its peak.
    pub concurrency: Option<f64>,

    /// What becomes of a unique constraint that does not contain the shard key; `widen` by default.
    pub unique: UniquePolicy,
    /// Leave out ALTER … OWNER TO, as `pg_restore --no-owner` does.
    pub no_owner: bool,
    /// Leave out GRANT and REVOKE, as `pg_restore --no-privileges` does.
    pub no_privileges: bool,
    /// How thoroughly the loaded table is compared with the backup; `checksum` by default.
    pub verify: Verify,

    /// How far the monitor may go with the restored table by itself; `on` by default, below the server's setting.
    pub auto_reshard: Option<Auto>,

    /// What becomes of a restore that fails for a reason outside of it; `clean` by default.
    pub on_failure: OnFailure,
    /// Go on with this job, which failed and was kept.
    pub resume: Option<i64>,

    /// Execute exactly this stored plan.
    pub plan: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupFormat {
    Custom,
    Directory,
    Tar,
    Plain,
    Csv,
    Text,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profiling {
    /// All rows of a small table, the first ones of a large one unless the layout needs all.
    #[default]
    On,
    Off,
    Whole,
    /// The first rows, whatever the layout.
    Sample,
    /// What the server knows of a live table, however old that is.
    Statistics,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UniquePolicy {
    /// The shard key's columns are added to the constraint.
    #[default]
    Widen,
    /// The constraint is enforced within each shard.
    PerShard,
    /// Such a layout is not chosen, and refused where the config asks for it.
    Refuse,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Row count and an order-independent checksum of every value.
    #[default]
    Checksum,
    /// Row count only.
    Count,
}

/// What stays of a restore that fails for a reason outside of it: a full disk, a file that cannot be read, a node that is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Nothing.
    #[default]
    Clean,
    /// What was finished, under a name that says so, for `resume`.
    Keep,
}

/// COPY's own options, by its own names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CopyOptions {
    /// Column order of the file; the first line's names with `header`, else the table's order.
    pub columns: Option<Vec<String>>,
    pub header: bool,
    pub delimiter: Option<String>,
    pub null: Option<String>,
    pub quote: Option<String>,
    pub escape: Option<String>,
    /// Encoding of the file; the database's by default.
    pub encoding: Option<String>,
}

/// The second level of a layout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WithinConfig {
    /// Range under a hash or a list, hash under a range, by default.
    pub method: Option<Method>,
    pub shard_key: Vec<String>,
    /// Shards of each part; a whole number of times in `shard_count`.
    pub shard_count: Option<u32>,
}

/// An application and what it uses. Values are of the first column of the key by which the rows are spread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffinityConfig {
    /// As nodes name it in what they serve.
    pub application: String,
    /// All values by default.
    pub values: Option<Vec<KeyValue>>,
    /// Part of the load of these values that comes from it, 0..=1; all of it by default.
    pub share: Option<f64>,
}

/// Values, as for [`AffinityConfig`], and the nodes that may have them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PinConfig {
    pub values: Vec<KeyValue>,
    pub nodes: Vec<String>,
}

/// A value of a key's column as its text; None is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct KeyValue(pub Option<String>);

impl<'de> Deserialize<'de> for KeyValue {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Value::deserialize(d)? {
            Value::Null => Ok(Self(None)),
            Value::String(text) => Ok(Self(Some(text))),
            Value::Number(number) => Ok(Self(Some(number.to_string()))),
            Value::Bool(truth) => Ok(Self(Some(truth.to_string()))),
            _ => Err(serde::de::Error::custom("a value of a key is a text, a number, true, false or null")),
        }
    }
}

/// A number of bytes, written as an integer or with a unit as settings are (`"8GB"`, 1024-based).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(d)? {
            Value::Number(n) => {
                n.as_u64().map(ByteSize).ok_or_else(|| D::Error::custom("a size is a positive number of bytes"))
            }
            Value::String(s) => parse_size(&s).map(ByteSize).ok_or_else(|| {
                D::Error::custom(format!("\"{s}\" is not a size; write bytes or a number with kB, MB, GB or TB"))
            }),
            _ => Err(D::Error::custom("a size is a number of bytes or a text such as \"8GB\"")),
        }
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "kB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Config {
    /// Reads the config, every problem of it at once: each field is read alone, so that one wrong field does not hide
    /// the next.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let config: Self = read_fields(document, "{\"shard_count\": 8}")?;
        let problems = config.out_of_range();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn out_of_range(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.horizon.and_then(horizon_problem).into_iter().collect();
        let mut refuse = |field: &str, fact: String| {
            problems.push(Problem::new("22023", format!("config field \"{field}\" is out of range")).detail(fact));
        };
        if self.shard_count.is_some_and(|n| n == 0 || n > MAX_SHARDS) {
            refuse("shard_count", format!("A table has between 1 and {MAX_SHARDS} shards."));
        }
        for (field, value) in
            [("growth", self.growth), ("throughput", self.throughput), ("concurrency", self.concurrency)]
        {
            if value.is_some_and(|v| !(v.is_finite() && v > 0.0)) {
                refuse(field, "It must be a positive number.".to_owned());
            }
        }
        if self.min_calls.is_some_and(|v| v < 0.0) {
            refuse("min_calls", "It must not be negative.".to_owned());
        }
        if self.target_shard_size.is_some_and(|s| s.0 < MIN_SHARD_SIZE) {
            refuse("target_shard_size", format!("A shard is aimed at {MIN_SHARD_SIZE} bytes at least."));
        }
        if self.shard_key.as_ref().is_some_and(|k| k.is_empty() || k.len() > MAX_KEY_COLUMNS) {
            refuse("shard_key", format!("A key has between 1 and {MAX_KEY_COLUMNS} columns."));
        }
        if self.within.as_ref().is_some_and(|w| w.shard_key.is_empty() || w.shard_key.len() > MAX_KEY_COLUMNS) {
            refuse("within", format!("Its \"shard_key\" has between 1 and {MAX_KEY_COLUMNS} columns."));
        }
        let each = self.within.as_ref().and_then(|w| w.shard_count);
        if each.is_some_and(|n| !(2..=MAX_SHARDS / 2).contains(&n)) {
            refuse("within", format!("Its \"shard_count\" is between 2 and {}.", MAX_SHARDS / 2));
        } else if let Some((all, each)) =
            self.shard_count.zip(each).filter(|(all, each)| all % each != 0 || all == each)
        {
            refuse("within", format!("{all} shards cannot be made of two or more parts with {each} shards each."));
        }
        if self.nodes.as_ref().is_some_and(Vec::is_empty) {
            refuse("nodes", "The list of nodes is empty.".to_owned());
        }
        if self.replicas.is_some_and(|n| n > MAX_REPLICAS) {
            refuse("replicas", format!("A shard has at most {MAX_REPLICAS} further copies."));
        }
        if self.synchronous && self.replicas.unwrap_or(0) == 0 {
            refuse("synchronous", "There are no copies to wait for: it goes with \"replicas\".".to_owned());
        }
        for affinity in self.affinity.iter().flatten() {
            if affinity.application.is_empty() {
                refuse("affinity", "Each of its objects names an \"application\".".to_owned());
            }
            if affinity.values.as_ref().is_some_and(Vec::is_empty) {
                refuse("affinity", "A list of \"values\" is empty; leave it out for all of them.".to_owned());
            }
            if affinity.share.is_some_and(|s| !(s > 0.0 && s <= 1.0)) {
                refuse("affinity", "A \"share\" is above 0 and at most 1.".to_owned());
            }
        }
        if self.pin.iter().flatten().any(|p| p.values.is_empty() || p.nodes.is_empty()) {
            refuse("pin", "Each of its objects names \"values\" and \"nodes\".".to_owned());
        }
        problems
    }
}

/// Planning without pruning was seen to take 56 ms at 1,024 partitions when this was designed (no bench of it is here yet); four
/// times as many are taken for the end of what is usable.
pub const MAX_SHARDS: u32 = 4096;
/// Each is a slot that keeps WAL and a sender; more than a few are a sign of a mistake. Assumed.
pub const MAX_REPLICAS: u32 = 15;
/// PARTITION_MAX_KEYS of PostgreSQL.
pub const MAX_KEY_COLUMNS: usize = 32;
/// One megabyte: below it, a shard is mostly page headers and catalog rows.
pub const MIN_SHARD_SIZE: u64 = 1 << 20;

/// A document of named fields, every problem of it at once.
pub(crate) fn read_fields<T: DeserializeOwned>(document: &Value, example: &str) -> Result<T, Vec<Problem>> {
    let Value::Object(fields) = document else {
        return Err(vec![
            Problem::new("22023", "config must be a JSON object")
                .detail(format!("It is a JSON {}.", kind_of(document)))
                .hint(format!("Write for example '{example}'.")),
        ]);
    };
    let problems: Vec<Problem> = fields.iter().filter_map(|(name, value)| read_field::<T>(name, value).err()).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(document.clone())
        .map_err(|e| vec![Problem::new("22023", "config cannot be read").detail(sentence(&e.to_string()))])
}

fn read_field<T: DeserializeOwned>(name: &str, value: &Value) -> Result<(), Problem> {
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    serde_json::from_value::<T>(alone).map(drop).map_err(|e| {
        let text = e.to_string();
        let rest = text.strip_prefix("unknown field `");
        match rest.and_then(|r| r.split_once("`, expected one of ").or_else(|| r.split_once("`, expected "))) {
            Some((field, valid)) if field == name => Problem::new("22023", format!("unknown config field \"{name}\""))
                .hint(format!("Valid fields are {}.", valid.replace('`', ""))),
            _ => Problem::new("22023", format!("config field \"{name}\" cannot be read")).detail(sentence(&text)),
        }
    })
}

/// serde's message as a sentence for people who write JSON, not Rust.
fn sentence(text: &str) -> String {
    let (found, expected) = text.trim_end_matches('.').rsplit_once(", expected ").unwrap_or((text, ""));
    let found = match found {
        "invalid type: sequence" => "invalid type: list".to_owned(),
        "invalid type: map" => "invalid type: object".to_owned(),
        _ => found.replacen("unknown variant", "unknown value", 1),
    };
    let expected = match expected {
        "" => String::new(),
        "u32" | "i64" | "u64" | "usize" => ", expected a whole number".to_owned(),
        "f64" => ", expected a number".to_owned(),
        "a string" | "string or map" => ", expected a text".to_owned(),
        "a sequence" => ", expected a list".to_owned(),
        "struct CopyOptions"
        | "struct WithinConfig"
        | "struct HistoryConfig"
        | "struct AffinityConfig"
        | "struct PinConfig" => ", expected an object".to_owned(),
        "a boolean" => ", expected true or false".to_owned(),
        other => format!(", expected {other}"),
    };
    let mut chars = found.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}{expected}.", chars.as_str()).replace('`', "\"")
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
