//! Sequences into batches: [`pack`] into bins of fixed capacity, [`balance`] over a fixed number of parts, and
//! [`SamplingBatcher`] for generation under a token budget.
//!
//! All of it is deterministic: ties go to the sequence that stands first.

mod balance;
mod pack;
mod sampling;

pub use balance::{Balance, balance};
pub use pack::pack;
pub use sampling::{SamplingBatcher, SamplingLimits, Sequence};

/// Indices of `lengths` from the longest to the shortest; the first of equals first.
fn longest_first(lengths: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    order
}
