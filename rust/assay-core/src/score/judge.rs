//! One item, component by component.

use std::num::NonZeroUsize;

use super::golds::{Against, BatchGolds};
use super::outside::{Given, from_outside};
use super::view::View;
use super::watch::Timer;
use super::{MAX_ANSWER_BYTES, Scorer, Status};
use crate::math::Outcome;
use crate::spec::{
    Accuracy, ComponentKind, Language, Length, OnUndecided, Part, Repetition, RepetitionUnit,
};
use crate::text;
use crate::{Error, ErrorKind, Result};

/// What one item leaves in the columns of [`Scores`](super::Scores), component values aside.
pub(super) struct Row {
    pub(super) total: f64,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) answer: Option<String>,
}

/// What is known of one item beside its completion.
pub(super) struct Known<'a> {
    pub(super) index: usize,
    pub(super) golds: &'a BatchGolds<'a>,
    /// For each component that is computed outside, in order; shorter where nothing was given.
    pub(super) given: &'a [Given],
    pub(super) timer: Timer<'a>,
}

/// A component's value, or the status that takes its place.
type Value = std::result::Result<f64, Status>;

/// The result of one accuracy component.
struct Accurate {
    value: Value,
    /// Why the value is not 1.
    reason: Option<String>,
    answer: Option<String>,
    /// What the comparison spent.
    fuel: u64,
}

impl Accurate {
    fn new(value: Value, reason: &str, answer: Option<String>) -> Self {
        Self {
            value,
            reason: Some(reason.to_owned()),
            answer,
            fuel: 0,
        }
    }
}

impl Scorer {
    /// Fills `values`, one per component and NaN before, and sums them.
    ///
    /// The reason is that of the first component that keeps the item from having a number, else the first one of an
    /// accuracy component.
    pub(super) fn judge(
        &self,
        view: &View<'_>,
        known: &Known<'_>,
        values: &mut [f64],
    ) -> Result<Row> {
        let mut row = Row {
            total: f64::NAN,
            status: Status::Scored,
            reason: None,
            answer: None,
        };
        if let Some(reason) = view.over_limit() {
            row.status = Status::Limit;
            row.reason = Some(reason.to_owned());
            return Ok(row);
        }
        let mut statuses = Statuses::default();
        // Accuracy first: a cosine length may stand before the accuracy it goes by.
        for (place, component) in self.spec.components.iter().enumerate() {
            let ComponentKind::Accuracy(options) = &component.kind else {
                continue;
            };
            let gold = known.golds.get(known.index, self.comparison_of[place]);
            let accurate = known
                .timer
                .time(place, || self.accuracy(view, options, gold))?;
            known.timer.fuel(place, accurate.fuel);
            values[place] = accurate.value.unwrap_or(f64::NAN);
            if statuses.first_accuracy.is_none() {
                statuses.first_accuracy = Some(accurate.value);
                row.answer = accurate.answer;
            }
            if component.weight != 0.0 {
                statuses.note(place, accurate.value, accurate.reason.as_deref());
            }
            row.reason = row.reason.or(accurate.reason);
        }
        let mut given = known.given.iter();
        for (place, component) in self.spec.components.iter().enumerate() {
            if component.kind.is_outside() {
                let (value, reason) = from_outside(&component.kind, given.next());
                values[place] = value.unwrap_or(f64::NAN);
                if component.weight != 0.0 {
                    statuses.note(place, value, reason.as_deref());
                }
                continue;
            }
            if matches!(component.kind, ComponentKind::Accuracy(_)) {
                continue;
            }
            let work = || other(view, &component.kind, statuses.first_accuracy);
            if let Some(value) = known.timer.time(place, work)? {
                values[place] = value.unwrap_or(f64::NAN);
                if component.weight != 0.0 {
                    statuses.note(place, value, None);
                }
            }
        }
        match statuses.missing {
            None => row.total = self.total(values),
            Some((_, status, reason)) => {
                row.status = status;
                row.reason = reason.or(row.reason);
            }
        }
        Ok(row)
    }

    fn total(&self, values: &[f64]) -> f64 {
        let counted = self
            .spec
            .components
            .iter()
            .zip(values)
            .filter(|(component, _)| component.weight != 0.0);
        counted
            .map(|(component, value)| component.weight * value)
            .fold(0.0, |sum, term| sum + term)
    }

