//! What all processes of the server share: of which tables statements are sampled, and what was found of each.
//!
//! The monitor of a database says which tables it watches, and takes them back; a place that no monitor has confirmed for long is free again, since
//! databases are dropped. Counts are changed by whoever can have them at once, and by nobody else.
#![allow(unsafe_code)]

use crate::pg::worker::process;
use foreshard_core::health::{KeyLoad, Sample};
use pgrx::pg_sys;
use std::cell::UnsafeCell;
use std::ptr::addr_of_mut;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

/// Tables of a server that are sampled, at most: each takes 20 kB.
pub const TABLES: usize = 64;
/// Seconds after which a table that no monitor speaks of gives up its place.
const FORGOTTEN: i64 = 3_600;
/// Statements that are looked at in a second, of all sessions, at most. Each takes some microseconds: less than a hundredth of a core.
const MOST_PER_SECOND: u32 = 1_000;
/// Tries to get a table's counts, and the pause between two: a process that has them has them for a microsecond.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_micros(100);

/// One table. All fields may be read by anybody at any time but `load`, for which `busy` has to be taken.
pub struct Slot {
    database: AtomicU32,
    /// 0 where the place is free.
    relation: AtomicU32,
    /// The number of the key's column.
    column: AtomicU32,
    confirmed: AtomicI64,
    busy: AtomicBool,
    load: UnsafeCell<KeyLoad>,
}

// SAFETY: `load` is only reached through `Slot::with`, by one process at a time.
unsafe impl Sync for Slot {}

struct Shared {
    /// The second that is counted, and statements in it.
    second: AtomicI64,
    taken: AtomicU32,
    slots: [Slot; TABLES],
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());
static mut EARLIER_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut EARLIER_STARTUP: pg_sys::shmem_startup_hook_type = None;

