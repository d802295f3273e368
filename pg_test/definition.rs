//! Scripts as pg_dump writes them -> what belongs to which table.

use crate::pg::definition::{Definitions, Origin, Reader};
use foreshard_core::model::TableName;

/// Reads statements that end with `;` at a line's end.
fn read(script: &str) -> Definitions {
    let mut reader = Reader::new();
    for statement in script.split(";\n").map(|s| s.trim().trim_end_matches(';')).filter(|s| !s.is_empty()) {
        reader.statement(statement);
    }
    reader.finish()
}

fn name(text: &str) -> TableName {
    let (schema, name) = text.split_once('.').unwrap_or(("public", text));
    TableName::new(schema, name)
}

/// The parts of a table, one a line: kind, object, and where in the statement they are.
fn parts(found: &Definitions, table: &str) -> Vec<String> {
    let definition = found.tables.get(&name(table)).unwrap_or_else(|| panic!("no table {table}"));
    let line = |p: &crate::pg::definition::Part| {
        let origin = match p.origin {
            Origin::Statement => String::new(),
            Origin::Command(i) => format!(" #{i}"),
            Origin::Inline(i) => format!(" inline {i}"),
        };
        format!("{:?} <{}>{origin}", p.kind, p.object)
    };
    definition.parts.iter().map(line).collect()
}

/// The columns of a table with what the planner wants to know of them.
fn columns(found: &Definitions, table: &str) -> Vec<String> {
    let definition = found.tables.get(&name(table)).unwrap_or_else(|| panic!("no table {table}"));
    let line = |c: &foreshard_core::model::Column| {
        let mut text = format!("{} {}", c.name, c.type_name);
        for (word, said) in [
            ("not null", c.not_null),
            ("generated", c.generated),
            ("unique", c.unique_by_default),
            ("hash", c.hashable),
            ("order", c.orderable),
        ] {
            if said {
                text.push_str(&format!(", {word}"));
            }
        }
        text
    };
    definition.table.columns.iter().map(line).collect()
}

fn keys(found: &Definitions, table: &str) -> Vec<String> {
    let table = &found.tables.get(&name(table)).unwrap_or_else(|| panic!("no table {table}")).table;
    let unique = table
        .unique_keys
        .iter()
        .map(|k| format!("{}{} ({})", if k.primary { "primary " } else { "" }, k.name, k.columns.join(", ")));
    let foreign = table.foreign_keys.iter().map(|k| {
        format!("{} ({}) -> {} ({})", k.name, k.columns.join(", "), k.references, k.referenced_columns.join(", "))
    });
    unique.chain(foreign).collect()
}

