//! Items whose right result is known without a scorer.

use assay_core::spec::RewardSpec;
use serde::Deserialize;
use serde_json::json;

use crate::pb;
use crate::pb::item::Completion;

/// What is scored: accuracy, and half a point for the format.
const SPEC: &str = r#"{"accuracy": 1.0, "format": 0.5}"#;
/// Tokens of a long completion.
const LONG: usize = 4096;
/// What long completions think with: each word with the space before it is one token.
const WORDS: [&str; 16] = [
    " so", " we", " take", " the", " sum", " of", " both", " sides", " and", " then", " add",
    " one", " more", " term", " to", " it",
];
/// The ids below are bytes.
const FIRST_WORD: u32 = 256;

/// The sort of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One line of text.
    #[default]
    Short,
    /// 4,096 tokens, sent as text.
    LongText,
    /// 4,096 tokens, sent as ids.
    LongTokens,
}

impl Kind {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::LongText => "long-text",
            Self::LongTokens => "long-tokens",
        }
    }
}

/// One completion, its reference, and what they are worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) completion: Text,
    pub(crate) reference: Option<String>,
    pub(crate) expected: Expected,
}

/// A completion in the form of its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Plain(String),
    Tokens(Vec<u32>),
}

/// The only right result of an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    /// `None`: the reference is missing, so there is no number.
    pub(crate) total: Option<f64>,
    pub(crate) answer: Option<String>,
}

/// Makes items by number: the same number gives the same item, and no two items have the same right result.
pub(crate) struct Workload {
    kind: Kind,
    thoughts: String,
    thought_ids: Vec<u32>,
    tokenizer: Vec<u8>,
}

impl Workload {
    pub(crate) fn new(kind: Kind) -> Self {
        let count = if kind == Kind::Short { 0 } else { LONG };
        // A fixed sequence without a period that a cache or a repetition check could like.
        let mut state = 1_u32;
        let picks: Vec<usize> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as usize
        })
        .take(count)
        .collect();
        Self {
            kind,
            thoughts: picks.iter().map(|&pick| WORDS[pick]).collect(),
            thought_ids: picks.iter().map(|&pick| FIRST_WORD + pick as u32).collect(),
            tokenizer: if kind == Kind::LongTokens {
                tokenizer_json()
            } else {
                Vec::new()
            },
        }
    }

    /// The spec of every request.
    pub(crate) fn spec() -> RewardSpec {
        RewardSpec::from_json(SPEC).expect("the spec of the load generator is valid")
    }

    /// The `tokenizer.json` of token ids; empty when none are sent.
    pub(crate) fn tokenizer(&self) -> &[u8] {
        &self.tokenizer
    }

    /// Item number `n`. Eight shapes take turns, so that a result under the wrong item is a wrong result.
    pub(crate) fn item(&self, n: u64) -> Made {
        let number = n.to_string();
        let other = (n + 1).to_string();
        let half = format!("{n}.5");
        let tagged = |answer: &str| format!("</think><answer>{answer}</answer>");
        let (ending, reference, total, answer) = match n % 8 {
            1 => (tagged(&other), Some(number), Some(0.5), Some(other)),
            2 => (
                format!("</think>The answer is {number}."),
                Some(number.clone()),
                Some(1.0),
                Some(number),
            ),
            3 => (
                tagged(&half),
                Some(format!("\\frac{{{}}}{{2}}", 2 * n + 1)),
                Some(1.5),
                Some(half),
            ),
            4 => (
                format!("</think>\\boxed{{{number}}}"),
                Some(number.clone()),
                Some(1.0),
                Some(number),
            ),
            5 => (tagged(&number), None, None, None),
            6 => (
                format!(" and {number}, but never an end"),
                Some(number),
                Some(0.0),
                None,
            ),
            _ => (
                tagged(&number),
                Some(number.clone()),
                Some(1.5),
                Some(number),
            ),
        };
        Made {
            completion: self.completion(&ending),
            reference,
            expected: Expected { total, answer },
        }
    }

    fn completion(&self, ending: &str) -> Text {
        let beginning = "<think>It is";
        if self.kind != Kind::LongTokens {
            return Text::Plain([beginning, &self.thoughts, ending].concat());
        }
        let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        let written = bytes(beginning).len() + ending.len();
        let thoughts = &self.thought_ids[..LONG.saturating_sub(written)];
        Text::Tokens([&bytes(beginning), thoughts, &bytes(ending)].concat())
    }

    /// Items `first..first + count` as a request; their numbers are their ids.
    pub(crate) fn request(
        &self,
        first: u64,
        count: usize,
        head: &pb::ScoreRequest,
    ) -> pb::ScoreRequest {
        let item = |n: u64| {
            let made = self.item(n);
            pb::Item {
                id: n.to_string(),
                completion: Some(match made.completion {
                    Text::Plain(text) => Completion::Text(text),
                    Text::Tokens(ids) => Completion::TokenIds(
                        ids.iter()
                            .flat_map(|id| id.to_le_bytes())
                            .collect::<Vec<_>>()
                            .into(),
                    ),
                }),
                reference: made.reference,
                ..pb::Item::default()
            }
        };
        pb::ScoreRequest {
            request_id: format!("load-{first}"),
            items: (first..first + count as u64).map(item).collect(),
            ..head.clone()
        }
    }
}

