//! Figures and lists as people write them, so that every reason in a plan reads the same way.

/// Rounds to four decimals: figures enter a plan this way, so that it reads well and hashes the same everywhere.
pub fn round4(x: f64) -> f64 {
    let y = (x * 1e4).round() / 1e4;
    if y == 0.0 { 0.0 } else { y }
}

/// A share of 0..=1 as `87 %`; small ones keep a decimal, and what is not quite nothing or all does not say so.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    match p {
        _ if p <= 0.0 => "0 %".to_owned(),
        _ if p < 0.1 => "under 0.1 %".to_owned(),
        _ if p < 9.95 => format!("{p:.1} %").replace(".0 %", " %"),
        _ if p < 100.0 && p > 99.5 => "over 99 %".to_owned(),
        _ => format!("{p:.0} %"),
    }
}

/// 1,234,567
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `12 GB`, 1024-based as settings are.
pub fn bytes(n: f64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = n.max(0.0);
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("bytes");
    if unit > 0 && value < 10.0 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

/// `1 shard`, `2 shards`
pub fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(n)) }
}

/// `a`, `a and b`, `a, b and c`; past `limit` names: `a, b and 7 more`.
pub fn list<S: AsRef<str>>(names: &[S], limit: usize) -> String {
    let shown = if names.len() > limit { limit.saturating_sub(1).max(1) } else { names.len() };
    let mut parts: Vec<String> = names.iter().take(shown).map(|s| s.as_ref().to_owned()).collect();
    if names.len() > shown {
        parts.push(format!("{} more", names.len() - shown));
    }
    match parts.pop() {
        None => String::new(),
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
const DAY_SECONDS: i64 = 86_400;

/// Unix time as `2026-03-14`, in UTC.
pub fn date(unix: i64) -> String {
    // Years run from March here, so that a leap day comes last; 400 of them have 146,097 days.
    let days = unix.div_euclid(DAY_SECONDS) + EPOCH_DAYS;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    format!("{:04}-{month:02}-{day_of_month:02}", year + 400 * era)
}

/// Unix time as `2026-03-14 09:30`, in UTC.
pub fn moment(unix: i64) -> String {
    let second = unix.rem_euclid(DAY_SECONDS);
    format!("{} {:02}:{:02}", date(unix), second / 3_600, second / 60 % 60)
}

/// A figure without needless digits: `1,234`, `12.3`, `0.045`.
pub fn figure(x: f64) -> String {
    match x.abs() {
        a if a >= 99.95 => format!("{}{}", if x < 0.0 { "-" } else { "" }, thousands(a.round() as u64)),
        a if a >= 1.0 => trimmed(format!("{x:.1}")),
        a if a >= 0.0005 => trimmed(format!("{x:.3}")),
        _ => "0".to_owned(),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