pub fn register() {
    // SAFETY: the server loads libraries before it has any other process, and calls hooks from its only thread.
    unsafe {
        EARLIER_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        EARLIER_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: called by the server once at its start; the earlier hook is another library's of the same kind.
    unsafe {
        if let Some(earlier) = EARLIER_REQUEST {
            pg_sys::ffi::pg_guard_ffi_boundary(|| earlier());
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Shared>());
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: called by the server at its start and after a crash, when there is no other process: nothing has to be locked. The memory is as large
    // as was asked for, and every field is written before anybody else can see it.
    unsafe {
        if let Some(earlier) = EARLIER_STARTUP {
            pg_sys::ffi::pg_guard_ffi_boundary(|| earlier());
        }
        let mut found = false;
        let shared: *mut Shared =
            pg_sys::ShmemInitStruct(c"foreshard sampler".as_ptr(), size_of::<Shared>(), &raw mut found).cast();
        if !found {
            addr_of_mut!((*shared).second).write(AtomicI64::new(0));
            addr_of_mut!((*shared).taken).write(AtomicU32::new(0));
            for at in 0..TABLES {
                let slot = addr_of_mut!((*shared).slots).cast::<Slot>().add(at);
                slot.write(Slot {
                    database: AtomicU32::new(0),
                    relation: AtomicU32::new(0),
                    column: AtomicU32::new(0),
                    confirmed: AtomicI64::new(0),
                    busy: AtomicBool::new(false),
                    load: UnsafeCell::new(KeyLoad::EMPTY),
                });
            }
        }
        SHARED.store(shared, Ordering::Release);
    }
}

fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or what `startup` made, which stays as long as the process.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

/// There is something to sample for. The tables may be another database's.
pub fn is_there() -> bool {
    !SHARED.load(Ordering::Relaxed).is_null()
}

/// The place of a sampled table of this database, with the number of its key's column.
pub fn find(relation: pg_sys::Oid) -> Option<(&'static Slot, i16)> {
    let database = process::database().to_u32();
    let slot = shared()?.slots.iter().find(|s| s.has(database, relation.to_u32()))?;
    Some((slot, i16::try_from(slot.column.load(Ordering::Relaxed)).ok()?))
}

/// Whether one more statement may be looked at in this second.
pub fn is_free(second: i64) -> bool {
    let Some(shared) = shared() else { return false };
    if shared.second.swap(second, Ordering::Relaxed) != second {
        shared.taken.store(0, Ordering::Relaxed);
    }
    shared.taken.fetch_add(1, Ordering::Relaxed) < MOST_PER_SECOND
}

impl Slot {
    fn has(&self, database: u32, relation: u32) -> bool {
        self.relation.load(Ordering::Acquire) == relation && self.database.load(Ordering::Relaxed) == database
    }

    /// Counts a statement on the table, unless somebody else has the counts just now, or the place is another table's since.
    pub fn take(&self, table: pg_sys::Oid, sample: &Sample<'_>) {
        self.with(|load| {
            if self.has(process::database().to_u32(), table.to_u32()) {
                load.take(sample);
            }
        });
    }

    /// None where somebody else has the counts just now. `work` must be short, and must not raise errors.
    fn with<T>(&self, work: impl FnOnce(&mut KeyLoad) -> T) -> Option<T> {
        self.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: `busy` was false and is ours until the store below. A process that dies in between takes the server's whole shared
        // memory with it.
        let outcome = work(unsafe { &mut *self.load.get() });
        self.busy.store(false, Ordering::Release);
        Some(outcome)
    }

    fn patiently<T>(&self, work: impl Fn(&mut KeyLoad) -> T) -> Option<T> {
        (0..TRIES).find_map(|n| {
            if n > 0 {
                std::thread::sleep(PAUSE);
            }
            self.with(&work)
        })
    }
}

/// Says which tables of this database are sampled, with the number of the column that each is cut by; and that so many seconds have gone by.
/// Gives what is known of each.
pub fn publish(
    tables: &[(pg_sys::Oid, u32)],
    shards: impl Fn(pg_sys::Oid) -> Vec<u32>,
    seconds: f64,
) -> Vec<(pg_sys::Oid, KeyLoad)> {
    let Some(shared) = shared() else { return Vec::new() };
    let (database, now) = (process::database().to_u32(), process::clock());
    for slot in &shared.slots {
        let (of, relation) = (slot.database.load(Ordering::Relaxed), slot.relation.load(Ordering::Relaxed));
        let ours = of == database && !tables.iter().any(|(table, _)| table.to_u32() == relation);
        if relation != 0 && (ours || now - slot.confirmed.load(Ordering::Relaxed) > FORGOTTEN) {
            slot.relation.store(0, Ordering::Release);
        }
    }
    let mut known = Vec::new();
    for (table, column) in tables {
        let slot = match shared.slots.iter().find(|s| s.has(database, table.to_u32())) {
            Some(slot) => slot,
            None => match claim(shared, database, *table, *column) {
                Some(slot) => slot,
                None => break,
            },
        };
        slot.confirmed.store(now, Ordering::Relaxed);
        let shards = shards(*table);
        let load = slot.patiently(|load| {
            load.forget(seconds);
            load.have_shards(&shards);
            *load
        });
        known.extend(load.map(|load| (*table, load)));
    }
    known
}

/// Monitors of several databases may want the same place: whoever gets `busy` and finds it free still has it.
fn claim(shared: &'static Shared, database: u32, table: pg_sys::Oid, column: u32) -> Option<&'static Slot> {
    shared.slots.iter().find(|slot| {
        slot.with(|load| {
            let free = slot.relation.load(Ordering::Acquire) == 0;
            if free {
                *load = KeyLoad::EMPTY;
                slot.database.store(database, Ordering::Relaxed);
                slot.column.store(column, Ordering::Relaxed);
                slot.relation.store(table.to_u32(), Ordering::Release);
            }
            free
        })
        .unwrap_or(false)
    })
}

/// What is known of each sampled table of this database.
pub fn read() -> Vec<(pg_sys::Oid, KeyLoad)> {
    let database = process::database().to_u32();
    let slots = shared().map(|s| s.slots.iter()).into_iter().flatten();
    let ours = slots.filter(|s| s.database.load(Ordering::Relaxed) == database);
    ours.filter_map(|slot| {
        let relation = slot.relation.load(Ordering::Acquire);
        let load = (relation != 0).then(|| slot.patiently(|load| *load))??;
        Some((pg_sys::Oid::from(relation), load))
    })
    .collect()
}
