//! Rows to one node: in one COPY after another, where they do not all come in the same form.

use super::libpq::{Connection, TEXTS};
use crate::pg::catalog;
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal, quote_table};
use foreshard_core::heap::binary;
use foreshard_core::model::TableName;

/// How rows are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of COPY text.
    Text,
    /// COPY's binary format, which costs a node less; without what a stream begins and ends with.
    Binary,
}

/// The statements by which nodes take rows.
#[derive(Debug, Default)]
pub struct Copies {
    text: String,
    binary: String,
}

impl Copies {
    /// Into `table`, with the columns that rows of each form have. Texts mean there what they mean here now: a file of rows may have points
    /// in time without a zone, or days before months.
    pub fn of(table: &TableName, text: &[String], binary: &[String]) -> Result<Self> {
        let copy = |columns: &[String]| {
            let columns: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
            format!("COPY {} ({}) FROM STDIN", quote_table(table), columns.join(", "))
        };
        let mut session = String::new();
        for (name, _) in TEXTS {
            session += &format!("SET LOCAL {name} = {}; ", quote_literal(&catalog::setting(name)?));
        }
        Ok(Self { text: session + &copy(text), binary: copy(binary) + " (FORMAT binary)" })
    }
}

/// What a node is being sent.
#[derive(Debug, Default)]
pub struct Feed {
    /// The form of the COPY that is open.
    open: Option<Form>,
    /// What those that were ended have taken.
    rows: u64,
}

impl Feed {
    pub fn put(&mut self, to: &mut Connection, copies: &Copies, form: Form, rows: &[u8]) -> Result<()> {
        if self.open != Some(form) {
            self.close(to)?;
            match form {
                Form::Text => to.query(&copies.text).map(drop)?,
                Form::Binary => {
                    to.query(&copies.binary)?;
                    to.put(binary::BEGIN)?;
                }
            }
            self.open = Some(form);
        }
        to.put(rows)
    }

    /// The number of rows that were taken since the last end.
    pub fn end(&mut self, to: &mut Connection) -> Result<u64> {
        self.close(to)?;
        Ok(std::mem::take(&mut self.rows))
    }

    fn close(&mut self, to: &mut Connection) -> Result<()> {
        let Some(form) = self.open.take() else { return Ok(()) };
        if form == Form::Binary {
            to.put(binary::END)?;
        }
        self.rows += to.end()?;
        Ok(())
    }
}
