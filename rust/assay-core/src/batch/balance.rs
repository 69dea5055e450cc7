//! Multiway number partitioning: longest processing time and Karmarkar-Karp.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::longest_first;
use crate::{Error, ErrorKind, Result};

/// Far above any number of ranks or micro-batches; a larger one is a slip that would exhaust memory.
const MOST_PARTS: usize = 1 << 20;

/// How [`balance`] partitions.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Karmarkar-Karp largest differencing (Karmarkar and Karp 1982; k-way form: Michiels, Korst and Aarts 2003). For
    /// parts of equal size, the better of its balanced form and of `Longest`.
    #[default]
    KarmarkarKarp,
    /// Longest processing time first (Graham 1969): each sequence, longest first, to the lightest part.
    Longest,
}

impl std::str::FromStr for Balance {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "karmarkar_karp" => Ok(Self::KarmarkarKarp),
            "lpt" => Ok(Self::Longest),
            _ => {
                let hint = crate::spec::did_you_mean(name, &["karmarkar_karp", "lpt"]);
                Err(Error::input(format!(
                    "method: `{name}` is not a way to balance{hint}"
                )))
            }
        }
    }
}

/// Splits the sequences over `parts` so that the largest sum of lengths is small.
///
/// `lengths` are tokens or any other non-negative cost. With `equal_size` the numbers of sequences per part differ by at
/// most one. Returns exactly `parts` lists of indices: heaviest part first, indices ascending. Parts are empty only when
/// there are fewer sequences than parts. Karmarkar-Karp costs `O(n log n)`: a state's empty sets are not stored, so
/// merging a lone sequence into a part-filled state costs a binary search rather than `parts` steps.
///
/// # Errors
///
/// `InvalidInput` when `parts` is 0 or the lengths sum to more than `i64::MAX`; `TooLarge` above 2^20 parts.
///
/// ```
/// use assay_core::batch::{Balance, balance};
/// let parts = balance(&[8, 7, 6, 5, 4], 2, Balance::KarmarkarKarp, false)?;
/// assert_eq!(parts, [vec![1, 3, 4], vec![0, 2]]); // 16 and 14 tokens
/// # Ok::<(), assay_core::Error>(())
/// ```
pub fn balance(
    lengths: &[u64],
    parts: usize,
    method: Balance,
    equal_size: bool,
) -> Result<Vec<Vec<usize>>> {
    if parts == 0 {
        return Err(Error::input("parts is 0; it must be at least 1"));
    }
    if parts > MOST_PARTS || lengths.len() >= NONE as usize {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "parts is {parts} and lengths has {} entries; at most {MOST_PARTS} and 2**32 - 2",
                lengths.len()
            ),
        ));
    }
    let total = lengths
        .iter()
        .try_fold(0u64, |sum, &length| sum.checked_add(length));
    if total.is_none_or(|sum| i64::try_from(sum).is_err()) {
        return Err(Error::input(
            "lengths sum to more than 2**63 - 1; scale the costs down",
        ));
    }
    let mut result = match method {
        Balance::Longest => longest_processing_time(lengths, parts, equal_size),
        Balance::KarmarkarKarp => karmarkar_karp(lengths, parts, equal_size),
    };
    if equal_size && method == Balance::KarmarkarKarp {
        // Differencing has to keep sequences of one rank apart here, and a few long ones can cost it dearly.
        let other = longest_processing_time(lengths, parts, true);
        if heaviest(lengths, &other) < heaviest(lengths, &result) {
            result = other;
        }
    }
    for part in &mut result {
        part.sort_unstable();
    }
    result.resize(parts, Vec::new());
    // Empty parts last; the part with the earlier sequence first among equals.
    result.sort_by_cached_key(|part| {
        (
            Reverse(weight(lengths, part)),
            part.first().copied().unwrap_or(usize::MAX),
        )
    });
    Ok(result)
}

fn weight(lengths: &[u64], part: &[usize]) -> u64 {
    part.iter().map(|&index| lengths[index]).sum()
}

fn heaviest(lengths: &[u64], parts: &[Vec<usize>]) -> u64 {
    let weights = parts.iter().map(|part| weight(lengths, part));
    weights.max().unwrap_or(0)
}

