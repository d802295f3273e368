//! A way out of long thoughts.

use std::fmt;

/// Asked now and then whether to go on. Whoever wants it to stop unwinds from the call: what is thought about is owned
/// by the thinking, and goes with it. It cannot change what is thought.
#[derive(Clone, Copy)]
pub struct Interrupts(pub fn());

impl Interrupts {
    /// The question. It is cheap, and asked often enough that an answer is never waited for longer than a blink.
    pub fn check(self) {
        (self.0)();
    }
}

/// Nobody interrupts.
impl Default for Interrupts {
    fn default() -> Self {
        Self(|| ())
    }
}

impl fmt::Debug for Interrupts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupts")
    }
}

/// Who interrupts makes no difference to what is thought.
impl PartialEq for Interrupts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
