//! The way back: from the pages of a table to the checksum of its rows.

use super::page::Page;
use super::tuple::{Shape, Values};
use crate::backup::checksum::Checksum;

/// Reads pages whose tuples are all visible.
#[derive(Debug)]
pub struct Reader {
    shape: Shape,
    values: Values,
}

impl Reader {
    pub fn new(shape: Shape) -> Self {
        Self { shape, values: Values::default() }
    }

    /// Counts the tuples of a page, and shows each with its number; the numbers of those that the server has to be asked about (a value
    /// is compressed or stored apart) go to `odd`.
    pub fn page(
        &mut self,
        page: &Page,
        checksum: &mut Checksum,
        odd: &mut Vec<u16>,
        mut show: impl FnMut(u16, &Shape, &Values),
    ) {
        for (number, tuple) in page.iter() {
            match tuple.and_then(|t| self.shape.values(t, &mut self.values)) {
                Some(()) => {
                    checksum.add(self.values.hash());
                    show(number, &self.shape, &self.values);
                }
                None => odd.push(number),
            }
        }
    }
}
