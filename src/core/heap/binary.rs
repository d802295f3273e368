//! Rows in COPY's binary format, from their canonical values: what the receiving functions of a server take.
//!
//! A server that is sent these has no text left to read, which is about a third of what COPY costs it. All numbers are big-endian. The
//! format of the types that are understood here is the same in PostgreSQL 14 to 18.

use super::field::Kind;
use super::numeric;
use super::tuple::{Shape, Values};

/// What a stream begins with: the signature, no flags, and no more of a header.
pub const BEGIN: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, where the next row would have its number of fields.
pub const END: &[u8] = &(-1_i16).to_be_bytes();

/// The length of a field that is NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

impl Shape {
    /// Appends a row with the columns in their order. None for one that has no such form; then `out` ends within a row.
    pub(super) fn send(&self, values: &Values, out: &mut Vec<u8>) -> Option<()> {
        out.extend(i16::try_from(self.columns.len()).ok()?.to_be_bytes());
        for (n, column) in self.columns.iter().enumerate() {
            let Some(value) = values.get(n) else {
                out.extend(NULL);
                continue;
            };
            let start = out.len();
            out.extend([0; 4]);
            column.kind.send(value, out)?;
            let length = i32::try_from(out.len() - start - 4).ok()?;
            out.get_mut(start..start + 4)?.copy_from_slice(&length.to_be_bytes());
        }
        Some(())
    }
}

impl Kind {
    /// Appends the value that has these canonical bytes, without its length.
    fn send(&self, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Scalar(_) => match *value {
                [a, b, c, d] => out.extend([d, c, b, a]),
                [a, b, c, d, e, f, g, h] => out.extend([h, g, f, e, d, c, b, a]),
                _ => out.extend(value.iter().rev()),
            },
            Self::Name => out.extend(value.split(|byte| *byte == 0).next()?),
            Self::Numeric { .. } => numeric::send(value, out)?,
            Self::Uuid | Self::Text { .. } | Self::Bpchar { .. } | Self::Bytea | Self::Json | Self::Enum(_) => {
                out.extend_from_slice(value);
            }
        }
        Some(())
    }
}
