//! Which relation holds a load history, and which of its columns mean what, as a user says it.

use super::config::read_fields;
use super::load::Metric;
use super::problem::Problem;
use super::span::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The config's `history`: a relation's name, or an object that names columns as well. Columns that are not named are
/// found by their usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct HistoryConfig {
    pub relation: String,
    pub time: Option<String>,
    pub rate: Option<String>,
    pub mean_ms: Option<String>,
    pub sessions: Option<String>,
    pub bytes: Option<String>,
    pub rows: Option<String>,
}

impl<'de> Deserialize<'de> for HistoryConfig {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(d)? {
            Value::String(relation) => Ok(Self { relation, ..Self::default() }),
            object @ Value::Object(_) => Self::deserialize(object).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a history is a relation's name, or an object with \"relation\"")),
        }
    }
}

impl Serialize for HistoryConfig {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, s)
    }
}

/// What a user may say about a forecast of a relation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastConfig {
    pub time: Option<String>,
    pub rate: Option<String>,
    pub mean_ms: Option<String>,
    pub sessions: Option<String>,
    pub bytes: Option<String>,
    pub rows: Option<String>,
    /// A column that is a load of any other kind.
    pub value: Option<String>,
    pub horizon: Span,
    /// Probability that a load lies within its interval.
    pub level: f64,
}

impl Default for ForecastConfig {
    fn default() -> Self {
        Self {
            time: None,
            rate: None,
            mean_ms: None,
            sessions: None,
            bytes: None,
            rows: None,
            value: None,
            horizon: DEFAULT_HORIZON,
            level: 0.9,
        }
    }
}

/// How far ahead is planned where nobody says. A week: every weekday comes once, and it is what the models are tried for.
pub const DEFAULT_HORIZON: Span = Span(7 * 86_400);
const HORIZONS: std::ops::RangeInclusive<Span> = Span(60)..=Span(366 * 86_400);

/// What is wrong with a horizon.
pub fn horizon_problem(horizon: Span) -> Option<Problem> {
    (!HORIZONS.contains(&horizon)).then(|| {
        Problem::new("22023", "config field \"horizon\" is out of range").detail(format!(
            "It is between {} and {}.",
            HORIZONS.start(),
            HORIZONS.end()
        ))
    })
}

impl ForecastConfig {
    /// Reads the config, every problem of it at once.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let config: Self = read_fields(document, "{\"horizon\": \"1 day\"}")?;
        let mut problems: Vec<Problem> = horizon_problem(config.horizon).into_iter().collect();
        if !(config.level >= 0.5 && config.level <= 0.99) {
            problems.push(
                Problem::new("22023", "config field \"level\" is out of range").detail("It is between 0.5 and 0.99."),
            );
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

/// The columns that a user named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedColumns {
    pub time: Option<String>,
    pub metrics: Vec<(Metric, String)>,
}

impl NamedColumns {
    /// `names` in the order of rate, mean time, sessions, bytes and rows.
    fn new(time: &Option<String>, names: [&Option<String>; 5], value: Option<&String>) -> Self {
        const METRICS: [Metric; 5] = [Metric::Rate, Metric::MeanMs, Metric::Sessions, Metric::Bytes, Metric::Rows];
        let usual = METRICS.into_iter().zip(names.map(Option::as_ref));
        let named = usual.chain([(Metric::Value, value)]).filter_map(|(metric, name)| Some((metric, name?.clone())));
        Self { time: time.clone(), metrics: named.collect() }
    }
}

impl From<&HistoryConfig> for NamedColumns {
    fn from(c: &HistoryConfig) -> Self {
        Self::new(&c.time, [&c.rate, &c.mean_ms, &c.sessions, &c.bytes, &c.rows], None)
    }
}

impl From<&ForecastConfig> for NamedColumns {
    fn from(c: &ForecastConfig) -> Self {
        Self::new(&c.time, [&c.rate, &c.mean_ms, &c.sessions, &c.bytes, &c.rows], c.value.as_ref())
    }
}