/// A byte-level tokenizer: a token for each byte, its value the id, and one for each of [`WORDS`].
fn tokenizer_json() -> Vec<u8> {
    let mut vocabulary = serde_json::Map::new();
    // The printable stand-ins of byte-level BPE: bytes that print stand for themselves, the others for what follows 255.
    let mut unprintable = 256;
    let mut stand_in = |byte: u32| {
        if matches!(byte, 33..=126 | 161..=172 | 174..=255) {
            return char::from_u32(byte);
        }
        unprintable += 1;
        char::from_u32(unprintable - 1)
    };
    let letters: Vec<char> = (0..256).filter_map(&mut stand_in).collect();
    for (id, letter) in letters.iter().enumerate() {
        vocabulary.insert(letter.to_string(), json!(id));
    }
    for (place, word) in WORDS.iter().enumerate() {
        let written: String = word
            .bytes()
            .map(|byte| letters[usize::from(byte)])
            .collect();
        vocabulary.insert(written, json!(FIRST_WORD as usize + place));
    }
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [],
        },
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use assay_core::score::{Item, Scorer, Status};

    use super::*;

    fn core(workload: &Workload) -> Scorer {
        let scorer = Scorer::new(Workload::spec()).unwrap();
        match workload.tokenizer() {
            [] => scorer,
            json => scorer.with_tokenizer(json).unwrap(),
        }
    }

    #[test]
    fn the_core_finds_every_item_worth_what_it_says() {
        for kind in [Kind::Short, Kind::LongText, Kind::LongTokens] {
            let workload = Workload::new(kind);
            let core = core(&workload);
            for n in (0..24).chain([1_000_003, 9_999_999_998]) {
                let made = workload.item(n);
                let reference = made.reference.as_deref();
                let scores = match &made.completion {
                    Text::Plain(completion) => core.score(&[Item {
                        completion,
                        reference,
                        prompt: None,
                    }]),
                    Text::Tokens(ids) => {
                        assert_eq!(ids.len(), LONG);
                        core.score_tokens(ids, &[0, ids.len() as i64], &[reference])
                    }
                }
                .unwrap();
                let total = (scores.status[0] == Status::Scored).then_some(scores.total[0]);
                let found = Expected {
                    total,
                    answer: scores.answers[0].clone(),
                };
                assert_eq!(found, made.expected, "{kind:?} {n} {:?}", scores.reasons);
                let missing = scores.status[0] == Status::InvalidReference;
                assert_eq!(missing, made.expected.total.is_none());
            }
        }
    }
}
