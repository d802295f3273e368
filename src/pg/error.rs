//! How this extension fails: problems are collected as data and raised once, with PostgreSQL's own fields.
//!
//! Everything under `pg/` returns [`Result`]; only the functions that SQL calls turn an [`Error`] into an ERROR of the
//! server, through [`Error::raise`]. Errors that the server itself raises pass through untouched, or become a
//! [`Problem`] where several are to be reported together (see [`super::ffi::subtransaction`]).

use foreshard_core::model::Problem;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

pub type Result<T> = std::result::Result<T, Error>;

/// One problem or more.
#[derive(Debug)]
pub struct Error {
    problems: Vec<Problem>,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl From<pgrx::spi::SpiError> for Error {
    fn from(error: pgrx::spi::SpiError) -> Self {
        Problem::new("XX000", format!("a query of foreshard's own failed: {error}")).into()
    }
}

impl Error {
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// It is one problem, of that SQLSTATE.
    pub fn is(&self, sqlstate: &str) -> bool {
        matches!(self.problems.as_slice(), [problem] if problem.sqlstate == sqlstate)
    }

    /// The cause is neither the backup nor this program, and may be gone another time.
    pub fn is_outside(&self) -> bool {
        matches!(self.problems.as_slice(), [problem] if is_outside(problem))
    }

    /// Another server does not answer.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.problems.as_slice(), [problem] if problem.sqlstate.starts_with("08"))
    }

    /// A lock was not to be had in time.
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self.problems.as_slice(), [problem] if problem.sqlstate == "55P03")
    }

    /// Locks were waited for in a circle.
    pub fn is_deadlock(&self) -> bool {
        matches!(self.problems.as_slice(), [problem] if problem.sqlstate == "40P01")
    }

    /// Raises the ERROR. A single problem is raised as it is; several become one ERROR with the first one's SQLSTATE,
    /// all facts in the DETAIL and all remedies in the HINT. `what` completes "… cannot start": `restore of public.a`.
    pub fn raise(self, what: &str) -> ! {
        let Error { problems } = self;
        let report = match problems.as_slice() {
            [] => ErrorReport::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("{what} failed"), "foreshard"),
            [problem] => report(problem),
            _ => {
                let n = problems.len();
                let state =
                    problems.first().map(|p| code(&p.sqlstate)).unwrap_or(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR);
                let mut hints: Vec<&str> = Vec::new();
                let mut detail = String::new();
                for (i, problem) in problems.iter().enumerate() {
                    if i > 0 {
                        detail.push('\n');
                    }
                    detail.push_str(&format!("{}. [{}] {}", i + 1, problem.sqlstate, problem.message));
                    if let Some(fact) = &problem.detail {
                        detail.push_str(": ");
                        detail.push_str(fact);
                    }
                    if let Some(hint) = problem.hint.as_deref().filter(|h| !hints.contains(h)) {
                        hints.push(hint);
                    }
                }
                let mut report = ErrorReport::new(state, format!("{what} cannot start: {n} problems"), "foreshard");
                report = report.set_detail(detail);
                if hints.is_empty() { report } else { report.set_hint(hints.join("\n")) }
            }
        };
        report.report(PgLogLevel::ERROR);
        unreachable!("ERROR does not return")
    }
}

/// A WARNING with all that a problem has to say.
pub fn warn(problem: &Problem) {
    report(problem).report(PgLogLevel::WARNING);
}

/// A NOTICE with all that a problem has to say.
pub fn note(problem: &Problem) {
    report(problem).report(PgLogLevel::NOTICE);
}

fn report(problem: &Problem) -> ErrorReport {
    let mut report = ErrorReport::new(code(&problem.sqlstate), problem.message.clone(), "foreshard");
    if let Some(detail) = &problem.detail {
        report = report.set_detail(detail.clone());
    }
    if let Some(hint) = &problem.hint {
        report = report.set_hint(hint.clone());
    }
    report
}

/// Resources (53), files (58), connections (08), another server's end (57P), and a lock that was not to be had in time or in no
/// order (55P03, 40P01). Not a cancel or statement_timeout (57014): whoever sets an end to a statement waits for it, and expects an
/// ERROR and nothing else.
pub fn is_outside(problem: &Problem) -> bool {
    let state = problem.sqlstate.as_str();
    ["53", "58", "08", "57P"].iter().any(|class| state.starts_with(class)) || matches!(state, "55P03" | "40P01")
}

/// Five characters to PostgreSQL's packed form: six bits a character, first one lowest (`MAKE_SQLSTATE`).
fn code(sqlstate: &str) -> PgSqlErrorCode {
    let packed = sqlstate
        .bytes()
        .enumerate()
        .fold(0_i32, |sum, (i, byte)| sum | (i32::from(byte.wrapping_sub(b'0') & 0x3F) << (6 * i)));
    PgSqlErrorCode::from(packed)
}

/// The reverse of [`code`].
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    let packed = code as isize;
    (0..5).map(|i| char::from((((packed >> (6 * i)) & 0x3F) as u8).wrapping_add(b'0'))).collect()
}
