//! Bins by the room that is left in them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Which bin has the least room that is enough, and of those the one that was opened first.
pub(super) enum Rooms {
    Table(Table),
    Tree(BTreeSet<(u64, usize)>),
}

impl Rooms {
    pub(super) fn new(capacity: u64, sequences: usize) -> Self {
        if super::fits_a_table(capacity, sequences) {
            Self::Table(Table::new(capacity as usize))
        } else {
            Self::Tree(BTreeSet::new())
        }
    }

    pub(super) fn put(&mut self, room: u64, bin: usize) {
        match self {
            Self::Table(table) => table.put(room as usize, bin),
            Self::Tree(tree) => {
                tree.insert((room, bin));
            }
        }
    }

    /// Takes out the fullest bin with at least that much room: the room that is left in it, and the bin.
    pub(super) fn take(&mut self, least: u64) -> Option<(u64, usize)> {
        match self {
            Self::Table(table) => table.take(least as usize),
            Self::Tree(tree) => {
                let found = *tree.range((least, 0)..).next()?;
                tree.remove(&found);
                Some(found)
            }
        }
    }
}

/// The bins of every room, and a bit for every room that has some, with a bit for every word of those.
pub(super) struct Table {
    bins: Vec<BinaryHeap<Reverse<usize>>>,
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Table {
    fn new(capacity: usize) -> Self {
        let words = capacity / 64 + 1;
        Self {
            bins: vec![BinaryHeap::new(); capacity + 1],
            words: vec![0; words],
            summary: vec![0; words / 64 + 1],
        }
    }

    fn put(&mut self, room: usize, bin: usize) {
        self.bins[room].push(Reverse(bin));
        self.words[room / 64] |= 1 << (room % 64);
        self.summary[room / 4096] |= 1 << (room / 64 % 64);
    }

    fn take(&mut self, least: usize) -> Option<(u64, usize)> {
        let word = match first_from(&self.words[least / 64..=least / 64], least % 64) {
            Some(_) => least / 64,
            None => self.next_word(least / 64 + 1)?,
        };
        let from = if word == least / 64 { least % 64 } else { 0 };
        let room = 64 * word + first_from(&self.words[word..=word], from)?;
        let heap = &mut self.bins[room];
        let Reverse(bin) = heap.pop()?;
        if heap.is_empty() {
            self.words[word] &= !(1 << (room % 64));
            if self.words[word] == 0 {
                self.summary[word / 64] &= !(1 << (word % 64));
            }
        }
        Some((room as u64, bin))
    }

    /// The first word from there on that has a bit.
    fn next_word(&self, from: usize) -> Option<usize> {
        let rest = self.summary.get(from / 64..)?;
        Some(64 * (from / 64) + first_from(rest, from % 64)?)
    }
}

/// The first bit that is set, not before the bit `from` of the first word.
fn first_from(words: &[u64], from: usize) -> Option<usize> {
    words.iter().enumerate().find_map(|(place, &word)| {
        let word = if place == 0 {
            word & (u64::MAX << from)
        } else {
            word
        };
        (word != 0).then(|| 64 * place + word.trailing_zeros() as usize)
    })
}