    fn accuracy(
        &self,
        view: &View<'_>,
        options: &Accuracy,
        gold: Option<Against<'_>>,
    ) -> Result<Accurate> {
        let Some(gold) = gold else {
            return Ok(Accurate::new(
                Err(Status::InvalidReference),
                "there is no reference",
                None,
            ));
        };
        if !gold.is_readable() {
            return Ok(Accurate::new(
                Err(Status::InvalidReference),
                "the reference cannot be read",
                None,
            ));
        }
        let answer = match view.extract(options.profile, options.think_in_prompt)? {
            Ok(extraction) => extraction.text,
            Err(no_answer) => return Ok(Accurate::new(Ok(0.0), no_answer.as_str(), None)),
        };
        if answer.len() > MAX_ANSWER_BYTES {
            return Ok(Accurate::new(
                Err(Status::Limit),
                "the answer is longer than 64 KiB",
                None,
            ));
        }
        let (verdict, fuel) = gold.compare(&answer);
        let accurate = match verdict.outcome {
            Outcome::Equal => Accurate {
                value: Ok(1.0),
                reason: None,
                answer: Some(answer),
                fuel,
            },
            Outcome::Different => Accurate::new(Ok(0.0), &verdict.reason, Some(answer)),
            Outcome::Undecided => {
                let value = match self.spec.on_undecided {
                    OnUndecided::None => Err(Status::Undecided),
                    OnUndecided::Zero => Ok(0.0),
                };
                Accurate::new(value, &verdict.reason, Some(answer))
            }
        };
        Ok(Accurate { fuel, ..accurate })
    }
}

/// Every kind but accuracy.
fn other(
    view: &View<'_>,
    kind: &ComponentKind,
    first_accuracy: Option<Value>,
) -> Result<Option<Value>> {
    Ok(Some(match kind {
        ComponentKind::Accuracy(_) | ComponentKind::RewardModel(_) | ComponentKind::Plugin(_) => {
            return Ok(None);
        }
        ComponentKind::Format(options) => Ok(text::format(view.sections(options.think_in_prompt)?)),
        ComponentKind::Tags(options) => Ok(text::tags(view.sections(options.think_in_prompt)?)),
        ComponentKind::Length(Length::SoftOverlong(options)) => {
            let length = view.length(options.unit)?;
            let options = text::SoftOverlong {
                max_length: options.max_length as usize,
                buffer: options.buffer as usize,
            };
            Ok(text::soft_overlong(length, options))
        }
        ComponentKind::Length(Length::Cosine(options)) => match first_accuracy {
            Some(Err(status)) => Err(status),
            accuracy => {
                let length = view.length(options.unit)?;
                let options = text::Cosine {
                    max_length: options.max_length as usize,
                    min_correct: options.min_correct,
                    max_correct: options.max_correct,
                    min_wrong: options.min_wrong,
                    max_wrong: options.max_wrong,
                };
                Ok(text::cosine(length, accuracy == Some(Ok(1.0)), &options))
            }
        },
        ComponentKind::Repetition(options) => Ok(repetition(view, options)?),
        ComponentKind::Language(options) => Ok(language(view, *options)?),
        ComponentKind::Readability(_) => Ok(text::readability(view.text()?)),
    }))
}

/// What the components seen so far say about the item as a whole.
#[derive(Default)]
struct Statuses {
    first_accuracy: Option<Value>,
    /// Place, status and reason of the first component, in the order of the spec, that has a weight but no value.
    missing: Option<(usize, Status, Option<String>)>,
}

impl Statuses {
    fn note(&mut self, place: usize, value: Value, reason: Option<&str>) {
        if let Err(status) = value
            && self
                .missing
                .as_ref()
                .is_none_or(|(first, ..)| place < *first)
        {
            self.missing = Some((place, status, reason.map(str::to_owned)));
        }
    }
}

fn language(view: &View<'_>, options: Language) -> Result<f64> {
    let part = match options.part {
        Part::Thoughts => view.thoughts(options.think_in_prompt)?,
        Part::Completion => view.text()?,
    };
    let Some(target) = options.target else {
        return Err(Error::new(
            ErrorKind::Internal,
            "a language component without a target passed validation",
        ));
    };
    Ok(text::language(part, target))
}

fn repetition(view: &View<'_>, options: &Repetition) -> Result<f64> {
    let settings = text::Repetition {
        ngram: NonZeroUsize::new(options.ngram as usize).unwrap_or(NonZeroUsize::MIN),
        max_penalty: options.max_penalty,
    };
    Ok(match options.unit {
        RepetitionUnit::Words => text::repetition_words(view.text()?, &settings),
        RepetitionUnit::Tokens => text::repetition_tokens(view.ids()?, &settings),
    })
}
