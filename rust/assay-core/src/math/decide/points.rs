//! Where expressions are sampled. Everything random comes from a hash of the input.

use dashu::rational::RBig;

use crate::math::eval::Point;

/// One step of the `SplitMix64` generator.
pub(crate) fn step(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of `text`, started from `seed`.
pub(crate) fn mix(seed: u64, text: &str) -> u64 {
    text.as_bytes()
        .chunks(8)
        .fold(step(seed ^ text.len() as u64), |hash, chunk| {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            step(hash ^ u64::from_le_bytes(word))
        })
}

/// The seed of a comparison: the same whichever side comes first.
pub(crate) fn seed(gold: &str, answer: &str) -> u64 {
    mix(0, gold).wrapping_add(mix(0, answer))
}

/// Which part of the real line the symbols of a point are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// `(1/4, 2)`
    Positive,
    /// `(0, 1)`
    Unit,
    /// `(1, 6)`
    Large,
    /// `(-2, 2)`
    Mixed,
    /// `(-5, 0)`
    Negative,
}

pub(super) const REGIONS: [Region; 5] = [
    Region::Positive,
    Region::Mixed,
    Region::Unit,
    Region::Large,
    Region::Negative,
];

/// A point with a value for every symbol: a fraction of 128ths, so that it is exact in `f64`, whose choice depends on
/// the seed and the symbol's name only.
pub(super) fn point(symbols: &[Box<str>], region: Region, seed: u64) -> Point {
    let seed = step(seed ^ region as u64);
    let values = symbols.iter().map(|name| {
        let hash = mix(seed, name);
        let pick = |from: i64, to: i64| from + (hash % (to - from) as u64) as i64;
        let numerator = match region {
            Region::Positive => pick(33, 255),
            Region::Unit => pick(5, 123),
            Region::Large => pick(131, 761),
            Region::Mixed => {
                let value = pick(17, 250);
                if hash >> 60 & 1 == 1 { -value } else { value }
            }
            Region::Negative => -pick(9, 631),
        };
        (
            name.clone(),
            RBig::from_parts(numerator.into(), 128u8.into()),
        )
    });
    Point {
        values: values.collect(),
        seed,
    }
}
