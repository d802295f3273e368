//! One statement of the query log, as a small tree.
//!
//! The server's own parser reads the text (`pg/parse.rs`); this is the part of its result that says where rows are
//! found. Names are as written: resolving them against a schema is the workload's work.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatementKind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    /// COPY of a table, in or out.
    Copy,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, ROLLBACK, PREPARE TRANSACTION.
    End,
    /// Everything else that neither reads nor writes rows of a table by condition: SET, DDL, VACUUM, …
    Utility,
}

impl StatementKind {
    /// Reads or writes rows of tables.
    pub fn has_rows(self) -> bool {
        !matches!(self, Self::Begin | Self::End | Self::Utility)
    }
}

/// A query or one level of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    pub kind: StatementKind,
    /// WITH: name and query, in order.
    pub ctes: Vec<(String, Query)>,
    /// The table written by INSERT, UPDATE, DELETE, MERGE or COPY FROM.
    pub target: Option<TableRef>,
    /// FROM of SELECT and UPDATE, USING of DELETE and MERGE, the SELECT of INSERT … SELECT as a subquery.
    pub from: Vec<FromItem>,
    /// WHERE; for MERGE the join condition.
    pub filter: Option<Expr>,
    pub having: Option<Expr>,
    /// Columns of the target set by UPDATE, MERGE or ON CONFLICT DO UPDATE, with their new values.
    pub assigned: Vec<(String, Expr)>,
    /// Columns named by INSERT (empty: all of them in order).
    pub inserted: Vec<String>,
    pub group_by: Vec<Expr>,
    pub order_by: Vec<Expr>,
    /// The output list of a SELECT (and RETURNING), with its alias where it has one.
    pub outputs: Vec<(Option<String>, Expr)>,
    pub distinct: bool,
    pub limited: bool,
    /// UNION, INTERSECT, EXCEPT: the two sides, and nothing in `from`.
    pub set_operands: Vec<Query>,
    /// The text is a function's own: a name that is no column there is one of its variables, and thus a value. Of the
    /// outermost query alone.
    #[serde(default)]
    pub variables: bool,
}

impl Query {
    pub fn new(kind: StatementKind) -> Self {
        Self {
            kind,
            ctes: Vec::new(),
            target: None,
            from: Vec::new(),
            filter: None,
            having: None,
            assigned: Vec::new(),
            inserted: Vec::new(),
            group_by: Vec::new(),
            order_by: Vec::new(),
            outputs: Vec::new(),
            distinct: false,
            limited: false,
            set_operands: Vec::new(),
            variables: false,
        }
    }
}

/// A relation as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    pub schema: Option<String>,
    pub name: String,
    pub alias: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromItem {
    Table(TableRef),
    Subquery {
        alias: Option<String>,
        query: Box<Query>,
    },
    Join {
        left: Box<FromItem>,
        right: Box<FromItem>,
        /// LEFT, RIGHT or FULL: a condition on the outer side does not pin the other one's missing rows.
        outer: bool,
        on: Option<Expr>,
        using: Vec<String>,
        natural: bool,
    },
    /// VALUES, a function or XMLTABLE in FROM: rows that are in no table.
    Other {
        alias: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// `a`, `t.a`, `s.t.a`: as written, last element the column.
    Column(Vec<String>),
    /// `*` or `t.*`.
    Star,
    /// A constant, a parameter, or an expression made of only these (`now() - $1`): one value at run time.
    Value,
    /// A binary comparison `=`, `<`, `<=`, `>`, `>=`, `<>`, … by the operator's name.
    Compare {
        op: String,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x IN (…)` or `x = ANY (array)`; `items` as written, `None` when it is one array parameter.
    In {
        test: Box<Expr>,
        items: Option<usize>,
        negated: bool,
    },
    Between {
        test: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    /// LIKE / ILIKE / SIMILAR TO / regular expressions. `prefix`: plain LIKE, whose index use depends on the pattern.
    Like {
        test: Box<Expr>,
        pattern: Box<Expr>,
        prefix: bool,
        negated: bool,
    },
    IsNull {
        test: Box<Expr>,
        negated: bool,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// `(a, b)`: a row, for row comparisons and `(a, b) IN (…)`.
    Row(Vec<Expr>),
    /// EXISTS, IN (SELECT …), = ANY (SELECT …), scalar subquery.
    Subquery {
        link: SubqueryLink,
        test: Option<Box<Expr>>,
        query: Box<Query>,
    },
    /// A function call; `aggregate` cannot be told from the text, so the name is kept.
    Call {
        name: String,
        args: Vec<Expr>,
    },
    /// Anything else, with the expressions inside it.
    Other(Vec<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubqueryLink {
    Exists,
    /// `x = ANY (SELECT …)`, which is also `x IN (SELECT …)`.
    EqualsAny,
    /// ALL, other operators with ANY.
    Compare,
    Scalar,
    Array,
}
