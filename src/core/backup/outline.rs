//! The outline of one statement: where it ends, and whether rows follow it.
//!
//! Fed token by token, it knows no more of the grammar than that takes: parentheses, the bodies of SQL-standard functions,
//! and COPY.

use super::lexer::{Kind, Token};

#[derive(Debug, Default)]
pub(super) struct Outline {
    opening: Opening,
    parens: usize,
    /// Open `BEGIN ATOMIC` and, within one, `CASE`: both close with END.
    blocks: usize,
    /// The last word, if it was one on which the meaning of the next depends.
    last: Last,
    reads_stdin: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Opening {
    #[default]
    Nothing,
    Create,
    CreateOr,
    CreateOrReplace,
    /// CREATE [OR REPLACE] FUNCTION or PROCEDURE, the only statements with semicolons of their own outside quotes and
    /// parentheses.
    Routine,
    Copy,
    Other,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    Begin,
    From,
    #[default]
    Other,
}

impl Outline {
    /// Is this token the semicolon that ends the statement?
    pub(super) fn ends_at(&mut self, token: Token, text: &[u8]) -> bool {
        match token.kind {
            Kind::Space | Kind::Comment => return false,
            Kind::Word => {
                self.word(text);
                return false;
            }
            Kind::Byte(b'(') => self.parens += 1,
            Kind::Byte(b')') => self.parens = self.parens.saturating_sub(1),
            Kind::Byte(b';') if self.parens == 0 && self.blocks == 0 => return true,
            _ => {}
        }
        self.last = Last::Other;
        false
    }

    /// The statement is a `COPY … FROM stdin`.
    pub(super) fn reads_stdin(&self) -> bool {
        self.reads_stdin
    }

    fn word(&mut self, word: &[u8]) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        let last = std::mem::take(&mut self.last);
        self.opening = match self.opening {
            Opening::Nothing if is("create") => Opening::Create,
            Opening::Nothing if is("copy") => Opening::Copy,
            Opening::Create if is("or") => Opening::CreateOr,
            Opening::CreateOr if is("replace") => Opening::CreateOrReplace,
            Opening::Create | Opening::CreateOrReplace if is("function") || is("procedure") => Opening::Routine,
            told @ (Opening::Routine | Opening::Copy) => told,
            _ => Opening::Other,
        };
        if self.parens > 0 {
            return;
        }
        match self.opening {
            // BEGIN alone may be a name (it is no reserved word); CASE and END cannot be. psql 15 counts every BEGIN, and
            // cannot restore its own dump of a function of that name.
            Opening::Routine if is("begin") => self.last = Last::Begin,
            Opening::Routine if is("atomic") && last == Last::Begin => self.blocks += 1,
            Opening::Routine if is("case") && self.blocks > 0 => self.blocks += 1,
            Opening::Routine if is("end") => self.blocks = self.blocks.saturating_sub(1),
            Opening::Copy if is("from") => self.last = Last::From,
            Opening::Copy if is("stdin") && last == Last::From => self.reads_stdin = true,
            _ => {}
        }
    }
}
