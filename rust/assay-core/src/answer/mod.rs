//! Where the answer stands in a completion.
//!
//! [`extract`] reads text; [`TokenDecoder`] finds the part of a rollout's token ids that has to become text at all.
//! Everything is linear in the input and free of backtracking; nothing here fails: a completion without an answer is
//! [`NoAnswer`], which is data.

mod anchor;
mod boxed;
mod choice;
mod formula;
mod number;
mod peers;
mod r1;
mod sections;
mod tokens;
mod trim;

use std::fmt;
use std::ops::Range;

pub use sections::{Sections, TagCounts, Think, sections};
pub use tokens::{Tail, TokenDecoder};

/// Which rules find the answer. Peers' profiles reproduce what *they* extract, faults included, so that a user can
/// switch without a jump in rewards; what is then done with the extracted text is assay's.
#[non_exhaustive]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// assay's own rules for reasoning models. What stands inside `<think>` never counts, and unclosed thinking is no
    /// answer. Then, in this order: the last `<answer>` block (in it: box, `####`, "answer is", else all of it); the
    /// last balanced `\boxed`, `\fbox` or `\framebox`, or the list of boxes joined by comma, "and" or "or"; `####`;
    /// "answer is", "Answer:", 答案是; an option letter at the end; a completion that is nothing but a short answer; the
    /// last formula or, in a later sentence, the last number. A number inside a formula is never taken, nor one that a
    /// statement denies.
    #[default]
    R1,
    /// math-verify 0.9 with its defaults: an anchored final answer, then boxes (all of them as a set), then LaTeX or a
    /// plain number after "answer", then the last LaTeX or number. Thinking is not stripped.
    MathVerify,
    /// verl's DAPO: in the last 300 characters, the rest of the line after the last `Answer:`.
    Dapo,
    /// verl's `prime_math`: after "answer is" or the last box, then after the last "is", "be", "=", ...
    PrimeMath,
    /// verl's GSM8K, strict: the last `#### number` of the last 300 characters.
    Gsm8kStrict,
    /// verl's GSM8K, flexible: the last number of the last 300 characters.
    Gsm8kFlexible,
    /// hendrycks/math, verl's `math_reward`: the last `\boxed{..}`, `\boxed ..` or `\fbox{..}`.
    Hendrycks,
    /// verifiers' `MathRubric`: the last balanced `\boxed{..}` after `</think>`.
    MathRubric,
    /// TRL's and open-r1's accuracy rewards: boxes (all of them as a set), then LaTeX after "answer". Thinking is not
    /// stripped, so a box inside `<think>` counts.
    Trl,
    /// As [`Profile::Trl`].
    OpenR1,
}

impl Profile {
    /// Every profile, for tests and tools that try them all.
    pub const ALL: [Self; 10] = [
        Self::R1,
        Self::MathVerify,
        Self::Dapo,
        Self::PrimeMath,
        Self::Gsm8kStrict,
        Self::Gsm8kFlexible,
        Self::Hendrycks,
        Self::MathRubric,
        Self::Trl,
        Self::OpenR1,
    ];

    /// Whether only what follows `</think>` matters, so that [`TokenDecoder::tail`] is enough; the other profiles need
    /// [`TokenDecoder::decode`].
    pub fn reads_tail_only(self) -> bool {
        matches!(self, Self::R1 | Self::MathRubric)
    }
}

/// The rule that found an answer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The body of `<answer>`.
    AnswerTag,
    /// `\boxed{..}` or another frame.
    Boxed,
    /// `#### ..`.
    Hashes,
    /// "The answer is ..", "Answer: ..".
    Anchor,
    /// An option letter.
    Choice,
    /// A formula, between delimiters or in plain text.
    Formula,
    /// A number in running text.
    Number,
    /// The completion is the answer.
    Whole,
}

impl Source {
    /// The name in `snake_case`, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnswerTag => "answer_tag",
            Self::Boxed => "boxed",
            Self::Hashes => "hashes",
            Self::Anchor => "anchor",
            Self::Choice => "choice",
            Self::Formula => "formula",
            Self::Number => "number",
            Self::Whole => "whole",
        }
    }
}

/// An answer and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The answer: `completion[span]`, except that several boxes come joined by `, `.
    pub text: String,
    /// Byte offsets into the completion.
    pub span: Range<usize>,
    /// The rule that found it.
    pub source: Source,
}

/// Why a completion has no answer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoAnswer {
    /// `<think>` is never closed.
    ThinkUnclosed,
    /// The completion, what follows `</think>`, the `<answer>` block or the box is empty.
    Empty,
    /// The only box is never closed.
    BoxUnclosed,
    /// The completion says only what the answer is not.
    Denied,
    /// No rule found anything.
    NothingFound,
}

impl NoAnswer {
    /// One short sentence, as reasons of scored items have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ThinkUnclosed => "no answer: think block is not closed",
            Self::Empty => "no answer: nothing where the answer should stand",
            Self::BoxUnclosed => "no answer: box is not closed",
            Self::Denied => "no answer: only what it is not",
            Self::NothingFound => "no answer found",
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The answer of `completion` under `profile`, if there is one.
///
/// ```
/// use assay_core::answer::{extract, Profile, Source};
/// let found = extract(r"<think>\boxed{1}?</think> So \boxed{\frac{1}{2}}.", Profile::R1).unwrap();
/// assert_eq!((found.text.as_str(), found.source), (r"\frac{1}{2}", Source::Boxed));
/// ```
pub fn extract(completion: &str, profile: Profile) -> Option<Extraction> {
    extract_explained(completion, profile).ok()
}

/// As [`extract`], with the reason when there is no answer.
pub fn extract_explained(completion: &str, profile: Profile) -> Result<Extraction, NoAnswer> {
    extract_in(completion, &sections(completion, false), profile)
}

/// As [`extract_explained`], for a completion whose [`Sections`] are known: the ones of [`sections`] with the prompt's
/// `<think>` taken into account, or those of a [`Tail`] with its text.
pub fn extract_in(
    completion: &str,
    sections: &Sections,
    profile: Profile,
) -> Result<Extraction, NoAnswer> {
    match profile {
        Profile::R1 => r1::extract(completion, sections),
        _ => peers::extract(completion, sections, profile),
    }
}
