//! One connection to another server, through libpq, which postgres_fdw uses too: what a foreign server says of its address, its
//! encryption and its authentication means the same here.
//!
//! Nothing here blocks: whoever waits looks for a cancel every 50 ms. An error closes the connection, and with it ends what was
//! under way there; a server that does not notice by itself is asked to look ([`Connection::open`]).
#![allow(unsafe_code)]

use super::server::Address;
use crate::pg::error::Result;
use crate::pg::ffi::{self, cstring};
use foreshard_core::model::Problem;
use pq_sys as pq;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// How long a wait lasts before it looks for a cancel, and for the postmaster.
const PATIENCE: Duration = Duration::from_millis(50);
/// For a server that does not say `connect_timeout`: a node that does not answer must not hold up a restore for minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// By what texts of values are written and read, whatever a node was set up with.
pub const TEXTS: [(&str, &str); 3] = [("timezone", "UTC"), ("datestyle", "ISO, YMD"), ("intervalstyle", "postgres")];
/// What else does not depend on how a node was set up (what is committed for a restore is on the node's disk, and waits for no copies); and a node that works for nobody stops within a second.
const SESSION: &str = "SET search_path = pg_catalog; SET extra_float_digits = 3; SET bytea_output = 'hex'; SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0; SET synchronous_commit = 'local'; SET client_min_messages = warning; SET client_connection_check_interval = '1s'";

/// What a statement gave: rows of texts, and how many rows it changed.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub rows: Vec<Vec<Option<String>>>,
    pub affected: u64,
}

impl Answer {
    /// A field of the first row.
    pub fn first(&self, column: usize) -> Option<&str> {
        self.rows.first()?.get(column)?.as_deref()
    }
}

/// What came of a COPY … TO STDOUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    Rows,
    /// Not yet.
    Nothing,
    End,
}

pub struct Connection {
    raw: NonNull<pq::PGconn>,
    node: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("node", &self.node).finish_non_exhaustive()
    }
}

