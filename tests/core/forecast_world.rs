//! Made-up load of different characters, the same on every machine: what the accuracy of forecasts is guarded on.
#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use foreshard_core::forecast::{DAY_SECONDS, Series};

/// Deterministic noise (SplitMix64).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}

pub struct Load {
    pub name: &'static str,
    /// Looked at while the models were chosen; the others only judged them. Only the bench tells them apart.
    #[allow(dead_code, reason = "shared with the bench")]
    pub tuned_on: bool,
    pub interval_seconds: i64,
    pub days: usize,
    shape: fn(&mut Walk) -> f64,
}

/// Where the generator stands.
struct Walk {
    noise: Noise,
    day: f64,
    hour: f64,
    weekday: usize,
    /// Slowly wandering part, kept from slot to slot.
    drift: f64,
    burst: f64,
    hours_per_slot: f64,
}

impl Walk {
    /// First-order autoregressive wandering that forgets in `hours`.
    fn wander(&mut self, hours: f64, size: f64) -> f64 {
        let keep = (-self.hours_per_slot / hours).exp();
        self.drift = keep * self.drift + (1.0 - keep * keep).sqrt() * size * self.noise.normal();
        self.drift
    }

    /// Something that starts `per_day` times a day, at a size, and halves every `hours`.
    fn bursts(&mut self, per_day: f64, size: f64, hours: f64) -> f64 {
        self.burst *= 0.5f64.powf(self.hours_per_slot / hours);
        if self.noise.uniform() < per_day * self.hours_per_slot / 24.0 {
            self.burst += size * (0.5 + self.noise.uniform());
        }
        self.burst
    }
}

fn bell(hour: f64, centre: f64, width: f64) -> f64 {
    let away = (hour - centre + 36.0).rem_euclid(24.0) - 12.0;
    (-(away / width) * (away / width) / 2.0).exp()
}

fn business(w: &mut Walk) -> f64 {
    let at_work = if w.weekday < 5 { 1.0 } else { 0.15 };
    let shape = 60.0 + at_work * (900.0 * bell(w.hour, 10.5, 2.0) + 800.0 * bell(w.hour, 15.0, 2.2));
    shape * (w.wander(6.0, 0.08) + 0.03 * w.noise.normal()).exp()
}

fn growing_shop(w: &mut Walk) -> f64 {
    let growth = 1.04f64.powf(w.day / 7.0);
    let weekend = if w.weekday >= 5 { 1.35 } else { 1.0 };
    let shape = 200.0 + 700.0 * bell(w.hour, 20.0, 3.5) + 300.0 * bell(w.hour, 12.5, 2.0);
    growth * weekend * shape * (w.wander(24.0, 0.10) + 0.04 * w.noise.normal()).exp()
}

fn flat(w: &mut Walk) -> f64 {
    (500.0 + 60.0 * w.noise.normal()).max(0.0)
}

fn wandering(w: &mut Walk) -> f64 {
    800.0 * (w.wander(72.0, 0.5) + 0.05 * w.noise.normal()).exp()
}

fn batches(w: &mut Walk) -> f64 {
    let nightly = if (1.0..3.0).contains(&w.hour) { 2_000.0 } else { 0.0 };
    let hourly = if w.hour.fract() < 0.26 { 250.0 } else { 0.0 };
    (40.0 + hourly + nightly + w.bursts(3.0, 900.0, 0.5)) * (0.15 * w.noise.normal()).exp()
}

fn flash_crowds(w: &mut Walk) -> f64 {
    let shape = 100.0 + 400.0 * bell(w.hour, 19.0, 4.0);
    shape * (1.0 + w.bursts(0.15, 6.0, 2.0)) * (0.08 * w.noise.normal()).exp()
}

fn intermittent(w: &mut Walk) -> f64 {
    let busy = 0.05 + 0.25 * bell(w.hour, 14.0, 3.0);
    if w.noise.uniform() < busy { 20.0 + 100.0 * w.noise.uniform() } else { 0.0 }
}

fn billing(w: &mut Walk) -> f64 {
    let of_month = w.day.rem_euclid(30.0);
    let peak = if of_month < 2.0 { 3.0 } else { 1.0 };
    let at_work = if w.weekday < 5 { 1.0 } else { 0.4 };
    peak * (100.0 + at_work * 500.0 * bell(w.hour, 13.0, 3.5)) * (w.wander(12.0, 0.1) + 0.05 * w.noise.normal()).exp()
}

fn moved_in(w: &mut Walk) -> f64 {
    let tenants = if w.day < 45.0 { 1.0 } else { 2.4 };
    let at_work = if w.weekday < 5 { 1.0 } else { 0.5 };
    tenants * (150.0 + at_work * 450.0 * bell(w.hour, 14.0, 4.0)) * (w.wander(8.0, 0.1) + 0.04 * w.noise.normal()).exp()
}

fn switched(w: &mut Walk) -> f64 {
    let awake = bell(w.hour, 21.0, 3.0) + 0.3 * bell(w.hour, 8.0, 1.5);
    let heavy = 1.0 + 0.25 * w.noise.normal().abs().powi(3);
    (30.0 + 600.0 * awake) * heavy * (w.wander(3.0, 0.25)).exp()
}

pub const LOADS: &[Load] = &[
    Load { name: "weekly business load", tuned_on: true, interval_seconds: 900, days: 42, shape: business },
    Load { name: "growing shop", tuned_on: true, interval_seconds: 3_600, days: 84, shape: growing_shop },
    Load { name: "flat with noise", tuned_on: true, interval_seconds: 900, days: 28, shape: flat },
    Load { name: "wandering", tuned_on: true, interval_seconds: 900, days: 35, shape: wandering },
    Load { name: "bursty batches", tuned_on: false, interval_seconds: 900, days: 35, shape: batches },
    Load { name: "flash crowds", tuned_on: true, interval_seconds: 900, days: 42, shape: flash_crowds },
    Load { name: "intermittent", tuned_on: false, interval_seconds: 900, days: 35, shape: intermittent },
    Load { name: "monthly billing", tuned_on: false, interval_seconds: 3_600, days: 120, shape: billing },
    Load { name: "level shift", tuned_on: false, interval_seconds: 1_800, days: 70, shape: moved_in },
    Load { name: "evenings, heavy tail", tuned_on: false, interval_seconds: 900, days: 35, shape: switched },
];

/// A Monday at midnight.
pub const START: i64 = 1_704_067_200;

impl Load {
    pub fn series(&self, seed: u64) -> Series {
        let slots_per_day = usize::try_from(DAY_SECONDS / self.interval_seconds).unwrap();
        let mut walk = Walk {
            noise: Noise::new(seed),
            day: 0.0,
            hour: 0.0,
            weekday: 0,
            drift: 0.0,
            burst: 0.0,
            hours_per_slot: 24.0 / slots_per_day as f64,
        };
        let values = (0..self.days * slots_per_day)
            .map(|slot| {
                walk.day = slot as f64 / slots_per_day as f64;
                walk.weekday = (slot / slots_per_day) % 7;
                walk.hour = (slot % slots_per_day) as f64 * walk.hours_per_slot;
                (self.shape)(&mut walk).max(0.0)
            })
            .collect();
        Series::new(START, self.interval_seconds, values).unwrap()
    }
}
