//! How to reach what a foreign server of postgres_fdw stands for: its options and those of the caller's user mapping.
//!
//! They go from the server's catalog to libpq and nowhere else: no message, plan or table has any of them.
#![allow(unsafe_code)]

use crate::pg::error::Result;
use crate::pg::ffi::cstring;
use crate::pg::{catalog, ffi};
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pq_sys as pq;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

/// How a network that was cut is noticed within half a minute, where the foreign server does not say otherwise: seconds, and
/// milliseconds for the last.
const DEAD_PEER: [(&CStr, &CStr); 4] = [
    (c"keepalives_idle", c"10"),
    (c"keepalives_interval", c"5"),
    (c"keepalives_count", c"3"),
    (c"tcp_user_timeout", c"30000"),
];

/// What of an address is true for other servers as well, and no secret.
const SHARED: [&CStr; 9] = [
    c"host",
    c"hostaddr",
    c"port",
    c"dbname",
    c"user",
    c"sslmode",
    c"connect_timeout",
    c"target_session_attrs",
    c"gssencmode",
];

/// What is wrong with words that tell other servers how to reach a node.
pub fn unfit_for_replication(said: &str) -> Option<Problem> {
    let text = cstring(said);
    let wrong = |fact: String| Problem::new("22023", "a node's \"replication\" is a connection string").detail(fact);
    // SAFETY: a text; a list that ends with an entry without a name and a message are ours to free.
    unsafe {
        let mut message = std::ptr::null_mut();
        let list = pq::PQconninfoParse(text.as_ptr(), &raw mut message);
        if list.is_null() {
            let said = if message.is_null() {
                String::new()
            } else {
                CStr::from_ptr(message).to_string_lossy().trim().to_owned()
            };
            pq::PQfreemem(message.cast());
            return Some(
                wrong(format!("The client library says: {said}."))
                    .hint("Write it as in 'host=10.0.0.1 passfile=/etc/copies.pgpass'."),
            );
        }
        let mut secret = false;
        let mut next = list;
        while !(*next).keyword.is_null() {
            let name = CStr::from_ptr((*next).keyword).to_bytes();
            secret |= !(*next).val.is_null() && matches!(name, b"password" | b"sslpassword");
            next = next.add(1);
        }
        pq::PQconninfoFree(list);
        secret.then(|| {
            Problem::new("22023", "a node's \"replication\" must not hold a password")
                .detail("Whoever may look into pg_subscription there would see it, and it would be kept here.")
                .hint("Give the nodes a password file of their own (passfile=…), a certificate, or a line in pg_hba.conf.")
        })
    }
}

/// What libpq is told. Not shown by `Debug`: a password may be among it.
pub struct Address {
    parameters: Vec<(CString, CString)>,
    needs_password: bool,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").finish_non_exhaustive()
    }
}