// SAFETY: libpq's connections may be used by any one thread at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// `node`: as messages name it.
    ///
    /// # Errors
    /// 08001, or what the other server says; 2F003 for a caller who may not use what is not the mapping's own.
    pub fn open(node: &str, address: &Address) -> Result<Self> {
        let mut opening = Opening::begin(node, address)?;
        let deadline = Instant::now() + address.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        while !opening.proceed()? {
            if !opening.wait()? && Instant::now() >= deadline {
                return Err(opening.late());
            }
        }
        let mut connection = opening.opened()?;
        connection.query(&session())?;
        Ok(connection)
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    /// Runs statements and gives the last one's answer.
    pub fn query(&mut self, sql: &str) -> Result<Answer> {
        self.send(sql)?;
        loop {
            match self.answer()? {
                Some(answer) => return Ok(answer),
                None => self.wait_for_answer()?,
            }
        }
    }

    /// Begins with statements; [`Self::answer`] tells when they are done.
    pub fn send(&mut self, sql: &str) -> Result<()> {
        let sql = cstring(sql);
        // SAFETY: an open connection and a text.
        if unsafe { pq::PQsendQuery(self.raw.as_ptr(), sql.as_ptr()) } == 0 {
            return Err(self.broken());
        }
        self.flush()
    }

    /// The last answer, when all statements are done; None while they are not.
    pub fn answer(&mut self) -> Result<Option<Answer>> {
        if !self.has_answer()? {
            return Ok(None);
        }
        let mut answer = Answer::default();
        let mut failed = None;
        loop {
            let Some(result) = self.result()? else { break };
            match result.status() {
                pq::ExecStatusType::PGRES_TUPLES_OK | pq::ExecStatusType::PGRES_COMMAND_OK => answer = result.answer(),
                pq::ExecStatusType::PGRES_COPY_IN | pq::ExecStatusType::PGRES_COPY_OUT => return Ok(Some(answer)),
                _ => failed = failed.or(Some(result.problem(&self.node))),
            }
        }
        failed.map_or(Ok(Some(answer)), |problem| Err(problem.into()))
    }

    fn wait_for_answer(&mut self) -> Result<()> {
        self.wait(true, false).map(drop)
    }

    /// Takes what has come; whether a result can be had without waiting.
    fn has_answer(&mut self) -> Result<bool> {
        // SAFETY: an open connection.
        unsafe {
            if pq::PQconsumeInput(self.raw.as_ptr()) == 0 {
                return Err(self.broken());
            }
            Ok(pq::PQisBusy(self.raw.as_ptr()) == 0)
        }
    }

    /// The next result, waited for; None when the statements are done.
    fn result(&mut self) -> Result<Option<Answered>> {
        while !self.has_answer()? {
            self.wait_for_answer()?;
        }
        // SAFETY: an open connection that need not be waited for.
        Ok(NonNull::new(unsafe { pq::PQgetResult(self.raw.as_ptr()) }).map(Answered))
    }

    /// Rows for a COPY … FROM STDIN that [`Self::query`] began. Waits while the node is slower than we are.
    pub fn put(&mut self, rows: &[u8]) -> Result<()> {
        loop {
            let length = c_int::try_from(rows.len()).unwrap_or(c_int::MAX);
            // SAFETY: an open connection, and bytes that libpq copies.
            match unsafe { pq::PQputCopyData(self.raw.as_ptr(), rows.as_ptr().cast(), length) } {
                1 => return self.flush(),
                0 => self.wait(true, true).map(drop)?,
                _ => return Err(self.end_of_copy()),
            }
            self.has_answer()?;
        }
    }

    /// The end of a COPY … FROM STDIN: the number of rows that it took.
    pub fn end(&mut self) -> Result<u64> {
        // SAFETY: an open connection.
        if unsafe { pq::PQputCopyEnd(self.raw.as_ptr(), std::ptr::null()) } < 0 {
            return Err(self.end_of_copy());
        }
        self.flush()?;
        loop {
            match self.answer()? {
                Some(answer) => return Ok(answer.affected),
                None => self.wait_for_answer()?,
            }
        }
    }

    /// Appends rows of a COPY … TO STDOUT that [`Self::query`] began to `rows`, as far as they have come, until there are `most` bytes.
    pub fn take(&mut self, most: usize, rows: &mut Vec<u8>) -> Result<Took> {
        // SAFETY: an open connection; libpq gives a buffer of as many bytes as it says, which is ours to free.
        unsafe {
            if pq::PQconsumeInput(self.raw.as_ptr()) == 0 {
                return Err(self.broken());
            }
            let mut took = Took::Nothing;
            while rows.len() < most {
                let mut buffer = std::ptr::null_mut();
                match pq::PQgetCopyData(self.raw.as_ptr(), &raw mut buffer, 1) {
                    0 => return Ok(took),
                    -1 => {
                        // Whether the COPY came to its end.
                        while self.answer()?.is_none() {
                            self.wait_for_answer()?;
                        }
                        return Ok(Took::End);
                    }
                    length if length > 0 => {
                        let length = usize::try_from(length).unwrap_or(0);
                        rows.extend_from_slice(std::slice::from_raw_parts(buffer.cast::<u8>(), length));
                        pq::PQfreemem(buffer.cast());
                        took = Took::Rows;
                    }
                    _ => return Err(self.broken()),
                }
            }
            Ok(took)
        }
    }

    /// Why a COPY does not take rows any more.
    fn end_of_copy(&mut self) -> crate::pg::error::Error {
        match self.answer() {
            Err(error) => error,
            Ok(_) => self.broken(),
        }
    }

    /// Sends what libpq holds back.
    fn flush(&mut self) -> Result<()> {
        loop {
            // SAFETY: an open connection.
            match unsafe { pq::PQflush(self.raw.as_ptr()) } {
                0 => return Ok(()),
                1 => {
                    self.wait(true, true)?;
                    // A node that says something before it reads on must be heard.
                    self.has_answer()?;
                }
                _ => return Err(self.broken()),
            }
        }
    }

    /// A transaction is open there, or was when the connection broke.
    pub fn in_transaction(&self) -> bool {
        // SAFETY: an open connection.
        unsafe { pq::PQtransactionStatus(self.raw.as_ptr()) != pq::PGTransactionStatusType::PQTRANS_IDLE }
    }

    /// Hears out what was under way when an ERROR came; whether no transaction is open then. As uninterrupted as [`Self::last_words`].
    pub fn settle(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        // SAFETY: an open connection, one that may be broken. Each result is freed once.
        unsafe {
            if pq::PQtransactionStatus(self.raw.as_ptr()) != pq::PGTransactionStatusType::PQTRANS_ACTIVE {
                return !self.in_transaction();
            }
            loop {
                pq::PQflush(self.raw.as_ptr());
                if pq::PQconsumeInput(self.raw.as_ptr()) == 0 {
                    return false;
                }
                while pq::PQisBusy(self.raw.as_ptr()) == 0 {
                    if NonNull::new(pq::PQgetResult(self.raw.as_ptr())).map(Answered).is_none() {
                        return !self.in_transaction();
                    }
                }
                if Instant::now() >= deadline {
                    return false;
                }
                let mut socket = self.poll(true, false);
                libc::poll(&raw mut socket, 1, PATIENCE.as_millis() as c_int);
            }
        }
    }

    /// For the end of a transaction that failed: nothing may interrupt it, and nobody hears an error. Whether it was done in time.
    pub fn last_words(&mut self, sql: &str, patience: Duration) -> bool {
        let (sql, deadline) = (cstring(sql), Instant::now() + patience);
        // SAFETY: an open connection, one that may be broken: then nothing can be sent. Each result is freed once.
        unsafe {
            if pq::PQsendQuery(self.raw.as_ptr(), sql.as_ptr()) == 0 {
                return false;
            }
            let mut done = true;
            loop {
                pq::PQflush(self.raw.as_ptr());
                if pq::PQconsumeInput(self.raw.as_ptr()) == 0 {
                    return false;
                }
                while pq::PQisBusy(self.raw.as_ptr()) == 0 {
                    let Some(result) = NonNull::new(pq::PQgetResult(self.raw.as_ptr())).map(Answered) else {
                        return done;
                    };
                    done &= result.status() == pq::ExecStatusType::PGRES_COMMAND_OK;
                }
                if Instant::now() >= deadline {
                    return false;
                }
                let mut socket = self.poll(true, false);
                libc::poll(&raw mut socket, 1, PATIENCE.as_millis() as c_int);
            }
        }
    }

    fn poll(&self, read: bool, write: bool) -> libc::pollfd {
        let events = if read { libc::POLLIN } else { 0 } | if write { libc::POLLOUT } else { 0 };
        // SAFETY: an open connection.
        libc::pollfd { fd: unsafe { pq::PQsocket(self.raw.as_ptr()) }, events, revents: 0 }
    }

    /// Whether the socket is ready before patience ends.
    fn wait(&self, read: bool, write: bool) -> Result<bool> {
        wait(&mut [self.poll(read, write)])
    }

    /// Waits until one of them has something to say, or patience ends.
    pub fn wait_for_any<'a>(connections: impl Iterator<Item = &'a Self>) -> Result<()> {
        wait(&mut connections.map(|c| c.poll(true, false)).collect::<Vec<_>>()).map(drop)
    }

    /// Waits until one of those that are being opened, or of those that were asked, can go on, or patience ends.
    pub fn wait_for_all_of<'a>(
        opening: impl Iterator<Item = &'a Opening>,
        asked: impl Iterator<Item = &'a Self>,
    ) -> Result<()> {
        wait(&mut opening.map(Opening::poll).chain(asked.map(|c| c.poll(true, false))).collect::<Vec<_>>()).map(drop)
    }

    fn said(&self) -> String {
        // SAFETY: an open connection; libpq's own text. It never holds a password.
        let text = unsafe { CStr::from_ptr(pq::PQerrorMessage(self.raw.as_ptr())) }.to_string_lossy();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn refused(&self) -> crate::pg::error::Error {
        Problem::new("08001", format!("could not connect to node \"{}\"", self.node))
            .detail(format!("The client library says: {}.", self.said().trim_end_matches(['.', '?'])))
            .hint("Look at the options of its foreign server and of the user mapping.")
            .into()
    }

    fn broken(&self) -> crate::pg::error::Error {
        Problem::new("08006", format!("the connection to node \"{}\" broke", self.node))
            .detail(format!("The client library says: {}.", self.said().trim_end_matches(['.', '?'])))
            .hint("Its server log says whether it was ended there.")
            .into()
    }
}

