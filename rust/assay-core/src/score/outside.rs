//! Components that the core cannot compute: what they ask about a completion, and what becomes of the answers.

use super::view::View;
use super::{Scorer, Status};
use crate::answer::Think;
use crate::spec::{Component, ComponentKind, Input};
use crate::{Error, Result};

/// Values beyond it are no reward: no total may overflow.
const LARGEST: f64 = 1e9;

/// The value that was found out elsewhere, or one sentence saying why there is none.
pub type Given = std::result::Result<f64, String>;

/// A completion in either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion<'a> {
    /// As text.
    Text(&'a str),
    /// As token ids; reading them takes the scorer's tokenizer.
    Tokens(&'a [u32]),
}

/// What one component has to be told about one completion.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The value of this text.
    About(String),
    /// Nothing: the spec says the value itself.
    Value(f64),
    /// Nothing: the completion is too long to be scored.
    Nothing,
}

impl Scorer {
    /// The components whose values come from outside, in the order of the spec.
    pub fn outside(&self) -> impl Iterator<Item = &Component> {
        self.spec
            .components
            .iter()
            .filter(|component| component.kind.is_outside())
    }

    /// What each of the [`outside`](Self::outside) components has to be told about a completion, in their order.
    ///
    /// ```
    /// use assay_core::score::{Ask, Completion, Item, Scorer, Status};
    /// use assay_core::spec::RewardSpec;
    /// let spec = r#"{"component": [{"kind": "reward_model", "endpoint": "helpful", "input": "summary"}]}"#;
    /// let scorer = Scorer::new(RewardSpec::from_json(spec)?)?;
    /// let completion = "<think>Hm.</think>Hello!";
    /// let asks = scorer.asks(Completion::Text(completion))?;
    /// assert_eq!(asks, [Ask::About("Hello!".to_owned())]);
    /// let items = [Item { completion, ..Item::default() }];
    /// let scores = scorer.score_with(&items, &[vec![Ok(0.75)]])?;
    /// assert_eq!(scores.total, [0.75]);
    /// assert_eq!(scorer.score(&items)?.status, [Status::Unavailable]);
    /// # Ok::<(), assay_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidSpec` for token ids without a tokenizer; `InvalidInput` for an id that is not in the vocabulary.
    pub fn asks(&self, completion: Completion<'_>) -> Result<Vec<Ask>> {
        let view = match completion {
            Completion::Text(text) => View::of_text(text, None),
            Completion::Tokens(ids) => {
                if self.decoder.is_none() {
                    return Err(Error::spec(
                        "the spec reads text: give the scorer the tokenizer.json of the token ids",
                    ));
                }
                View::of_tokens(ids, self.decoder.as_ref())
            }
        };
        let too_long = view.over_limit().is_some();
        let ask = |component: &Component| {
            if too_long {
                return Ok(Ask::Nothing);
            }
            let ComponentKind::RewardModel(options) = &component.kind else {
                return Ok(Ask::About(view.text()?.to_owned()));
            };
            let text = input(&view, options.input, options.think_in_prompt)?;
            Ok(match options.missing {
                Some(value) if text.trim().is_empty() => Ask::Value(value),
                _ => Ask::About(text.to_owned()),
            })
        };
        self.outside().map(ask).collect()
    }
}

/// The part of a completion that is looked at.
fn input<'v>(view: &'v View<'_>, input: Input, think_in_prompt: bool) -> Result<&'v str> {
    let text = view.text()?;
    if input == Input::Response {
        return Ok(text);
    }
    let sections = view.text_sections(text, think_in_prompt)?;
    let summary = if sections.state == Think::Unclosed {
        ""
    } else {
        &text[sections.tail.clone()]
    };
    Ok(match &sections.answer {
        Some(body) if input == Input::Answer => text[body.clone()].trim(),
        _ => summary.trim(),
    })
}

/// A component's value and, without one, the reason.
pub(super) fn from_outside(
    kind: &ComponentKind,
    given: Option<&Given>,
) -> (std::result::Result<f64, Status>, Option<String>) {
    let reason = match (given, kind) {
        (Some(Ok(value)), _) if value.is_finite() && value.abs() <= LARGEST => {
            return (Ok(*value), None);
        }
        (Some(Ok(value)), _) => {
            format!("the value {value} is not a finite number within 1e9")
        }
        (Some(Err(reason)), _) => reason.clone(),
        (None, ComponentKind::RewardModel(options)) => format!(
            "reward model `{0}` is not here: give the scorer its address, as in reward_models={{\"{0}\": \"http://HOST:PORT\"}}, \
             or score on a server that has [reward_model.{0}]",
            options.endpoint
        ),
        (None, ComponentKind::Plugin(options)) => format!(
            "plug-in `{0}` is not here: give the scorer its function, as in plugins={{\"{0}\": \"package.module:function\"}}, \
             or score on a server that has [plugin.{0}]",
            options.function
        ),
        (None, other) => format!("{} is not computed outside", other.as_str()),
    };
    (Err(Status::Unavailable), Some(reason))
}
