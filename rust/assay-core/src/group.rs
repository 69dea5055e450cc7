//! Group advantages: from the rewards of a batch of completions to the numbers that weigh their gradients.
//!
//! A NaN reward is a completion that could not be scored. It is left out of every mean and standard deviation and gets
//! advantage 0, so a broken machine never looks like a bad answer. Group ids are any `i64` in any order; groups may
//! have different sizes. Sums are taken in `f64`, the standard deviation is the sample one (`n - 1`), as in TRL and verl.
//!
//! | kind | advantage of completion `i` | source |
//! |---|---|---|
//! | [`Grpo`](AdvantageKind::Grpo) | `(r - mean_g) / (std_g + eps)` | Shao et al. 2024, arXiv 2402.03300, eq. 3 |
//! | [`DrGrpo`](AdvantageKind::DrGrpo) | `r - mean_g` | Liu et al. 2025, arXiv 2503.20783 |
//! | [`Rloo`](AdvantageKind::Rloo) | `r - mean of the other members of g` | Ahmadian et al. 2024, arXiv 2402.14740 |
//! | [`ReinforcePp`](AdvantageKind::ReinforcePp) | `(r - mean) / (std + eps)` over the whole batch | Hu et al. 2025, arXiv 2501.03262 |
//! | [`Gdpo`](AdvantageKind::Gdpo) | `Grpo` for each component, weighted sum, then whitened over the batch | Liu et al. 2026, arXiv 2601.05242; TRL `normalize_then_sum` |

use rustc_hash::FxHashMap;

use crate::{Error, Result};

/// The default of `epsilon`, as in verl.
pub const DEFAULT_EPSILON: f64 = 1e-6;

/// A spread below this share of the largest reward is float noise (`0.1 + 0.2` against `0.3`), not signal.
const NOISE: f64 = 1e-12;

/// Rewards and weights beyond this are a caller's bug; below it no sum of squares can overflow and every advantage is a
/// finite `f32`.
const LARGEST: f64 = 1e30;

/// How rewards become advantages; the formulas stand in the [module](self) table.
#[non_exhaustive]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageKind {
    /// Mean and standard deviation of the group.
    #[default]
    Grpo,
    /// Mean of the group only.
    DrGrpo,
    /// Leave-one-out mean of the group.
    Rloo,
    /// Mean and standard deviation of the batch; groups play no part.
    ReinforcePp,
    /// Per component: see [`gdpo`].
    Gdpo,
}

impl AdvantageKind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Grpo,
        Self::DrGrpo,
        Self::Rloo,
        Self::ReinforcePp,
        Self::Gdpo,
    ];

    /// The name in Python, TOML and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpo => "grpo",
            Self::DrGrpo => "dr_grpo",
            Self::Rloo => "rloo",
            Self::ReinforcePp => "reinforce_pp",
            Self::Gdpo => "gdpo",
        }
    }
}

impl std::str::FromStr for AdvantageKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let hint = crate::spec::did_you_mean(name, &names);
            Error::input(format!("kind: `{name}` is not an advantage kind{hint}"))
        })
    }
}

/// One advantage per reward, in the order of `rewards`.
///
/// `rewards` and `group_ids` have the same length `n`; the result is `f32[n]`. A group with one scored member, or whose
/// scored rewards are all the same, gives exactly 0. `Gdpo` on one reward vector is the one-component case of [`gdpo`].
///
/// # Errors
///
/// `InvalidInput` when the lengths differ, a reward is infinite or beyond 1e30, or `epsilon` is negative or not finite.
///
/// ```
/// use assay_core::group::{AdvantageKind, DEFAULT_EPSILON, advantages};
/// let a = advantages(&[1.0, 0.0, f64::NAN, 5.0], &[7, 7, 7, -1], AdvantageKind::Rloo, DEFAULT_EPSILON)?;
/// assert_eq!(a, [1.0, -1.0, 0.0, 0.0]);
/// # Ok::<(), assay_core::Error>(())
/// ```
pub fn advantages(
    rewards: &[f64],
    group_ids: &[i64],
    kind: AdvantageKind,
    epsilon: f64,
) -> Result<Vec<f32>> {
    if kind == AdvantageKind::Gdpo {
        return gdpo(&[(1.0, rewards)], group_ids, epsilon);
    }
    check("rewards", rewards, group_ids.len(), epsilon)?;
    if kind == AdvantageKind::ReinforcePp {
        return Ok(to_f32(whitened(rewards, epsilon)));
    }
    let groups = Groups::new(group_ids);
    let moments = groups.moments(rewards);
    let advantage = |(&reward, &group): (&f64, &u32)| {
        let moment = &moments[group as usize];
        if reward.is_nan() || moment.is_flat() {
            return 0.0;
        }
        let centred = reward - moment.mean;
        match kind {
            AdvantageKind::DrGrpo => centred,
            AdvantageKind::Rloo => centred * moment.count / (moment.count - 1.0),
            _ => centred / (moment.std() + epsilon),
        }
    };
    Ok(to_f32(
        rewards.iter().zip(&groups.of).map(advantage).collect(),
    ))
}