/// The statements that a connection begins with, where it was opened step by step.
pub fn session() -> String {
    let texts: String = TEXTS.iter().map(|(name, value)| format!("; SET {name} = '{value}'")).collect();
    format!("{SESSION}{texts}")
}

/// A connection that is being opened: several can be at the same time.
#[derive(Debug)]
pub struct Opening {
    connection: Connection,
    step: pq::PostgresPollingStatusType,
    needs_password: bool,
}

impl Opening {
    /// # Errors
    /// As of [`Connection::open`], in all of this.
    pub fn begin(node: &str, address: &Address) -> Result<Self> {
        let (keywords, values): (Vec<*const c_char>, Vec<*const c_char>) = address.parameters();
        // SAFETY: two lists of texts that end with NULL and outlive the call.
        let raw = unsafe { pq::PQconnectStartParams(keywords.as_ptr(), values.as_ptr(), 0) };
        let raw = NonNull::new(raw).ok_or_else(|| Problem::new("53200", "out of memory for a connection"))?;
        let step = pq::PostgresPollingStatusType::PGRES_POLLING_WRITING;
        Ok(Self {
            connection: Connection { raw, node: node.to_owned() },
            step,
            needs_password: address.needs_password(),
        })
    }

    /// Goes on as far as that is possible without waiting; whether it is open.
    pub fn proceed(&mut self) -> Result<bool> {
        let raw = self.connection.raw;
        loop {
            // SAFETY: an open connection.
            if unsafe { pq::PQstatus(raw.as_ptr()) } == pq::ConnStatusType::CONNECTION_BAD {
                return Err(self.connection.refused());
            }
            if !is_ready(&mut [self.poll()], Duration::ZERO) {
                return Ok(false);
            }
            // SAFETY: an open connection whose socket is ready.
            self.step = unsafe { pq::PQconnectPoll(raw.as_ptr()) };
            match self.step {
                pq::PostgresPollingStatusType::PGRES_POLLING_OK => return Ok(true),
                pq::PostgresPollingStatusType::PGRES_POLLING_FAILED => return Err(self.connection.refused()),
                _ => {}
            }
        }
    }

