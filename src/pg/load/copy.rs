//! Loading rows with the server's own COPY, and watching them pass.
//!
//! COPY asks a callback for bytes; the callback reads the backup. When it is asked again, COPY is through with the lines
//! it was given: only then are they counted and hashed, so that an error in a row is reported by COPY itself, with its
//! line. What passed is later compared with what the table holds.
#![allow(unsafe_code)]

use super::LoadColumn;
use super::canonical::Canonical;
use super::fill::Portion;
use super::reading::{Reading, cannot_compare, places};
use crate::pg::archive::{Data, Section};
use crate::pg::error::Result;
use crate::pg::ffi::{cstring, problem_of};
use crate::pg::progress;
use foreshard_core::backup::checksum::{Checksum, RowHasher};
use foreshard_core::backup::rows::Row;
use foreshard_core::model::config::Verify;
use foreshard_core::model::{Problem, TableName};
use parking_lot::{Mutex, const_mutex};
use pgrx::{PgMemoryContexts, PgTryBuilder, pg_sys};
use std::ffi::{CStr, c_int, c_void};
use std::panic::AssertUnwindSafe;

/// What COPY made of some rows.
#[derive(Debug)]
pub struct Copied {
    /// Rows that COPY says it stored.
    pub rows: u64,
    pub bytes: u64,
    /// What passed.
    pub checksum: Checksum,
    /// The section is at its end.
    pub ended: bool,
}

/// COPY of the section that `data` stands at, or of its next rows.
pub fn copy_section(
    data: Data,
    section: &Section,
    target: &TableName,
    columns: &[LoadColumn],
    verify: Verify,
    portion: Portion,
) -> Result<(Copied, Data)> {
    let tee = Tee::new(section, columns, verify)?;
    let feed = Feed { most: portion.most, ..Feed::new(data, tee) };
    let (rows, feed) = run(feed, section, target, Lines::After(portion.before))?;
    Ok((Copied { rows, bytes: feed.bytes, checksum: feed.tee.checksum, ended: feed.ended }, feed.data))
}

/// COPY of rows of the section that were read, and counted in the progress, before: how many it stored, and what passed.
pub fn copy_lines(
    rows: Vec<u8>,
    lines: Lines<'_>,
    section: &Section,
    target: &TableName,
    columns: &[LoadColumn],
    verify: Verify,
) -> Result<(u64, Checksum)> {
    let made_up = Data::made_up(std::io::Cursor::new(rows));
    let feed = Feed { counted: true, ..Feed::new(made_up, Tee::new(section, columns, verify)?) };
    let (stored, feed) = run(feed, section, target, lines)?;
    Ok((stored, feed.tee.checksum))
}

/// Which lines of the section COPY is given.
#[derive(Debug, Clone, Copy)]
pub enum Lines<'a> {
    /// All after so many.
    After(u64),
    /// These, by their numbers.
    Listed(&'a [u64]),
}

impl Lines<'_> {
    /// The number in the section of a line that COPY gives a number.
    fn number(self, copied: u64) -> Option<u64> {
        match self {
            Self::After(before) => Some(before + copied),
            Self::Listed(numbers) => numbers.get(usize::try_from(copied).ok()?.checked_sub(1)?).copied(),
        }
    }
}

/// COPY of what the feed gives: how many rows it stored, and the feed with what it has seen.
fn run(feed: Feed, section: &Section, target: &TableName, lines: Lines<'_>) -> Result<(u64, Feed)> {
    let feeding = Feeding::begin(feed);
    let rows = named_by_line(section.file.as_deref(), lines, || copy(target, section))?;
    match feeding.end() {
        Some(feed) => Ok((rows, feed)),
        None => Err(Problem::new("XX000", "the source of COPY is gone").into()),
    }
}

/// What the callback reads. COPY's callback takes no argument, so it stands in a static; a restore inside a restore (a
/// default that calls one) puts the outer one back. A lock that an ERROR unwinds through must not stay poisoned.
static FEED: Mutex<Option<Feed>> = const_mutex(None);

/// The time in which the callback has something to read. It ends with an ERROR of COPY as well: a source that stayed in
/// the static would keep its pg_restore waiting for a reader as long as the session lasts.
struct Feeding {
    outer: Option<Feed>,
}

impl Feeding {
    fn begin(feed: Feed) -> Self {
        Self { outer: FEED.lock().replace(feed) }
    }

    /// The feed with what it has seen; None when the callback failed with it.
    fn end(mut self) -> Option<Feed> {
        let feed = std::mem::replace(&mut *FEED.lock(), self.outer.take());
        std::mem::forget(self);
        feed
    }
}

impl Drop for Feeding {
    fn drop(&mut self) {
        let feed = std::mem::replace(&mut *FEED.lock(), self.outer.take());
        drop(feed);
    }
}

