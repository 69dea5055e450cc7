//! Bins by the room that is left in them.

use std::collections::BTreeMap;

/// No bin.
const NONE: u32 = u32::MAX;

/// Which bin has the least room that is enough, and of those the one that was put in last.
///
/// Bins are numbered from 0, and each is in here once at most.
pub(super) struct Rooms {
    last: Last,
    /// For every bin the one with the same room that was put in before it.
    before: Vec<u32>,
}

/// Of every room, the bin that was put in last.
enum Last {
    Table(Table),
    Tree(BTreeMap<u64, u32>),
}

impl Rooms {
    pub(super) fn new(capacity: u64, sequences: usize) -> Self {
        let last = if super::fits_a_table(capacity, sequences) {
            Last::Table(Table::new(capacity as usize))
        } else {
            Last::Tree(BTreeMap::new())
        };
        Self {
            last,
            before: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, room: u64, bin: u32) {
        let before = match &mut self.last {
            Last::Table(table) => table.put(room as usize, bin),
            Last::Tree(tree) => tree.insert(room, bin).unwrap_or(NONE),
        };
        let place = bin as usize;
        if self.before.len() <= place {
            self.before.resize(place + 1, NONE);
        }
        self.before[place] = before;
    }

    /// Takes out the fullest bin with at least that much room: the room that is left in it, and the bin.
    pub(super) fn take(&mut self, least: u64) -> Option<(u64, u32)> {
        match &mut self.last {
            Last::Table(table) => {
                let room = table.first(least as usize)?;
                let bin = table.bins[room];
                table.set(room, self.before[bin as usize]);
                Some((room as u64, bin))
            }
            Last::Tree(tree) => {
                let (&room, bin) = tree.range_mut(least..).next()?;
                let found = *bin;
                *bin = self.before[found as usize];
                if *bin == NONE {
                    tree.remove(&room);
                }
                Some((room, found))
            }
        }
    }
}

/// The bin of every room, and a bit for every room that has one, with a bit for every word of those.
struct Table {
    bins: Vec<u32>,
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Table {
    fn new(capacity: usize) -> Self {
        let words = capacity / 64 + 1;
        Self {
            bins: vec![NONE; capacity + 1],
            words: vec![0; words],
            summary: vec![0; words / 64 + 1],
        }
    }

    /// The bin that was there.
    fn put(&mut self, room: usize, bin: u32) -> u32 {
        self.words[room / 64] |= 1 << (room % 64);
        self.summary[room / 4096] |= 1 << (room / 64 % 64);
        std::mem::replace(&mut self.bins[room], bin)
    }

    /// Another bin, or none, for a room that has one.
    fn set(&mut self, room: usize, bin: u32) {
        self.bins[room] = bin;
        if bin == NONE {
            let word = room / 64;
            self.words[word] &= !(1 << (room % 64));
            if self.words[word] == 0 {
                self.summary[word / 64] &= !(1 << (word % 64));
            }
        }
    }

    /// The least room of at least that much which has a bin.
    fn first(&self, least: usize) -> Option<usize> {
        let word = least / 64;
        let rest = self.words[word] & (u64::MAX << (least % 64));
        if rest != 0 {
            return Some(64 * word + rest.trailing_zeros() as usize);
        }
        let word = self.next_word(word + 1)?;
        Some(64 * word + self.words[word].trailing_zeros() as usize)
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
