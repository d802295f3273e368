//! The settings under `foreshard.`, in alphabetical order.

use foreshard_core::health::Auto;
use pgrx::PostgresGucEnum;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;
use std::time::Duration;

/// How far the monitor may go by itself.
#[derive(Debug, Clone, Copy, PostgresGucEnum)]
enum AutoReshard {
    #[name = c"off"]
    Off,
    #[name = c"advise"]
    Advise,
    #[name = c"on"]
    On,
}

static AUTO_FAIL_OVER: GucSetting<i32> = GucSetting::<i32>::new(0);
static AUTO_RESHARD: GucSetting<AutoReshard> = GucSetting::<AutoReshard>::new(AutoReshard::Advise);
static LOAD_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(28 * 24 * 60);
static COPY_SHARE: GucSetting<f64> = GucSetting::<f64>::new(0.5);
static MONITOR_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(10);
static KEEP_OLD_SHARDS: GucSetting<i32> = GucSetting::<i32>::new(0);
static LOAD_THREADS: GucSetting<i32> = GucSetting::<i32>::new(AS_MANY_AS_CPUS);
static MAX_LOCK_TIME: GucSetting<i32> = GucSetting::<i32>::new(MAX_LOCK_MS);
static PAUSE_AT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static PG_RESTORE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static SAMPLE_RATE: GucSetting<f64> = GucSetting::<f64>::new(0.1);
static SAMPLER: GucSetting<bool> = GucSetting::<bool>::new(true);

static S3_CREDENTIALS_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static S3_ENDPOINT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static S3_PATH_STYLE: GucSetting<bool> = GucSetting::<bool>::new(false);
static S3_PROFILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static S3_REGION: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

const AS_MANY_AS_CPUS: i32 = -1;
/// What a user hardly notices (Nielsen, Usability Engineering, 1993).
const MAX_LOCK_MS: i32 = 100;
/// Threads of one load at most: beyond, one backend cannot write what they make.
const MOST_THREADS: i32 = 16;

