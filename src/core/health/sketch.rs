//! The heaviest of many keys in a fixed place: Space-Saving (Metwally, Agrawal, El Abbadi, Efficient Computation of Frequent and Top-k
//! Elements in Data Streams, 2005) with weights, and forgetting.
//!
//! Every key with more than one in `N` of the weight is in it, and its weight is never told too low; `over` is by how much it may be too high.

/// Below this an entry is forgotten.
const NOTHING: f64 = 0.01;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<K> {
    pub key: K,
    /// At most: another key had `over` of it, maybe.
    pub weight: f64,
    pub over: f64,
    /// How often it was met, as far as that is remembered.
    pub count: f64,
    /// Where it was met most, and by how much of its weight more than anywhere else; 0 for nowhere that is known.
    pub home: u32,
    pub at_home: f64,
}

impl<K: Copy> Entry<K> {
    const fn new(key: K) -> Self {
        Self { key, weight: 0.0, over: 0.0, count: 0.0, home: 0, at_home: 0.0 }
    }

    /// What it has surely.
    pub fn sure(&self) -> f64 {
        (self.weight - self.over).max(0.0)
    }

    /// The majority vote of Boyer and Moore (1981): what is somewhere else now wins in time.
    fn met_at(&mut self, home: u32, weight: f64) {
        match home {
            0 => {}
            _ if home == self.home => self.at_home += weight,
            _ if self.at_home >= weight => self.at_home -= weight,
            _ => (self.home, self.at_home) = (home, weight - self.at_home),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sketch<K, const N: usize> {
    entries: [Entry<K>; N],
    len: usize,
}

impl<K: Copy + PartialEq, const N: usize> Sketch<K, N> {
    /// `any`: a key to fill what is empty with.
    pub const fn new(any: K) -> Self {
        Self { entries: [Entry::new(any); N], len: 0 }
    }

    /// A key was met, somewhere (0 for where nobody knows), and weighs so much.
    pub fn take(&mut self, key: K, home: u32, weight: f64) {
        let (used, empty) = self.entries.split_at_mut(self.len.min(N));
        let entry = match used.iter().position(|e| e.key == key) {
            Some(at) => used.get_mut(at),
            None => match empty.first_mut() {
                Some(entry) => {
                    *entry = Entry::new(key);
                    self.len += 1;
                    Some(entry)
                }
                None => used.iter_mut().min_by(|a, b| a.weight.total_cmp(&b.weight)).map(|entry| {
                    let over = entry.weight;
                    *entry = Entry { weight: over, over, ..Entry::new(key) };
                    entry
                }),
            },
        };
        if let Some(entry) = entry {
            entry.weight += weight;
            entry.count += 1.0;
            entry.met_at(home, weight);
        }
    }

    /// All weights become this part of what they were.
    pub fn keep(&mut self, part: f64) {
        let mut at = 0;
        while at < self.len.min(N) {
            let Some(entry) = self.entries.get_mut(at) else { return };
            entry.weight *= part;
            entry.over *= part;
            entry.count *= part;
            entry.at_home *= part;
            if entry.weight < NOTHING {
                self.len -= 1;
                self.entries.swap(at, self.len);
            } else {
                at += 1;
            }
        }
    }

    /// Entries that were met most where nothing is any more are at home nowhere.
    pub fn leave(&mut self, is_gone: impl Fn(u32) -> bool) {
        for entry in self.entries.iter_mut().take(self.len).filter(|e| is_gone(e.home)) {
            (entry.home, entry.at_home) = (0, 0.0);
        }
    }

    pub fn entries(&self) -> &[Entry<K>] {
        self.entries.get(..self.len).unwrap_or_default()
    }
}