fn longest_processing_time(lengths: &[u64], parts: usize, equal_size: bool) -> Vec<Vec<usize>> {
    let mut result = vec![Vec::new(); parts];
    let full = if equal_size {
        lengths.len() / parts
    } else {
        usize::MAX
    };
    let mut larger_parts = lengths.len() % parts;
    // (sum, size, part): the lightest, then the one with fewest sequences, then the first.
    let mut lightest: BinaryHeap<Reverse<(u64, usize, usize)>> =
        (0..parts).map(|part| Reverse((0, 0, part))).collect();
    for index in longest_first(lengths) {
        while let Some(Reverse((sum, size, part))) = lightest.pop() {
            if size > full || (size == full && larger_parts == 0) {
                continue; // has its share of an equal split
            }
            if size == full {
                larger_parts -= 1;
            }
            result[part].push(index);
            lightest.push(Reverse((sum + lengths[index], size + 1, part)));
            break;
        }
    }
    result
}

/// The end of a set's list.
const NONE: u32 = u32::MAX;

/// One set of a state: the sum of its lengths and its sequences as a linked list, so that joining two is `O(1)`.
#[derive(Clone, Copy)]
struct Set {
    sum: u64,
    head: u32,
    tail: u32,
}

/// A partial partition: its sets by falling sum, empty ones left out when they are last.
struct State {
    sets: Vec<Set>,
}

impl State {
    /// Largest sum less smallest sum over `parts` sets.
    fn spread(&self, parts: usize) -> u64 {
        let largest = self.sets.first().map_or(0, |set| set.sum);
        let smallest = if self.sets.len() < parts {
            0
        } else {
            self.sets[parts - 1].sum
        };
        largest - smallest
    }
}

struct Differencing<'a> {
    parts: usize,
    /// The sequence after each sequence in its set.
    next: Vec<u32>,
    lengths: &'a [u64],
}

impl Differencing<'_> {
    fn single(&self, index: usize) -> Set {
        Set {
            sum: self.lengths[index],
            head: index as u32,
            tail: index as u32,
        }
    }

    fn join(&mut self, left: Set, right: Set) -> Set {
        self.next[left.tail as usize] = right.head;
        Set {
            sum: left.sum + right.sum,
            head: left.head,
            tail: right.tail,
        }
    }

    /// The largest set of one state joins the smallest of the other, and so on.
    fn merge(&mut self, left: State, right: State) -> State {
        let (mut sets, fewer) = if left.sets.len() >= right.sets.len() {
            (left.sets, right.sets)
        } else {
            (right.sets, left.sets)
        };
        let free = self.parts - sets.len();
        if fewer.len() <= free && fewer.len() <= 4 {
            for set in fewer {
                let place = sets.partition_point(|other| other.sum >= set.sum);
                sets.insert(place, set);
            }
            return State { sets };
        }
        // Its `free` largest meet empty sets; the rest meet the smallest sets there are, largest with smallest.
        let split = fewer.len().min(free);
        let last = sets.len();
        for (offset, &set) in fewer[split..].iter().enumerate() {
            let place = last - 1 - offset;
            sets[place] = self.join(sets[place], set);
        }
        sets.extend_from_slice(&fewer[..split]);
        sets.sort_by_key(|set| Reverse(set.sum));
        State { sets }
    }

    fn collect(&self, state: &State) -> Vec<Vec<usize>> {
        let members = |set: &Set| {
            let mut part = Vec::new();
            let mut at = set.head;
            while at != NONE {
                part.push(at as usize);
                at = self.next[at as usize];
            }
            part
        };
        state.sets.iter().map(members).collect()
    }
}

