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