pub fn register() {
    GucRegistry::define_int_guc(
        c"foreshard.auto_fail_over",
        c"Time after which the copies of a node that does not answer take over by themselves.",
        c"0 leaves that to foreshard.fail_over. Only where commits have waited for the copies, so that nothing is lost.",
        &AUTO_FAIL_OVER,
        0,
        24 * 3600,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_enum_guc(
        c"foreshard.auto_reshard",
        c"How far the monitor may go by itself with tables that let it.",
        c"off: it decides nothing. advise: it says what it would do, as SQL to run. on: it does that, within the guard rails of each table's policy.",
        &AUTO_RESHARD,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"foreshard.copy_share",
        c"Part of the time in which a job copies rows while others are at work.",
        c"It pauses for the rest. 1 for no pauses, as where nobody else is at work in the database.",
        &COPY_SHARE,
        0.01,
        1.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"foreshard.load_retention",
        c"How long the history of loads and decisions is kept.",
        c"Its slots are thinned out to hours after six hours. Forecasts learn from up to eight weeks.",
        &LOAD_RETENTION,
        60,
        366 * 24 * 60,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"foreshard.keep_old_shards",
        c"Time for which the shards that a split, move or merge has replaced are kept.",
        c"0 drops them at the end of the job. Increase it to be able to look at them; they take their space that long.",
        &KEEP_OLD_SHARDS,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"foreshard.load_threads",
        c"Threads that make pages of a backup's rows while it is restored.",
        c"-1 for as many as there are CPUs. 0 leaves all rows to COPY, which is slower.",
        &LOAD_THREADS,
        AS_MANY_AS_CPUS,
        MOST_THREADS,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"foreshard.max_lock_time",
        c"Longest time for which a job that changes a table's shards makes others wait.",
        c"An attempt that takes longer is rolled back and repeated later. Increase it where a job gives up on a busy table.",
        &MAX_LOCK_TIME,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"foreshard.monitor_interval",
        c"Time between two looks of the monitor at the shards.",
        c"A shard that becomes hot is told after one and a half of it. Raise it where nobody needs to know so soon.",
        &MONITOR_INTERVAL,
        1,
        3600,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_string_guc(
        c"foreshard.pause_at",
        c"Step before which jobs that are begun now wait, for tests.",
        c"Such as copy, or copy:commit for its end. Empty outside of tests.",
        &PAUSE_AT,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"foreshard.pg_restore",
        c"Path of the pg_restore program that reads archives.",
        c"Empty for the one that belongs to this server. Change it to read archives made by a newer pg_dump.",
        &PG_RESTORE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    // To where the server connects, and as whom, is a matter of superusers.
    let text = |name, short, long, setting: &'static GucSetting<Option<CString>>| {
        GucRegistry::define_string_guc(name, short, long, setting, GucContext::Suset, GucFlags::SUPERUSER_ONLY);
    };
    text(
        c"foreshard.s3_credentials_file",
        c"File with the credentials that backups in an S3-compatible store are read with.",
        c"Absolute path of a file in the format of AWS's shared credentials, which only its owner may read. Empty for those of the server's environment.",
        &S3_CREDENTIALS_FILE,
    );
    text(
        c"foreshard.s3_endpoint",
        c"Address of the S3-compatible store that s3:// stands for.",
        c"Such as https://minio.example.org:9000. Empty for that of AWS in foreshard.s3_region.",
        &S3_ENDPOINT,
    );
    GucRegistry::define_bool_guc(
        c"foreshard.s3_path_style",
        c"Names the bucket in the path of a request instead of in the host's name.",
        c"Most stores but AWS want it on.",
        &S3_PATH_STYLE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    text(
        c"foreshard.s3_profile",
        c"Profile of foreshard.s3_credentials_file that is used.",
        c"Empty for the one called default.",
        &S3_PROFILE,
    );
    text(
        c"foreshard.s3_region",
        c"Region that requests to the store are signed for.",
        c"Empty for us-east-1, which stores other than AWS take as well.",
        &S3_REGION,
    );
    GucRegistry::define_float_guc(
        c"foreshard.sample_rate",
        c"Part of the statements that the sampler looks at.",
        c"A thousand a second at most, whatever it is. Raise it where few statements run, lower it where every microsecond counts.",
        &SAMPLE_RATE,
        0.0,
        1.0,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"foreshard.sampler",
        c"Looks at some of the statements for the values of the shard key that they ask for.",
        c"Found are the values that carry a table's load. Needs foreshard in shared_preload_libraries.",
        &SAMPLER,
        GucContext::Suset,
        GucFlags::default(),
    );
    super::compat::reserve_prefix(c"foreshard");
}

/// Seconds; None where it is not wanted.
pub fn auto_fail_over() -> Option<i32> {
    Some(AUTO_FAIL_OVER.get()).filter(|seconds| *seconds > 0)
}

pub fn auto_reshard() -> Auto {
    match AUTO_RESHARD.get() {
        AutoReshard::Off => Auto::Off,
        AutoReshard::Advise => Auto::Advise,
        AutoReshard::On => Auto::On,
    }
}

pub fn monitor_interval() -> Duration {
    Duration::from_secs(u64::try_from(MONITOR_INTERVAL.get()).unwrap_or(1).max(1))
}

/// Seconds.
pub fn load_retention() -> i64 {
    i64::from(LOAD_RETENTION.get()) * 60
}

/// Seconds for which replaced shards are kept.
pub fn keep_old_shards() -> u32 {
    u32::try_from(KEEP_OLD_SHARDS.get()).unwrap_or(0)
}

/// Of a job's time, while others are at work.
pub fn copy_share() -> f64 {
    COPY_SHARE.get()
}

pub fn max_lock_ms() -> u32 {
    u32::try_from(MAX_LOCK_TIME.get()).unwrap_or(1)
}

/// The step before which a job is to wait.
pub fn pause_at() -> Option<String> {
    PAUSE_AT.get().map(|step| step.to_string_lossy().into_owned()).filter(|step| !step.is_empty())
}

/// Threads that make pages of rows; 0 for none.
pub fn load_threads() -> usize {
    let most = usize::try_from(MOST_THREADS).unwrap_or(1);
    match usize::try_from(LOAD_THREADS.get()) {
        Ok(set) => set,
        Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most),
    }
}

/// The program that `foreshard.pg_restore` names, or the one beside this server's own.
pub fn pg_restore() -> std::path::PathBuf {
    match PG_RESTORE.get().map(|path| path.to_string_lossy().into_owned()) {
        Some(path) if !path.is_empty() => path.into(),
        _ => super::ffi::server_program("pg_restore"),
    }
}

/// Part of the statements that are looked at; 0 for none.
pub fn sample_rate() -> f64 {
    if SAMPLER.get() { SAMPLE_RATE.get() } else { 0.0 }
}

/// Where backups in a store are, and who reads them, as the settings say.
#[derive(Debug)]
pub struct S3 {
    pub credentials_file: Option<String>,
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub profile: Option<String>,
    pub region: Option<String>,
}

pub fn s3() -> S3 {
    let text = |setting: &'static GucSetting<Option<CString>>| {
        setting.get().map(|text| text.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    };
    S3 {
        credentials_file: text(&S3_CREDENTIALS_FILE),
        endpoint: text(&S3_ENDPOINT),
        path_style: S3_PATH_STYLE.get(),
        profile: text(&S3_PROFILE),
        region: text(&S3_REGION),
    }
}
