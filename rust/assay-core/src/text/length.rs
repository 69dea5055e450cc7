//! Rewards for length.

use std::f64::consts::PI;

/// Options of [`cosine`]. Finite; `max_length` at least 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// Length at which the schedule ends.
    pub max_length: usize,
    /// Value of a correct completion at `max_length`.
    pub min_correct: f64,
    /// Value of a correct completion of length 0.
    pub max_correct: f64,
    /// Value of a wrong completion of length 0.
    pub min_wrong: f64,
    /// Value of a wrong completion at `max_length`.
    pub max_wrong: f64,
}

/// The cosine schedule of "Demystifying Long Chain-of-Thought Reasoning" (arXiv 2502.03373, C.1), with TRL's clamp:
/// `low + (high - low) * (1 + cos(pi * min(length / max_length, 1))) / 2`.
///
/// A correct completion falls from `max_correct` to `min_correct` as it grows; a wrong one rises from `min_wrong` to
/// `max_wrong`. Beyond `max_length` the value stays. (open-r1 does not clamp, so that there it climbs again.)
pub fn cosine(length: usize, correct: bool, options: &Cosine) -> f64 {
    let progress = (length as f64 / options.max_length as f64).min(1.0);
    let cosine = (progress * PI).cos();
    let (low, high) = if correct {
        (options.min_correct, options.max_correct)
    } else {
        // A short wrong completion gets the lowest value.
        (options.max_wrong, options.min_wrong)
    };
    low + 0.5 * (high - low) * (1.0 + cosine)
}

/// Options of [`soft_overlong`]; `buffer` at most `max_length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftOverlong {
    /// Length beyond which the value is -1.
    pub max_length: usize,
    /// How long before `max_length` the value starts to fall.
    pub buffer: usize,
}

/// DAPO's soft overlong punishment (arXiv 2503.14476, equation 13): 0 up to `max_length - buffer`, then linear down to
/// -1 at `max_length`, then -1.
pub fn soft_overlong(length: usize, options: SoftOverlong) -> f64 {
    let free = options.max_length.saturating_sub(options.buffer);
    if length <= free {
        0.0
    } else if length <= options.max_length {
        (free as f64 - length as f64) / options.buffer as f64
    } else {
        -1.0
    }
}

/// Length in Unicode scalar values, as Python's `len`.
pub fn characters(text: &str) -> usize {
    text.chars().count()
}

/// Length in words, as Python's `len(text.split())`.
pub fn words(text: &str) -> usize {
    super::repetition::split(text).count()
}
