//! A pg_restore process whose output this backend reads.
//!
//! It is started in the backend's process group, so that a cancel reaches it too, and dies with the backend whatever
//! happens to that (PR_SET_PDEATHSIG). Descriptors of the server are not passed on. What it says on stderr is kept in
//! memory and becomes the DETAIL when it fails. Dropping the value ends the process.
#![allow(unsafe_code)]

use super::partial::Partial;
use super::place::Place;
use crate::pg::error::Result;
use crate::pg::store::Fed;
use crate::pg::threads::{self, Stop};
use crate::pg::{ffi, settings};
use foreshard_core::model::Problem;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Milliseconds after which a thread that waits for output looks whether it is still wanted.
const PATIENCE_MS: i32 = 50;
/// Bytes that pg_restore may be ahead of its reader.
const PIPE: i32 = 1 << 20;

#[derive(Debug)]
pub struct PgRestore {
    child: Child,
    output: ChildStdout,
    complaints: File,
    /// The archive on its way into a pipe.
    fed: Option<Fed>,
    /// What it reads in place of a directory in a store.
    partial: Option<Partial>,
}

impl PgRestore {
    /// Runs `pg_restore <arguments> -f -` on an archive: a path of the server, or an object of a
    /// store, which it reads from a pipe, or the table of contents of a directory there.
    pub fn start(archive: &Place, arguments: &[String]) -> Result<Self> {
        let program = settings::pg_restore();
        let failed = |what: &str, error: &std::io::Error| {
            Problem::new("58P01", format!("could not {what} \"{}\"", program.display()))
                .detail(format!("The operating system says: {error}."))
                .hint("Install PostgreSQL's client programs, or set foreshard.pg_restore to the path of a pg_restore.")
        };
        let complaints = memory_file().map_err(|e| failed("prepare", &e))?;
        let errors = complaints.try_clone().map_err(|e| failed("prepare", &e))?;
        let mut command = Command::new(&program);
        command.args(arguments).args(["-f", "-"]).env_clear().env("LC_ALL", "C").stdout(Stdio::piped()).stderr(errors);
        let mut partial = None;
        match archive {
            Place::Path(path) => command.args(["--", path]).stdin(Stdio::null()),
            Place::Object(_) => command.stdin(Stdio::piped()),
            Place::Folder(folder) => {
                command.arg("--").arg(partial.insert(Partial::copy(folder)?).path()).stdin(Stdio::null())
            }
        };
        // SAFETY: only async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as i32);
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(|e| failed("start", &e))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        match output {
            Some(output) => {
                // A larger pipe only saves changes of context.
                // SAFETY: an open descriptor.
                let _size = unsafe { libc::fcntl(output.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE) };
                let fed = match (archive, input) {
                    (Place::Object(object), Some(input)) => Some(object.feed(input)?),
                    _ => None,
                };
                Ok(Self { child, output, complaints, fed, partial })
            }
            None => Err(Problem::new("XX000", "pg_restore was started without an output").into()),
        }
    }