/// Every kind of statement that pg_dump writes about a table.
const SHOP: &str = r#"
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET default_tablespace = fast;
SET default_table_access_method = heap;
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;
CREATE TABLE public.orders (
    id bigint NOT NULL,
    customer integer,
    note text DEFAULT 'x'::text,
    total numeric(10,2) GENERATED ALWAYS AS ((1 + 1)) STORED,
    period tstzrange,
    CONSTRAINT positive CHECK ((id > 0))
);
ALTER TABLE ONLY public.orders REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE public.orders OWNER TO shop;
COMMENT ON TABLE public.orders IS 'What was ordered';
COMMENT ON COLUMN public.orders.note IS 'Free text';
CREATE SEQUENCE public.orders_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER TABLE public.orders_id_seq OWNER TO shop;
ALTER SEQUENCE public.orders_id_seq OWNED BY public.orders.id;
COMMENT ON SEQUENCE public.orders_id_seq IS 'Numbers';
SET default_tablespace = '';
CREATE UNLOGGED TABLE public.customers (
    id integer NOT NULL,
    mail text
)
WITH (fillfactor='70');
CREATE VIEW public.open_orders AS SELECT id FROM public.orders;
CREATE MATERIALIZED VIEW public.totals AS SELECT 1 AS x WITH NO DATA;
ALTER TABLE ONLY public.orders ALTER COLUMN id SET DEFAULT nextval('public.orders_id_seq'::regclass);
ALTER TABLE ONLY public.orders ALTER COLUMN note SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.orders ALTER COLUMN customer SET STATISTICS 500;
ALTER TABLE ONLY public.orders ALTER COLUMN customer SET (n_distinct=100);
ALTER TABLE ONLY public.customers ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.customers ADD CONSTRAINT customers_mail_key UNIQUE (mail);
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders ADD CONSTRAINT no_overlap EXCLUDE USING gist (period WITH &&);
CREATE INDEX orders_customer ON public.orders USING btree (customer);
CREATE UNIQUE INDEX orders_note ON public.orders USING btree (lower(note));
CREATE UNIQUE INDEX orders_pair ON public.orders USING btree (customer, note);
CREATE UNIQUE INDEX orders_some ON public.orders USING btree (customer) WHERE (id > 5);
ALTER INDEX public.orders_note ALTER COLUMN 1 SET STATISTICS 200;
COMMENT ON INDEX public.orders_customer IS 'By customer';
ALTER TABLE public.orders CLUSTER ON orders_customer;
CREATE STATISTICS public.orders_stats (dependencies) ON customer, note FROM public.orders;
ALTER STATISTICS public.orders_stats SET STATISTICS 100;
ALTER STATISTICS public.orders_stats OWNER TO shop;
COMMENT ON STATISTICS public.orders_stats IS 'Together';
CREATE RULE no_delete AS ON DELETE TO public.orders DO INSTEAD NOTHING;
CREATE TRIGGER audit AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.audit();
CREATE TRIGGER bulk AFTER INSERT ON public.orders REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION public.audit();
CREATE TRIGGER rowwise AFTER INSERT ON public.orders REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION public.audit();
ALTER TABLE public.orders DISABLE TRIGGER audit;
COMMENT ON TRIGGER audit ON public.orders IS 'Who did it';
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES public.customers(id) ON DELETE CASCADE NOT VALID;
ALTER TABLE ONLY public.customers ADD CONSTRAINT last_order_fkey FOREIGN KEY (id) REFERENCES public.orders;
COMMENT ON CONSTRAINT orders_pkey ON public.orders IS 'Key';
CREATE POLICY own ON public.orders USING ((note = CURRENT_USER));
COMMENT ON POLICY own ON public.orders IS 'Own rows';
ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
CREATE PUBLICATION feed WITH (publish = 'insert');
ALTER PUBLICATION feed ADD TABLE ONLY public.orders;
GRANT SELECT,INSERT ON TABLE public.orders TO shop, reader;
GRANT SELECT(note) ON TABLE public.orders TO PUBLIC;
REVOKE ALL ON TABLE public.customers FROM shop;
GRANT USAGE ON SEQUENCE public.orders_id_seq TO reader;
SECURITY LABEL FOR dummy ON TABLE public.orders IS 'classified';
"#;

#[pgrx::pg_schema]
mod tests {
    use super::{SHOP, columns, keys, name, parts, read};
    use crate::pg::catalog;
    use crate::pg::definition::{Inbound, like_table};
    use crate::pg::ffi::Session;
    use foreshard_core::model::TableName;
    use pgrx::prelude::*;