    fn poll(&self) -> libc::pollfd {
        let write = self.step == pq::PostgresPollingStatusType::PGRES_POLLING_WRITING;
        self.connection.poll(!write, write)
    }

    /// Whether it can go on before patience ends.
    fn wait(&self) -> Result<bool> {
        wait(&mut [self.poll()])
    }

    /// The error for one that takes too long.
    pub fn late(&self) -> crate::pg::error::Error {
        Problem::new("08001", format!("could not connect to node \"{}\"", self.connection.node))
            .detail("It did not answer in time.")
            .hint("Is it running, and reachable from this server? The option connect_timeout of its foreign server is the time to wait.")
            .into()
    }

    /// What [`Self::proceed`] has opened.
    pub fn opened(self) -> Result<Connection> {
        let raw = self.connection.raw;
        // SAFETY: an open connection.
        if self.needs_password && unsafe { pq::PQconnectionUsedPassword(raw.as_ptr()) } == 0 {
            return Err(Problem::new("2F003", "password is required")
                .detail("A caller who is no superuser cannot log in where the node does not ask for a password: it would be with the server's own rights.")
                .hint("The node's authentication method has to ask for the password that the user mapping holds.")
                .into());
        }
        // SAFETY: an open connection; the function ignores what it is told.
        unsafe {
            pq::PQsetNoticeProcessor(raw.as_ptr(), Some(ignore), std::ptr::null_mut());
            pq::PQsetnonblocking(raw.as_ptr(), 1);
        }
        Ok(self.connection)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, and nobody else has it.
        unsafe { pq::PQfinish(self.raw.as_ptr()) };
    }
}

/// Whether one of the sockets is ready before patience ends.
fn wait(sockets: &mut [libc::pollfd]) -> Result<bool> {
    pgrx::check_for_interrupts!();
    ffi::exit_without_postmaster();
    Ok(is_ready(sockets, PATIENCE))
}

fn is_ready(sockets: &mut [libc::pollfd], patience: Duration) -> bool {
    let length = libc::nfds_t::try_from(sockets.len()).unwrap_or(0);
    // SAFETY: as many entries as are said.
    unsafe { libc::poll(sockets.as_mut_ptr(), length, patience.as_millis() as c_int) > 0 }
}

unsafe extern "C" fn ignore(_argument: *mut c_void, _message: *const c_char) {}

/// A result of libpq's.
struct Answered(NonNull<pq::PGresult>);

impl Answered {
    fn status(&self) -> pq::ExecStatusType {
        // SAFETY: a result that is ours until it is dropped; so in all of this.
        unsafe { pq::PQresultStatus(self.0.as_ptr()) }
    }

    fn answer(&self) -> Answer {
        let result = self.0.as_ptr();
        // SAFETY: rows and columns are asked for within their numbers; texts are copied.
        unsafe {
            let (rows, columns) = (pq::PQntuples(result), pq::PQnfields(result));
            let field = |row, column| {
                (pq::PQgetisnull(result, row, column) == 0)
                    .then(|| CStr::from_ptr(pq::PQgetvalue(result, row, column)).to_string_lossy().into_owned())
            };
            let rows = (0..rows).map(|row| (0..columns).map(|column| field(row, column)).collect()).collect();
            let affected = CStr::from_ptr(pq::PQcmdTuples(result)).to_str().ok().and_then(|n| n.parse().ok());
            Answer { rows, affected: affected.unwrap_or(0) }
        }
    }

    fn problem(&self, node: &str) -> Problem {
        let field = |code: u8| {
            // SAFETY: a field of the error, NULL where it has none.
            let text = unsafe { pq::PQresultErrorField(self.0.as_ptr(), c_int::from(code)) };
            // SAFETY: a text of the result.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        // The fields of an error by their letters in the protocol.
        let state = field(b'C').unwrap_or_else(|| "08006".to_owned());
        let message = field(b'M').unwrap_or_else(|| "it said nothing".to_owned());
        let mut problem = Problem::new(&state, format!("node \"{node}\": {message}"));
        // Where in the rows of a COPY it was, and what else the node says.
        let context = field(b'W').and_then(|c| c.lines().next().map(|line| format!("There, at {line}.")));
        let detail: Vec<String> = field(b'D').into_iter().chain(context).collect();
        problem.detail = (!detail.is_empty()).then(|| detail.join(" "));
        problem.hint = field(b'H');
        problem
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { pq::PQclear(self.0.as_ptr()) };
    }
}