struct Feed {
    data: Data,
    tee: Tee,
    block: Vec<u8>,
    offset: usize,
    bytes: u64,
    /// Bytes of rows after which it may end, where what is read at a time are whole lines.
    most: u64,
    /// The progress of these rows has been told already.
    counted: bool,
    /// There is nothing more in the section.
    ended: bool,
}

// SAFETY: a backend has one thread that calls the server, and only that one touches the static.
unsafe impl Send for Feed {}

impl Feed {
    fn new(data: Data, tee: Tee) -> Self {
        Self { data, tee, block: Vec::new(), offset: 0, bytes: 0, most: u64::MAX, counted: false, ended: false }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.offset == self.block.len() && !self.ended {
            let before = self.tee.checksum.rows;
            self.tee.see(&self.block)?;
            if !self.counted {
                progress::advance(self.block.len(), self.tee.checksum.rows - before);
            }
            self.offset = 0;
            self.block.clear();
            self.ended = self.bytes < self.most && !self.data.next_chunk(&mut self.block)?;
            if self.ended {
                self.tee.end()?;
            }
        }
        let rest = self.block.get(self.offset..).unwrap_or_default();
        let n = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.offset += n;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// The checksum of rows that are whole lines of the section, as the server understands them.
pub fn checksum_of(rows: &[u8], section: &Section, columns: &[LoadColumn]) -> Result<Checksum> {
    let mut tee = Tee::new(section, columns, Verify::Checksum)?;
    tee.see(rows)?;
    tee.end()?;
    Ok(tee.checksum)
}

/// Counts and hashes the rows that pass.
#[derive(Debug)]
struct Tee {
    reading: Reading,
    /// None: count only.
    values: Option<(Vec<Canonical>, Vec<usize>)>,
    hasher: RowHasher,
    checksum: Checksum,
    memory: PgMemoryContexts,
}

impl Tee {
    fn new(section: &Section, columns: &[LoadColumn], verify: Verify) -> Result<Self> {
        let values = match verify {
            Verify::Count => None,
            Verify::Checksum => {
                let places = places(section, columns).ok_or_else(|| cannot_compare(section))?;
                Some((columns.iter().map(Canonical::new).collect(), places))
            }
        };
        Ok(Self {
            reading: Reading::new(section, None)?,
            values,
            hasher: RowHasher::new(),
            checksum: Checksum::default(),
            memory: PgMemoryContexts::new("foreshard row checksum"),
        })
    }

    fn see(&mut self, block: &[u8]) -> Result<()> {
        let Self { reading, values, hasher, checksum, memory } = self;
        in_memory(memory, || reading.push(block, |row| count(&row, values, hasher, checksum)))
    }

    fn end(&mut self) -> Result<()> {
        let Self { reading, values, hasher, checksum, .. } = self;
        reading.finish(|row| count(&row, values, hasher, checksum))
    }
}

/// Work that keeps nothing of what the server allocates for it.
pub(super) fn in_memory<T>(memory: &mut PgMemoryContexts, work: impl FnOnce() -> T) -> T {
    // SAFETY: from the caller.
    unsafe {
        let outcome = memory.switch_to(|_| work());
        memory.reset();
        outcome
    }
}

pub(super) fn count(
    row: &Row<'_>,
    values: &mut Option<(Vec<Canonical>, Vec<usize>)>,
    hasher: &mut RowHasher,
    checksum: &mut Checksum,
) {
    let Some((canonical, places)) = values else { return checksum.add(0) };
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let texts: Vec<Option<std::borrow::Cow<'_, [u8]>>> = canonical
        .iter_mut()
        .zip(places.iter())
        .map(|(canonical, place)| fields.get(*place).copied().flatten().map(|field| canonical.of_field(field)))
        .collect();
    checksum.add(hasher.hash(texts.iter().map(Option::as_deref)));
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn next_bytes(out: *mut c_void, _at_least: c_int, at_most: c_int) -> c_int {
    // SAFETY: COPY gives a buffer of `at_most` bytes.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(at_most).unwrap_or(0)) };
    // Taken out while it works: reading the backup may raise an ERROR, and so may an input function.
    let Some(mut feed) = FEED.lock().take() else { return 0 };
    match feed.fill(out) {
        Ok(n) => {
            *FEED.lock() = Some(feed);
            c_int::try_from(n).unwrap_or(0)
        }
        Err(error) => error.raise("the load"),
    }
}

/// Runs COPY; its ERROR comes back as a problem whose detail says where in the rows it was. COPY says that in the
/// CONTEXT of its error, which pgrx drops on the way: it is read where it is made.
fn named_by_line(file: Option<&str>, lines: Lines<'_>, copy: impl FnOnce() -> u64) -> Result<u64> {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn note(place: *mut c_void) {
        // SAFETY: called while an error is being reported, after COPY's own callback, with the pointer given below. The
        // copy of the error must not lie in ErrorContext.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            let error = pg_sys::CopyErrorData();
            let said = (*error).context;
            if !said.is_null() {
                *place.cast::<Option<String>>() = Some(CStr::from_ptr(said).to_string_lossy().into_owned());
            }
            pg_sys::FreeErrorData(error);
            pg_sys::MemoryContextSwitchTo(context);
        }
    }
    let mut place: Option<String> = None;
    // SAFETY: reads the head of the list of callbacks, which is put back below.
    let outer = unsafe { pg_sys::error_context_stack };
    let mut callback =
        pg_sys::ErrorContextCallback { previous: outer, callback: Some(note), arg: (&raw mut place).cast() };
    // SAFETY: the callback and what it points to outlive the call; an ERROR puts the list back as well.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| Ok(copy())))
        .catch_others(|error| {
            let problem = problem_of(&error);
            // Whoever wants us to stop is not interested in the line.
            if problem.sqlstate.starts_with("57") { error.rethrow() } else { Err(problem) }
        })
        .finally(|| {
            // SAFETY: what it was before.
            unsafe { pg_sys::error_context_stack = outer };
        })
        .execute();
    outcome.map_err(|mut problem| {
        // A callback that failed has not put its source back: then it is the backup, not a row of it.
        if let Some(place) = place.filter(|_| FEED.lock().is_some()) {
            let line = renumbered(place.lines().next().unwrap_or_default(), lines);
            let place = file.map_or_else(|| line.clone(), |file| format!("{line} of \"{file}\""));
            problem.detail = Some(match problem.detail {
                Some(detail) => format!("{detail} At {place}."),
                None => format!("At {place}."),
            });
        }
        problem.into()
    })
}

/// `COPY t, line 2, column c: …` with the line's number in the whole section.
fn renumbered(place: &str, lines: Lines<'_>) -> String {
    const BEFORE: &str = ", line ";
    let Some(at) = place.find(BEFORE).map(|at| at + BEFORE.len()) else { return place.to_owned() };
    let (before, rest) = place.split_at(at);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    let known = number.parse().ok().and_then(|n| lines.number(n));
    known.map_or_else(|| place.to_owned(), |known| format!("{before}{known}{after}"))
}

/// COPY of one section through the server's own code; gives the number of rows stored.
fn copy(target: &TableName, section: &Section) -> u64 {
    let options = copy_options(section);
    // SAFETY: what COPY … FROM does itself, and what logical replication does for a table's first copy: an open
    // relation, a range table with it, column names and options as lists, a callback for the bytes.
    unsafe {
        let name = pg_sys::makeRangeVar(
            pg_sys::pstrdup(cstring(&target.schema).as_ptr()),
            pg_sys::pstrdup(cstring(&target.name).as_ptr()),
            -1,
        );
        pg_sys::CommandCounterIncrement();
        let relation = pg_sys::table_openrv(name, pg_sys::RowExclusiveLock as i32);
        let state = pg_sys::make_parsestate(std::ptr::null_mut());
        pg_sys::addRangeTableEntryForRelation(
            state,
            relation,
            pg_sys::RowExclusiveLock as i32,
            std::ptr::null_mut(),
            false,
            false,
        );
        let columns = section.columns.iter().flatten().fold(std::ptr::null_mut(), |list, column| {
            pg_sys::lappend(list, pg_sys::makeString(pg_sys::pstrdup(cstring(column).as_ptr())).cast())
        });
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let copy = pg_sys::BeginCopyFrom(
            state,
            relation,
            std::ptr::null_mut(),
            std::ptr::null(),
            false,
            Some(next_bytes),
            columns,
            options,
        );
        let rows = pg_sys::CopyFrom(copy);
        pg_sys::EndCopyFrom(copy);
        pg_sys::PopActiveSnapshot();
        pg_sys::free_parsestate(state);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        pg_sys::CommandCounterIncrement();
        rows
    }
}

/// The options of COPY as its grammar would make them.
fn copy_options(section: &Section) -> *mut pg_sys::List {
    let given = &section.copy;
    let mut options: Vec<(&str, String)> = vec![("format", if section.csv { "csv" } else { "text" }.to_owned())];
    for (name, value) in [
        ("delimiter", &given.delimiter),
        ("null", &given.null),
        ("quote", &given.quote),
        ("escape", &given.escape),
        ("encoding", &given.encoding),
    ] {
        options.extend(value.clone().map(|v| (name, v)));
    }
    if given.header {
        options.push(("header", "true".to_owned()));
    }
    options.into_iter().fold(std::ptr::null_mut(), |list, (name, value)| {
        // SAFETY: palloc'd names and values in the current memory context.
        unsafe {
            let value = pg_sys::makeString(pg_sys::pstrdup(cstring(&value).as_ptr()));
            let name = pg_sys::pstrdup(cstring(name).as_ptr());
            pg_sys::lappend(list, pg_sys::makeDefElem(name, value.cast(), -1).cast())
        }
    })
}