    #[pg_test]
    fn every_statement_is_filed_under_its_table() {
        let found = read(SHOP);
        assert_eq!(found.unreadable, []);
        assert_eq!(
            parts(&found, "orders"),
            [
                "Check { validated: true } <positive> inline 3",
                "ReplicaIdentity <> #0",
                "RowSecurity <> #0",
                "Owner { role: \"shop\" } <shop> #0",
                "Comment <public.orders>",
                "Comment <public.orders.note>",
                "Column <id> #0",
                "Column <note> #0",
                "ColumnDetail <customer> #0",
                "ColumnDetail <customer> #0",
                "Unique { columns: [\"id\"], primary: true } <orders_pkey> #0",
                "Exclusion <no_overlap> #0",
                "Index { unique: false, columns: [\"customer\"] } <orders_customer>",
                "Index { unique: true, columns: [] } <orders_note>",
                "Index { unique: true, columns: [\"customer\", \"note\"] } <orders_pair>",
                "Index { unique: true, columns: [\"customer\"] } <orders_some>",
                "IndexColumn <orders_note>",
                "IndexDetail <public.orders_customer>",
                "Cluster <orders_customer> #0",
                "Statistics <orders_stats>",
                "StatisticsDetail <orders_stats>",
                "StatisticsOwner { role: \"shop\" } <orders_stats>",
                "Comment <public.orders_stats>",
                "Rule <no_delete>",
                "Trigger { transitions_by_row: false, constraint: false } <audit>",
                "Trigger { transitions_by_row: false, constraint: false } <bulk>",
                "Trigger { transitions_by_row: true, constraint: false } <rowwise>",
                "TriggerState <audit> #0",
                "Comment <public.orders.audit>",
                "ForeignKey { references: TableName { schema: \"public\", name: \"customers\" }, validated: false, clause: \" ON DELETE CASCADE NOT VALID\" } <orders_customer_fkey> #0",
                "Comment <public.orders.orders_pkey>",
                "Policy <own>",
                "Comment <public.orders.own>",
                "RowSecurity <> #0",
                "Publication { name: \"feed\", selective: false } <feed>",
                "Grant { roles: [\"shop\", \"reader\"], grantor: None, sequence: None } <shop, reader>",
                "Grant { roles: [], grantor: None, sequence: None } <>",
                "SecurityLabel <public.orders>",
                "Sequence <orders_id_seq>",
                "SequenceOwner { role: \"shop\" } <orders_id_seq>",
                "SequenceDetail <orders_id_seq>",
                "SequenceDetail <public.orders_id_seq>",
                "Grant { roles: [\"reader\"], grantor: None, sequence: Some(TableName { schema: \"public\", name: \"orders_id_seq\" }) } <reader>",
            ]
        );
        assert_eq!(
            parts(&found, "customers"),
            [
                "Unique { columns: [\"id\"], primary: true } <customers_pkey> #0",
                "Unique { columns: [\"mail\"], primary: false } <customers_mail_key> #0",
                "ForeignKey { references: TableName { schema: \"public\", name: \"orders\" }, validated: true, clause: \"\" } <last_order_fkey> #0",
                "Grant { roles: [\"shop\"], grantor: None, sequence: None } <shop>",
            ]
        );
    }

    #[pg_test]
    fn a_tables_facts_are_gathered() {
        let found = read(SHOP);
        let (orders, customers) = (&found.tables[&name("orders")], &found.tables[&name("customers")]);
        assert_eq!(
            columns(&found, "orders"),
            [
                "id bigint, not null, unique, hash, order",
                "customer integer, hash, order",
                "note text, hash, order",
                "total numeric(10,2), generated, hash, order",
                "period tstzrange, hash, order",
            ]
        );
        assert_eq!(
            keys(&found, "orders"),
            [
                "primary orders_pkey (id)",
                "orders_pair (customer, note)",
                "orders_customer_fkey (customer) -> public.customers (id)"
            ]
        );
        assert_eq!(
            keys(&found, "customers"),
            [
                "primary customers_pkey (id)",
                "customers_mail_key (mail)",
                // The primary key of the other table, which the script does not name here.
                "last_order_fkey (id) -> public.orders (id)"
            ]
        );
        assert_eq!(orders.sequences, [name("orders_id_seq")]);
        let inbound = |table: &str, constraint: &str| Inbound {
            table: name(table),
            constraint: constraint.to_owned(),
            columns: vec!["id".to_owned()],
        };
        assert_eq!(orders.referenced_by, [inbound("customers", "last_order_fkey")]);
        assert_eq!(customers.referenced_by, [inbound("orders", "orders_customer_fkey")]);
        assert_eq!((orders.tablespace.as_str(), customers.tablespace.as_str()), ("fast", ""));
        assert_eq!((orders.access_method.as_str(), orders.unlogged, customers.unlogged), ("heap", false, true));
        assert_eq!(found.extensions, ["hstore"]);
        assert_eq!(found.encoding.as_deref(), Some("UTF8"));
        let others: Vec<_> = found.others.iter().map(|(n, what)| (n.name.as_str(), *what)).collect();
        assert_eq!(others, [("open_orders", "view"), ("orders_id_seq", "sequence"), ("totals", "materialized view")]);
    }