impl Address {
    /// Of a foreign server, for the current user.
    ///
    /// # Errors
    /// 42704 for a server or a mapping that is not there, 42501 without USAGE, 0A000 for another wrapper than postgres_fdw, 2F003
    /// without a password for callers who are no superusers.
    pub fn of_server(server: &str) -> Result<Self> {
        let facts = facts(server)?;
        let mut problems = Vec::new();
        if facts.wrapper != "postgres_fdw" {
            problems.push(
                Problem::new("0A000", format!("server \"{server}\" is not one of postgres_fdw"))
                    .detail(format!("Its foreign-data wrapper is {}.", facts.wrapper))
                    .hint("Nodes are PostgreSQL servers: CREATE SERVER … FOREIGN DATA WRAPPER postgres_fdw …"),
            );
        }
        if !facts.usable {
            problems.push(
                Problem::new("42501", format!("permission denied for foreign server {server}"))
                    .hint(format!("Its owner can GRANT USAGE ON FOREIGN SERVER {}.", ffi::quote_ident(server))),
            );
        }
        if !facts.mapped {
            problems.push(
                Problem::new("42704", format!("there is no user mapping for the caller on server \"{server}\"")).hint(
                    format!(
                        "CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS (user '…', password '…');",
                        ffi::quote_ident(server)
                    ),
                ),
            );
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let (mut options, of_mapping) = options(server);
        let has_password = of_mapping.iter().any(|(name, value)| name.to_bytes() == b"password" && !value.is_empty());
        let excused = of_mapping
            .iter()
            .any(|(name, value)| name.to_bytes() == b"password_required" && value.to_bytes() == b"false");
        // SAFETY: reads the current user's rights.
        let needs_password = !unsafe { pg_sys::superuser() } && !excused;
        if needs_password && !has_password {
            return Err(Problem::new("2F003", "password is required")
                .detail("A caller who is no superuser must give a password in the user mapping: without one, it would be with the server's own rights.")
                .hint("ALTER USER MAPPING … OPTIONS (ADD password '…');")
                .into());
        }
        options.extend(of_mapping);
        let known = keywords();
        options.retain(|(name, _)| known.iter().any(|k| k == name));
        options.push((c"client_encoding".to_owned(), c"UTF8".to_owned()));
        options.push((c"fallback_application_name".to_owned(), c"foreshard".to_owned()));
        let unsaid = |(name, _): &&(&CStr, &CStr)| !options.iter().any(|(known, _)| known.as_c_str() == *name);
        let unsaid: Options =
            DEAD_PEER.iter().filter(unsaid).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        options.extend(unsaid);
        Ok(Self { parameters: options, needs_password })
    }

    /// Two lists that end with NULL, as PQconnectStartParams takes them; valid as long as the address is.
    pub fn parameters(&self) -> (Vec<*const c_char>, Vec<*const c_char>) {
        let both = self.parameters.iter().map(|(name, value)| (name.as_ptr(), value.as_ptr()));
        both.chain([(std::ptr::null(), std::ptr::null())]).unzip()
    }

    /// How another server reaches it, for a subscription there: without any secret, and with what the node says of itself for that.
    pub fn for_replication(&self, said: &str) -> String {
        let text = |bytes: &CStr| bytes.to_string_lossy().replace('\\', r"\\").replace('\'', r"\'");
        let known = self.parameters.iter().filter(|(name, _)| SHARED.contains(&name.as_c_str()));
        let mut words: Vec<String> =
            known.map(|(name, value)| format!("{}='{}'", name.to_string_lossy(), text(value))).collect();
        // The last word counts.
        words.extend((!said.is_empty()).then(|| said.to_owned()));
        words.join(" ")
    }

    pub fn needs_password(&self) -> bool {
        self.needs_password
    }

    /// The server's own `connect_timeout`, where it has one.
    pub fn connect_timeout(&self) -> Option<Duration> {
        let (_, value) = self.parameters.iter().find(|(name, _)| name.to_bytes() == b"connect_timeout")?;
        let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        // A password should not lie about in memory that is given back.
        for (_, value) in self.parameters.drain(..) {
            let mut bytes = value.into_bytes();
            bytes.iter_mut().for_each(|b| *b = 0);
            std::hint::black_box(&bytes);
        }
    }
}

/// What the catalog says of a foreign server, as far as the caller's rights on it go.
struct Facts {
    wrapper: String,
    usable: bool,
    mapped: bool,
}

fn facts(server: &str) -> Result<Facts> {
    let found = Spi::connect(|client| {
        let mut rows = client.select(
            "SELECT w.fdwname::pg_catalog.text, pg_catalog.has_server_privilege(s.oid, 'USAGE'),
                    EXISTS (SELECT FROM pg_catalog.pg_user_mappings m WHERE m.srvid = s.oid
                            AND (m.umuser = 0 OR m.umuser = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)))
             FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
             WHERE s.srvname = $1",
            Some(1),
            &[server.into()],
        )?;
        match rows.next() {
            Some(row) => Ok::<_, pgrx::spi::Error>(Some(Facts {
                wrapper: row.get(1)?.unwrap_or_default(),
                usable: row.get(2)?.unwrap_or(false),
                mapped: row.get(3)?.unwrap_or(false),
            })),
            None => Ok(None),
        }
    })?;
    found.ok_or_else(|| {
        Problem::new("42704", format!("server \"{server}\" does not exist"))
            .hint(if catalog::extension_installed("postgres_fdw").unwrap_or(false) {
                "Create it with CREATE SERVER … FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '…', dbname '…'). A node whose server was renamed needs one of its old name; foreshard.remove_node forgets a node."
            } else {
                "Start with CREATE EXTENSION postgres_fdw."
            })
            .into()
    })
}

type Options = Vec<(CString, CString)>;

/// The options of a server that is there, and of the current user's mapping for it.
fn options(server: &str) -> (Options, Options) {
    let name = cstring(server);
    // SAFETY: the server and the mapping were seen by `facts`; otherwise these raise an ERROR. Lists of DefElem, as the
    // catalog's option arrays are read.
    unsafe {
        let server = pg_sys::GetForeignServerByName(name.as_ptr(), false);
        let mapping = pg_sys::GetUserMapping(pg_sys::GetUserId(), (*server).serverid);
        (named(pgrx::PgList::from_pg((*server).options)), named(pgrx::PgList::from_pg((*mapping).options)))
    }
}

fn named(list: pgrx::PgList<pg_sys::DefElem>) -> Options {
    list.iter_ptr()
        .map(|element| {
            // SAFETY: an option with its name and its text.
            unsafe {
                let value = pg_sys::defGetString(element);
                (CStr::from_ptr((*element).defname).to_owned(), CStr::from_ptr(value).to_owned())
            }
        })
        .collect()
}

/// The options that libpq knows, but for those that are for its developers; the others are postgres_fdw's.
fn keywords() -> Vec<CString> {
    let mut known = Vec::new();
    // SAFETY: a list that ends with an entry without a name, freed when it was read.
    unsafe {
        let list = pq::PQconndefaults();
        let mut next = list;
        while !next.is_null() && !(*next).keyword.is_null() {
            let debug = !(*next).dispchar.is_null() && CStr::from_ptr((*next).dispchar).to_bytes().contains(&b'D');
            if !debug {
                known.push(CStr::from_ptr((*next).keyword).to_owned());
            }
            next = next.add(1);
        }
        pq::PQconninfoFree(list);
    }
    known.retain(|k| !matches!(k.to_bytes(), b"client_encoding" | b"fallback_application_name" | b"replication"));
    known
}
