//! A schema and a log made of a fuzzer's bytes. Names are few, so that they meet.

use arbitrary::{Result, Unstructured};
use foreshard_core::model::schema::{Column, ForeignKey, UniqueKey};
use foreshard_core::model::statement::{SubqueryLink, TableRef};
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Expr, FromItem, Query, Schema, StatementKind, Table, TableName};

const TABLES: [&str; 4] = ["t", "u", "v", "w"];
const COLUMNS: [&str; 5] = ["a", "b", "c", "x", "excluded"];
const TYPES: [&str; 5] = ["bigint", "text", "date", "character varying(3)", "numeric(4,1)"];
const OPERATORS: [&str; 6] = ["=", "<", ">=", "<>", "@>", "~"];
/// Deeper than anyone writes; the parser's adapter and the analysis refuse at several hundred levels, which bytes rarely reach.
const DEPTH: u32 = 12;

type Bytes<'a, 'b> = &'a mut Unstructured<'b>;

pub fn world(u: Bytes<'_, '_>) -> Result<(Schema, Vec<LogEntry>)> {
    let tables = (0..u.int_in_range(1..=4)?).map(|i| table(u, TABLES[i])).collect::<Result<Vec<_>>>()?;
    let log = list(u, 8, |u| {
        let figure = |u: Bytes<'_, '_>| Ok(if u.ratio(1, 8)? { u.arbitrary()? } else { f64::from(u.arbitrary::<u16>()?) * 0.1 });
        Ok(LogEntry {
            id: u.int_in_range(0..=5)?,
            text: pick(u, &["one", "two"])?,
            calls: figure(u)?,
            total_ms: figure(u)?,
            rows: figure(u)?,
            parsed: if u.ratio(1, 10)? { Err("syntax error".to_owned()) } else { Ok(list(u, 2, |u| query(u, DEPTH))?) },
        })
    })?;
    // Views of views, of themselves too, which no server has.
    let views = list(u, 2, |u| Ok((TableName::new("public", pick(u, &TABLES)?), query(u, DEPTH / 2)?)))?;
    Ok((Schema::new(tables).with_views(views), log))
}

fn list<T>(u: Bytes<'_, '_>, most: usize, mut one: impl FnMut(Bytes<'_, '_>) -> Result<T>) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=most)?).map(|_| one(u)).collect()
}

fn option<T>(u: Bytes<'_, '_>, one: impl FnOnce(Bytes<'_, '_>) -> Result<T>) -> Result<Option<T>> {
    Ok(if u.arbitrary()? { Some(one(u)?) } else { None })
}

fn pick(u: Bytes<'_, '_>, from: &[&str]) -> Result<String> {
    Ok((*u.choose(from)?).to_owned())
}

fn table(u: Bytes<'_, '_>, name: &str) -> Result<Table> {
    let columns = COLUMNS.iter().take(u.int_in_range(0..=COLUMNS.len())?);
    let columns = columns
        .map(|name| {
            let [not_null, generated, unique_by_default, hashable, orderable] = u.arbitrary()?;
            Ok(Column { name: (*name).to_owned(), type_name: pick(u, &TYPES)?, not_null, generated, unique_by_default, hashable, orderable })
        })
        .collect::<Result<Vec<_>>>()?;
    let names = |u: Bytes<'_, '_>| list(u, 3, |u| pick(u, &COLUMNS));
    let mut keys = 0;
    let unique_keys = list(u, 2, |u| {
        keys += 1;
        Ok(UniqueKey { name: format!("{name}_key{keys}"), columns: names(u)?, primary: keys == 1 && u.arbitrary()? })
    })?;
    let foreign_keys = list(u, 2, |u| {
        let references = TableName::new("public", pick(u, &TABLES)?);
        Ok(ForeignKey { name: "link".to_owned(), columns: names(u)?, references, referenced_columns: names(u)? })
    })?;
    Ok(Table { name: TableName::new("public", name), columns, unique_keys, foreign_keys })
}

