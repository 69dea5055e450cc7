//! Sets and lists: the same items in any order.

use rustc_hash::FxHashMap;

use super::compare::different;
use super::form::{Form, Repeats};
use crate::math::arena::{Built, Id};
use crate::math::ast::{Expr, Written};
use crate::math::decide::{Comparison, all, approximations};
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

    /// Scalars by their nodes, and what is left of them by their values in `f64`.
    fn by_node(&mut self, gold: &[Form], answer: &[Form], repeats: Repeats) -> Option<Verdict> {
        let (left, right) = (self.nodes_of(gold)?, self.nodes_of(answer)?);
        let mut counts: FxHashMap<Id, (usize, usize)> = FxHashMap::default();
        for &id in &left {
            counts.entry(id).or_default().0 += 1;
        }
        for &id in &right {
            counts.entry(id).or_default().1 += 1;
        }
        let is_matched = |&(a, b): &(usize, usize)| {
            if repeats == Repeats::Counted {
                a == b
            } else {
                (a > 0) == (b > 0)
            }
        };
        if counts.values().all(is_matched) {
            return Some(Verdict::new(
                Outcome::Equal,
                Stage::Structure,
                "the same items",
            ));
        }
        if gold.iter().chain(answer).any(may_be_tolerant) {
            return None;
        }
        // An item that no item of the other side comes near settles it.
        let unmatched = |ids: &[Id]| -> Vec<Id> {
            ids.iter()
                .copied()
                .filter(|id| counts.get(id).is_none_or(|count| !is_matched(count)))
                .collect()
        };
        let values = |this: &Self, ids: &[Id]| approximations(&this.arena, ids).ok();
        let (near, far) = (unmatched(&left), unmatched(&right));
        let (a, b) = (values(self, &near)?, values(self, &far)?);
        let others = if repeats == Repeats::Counted {
            b
        } else {
            values(self, &right)?
        };
        let alone = a.iter().flatten().any(|value| {
            others
                .iter()
                .all(|other| other.as_ref().is_some_and(|other| value.is_disjoint(other)))
        });
        self.arena
            .fuel
            .spend(4 * (a.len() * others.len()) as u64)
            .ok()?;
        alone.then(|| different("an item is missing"))
    }

    fn nodes_of(&mut self, forms: &[Form]) -> Option<Vec<Id>> {
        let mut ids = Vec::with_capacity(forms.len());
        for form in forms {
            let Form::Scalar(expr) = form else {
                return None;
            };
            let Ok(Built::Scalar(id)) = self.arena.build(expr) else {
                return None;
            };
            ids.push(id);
        }
        Some(ids)
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

/// Whether a decimal tolerance may apply, or a sign that stands for a unit.
fn may_be_tolerant(form: &Form) -> bool {
    match form {
        Form::Scalar(Expr::Number(number)) => matches!(number.written, Written::Decimal { .. }),
        Form::Scalar(
            Expr::Symbol(_) | Expr::Constant(_) | Expr::Call(..) | Expr::Div(..) | Expr::Pow(..),
        ) => false,
        Form::Scalar(Expr::Neg(inner)) => match &**inner {
            Expr::Number(number) => matches!(number.written, Written::Decimal { .. }),
            Expr::Mul(_) | Expr::Percent(_) | Expr::Degrees(_) | Expr::Neg(_) => true,
            _ => false,
        },
        _ => true,
    }
}
