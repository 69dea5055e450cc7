//! Options of the components whose values come from outside: `reward_model` and `plugin`.

use serde::{Deserialize, Serialize};

/// Options of `reward_model`: the scalar of a reward model, or the grade of a judge, behind an endpoint.
///
/// The spec names the endpoint; where it is, its key and its time-outs belong to whoever runs the scorer or the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RewardModel {
    /// The name of a configured endpoint: 1 to 64 letters, digits, `_`, `-` or `.`; required.
    pub endpoint: String,
    /// A classifier's output, or a judge's grade.
    pub mode: RewardModelMode,
    /// What of the completion is shown to it.
    pub input: Input,
    /// The prompt already ended in `<think>`, so that the completion starts with thoughts.
    pub think_in_prompt: bool,
    /// What is sent, with the placeholders `{prompt}`, `{completion}` and `{reference}`. Default for `classify`:
    /// `{prompt}{completion}`; for `judge`: [`RewardModel::JUDGE_TEMPLATE`].
    pub template: Option<String>,
    /// `judge`: what the system message says; none by default.
    pub system: Option<String>,
    /// `classify`: which output counts; needed where the model has several.
    pub class: Option<u64>,
    /// `judge`: the worst grade, worth 0. Default 1.
    pub low: f64,
    /// `judge`: the best grade, worth 1. Default 10.
    pub high: f64,
    /// `judge`: most tokens of its reply. Default 512.
    pub max_tokens: u64,
    /// The value of a completion in which `input` is empty; by default the model is asked about the empty text.
    pub missing: Option<f64>,
}

impl Default for RewardModel {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            mode: RewardModelMode::default(),
            input: Input::default(),
            think_in_prompt: false,
            template: None,
            system: None,
            class: None,
            low: 1.0,
            high: 10.0,
            max_tokens: 512,
            missing: None,
        }
    }
}

impl RewardModel {
    /// What a judge is asked when the spec has no template.
    pub const JUDGE_TEMPLATE: &'static str = "Grade the response to the request below.\n\n\
        [Request]\n{prompt}\n\n[Response]\n{completion}\n\n\
        Judge how helpful, correct and clear it is. End your reply with one line `Score: N`, where N is a number from {low} \
        (worst) to {high} (best).";

    /// The placeholders of a template.
    pub const PLACEHOLDERS: [&'static str; 5] =
        ["{prompt}", "{completion}", "{reference}", "{low}", "{high}"];

    /// The template, or the default of the mode.
    pub fn template(&self) -> &str {
        match (&self.template, self.mode) {
            (Some(template), _) => template,
            (None, RewardModelMode::Classify) => "{prompt}{completion}",
            (None, RewardModelMode::Judge) => Self::JUDGE_TEMPLATE,
        }
    }
}

/// How a reward model gives its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardModelMode {
    /// The output of a sequence classifier, as it is.
    #[default]
    Classify,
    /// The number in the reply of a chat model, scaled to `[0, 1]`.
    Judge,
}

/// What of a completion a reward model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Everything, thoughts included: what a harmlessness reward looks at.
    #[default]
    Response,
    /// What follows the thoughts; all of a completion that has no think tags, nothing of one that never stops thinking.
    /// What a helpfulness reward looks at.
    Summary,
    /// The body of the last `<answer>` block after the thoughts; without one, as `summary`.
    Answer,
}

/// Options of `plugin`: the value that a user's function gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugin {
    /// The name of a configured function: 1 to 64 letters, digits, `_`, `-` or `.`; required.
    pub function: String,
}
