//! A plan as SQL for servers that cannot have this extension: plain partitions made by hand, or a Citus cluster.
//!
//! Both begin with a table that pg_restore has just made, still without rows (`--section=pre-data`), and leave it ready for the rows
//! (`--section=data`) and for what comes after them (`--section=post-data`).

use super::create::{bound_clause, part_name, shard_name};
use super::error::Result;
use super::ffi::{quote_ident, quote_literal, quote_table};
use super::ledger;
use foreshard_core::model::words::counted;
use foreshard_core::model::{Layout, Method, Plan, Problem, TableName};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    Citus,
}

impl Dialect {
    /// # Errors
    /// 22023 for a name that is none.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "plain" => Ok(Self::Plain),
            "citus" => Ok(Self::Citus),
            _ => Err(Problem::new("22023", format!("\"{name}\" is no target of plan_sql"))
                .hint("Targets are plain and citus.")
                .into()),
        }
    }
}

/// The stored plan of that number as SQL.
pub fn of_plan(id: i64, dialect: Dialect) -> Result<String> {
    let (plan, _) = ledger::plan(id)?;
    let head = [
        format!("-- Plan {id}: {} by {}.", plan.target, described(&plan.layout)),
        "-- Run it between pg_restore --section=pre-data and --section=data.".to_owned(),
    ];
    let notes = plan.notes.iter().map(|n| {
        let remedy = n.remedy.as_ref().map(|r| format!(" Instead: {r}")).unwrap_or_default();
        comment(&format!("{} {} {}: {}.{remedy}", n.kind, n.object, n.what, n.because))
    });
    let body = match dialect {
        Dialect::Plain => plain(&plan),
        Dialect::Citus => citus(&plan),
    };
    Ok(head.into_iter().chain(notes).chain(body).map(|line| line + "\n").collect())
}

fn described(layout: &Layout) -> String {
    match layout.method.shards() {
        true => format!(
            "{} on {} into {}",
            layout.method.name(),
            layout.columns().cloned().collect::<Vec<_>>().join(", "),
            counted(layout.shards.len() as u64, "shard")
        ),
        false => layout.method.name().to_owned(),
    }
}

/// A comment of one line, whatever is in it.
fn comment(text: &str) -> String {
    format!("-- {}", text.replace(['\n', '\r'], " "))
}

fn key(columns: &[String]) -> String {
    columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", ")
}

fn plain(plan: &Plan) -> Vec<String> {
    let (layout, target) = (&plan.layout, &plan.target);
    if !layout.method.shards() {
        return vec![comment("The table stays as it is: nothing has to be done.")];
    }
    let table = quote_table(target);
    let before = quote_table(&TableName::new(&target.schema, format!("{}_before", target.name)));
    let mut lines = vec![
        "BEGIN;".to_owned(),
        format!("ALTER TABLE {table} RENAME TO {};", quote_ident(&format!("{}_before", target.name))),
        format!(
            "CREATE TABLE {table} (LIKE {before} INCLUDING ALL EXCLUDING INDEXES) PARTITION BY {} ({});",
            layout.method.name(),
            key(&layout.key)
        ),
    ];
    let within = layout.within.as_ref();
    let parts = if within.is_some() { layout.parts() } else { Vec::new() };
    for (number, part) in (0..).zip(&parts) {
        let Some(within) = within else { continue };
        lines.push(format!(
            "CREATE TABLE {} PARTITION OF {table} {} PARTITION BY {} ({});",
            quote_table(&part_name(target, number)),
            bound_clause(part.bound),
            within.method.name(),
            key(&within.key)
        ));
    }
    for shard in &layout.shards {
        let part =
            (0..).zip(&parts).find(|(_, p)| *p.bound == shard.bound).map(|(number, _)| part_name(target, number));
        lines.push(format!(
            "CREATE TABLE {} PARTITION OF {} {};",
            quote_table(&shard_name(target, shard.ordinal)),
            quote_table(part.as_ref().unwrap_or(target)),
            bound_clause(shard.within.as_ref().unwrap_or(&shard.bound))
        ));
    }
    // What LIKE leaves behind: sequences that belong to columns, the owner, grants.
    lines.push(format!(
        "DO $do$ DECLARE r record; BEGIN
    IF EXISTS (SELECT FROM {from}) THEN RAISE EXCEPTION 'the table has rows already'; END IF;
    FOR r IN SELECT pg_get_userbyid(c.relowner) AS owner FROM pg_class c WHERE c.oid = {before}::regclass
    LOOP EXECUTE format('ALTER TABLE %s OWNER TO %I', {table}, r.owner); END LOOP;
    FOR r IN SELECT s.oid::regclass AS sequence, a.attname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass
             JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE s.relkind = 'S' AND d.deptype = 'a' AND d.refobjid = {before}::regclass
    LOOP EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.%I', r.sequence, {table}, r.attname); END LOOP;
    FOR r IN SELECT g.privilege_type, g.is_grantable, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS role
             FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = {before}::regclass AND g.grantee <> c.relowner
    LOOP EXECUTE format('GRANT %s ON %s TO %s%s', r.privilege_type, {table}, r.role, CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END); END LOOP;
END $do$;",
        from = before,
        before = quote_literal(&before),
        table = quote_literal(&table)
    ));
    lines.push(format!("DROP TABLE {before};"));
    lines.push("COMMIT;".to_owned());
    lines
}

fn citus(plan: &Plan) -> Vec<String> {
    let (layout, target) = (&plan.layout, &plan.target);
    let literal = |table: &TableName| quote_literal(&quote_table(table));
    match layout.method {
        Method::None => return vec![comment("The table stays as it is: nothing has to be done.")],
        Method::Reference => return vec![format!("SELECT create_reference_table({});", literal(target))],
        Method::Hash | Method::Range | Method::List => {}
    }
    // The level that spreads the rows is what Citus distributes by, always by a hash of one column.
    let spread = layout.spread();
    let mut lines = Vec::new();
    if spread.method != Method::Hash {
        lines.push(comment(&format!(
            "Citus distributes by hash only: few or uneven values of {} will be less even than the plan's {}.",
            key(&spread.key),
            spread.method.name()
        )));
    }
    if spread.key.len() > 1 {
        lines.push(comment(&format!("Citus distributes by one column: the first of {}.", key(&spread.key))));
    }
    if let Some(first) =
        layout.within.as_ref().map(|_| layout).filter(|l| l.method != spread.method || l.key != spread.key)
    {
        lines.push(comment(&format!(
            "Cut by {} ({}) as well: partition the table so with plan_sql(…, 'plain') of that level before this.",
            first.method.name(),
            key(&first.key)
        )));
    }
    let column = spread.key.first().map(String::as_str).unwrap_or_default();
    lines.push(format!(
        "SELECT create_distributed_table({}, {}, shard_count => {});",
        literal(target),
        quote_literal(column),
        spread.shards.len()
    ));
    for other in plan.joint.iter().flat_map(|j| &j.tables) {
        let (name, beside) = (literal(&other.table), literal(target));
        lines.push(match other.method {
            Method::Reference => format!("SELECT create_reference_table({name});"),
            _ if other.together => format!(
                "SELECT create_distributed_table({name}, {}, colocate_with => {beside});",
                quote_literal(other.key.first().map(String::as_str).unwrap_or_default())
            ),
            _ => continue,
        });
    }
    lines
}