fn query(u: Bytes<'_, '_>, depth: u32) -> Result<Query> {
    use StatementKind::{Begin, Copy, Delete, End, Insert, Merge, Select, Update, Utility};
    let kind = *u.choose(&[Select, Select, Select, Insert, Update, Delete, Merge, Copy, Begin, End, Utility])?;
    let Some(below) = depth.checked_sub(1).filter(|_| !u.is_empty()) else { return Ok(Query::new(kind)) };
    let exprs = |u: Bytes<'_, '_>| list(u, 2, |u| expr(u, below));
    Ok(Query {
        kind,
        ctes: list(u, 1, |u| Ok((pick(u, &TABLES)?, query(u, below)?)))?,
        target: option(u, table_ref)?,
        from: list(u, 3, |u| from_item(u, below))?,
        filter: option(u, |u| expr(u, below))?,
        having: option(u, |u| expr(u, below))?,
        assigned: list(u, 2, |u| Ok((pick(u, &COLUMNS)?, expr(u, below)?)))?,
        inserted: list(u, 2, |u| pick(u, &COLUMNS))?,
        group_by: exprs(u)?,
        order_by: exprs(u)?,
        outputs: list(u, 3, |u| Ok((option(u, |u| pick(u, &COLUMNS))?, expr(u, below)?)))?,
        distinct: u.arbitrary()?,
        limited: u.arbitrary()?,
        set_operands: if u.ratio(1, 8)? { list(u, 3, |u| query(u, below))? } else { Vec::new() },
        variables: u.ratio(1, 8)?,
    })
}

fn table_ref(u: Bytes<'_, '_>) -> Result<TableRef> {
    let schema = if u.ratio(1, 8)? { Some("public".to_owned()) } else { None };
    Ok(TableRef { schema, name: pick(u, &TABLES)?, alias: option(u, |u| pick(u, &TABLES))? })
}

fn from_item(u: Bytes<'_, '_>, depth: u32) -> Result<FromItem> {
    let Some(below) = depth.checked_sub(1) else { return Ok(FromItem::Table(table_ref(u)?)) };
    Ok(match u.int_in_range(0..=7)? {
        0 => FromItem::Other { alias: option(u, |u| pick(u, &TABLES))? },
        1 => FromItem::Subquery { alias: option(u, |u| pick(u, &TABLES))?, query: Box::new(query(u, below)?) },
        2 | 3 => FromItem::Join {
            left: Box::new(from_item(u, below)?),
            right: Box::new(from_item(u, below)?),
            outer: u.arbitrary()?,
            on: option(u, |u| expr(u, below))?,
            using: list(u, 2, |u| pick(u, &COLUMNS))?,
            natural: u.arbitrary()?,
        },
        _ => FromItem::Table(table_ref(u)?),
    })
}

fn expr(u: Bytes<'_, '_>, depth: u32) -> Result<Expr> {
    let Some(below) = depth.checked_sub(1).filter(|_| !u.is_empty()) else { return Ok(Expr::Value) };
    let boxed = |u: Bytes<'_, '_>| expr(u, below).map(Box::new);
    let many = |u: Bytes<'_, '_>| list(u, 3, |u| expr(u, below));
    Ok(match u.int_in_range(0..=17)? {
        0..=3 => Expr::Column(list(u, 3, |u| if u.arbitrary()? { pick(u, &COLUMNS) } else { pick(u, &TABLES) })?),
        4 => Expr::Column(vec![pick(u, &COLUMNS)?]),
        5 => Expr::Star,
        6 | 7 => Expr::Compare { op: pick(u, &OPERATORS)?, left: boxed(u)?, right: boxed(u)? },
        8 => Expr::In { test: boxed(u)?, items: u.arbitrary()?, negated: u.arbitrary()? },
        9 => Expr::Between { test: boxed(u)?, low: boxed(u)?, high: boxed(u)?, negated: u.arbitrary()? },
        10 => Expr::Like { test: boxed(u)?, pattern: boxed(u)?, prefix: u.arbitrary()?, negated: u.arbitrary()? },
        11 => Expr::IsNull { test: boxed(u)?, negated: u.arbitrary()? },
        12 => Expr::And(many(u)?),
        13 => Expr::Or(many(u)?),
        14 => Expr::Not(boxed(u)?),
        15 => Expr::Row(many(u)?),
        16 => {
            use SubqueryLink::{Array, Compare, EqualsAny, Exists, Scalar};
            let link = *u.choose(&[Exists, EqualsAny, Compare, Scalar, Array])?;
            Expr::Subquery { link, test: option(u, boxed)?, query: Box::new(query(u, below)?) }
        }
        _ => Expr::Call { name: pick(u, &["f", "count"])?, args: many(u)? },
    })
}
