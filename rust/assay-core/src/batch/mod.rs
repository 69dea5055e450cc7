//! Sequences into batches: [`pack`] into bins of fixed capacity, [`balance`] over a fixed number of parts, and
//! [`SamplingBatcher`] for generation under a token budget.
//!
//! All of it is deterministic: ties go to the sequence that stands first.

mod balance;
mod pack;
mod rooms;
mod sampling;

pub use balance::{Balance, balance};
pub use pack::pack;
pub use sampling::{SamplingBatcher, SamplingLimits, Sequence};

/// Indices of `lengths` from the longest to the shortest; the first of equals first.
fn longest_first(lengths: &[u64]) -> Vec<usize> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if fits_a_table(longest, lengths.len()) {
        return counted(lengths, longest as usize);
    }
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    order
}

/// Whether a table with an entry for every value up to `largest` costs no more than handling `count` sequences.
const fn fits_a_table(largest: u64, count: usize) -> bool {
    largest <= 16 * count as u64
}

/// Counting sort, from the longest to the shortest.
fn counted(lengths: &[u64], longest: usize) -> Vec<usize> {
    let mut places = vec![0_usize; longest + 1];
    for &length in lengths {
        places[length as usize] += 1;
    }
    let mut start = 0;
    for place in places.iter_mut().rev() {
        start += std::mem::replace(place, start);
    }
    let mut order = vec![0; lengths.len()];
    for (index, &length) in lengths.iter().enumerate() {
        let place = &mut places[length as usize];
        order[*place] = index;
        *place += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sorts_agree_and_keep_the_order_of_equals() {
        let lengths = [3, 1, 3, 0, 7, 1, 7];
        let scaled: Vec<u64> = lengths.iter().map(|length| length << 40).collect();
        assert_eq!(longest_first(&lengths), [4, 6, 0, 2, 1, 5, 3]);
        assert_eq!(longest_first(&scaled), longest_first(&lengths));
        assert!(longest_first(&[]).is_empty());
    }
}