    /// Bytes that the process has read when it can write no more until we read, so that it is the same in every run; None
    /// where the system does not say, or the process has ended, or waits for a store as well.
    pub fn consumed(&self) -> Option<u64> {
        if self.fed.is_some() {
            return None;
        }
        let told = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).ok();
        loop {
            pgrx::check_for_interrupts!();
            let stat = told("stat")?;
            match stat.rsplit_once(") ")?.1.as_bytes().first()? {
                // It sleeps on nothing but a full pipe: waiting for a disk is another state.
                b'S' => break,
                b'Z' | b'X' => return None,
                _ => std::thread::sleep(LOOK_AGAIN),
            }
        }
        told("io")?.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
    }

    /// Waits for the end of a process whose output was read to its end.
    ///
    /// # Errors
    /// 22P04 or 58030 with what pg_restore said, 0A000 for an archive of a newer pg_dump.
    pub fn finish(&mut self) -> Result<()> {
        let status = self.child.wait().map_err(|e| {
            Problem::new("58030", "could not wait for pg_restore").detail(format!("The operating system says: {e}."))
        })?;
        // A cancel kills the whole process group: then the server has something to say before we have.
        pgrx::check_for_interrupts!();
        if status.success() {
            return Ok(());
        }
        if let Some(problem) = self.fed.as_ref().and_then(Fed::problem) {
            return Err(problem.into());
        }
        let mut said = self.complaints();
        if let Some(signal) = status.signal() {
            let said = if said.is_empty() { said } else { format!(" Before, it said: {said}.") };
            return Err(Problem::new("58030", "pg_restore was ended by a signal")
                .detail(format!("It was signal {signal}.{said}"))
                .hint("Look in the system's log for who ended it, for example for lack of memory.")
                .into());
        }
        if said.is_empty() {
            said = format!("nothing, but ended with status {}", status.code().unwrap_or(-1));
        }
        Err(self.partial.as_ref().map_or_else(|| explain(&said), |partial| partial.problem(&said)).into())
    }

    /// Reads without the server's knowledge, for a thread. Ends with an error when that is told to stop.
    fn read_unattended(&mut self, buffer: &mut [u8], stop: &Stop) -> std::io::Result<usize> {
        loop {
            let mut output = libc::pollfd { fd: self.output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one descriptor, which is open.
            let ready = unsafe { libc::poll(&raw mut output, 1, PATIENCE_MS) };
            if stop.is_set() {
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            if ready > 0 {
                return self.output.read(buffer);
            }
        }
    }

    fn complaints(&mut self) -> String {
        let mut said = Vec::new();
        // What cannot be read back is only the explanation of an error that is reported anyway.
        if self.complaints.seek(SeekFrom::Start(0)).is_ok() {
            let _read = Read::by_ref(&mut self.complaints).take(4096).read_to_end(&mut said);
        }
        let said = String::from_utf8_lossy(&said).replace("pg_restore: ", "").replace("error: ", "");
        said.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

/// What pg_restore says, as a problem.
fn explain(said: &str) -> Problem {
    if said.contains("unsupported version") {
        return Problem::new("0A000", "the archive was made by a newer pg_dump")
            .detail(format!("pg_restore says: {said}."))
            .hint("Set foreshard.pg_restore to a pg_restore at least as new as that pg_dump.");
    }
    if said.contains("not built with") || said.contains("compression is not supported") {
        return Problem::new("0A000", "the archive uses a compression that pg_restore does not have")
            .detail(format!("pg_restore says: {said}."))
            .hint("Set foreshard.pg_restore to a pg_restore with that compression.");
    }
    if said.contains("Permission denied") {
        return Problem::new("42501", "the server may not read the backup")
            .detail(format!("pg_restore says: {said}."))
            .hint("Give the server's operating-system user the right to read it.");
    }
    Problem::new("22P04", "could not read the backup").detail(format!("pg_restore says: {said}.")).hint(
        "The file is damaged or incomplete, or is no archive: check it with pg_restore -l, and take the backup again.",
    )
}

/// Bytes of one reading: what a pipe holds (Linux), so that the process writes on while they are looked at.
const READING: usize = 64 << 10;
/// Time after which a busy process is looked at again.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

impl Read for PgRestore {
    /// Reads as much as there is room for, up to [`READING`]: pieces that depend on who was faster would end a sample of the rows
    /// at another place in every run.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(stop) = threads::stop_of_thread() {
            return self.read_unattended(buffer, &stop);
        }
        let most = buffer.len().min(READING);
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..most).filter(|room| !room.is_empty()) {
            ffi::wait_readable(self.output.as_raw_fd());
            match self.output.read(room) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

impl Drop for PgRestore {
    fn drop(&mut self) {
        // It has ended already, or nobody wants the rest.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
        if let Some(fed) = &self.fed {
            fed.stop();
        }
    }
}

/// A file without a name, in memory.
fn memory_file() -> std::io::Result<File> {
    // SAFETY: a NUL-terminated name; the descriptor returned is ours alone.
    let fd: RawFd = unsafe { libc::memfd_create(c"pg_restore errors".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: see above.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.flush()?;
    Ok(file)
}