fn karmarkar_karp(lengths: &[u64], parts: usize, equal_size: bool) -> Vec<Vec<usize>> {
    let mut work = Differencing {
        parts,
        next: vec![NONE; lengths.len()],
        lengths,
    };
    let order = longest_first(lengths);
    let mut states: Vec<Option<State>> = if equal_size {
        // One sequence per set; the shortest ones share a state with empty sets when the split is not even.
        let chunks = order.chunks(parts).map(|chunk| State {
            sets: chunk.iter().map(|&index| work.single(index)).collect(),
        });
        chunks.map(Some).collect()
    } else {
        let singles = order.iter().map(|&index| State {
            sets: vec![work.single(index)],
        });
        singles.map(Some).collect()
    };
    // Largest spread first, then the state made first.
    let mut heap: BinaryHeap<(u64, Reverse<usize>)> = BinaryHeap::with_capacity(states.len());
    for (id, state) in states.iter().enumerate() {
        let spread = state.as_ref().map_or(0, |state| state.spread(parts));
        heap.push((spread, Reverse(id)));
    }
    while let Some((_, Reverse(first))) = heap.pop() {
        let Some((_, Reverse(second))) = heap.pop() else {
            return states[first]
                .take()
                .map_or_else(Vec::new, |state| work.collect(&state));
        };
        if let (Some(left), Some(right)) = (states[first].take(), states[second].take()) {
            let merged = work.merge(left, right);
            heap.push((merged.spread(parts), Reverse(states.len())));
            states.push(Some(merged));
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(lengths: &[u64], parts: &[Vec<usize>]) -> Vec<u64> {
        parts
            .iter()
            .map(|part| part.iter().map(|&index| lengths[index]).sum())
            .collect()
    }

    /// Karmarkar-Karp on plain sums: every state holds all its sets, empty ones too.
    fn twin(lengths: &[u64], parts: usize, equal_size: bool) -> Vec<u64> {
        let sorted: Vec<u64> = longest_first(lengths)
            .iter()
            .map(|&index| lengths[index])
            .collect();
        let padded = |chunk: &[u64]| [chunk, &vec![0; parts - chunk.len()]].concat();
        let mut states: Vec<(usize, Vec<u64>)> = sorted
            .chunks(if equal_size { parts } else { 1 })
            .map(padded)
            .enumerate()
            .collect();
        let mut made = states.len();
        while states.len() > 1 {
            states.sort_by_key(|(id, sets)| (Reverse(sets[0] - sets[parts - 1]), *id));
            let (left, right) = (states.remove(0).1, states.remove(0).1);
            let mut sets: Vec<u64> = left
                .iter()
                .zip(right.iter().rev())
                .map(|(a, b)| a + b)
                .collect();
            sets.sort_by_key(|&sum| Reverse(sum));
            states.push((made, sets));
            made += 1;
        }
        states
            .pop()
            .map_or_else(|| vec![0; parts], |(_, sets)| sets)
    }

    proptest! {
        #[test]
        fn karmarkar_karp_has_the_sums_of_the_definition(
            lengths in prop::collection::vec(0u64..50, 0..60), parts in 1usize..12, equal_size: bool,
        ) {
            let split = balance(&lengths, parts, Balance::KarmarkarKarp, equal_size).expect("valid");
            let (sums, twin) = (sums(&lengths, &split), twin(&lengths, parts, equal_size));
            prop_assert!(sums == twin || equal_size && sums[0] < twin[0]);
        }

        #[test]
        fn every_sequence_is_in_exactly_one_part(
            lengths in prop::collection::vec(0u64..50, 0..60), parts in 1usize..12, equal_size: bool, lpt: bool,
        ) {
            let method = if lpt { Balance::Longest } else { Balance::KarmarkarKarp };
            let split = balance(&lengths, parts, method, equal_size).expect("valid");
            prop_assert_eq!(split.len(), parts);
            let mut all = split.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            let sizes = split.iter().map(Vec::len);
            let (low, high) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
            prop_assert!(!equal_size || high - low <= 1);
            prop_assert!(low > 0 || lengths.len() < parts || lpt);
        }

        /// Graham's bound: the largest sum is below the mean plus one longest sequence.
        #[test]
        fn no_part_is_far_above_the_mean(lengths in prop::collection::vec(1u64..50, 1..60), parts in 1usize..12) {
            let mean = lengths.iter().sum::<u64>().div_ceil(parts as u64);
            let longest = lengths.iter().max().copied().unwrap_or(0);
            for method in [Balance::Longest, Balance::KarmarkarKarp] {
                let split = balance(&lengths, parts, method, false).expect("valid");
                prop_assert!(sums(&lengths, &split)[0] < mean + longest);
            }
        }
    }

    #[test]
    fn more_parts_than_sequences_leaves_the_last_empty() {
        for method in [Balance::Longest, Balance::KarmarkarKarp] {
            let split = balance(&[2, 3], 4, method, true).expect("valid");
            assert_eq!(split, [vec![1], vec![0], vec![], vec![]]);
        }
    }

    #[test]
    fn bad_input_names_the_argument() {
        let error = |lengths: &[u64], parts| {
            balance(lengths, parts, Balance::Longest, false)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&[1], 0).starts_with("parts is 0"));
        assert!(error(&[u64::MAX, 1], 2).starts_with("lengths sum to more"));
        let unknown = "ltp".parse::<Balance>().unwrap_err().to_string();
        assert!(unknown.contains("did you mean `lpt`"), "{unknown}");
    }
}
