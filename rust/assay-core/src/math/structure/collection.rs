//! Sets and lists: the same items in any order.

use rustc_hash::FxHashMap;

use super::compare::different;
use super::form::{Form, Repeats};
use crate::math::arena::{Built, Id};
use crate::math::decide::{Comparison, all};
use crate::math::{Outcome, Stage, Verdict};

impl Comparison<'_> {
    pub(super) fn unordered(
        &mut self,
        gold: &[Form],
        answer: &[Form],
        repeats: Repeats,
    ) -> Verdict {
        if repeats == Repeats::Counted && gold.len() != answer.len() {
            return different("a different number of items");
        }
        if let Some(verdict) = self.by_node(gold, answer, repeats) {
            return verdict;
        }
        match repeats {
            Repeats::Counted => self.matched(gold, answer),
            Repeats::Ignored => {
                let forward = self.each_in(gold, answer);
                if forward.outcome == Outcome::Different {
                    return forward;
                }
                all(forward, self.each_in(answer, gold))
            }
        }
    }

    /// Scalars whose nodes match one to one need no comparing.
    fn by_node(&mut self, gold: &[Form], answer: &[Form], repeats: Repeats) -> Option<Verdict> {
        let mut counts: FxHashMap<Id, i64> = FxHashMap::default();
        for (forms, step) in [(gold, 1), (answer, -1)] {
            for form in forms {
                let Form::Scalar(expr) = form else {
                    return None;
                };
                let Ok(Built::Scalar(id)) = self.arena.build(expr) else {
                    return None;
                };
                *counts.entry(id).or_insert(0) += match (repeats, step) {
                    (Repeats::Counted, step) => step,
                    // One bit for each side.
                    (Repeats::Ignored, 1) => {
                        i64::from(counts.get(&id).is_none_or(|seen| seen & 1 == 0))
                    }
                    (Repeats::Ignored, _) => {
                        2 * i64::from(counts.get(&id).is_none_or(|seen| seen & 2 == 0))
                    }
                };
            }
        }
        let matched = counts
            .values()
            .all(|&count| count == if repeats == Repeats::Counted { 0 } else { 3 });
        if matched {
            return Some(Verdict::new(
                Outcome::Equal,
                Stage::Structure,
                "the same items",
            ));
        }
        // Plain numbers that do not match differ, unless a tolerance is at work.
        let exact = gold.iter().chain(answer).all(is_exact_number);
        exact.then(|| different("different items"))
    }

    /// Each item of `left` is in `right`.
    fn each_in(&mut self, left: &[Form], right: &[Form]) -> Verdict {
        let mut verdict = Verdict::new(Outcome::Equal, Stage::Structure, "the same items");
        for item in left {
            let mut found = different("an item is missing");
            for other in right {
                let this = self.forms_against(item, other);
                match this.outcome {
                    Outcome::Equal => {
                        found = this;
                        break;
                    }
                    Outcome::Undecided => found = this,
                    Outcome::Different => {}
                }
            }
            verdict = all(verdict, found);
            if verdict.outcome == Outcome::Different {
                break;
            }
        }
        verdict
    }

    /// One to one. Equality is transitive, so the first match will do.
    fn matched(&mut self, gold: &[Form], answer: &[Form]) -> Verdict {
        let mut left: Vec<&Form> = answer.iter().collect();
        let mut verdict = Verdict::new(Outcome::Equal, Stage::Structure, "the same items");
        for item in gold {
            let mut found = None;
            let mut open = None;
            for (index, other) in left.iter().enumerate() {
                let this = self.forms_against(item, other);
                match this.outcome {
                    Outcome::Equal => {
                        found = Some((index, this));
                        break;
                    }
                    Outcome::Undecided => open = Some(this),
                    Outcome::Different => {}
                }
            }
            match (found, open) {
                (Some((index, this)), _) => {
                    left.swap_remove(index);
                    verdict = all(verdict, this);
                }
                (None, Some(open)) => verdict = all(verdict, open),
                (None, None) => return different("an item is missing"),
            }
        }
        verdict
    }
}

/// A number that no decimal tolerance applies to.
fn is_exact_number(form: &Form) -> bool {
    use crate::math::ast::{Expr, Number, Written};
    match form {
        Form::Scalar(Expr::Number(Number { written, .. })) => {
            !matches!(written, Written::Decimal { .. })
        }
        Form::Scalar(Expr::Neg(inner)) => {
            matches!(&**inner, Expr::Number(Number { written, .. }) if !matches!(written, Written::Decimal { .. }))
        }
        _ => false,
    }
}
