//! Verdicts of parts joined into one.

use std::cmp::Ordering;

use crate::math::{Outcome, Stage, Verdict};

/// Both must hold: one difference is enough to differ.
pub(in crate::math) fn all(a: Verdict, b: Verdict) -> Verdict {
    match (a.outcome, b.outcome) {
        (Outcome::Different, _) => a,
        (_, Outcome::Different) => b,
        (Outcome::Undecided, _) => a,
        (_, Outcome::Undecided) => b,
        (Outcome::Equal, Outcome::Equal) => {
            let probable = a.probable || b.probable;
            let mut later = if rank(a.stage).cmp(&rank(b.stage)) == Ordering::Less {
                b
            } else {
                a
            };
            later.probable = probable;
            later
        }
    }
}

/// The weaker a step's evidence, the higher.
fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::Text => 0,
        Stage::Exact => 1,
        Stage::Structure => 2,
        Stage::Modular => 3,
        Stage::Numeric => 4,
        Stage::Tolerance => 5,
        Stage::Parse => 6,
        Stage::Fuel => 7,
    }
}
