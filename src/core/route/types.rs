//! The types whose text can be routed without asking the server, by the names that `format_type` gives them.
//!
//! A type keeps of its modifier what can change a value on its way in: a scale rounds, a length cuts blanks.

/// A built-in type that [`super::hash_value`] and [`super::Router`] understand. Enums (hashed by oid), domains and
/// extension types are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashType {
    SmallInt,
    Integer,
    BigInt,
    Boolean,
    Oid,
    Real,
    Double,
    /// Digits kept after the point; None keeps all.
    Numeric {
        scale: Option<i32>,
    },
    /// `text` and `character varying(n)`; characters kept, None keeps all.
    Text {
        limit: Option<u32>,
    },
    /// `character(n)` and `bpchar`: trailing blanks mean nothing.
    Bpchar,
    Name,
    /// The one-byte `"char"`.
    Char,
    Uuid,
    Bytea,
    Date,
    /// Digits of a second's fraction, 0..=6.
    Timestamp {
        precision: u32,
    },
    /// Digits of a second's fraction, 0..=6.
    TimestampTz {
        precision: u32,
    },
}

/// Digits of a second's fraction that PostgreSQL stores: microseconds.
pub(super) const MAX_PRECISION: u32 = 6;

impl HashType {
    /// The type of a column, from its name as `format_type` writes it; None for a type not understood here.
    pub fn of_type(type_name: &str) -> Option<Self> {
        let Some((before, rest)) = type_name.split_once('(') else { return Self::plain(type_name) };
        let (modifier, after) = rest.split_once(')')?;
        match Self::plain(&format!("{before}{after}"))? {
            Self::Text { .. } if before != "text" => Some(Self::Text { limit: Some(modifier.parse().ok()?) }),
            Self::Bpchar => Some(Self::Bpchar),
            Self::Numeric { .. } => {
                let (_precision, scale) = modifier.split_once(',').unwrap_or((modifier, "0"));
                Some(Self::Numeric { scale: Some(scale.parse().ok()?) })
            }
            Self::Timestamp { .. } => Some(Self::Timestamp { precision: precision(modifier)? }),
            Self::TimestampTz { .. } => Some(Self::TimestampTz { precision: precision(modifier)? }),
            _ => None,
        }
    }

    fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "smallint" => Self::SmallInt,
            "integer" => Self::Integer,
            "bigint" => Self::BigInt,
            "boolean" => Self::Boolean,
            "oid" => Self::Oid,
            "real" => Self::Real,
            "double precision" => Self::Double,
            "numeric" => Self::Numeric { scale: None },
            "text" | "character varying" => Self::Text { limit: None },
            "character" | "bpchar" => Self::Bpchar,
            "name" => Self::Name,
            "\"char\"" => Self::Char,
            "uuid" => Self::Uuid,
            "bytea" => Self::Bytea,
            "date" => Self::Date,
            "timestamp without time zone" => Self::Timestamp { precision: MAX_PRECISION },
            "timestamp with time zone" => Self::TimestampTz { precision: MAX_PRECISION },
            _ => return None,
        })
    }

    /// The type's btree order is the order of the values read here. Text has its collation's, which only the server knows.
    pub fn has_known_order(self) -> bool {
        !matches!(self, Self::Text { .. } | Self::Bpchar | Self::Name)
    }
}

fn precision(modifier: &str) -> Option<u32> {
    modifier.parse().ok().filter(|p| *p <= MAX_PRECISION)
}