/// GDPO: each component is normalised within its group, so that a component with a large spread does not drown the
/// others; the weighted sum is whitened over the batch.
///
/// `components` holds `(weight, f64[n])`. A completion with a NaN in any component of non-zero weight has no total: it
/// is left out of that component's and of the batch's statistics and gets 0.
///
/// # Errors
///
/// As [`advantages`]; also when there is no component or a weight is not finite.
pub fn gdpo(components: &[(f64, &[f64])], group_ids: &[i64], epsilon: f64) -> Result<Vec<f32>> {
    if components.is_empty() {
        return Err(Error::input("rewards: gdpo needs at least one component"));
    }
    let count = group_ids.len();
    let mut sums = vec![0.0; count];
    for (index, &(weight, values)) in components.iter().enumerate() {
        check(&format!("rewards[{index}]"), values, count, epsilon)?;
        if weight.is_nan() || weight.abs() > LARGEST {
            return Err(Error::input(format!(
                "weights[{index}] is {weight}; a weight must be finite and within 1e30"
            )));
        }
        if weight != 0.0 {
            mark_missing(&mut sums, values);
        }
    }
    let groups = Groups::new(group_ids);
    let mut scored = vec![0.0; count];
    for &(weight, values) in components.iter().filter(|(weight, _)| *weight != 0.0) {
        for ((slot, &value), &sum) in scored.iter_mut().zip(values).zip(&sums) {
            *slot = if missing(sum) { f64::NAN } else { value };
        }
        let moments = groups.moments(&scored);
        for ((sum, &value), &group) in sums.iter_mut().zip(&scored).zip(&groups.of) {
            let moment = &moments[group as usize];
            if !value.is_nan() && !moment.is_flat() {
                *sum += weight * (value - moment.mean) / (moment.std() + epsilon);
            }
        }
    }
    Ok(to_f32(whitened(&sums, epsilon)))
}

fn missing(sum: f64) -> bool {
    sum.is_nan()
}

fn mark_missing(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        if value.is_nan() {
            *sum = f64::NAN;
        }
    }
}

fn check(name: &str, rewards: &[f64], groups: usize, epsilon: f64) -> Result<()> {
    if rewards.len() != groups {
        return Err(Error::input(format!(
            "{name} has {} entries but group_ids has {groups}; give one group id per reward",
            rewards.len()
        )));
    }
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(Error::input(format!(
            "epsilon is {epsilon}; it must be finite and not negative"
        )));
    }
    match rewards.iter().position(|reward| reward.abs() > LARGEST) {
        Some(index) => Err(Error::input(format!(
            "{name}[{index}] is {}, beyond 1e30; use NaN for a completion without a reward",
            rewards[index]
        ))),
        None => Ok(()),
    }
}

/// `(value - mean) / (std + epsilon)` over everything that is not NaN; 0 for NaN and when there is no spread.
fn whitened(values: &[f64], epsilon: f64) -> Vec<f64> {
    let moment = Moments::of(values.iter().copied());
    if moment.is_flat() {
        return vec![0.0; values.len()];
    }
    // Values that are centred by group have a mean of zero up to rounding; take it as zero so that a group without
    // signal stays at exactly zero.
    let noise = NOISE * moment.largest();
    let mean = if moment.mean.abs() <= noise {
        0.0
    } else {
        moment.mean
    };
    let scale = moment.std() + epsilon;
    let white = |&value: &f64| {
        if value.is_nan() {
            0.0
        } else {
            (value - mean) / scale
        }
    };
    values.iter().map(white).collect()
}

fn to_f32(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}

/// Count, mean and squared deviations of the values that are not NaN.
#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
    low: f64,
    high: f64,
}

impl Moments {
    const EMPTY: Self = Self {
        count: 0.0,
        mean: 0.0,
        squares: 0.0,
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
    };

    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let mut moment = Self::EMPTY;
        values.clone().for_each(|value| moment.add(value));
        moment.settle_mean();
        values.for_each(|value| moment.add_square(value));
        moment
    }

    /// First pass; `mean` holds the sum until [`settle_mean`](Self::settle_mean).
    fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.count += 1.0;
            self.mean += value;
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
    }

    fn settle_mean(&mut self) {
        if self.count > 0.0 {
            self.mean /= self.count;
        }
    }

    /// Second pass.
    fn add_square(&mut self, value: f64) {
        if !value.is_nan() {
            self.squares += (value - self.mean) * (value - self.mean);
        }
    }

    fn largest(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// One value, or values that differ by no more than rounding: nothing to learn from.
    fn is_flat(&self) -> bool {
        self.count < 2.0 || self.squares == 0.0 || self.high - self.low <= NOISE * self.largest()
    }

    fn std(&self) -> f64 {
        (self.squares / (self.count - 1.0)).sqrt()
    }
}

/// Which group each item belongs to, as dense numbers in order of first appearance.
struct Groups {
    of: Vec<u32>,
    count: usize,
}

impl Groups {
    fn new(ids: &[i64]) -> Self {
        let mut dense: FxHashMap<i64, u32> = FxHashMap::default();
        let mut of: Vec<u32> = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            // Groups nearly always lie together; a run costs no look-up.
            let group = match index.checked_sub(1) {
                Some(previous) if ids[previous] == *id => of[previous],
                _ => {
                    let next = dense.len() as u32;
                    *dense.entry(*id).or_insert(next)
                }
            };
            of.push(group);
        }
        Self {
            of,
            count: dense.len(),
        }
    }

    fn moments(&self, values: &[f64]) -> Vec<Moments> {
        let mut moments = vec![Moments::EMPTY; self.count];
        for (&value, &group) in values.iter().zip(&self.of) {
            moments[group as usize].add(value);
        }
        moments.iter_mut().for_each(Moments::settle_mean);
        for (&value, &group) in values.iter().zip(&self.of) {
            moments[group as usize].add_square(value);
        }
        moments
    }
}

#[cfg(test)]
mod tests;