    #[pg_test]
    fn constraints_inside_create_table() {
        let found = read(
            "CREATE TABLE a (id int PRIMARY KEY, b int CONSTRAINT b_once UNIQUE, c int CHECK (c > 0) REFERENCES d (x),
                 e uuid DEFAULT gen_random_uuid(), f int GENERATED BY DEFAULT AS IDENTITY, g int DEFAULT 5,
                 CONSTRAINT bc UNIQUE (b, c), FOREIGN KEY (b, c) REFERENCES s.d (x, y), EXCLUDE USING gist (b WITH =));
             CREATE TABLE d (x int, y int, PRIMARY KEY (x));",
        );
        assert_eq!(
            parts(&found, "a"),
            [
                "Unique { columns: [\"id\"], primary: true } <a_pkey> inline 0",
                "Unique { columns: [\"b\"], primary: false } <b_once> inline 1",
                "Check { validated: true } <a_check> inline 2",
                "ForeignKey { references: TableName { schema: \"public\", name: \"d\" }, validated: true, clause: \"\" } <a_c_fkey> inline 3",
                "Unique { columns: [\"b\", \"c\"], primary: false } <bc> inline 7",
                "ForeignKey { references: TableName { schema: \"s\", name: \"d\" }, validated: true, clause: \"\" } <a_b_c_fkey> inline 8",
                "Exclusion <> inline 9",
            ]
        );
        assert_eq!(
            columns(&found, "a"),
            [
                "id integer, not null, hash, order",
                "b integer, hash, order",
                "c integer, hash, order",
                "e uuid, unique, hash, order",
                "f integer, unique, hash, order",
                "g integer, hash, order"
            ]
        );
        assert_eq!(columns(&found, "d"), ["x integer, not null, hash, order", "y integer, hash, order"]);
    }

    #[pg_test]
    fn one_alter_table_with_many_commands() {
        let found = read(
            "CREATE TABLE a (id int, b int);
             ALTER TABLE ONLY a ADD CONSTRAINT a_pk PRIMARY KEY (id), ALTER COLUMN b SET NOT NULL, ADD CHECK (b > 0),
                 OWNER TO x, ADD COLUMN c int, DISABLE RULE r;
             ALTER TABLE missing ADD CHECK (true);",
        );
        assert_eq!(
            parts(&found, "a"),
            [
                "Unique { columns: [\"id\"], primary: true } <a_pk> #0",
                "Column <b> #1",
                "Check { validated: true } <a_check> #2",
                "Owner { role: \"x\" } <x> #3",
                "Unknown <> #4",
                "TriggerState <r> #5",
            ]
        );
        assert_eq!(columns(&found, "a"), ["id integer, not null, hash, order", "b integer, not null, hash, order"]);
        assert_eq!(found.tables.len(), 1);
    }

    /// A dump before version 10.3, or one written by hand, names its schemas once.
    #[pg_test]
    fn settings_of_the_script_hold_for_what_follows() {
        let found = read(
            "CREATE TABLE a (id int);
             SET search_path = sales, pg_catalog;
             CREATE TABLE a (id int, CONSTRAINT k PRIMARY KEY (id));
             CREATE TABLE public.b (id int REFERENCES a);
             SET default_tablespace = 'Odd Name';
             CREATE TABLE c (id int) TABLESPACE own;
             CREATE TABLE d (id int);
             SET default_tablespace = '';
             SET search_path = \"Other\";
             CREATE TABLE a (id int);
             COMMENT ON TABLE a IS 'third';",
        );
        let names: Vec<String> = found.tables.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["Other.a", "public.a", "public.b", "sales.a", "sales.c", "sales.d"]);
        let spaces: Vec<&str> = found.tables.values().map(|d| d.tablespace.as_str()).collect();
        assert_eq!(spaces, ["", "", "", "", "own", "Odd Name"]);
        assert_eq!(parts(&found, "Other.a"), ["Comment <a>"]);
        assert_eq!(keys(&found, "public.b"), ["b_id_fkey (id) -> sales.a (id)"]);
        assert_eq!(found.tables[&TableName::new("sales", "a")].referenced_by.len(), 1);
    }

    #[pg_test]
    fn partitions_count_as_their_parent() {
        let found = read(
            "CREATE TABLE m (id int, at date) PARTITION BY RANGE (at);
             CREATE TABLE m_1 (id int, at date);
             CREATE TABLE m_2 (id int, at date) PARTITION BY LIST (id);
             CREATE TABLE m_2_1 (id int, at date);
             CREATE TABLE kid (x int) INHERITS (old);
             CREATE TABLE old (x int);
             ALTER TABLE ONLY m ATTACH PARTITION m_1 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
             ALTER TABLE ONLY m ATTACH PARTITION m_2 DEFAULT;
             ALTER TABLE ONLY m_2 ATTACH PARTITION m_2_1 FOR VALUES IN (1);",
        );
        let tables = |source: &str| -> Vec<String> {
            found.schema(&name(source)).tables.iter().map(|t| t.name.to_string()).collect()
        };
        assert_eq!(tables("m"), ["public.kid", "public.m", "public.old"]);
        // A partition that is restored by itself is seen as a table.
        assert_eq!(tables("m_1"), ["public.kid", "public.m", "public.m_1", "public.old"]);
        let data: Vec<String> = found.data_tables(&name("m")).iter().map(|t| t.name.clone()).collect();
        assert_eq!(data, ["m", "m_1", "m_2", "m_2_1"]);
        assert!(found.tables[&name("m")].partitioned && found.tables[&name("m_2")].partitioned);
        assert_eq!(found.tables[&name("kid")].inherits, [name("old")]);
        assert_eq!(parts(&found, "m"), Vec::<String>::new());
    }

    #[pg_test]
    fn what_the_server_does_not_parse_is_kept_with_its_message() {
        let found = read(
            "CREATE TABLE a (id int);
             CREATE TABEL b (id int);
             CREATE INDEX ON;
             COMMENT ON TABLE a IS 'still read';",
        );
        assert_eq!(found.tables.len(), 1);
        assert_eq!(parts(&found, "a"), ["Comment <a>"]);
        let unreadable: Vec<(&str, &str)> =
            found.unreadable.iter().map(|(start, message)| (start.as_str(), message.as_str())).collect();
        assert_eq!(
            unreadable,
            [
                ("CREATE TABEL b (id int)", "syntax error at or near \"TABEL\""),
                ("CREATE INDEX ON", "syntax error at end of input")
            ]
        );
    }

    #[pg_test]
    fn types_are_looked_up_here() {
        Spi::run("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)").unwrap();
        let found = read(
            "CREATE TABLE a (a public.mood, b public.positive, c varchar(20)[], d json, e xml, f point, g public.missing, h nowhere.t,
                 i timestamptz(3), j char, k \"char\", l interval day to second(2), m \"Odd Type\", n serial);",
        );
        assert_eq!(
            columns(&found, "a"),
            [
                "a mood, hash, order",
                "b positive, hash, order",
                "c character varying(20)[], hash, order",
                "d json",
                "e xml",
                "f point",
                "g public.missing",
                "h nowhere.t",
                "i timestamp(3) with time zone, hash, order",
                "j character(1), hash, order",
                "k \"char\", hash, order",
                "l interval day to second(2), hash, order",
                "m Odd Type",
                "n integer, not null, unique, hash, order",
            ]
        );
    }

    #[pg_test]
    fn hostile_statements_do_no_harm() {
        let deep = format!("CREATE TABLE deep (a int CHECK ({}a > 0{}))", "(1 + ".repeat(3_000), ")".repeat(3_000));
        let wide: Vec<String> = (0..1_600).map(|i| format!("c{i} int")).collect();
        let found = read(&format!(
            "{deep};\nCREATE TABLE wide ({});\nCREATE TABLE \"Größe;\n\" (\"ä\"\"b\" int);",
            wide.join(", ")
        ));
        // The last statement is cut in two by the reader of this test: neither half is readable.
        assert_eq!(found.unreadable.len(), 2);
        assert_eq!(found.tables[&name("wide")].table.columns.len(), 1_600);
        assert_eq!(found.tables[&name("deep")].table.columns.len(), 1);
    }

    #[pg_test]
    fn a_live_table_is_written_as_a_backup_would_write_it() {
        Spi::run(
            r#"CREATE SCHEMA "Odd";
               CREATE TABLE "Odd".ref (id int PRIMARY KEY);
               CREATE TABLE "Odd"."Live" (id bigint GENERATED BY DEFAULT AS IDENTITY, gone int, "größe" varchar(10) COLLATE "C" NOT NULL,
                   total numeric(8,2) DEFAULT 1.5, twice numeric GENERATED ALWAYS AS (total * 2) STORED, r int REFERENCES "Odd".ref,
                   CONSTRAINT pk PRIMARY KEY (id), CONSTRAINT sane CHECK (total > 0));
               ALTER TABLE "Odd"."Live" DROP COLUMN gone;
               CREATE UNIQUE INDEX part ON "Odd"."Live" (total) WHERE r > 5;
               CREATE INDEX plain ON "Odd"."Live" ("größe" DESC, lower("größe"));
               CREATE STATISTICS "Odd".st ON total, r FROM "Odd"."Live";
               CREATE FUNCTION "Odd".f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
               CREATE TRIGGER tr BEFORE INSERT ON "Odd"."Live" FOR EACH ROW EXECUTE FUNCTION "Odd".f();
               COMMENT ON TABLE "Odd"."Live" IS 'It''s live';
               COMMENT ON COLUMN "Odd"."Live"."größe" IS 'Size'"#,
        )
        .unwrap();
        let live = TableName::new("Odd", "Live");
        let _session = Session::begin();
        let found = like_table(&live).unwrap();
        assert_eq!(found.unreadable, []);
        assert_eq!(
            columns(&found, "Odd.Live"),
            [
                "id bigint, not null, unique, hash, order",
                "größe character varying(10), not null, hash, order",
                "total numeric(8,2), hash, order",
                "twice numeric, generated, hash, order",
                "r integer, hash, order"
            ]
        );
        assert_eq!(keys(&found, "Odd.Live"), ["primary pk (id)", "Live_r_fkey (r) -> Odd.ref (id)"]);
        assert_eq!(
            parts(&found, "Odd.Live"),
            [
                "Check { validated: true } <sane> #0",
                "Unique { columns: [\"id\"], primary: true } <pk> #0",
                "Index { unique: true, columns: [\"total\"] } <part>",
                "Index { unique: false, columns: [] } <plain>",
                "ForeignKey { references: TableName { schema: \"Odd\", name: \"ref\" }, validated: true, clause: \"\" } <Live_r_fkey> #0",
                "Statistics <st>",
                "Trigger { transitions_by_row: false, constraint: false } <tr>",
                "Comment <Odd.Live>",
                "Comment <Odd.Live.größe>",
            ]
        );
        let missing = like_table(&name("nothing")).unwrap_err().into_problems();
        assert_eq!(missing[0].sqlstate, "42P01");
        Spi::run("CREATE VIEW public.a_view AS SELECT 1").unwrap();
        assert_eq!(like_table(&name("a_view")).unwrap_err().into_problems()[0].sqlstate, "42809");
        assert_eq!(catalog::resolve_name("\"Odd\".\"Live\"", None).unwrap(), live);
    }
}
