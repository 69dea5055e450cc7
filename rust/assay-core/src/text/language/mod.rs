//! The share of the chain of thought that is written in the target language.
//!
//! `DeepSeek-R1` adds to its reward "the proportion of target language words in the chain of thought". Published sources
//! do not say how a word gets its language; this is how it does here.
//!
//! * **What counts.** Words of prose. Fenced and inline code, formulas, LaTeX commands with their arguments, numbers,
//!   links and tags do not count; nor do single letters, identifiers (`x_1`, `H2O`), abbreviations in capitals, names
//!   (a capital inside a sentence), and words that are the same everywhere (`sin`, `km`).
//! * **How much.** A word counts 1. In scripts without spaces a run of `n` letters counts as `n / 2` words (Han, kana)
//!   or `n / 5` words (Thai, Lao, Khmer, Myanmar), rounded up.
//! * **Which language.** The script decides where it can. Of Cyrillic and Arabic words, those with a letter that the
//!   target's alphabet lacks belong to another language. Han belongs to Japanese in a clause that has kana, and
//!   in a short clause after one that has; else to Chinese. Words in Latin script are judged by the clause:
//!   function words, endings and letters of 28 languages vote, and the clauses before have half a vote. A clause that
//!   says nothing either way does not count; a long one without a single vote for the target is foreign.
//!
//! Close relatives (Danish and Norwegian, Czech and Slovak, Croatian and Slovenian) share most votes, and a tie goes to
//! the target: the reward is against mixing, it is no dialectology.

mod clause;
mod tables;
mod words;

use std::ops::Range;

use unicode_script::Script;

use clause::{Clause, Context};
use words::{Piece, Pieces};

macro_rules! languages {
    ($($variant:ident $code:literal $script:ident $name:literal,)*) => {
        /// A language that prose can be checked for, named by its ISO 639-1 code (Filipino: `tl`).
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Language {
            $(#[doc = $name] $variant,)*
        }

        impl Language {
            /// Every language.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code: `en`.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The English name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn script(self) -> Script {
                match self {
                    $(Self::$variant => Script::$script,)*
                }
            }
        }
    };
}

// The Latin ones come first: their places are their bits in `clause`.
languages! {
    En "en" Latin "English",
    Es "es" Latin "Spanish",
    Fr "fr" Latin "French",
    De "de" Latin "German",
    It "it" Latin "Italian",
    Pt "pt" Latin "Portuguese",
    Nl "nl" Latin "Dutch",
    Sv "sv" Latin "Swedish",
    Da "da" Latin "Danish",
    No "no" Latin "Norwegian",
    Fi "fi" Latin "Finnish",
    Pl "pl" Latin "Polish",
    Cs "cs" Latin "Czech",
    Sk "sk" Latin "Slovak",
    Hu "hu" Latin "Hungarian",
    Ro "ro" Latin "Romanian",
    Hr "hr" Latin "Croatian",
    Sl "sl" Latin "Slovenian",
    Tr "tr" Latin "Turkish",
    Vi "vi" Latin "Vietnamese",
    Id "id" Latin "Indonesian",
    Tl "tl" Latin "Filipino",
    Sw "sw" Latin "Swahili",
    Et "et" Latin "Estonian",
    Lv "lv" Latin "Latvian",
    Lt "lt" Latin "Lithuanian",
    Ca "ca" Latin "Catalan",
    Sq "sq" Latin "Albanian",
    Zh "zh" Han "Chinese",
    Ja "ja" Hiragana "Japanese",
    Ko "ko" Hangul "Korean",
    Ru "ru" Cyrillic "Russian",
    Uk "uk" Cyrillic "Ukrainian",
    Be "be" Cyrillic "Belarusian",
    Bg "bg" Cyrillic "Bulgarian",
    Sr "sr" Cyrillic "Serbian",
    Mk "mk" Cyrillic "Macedonian",
    Kk "kk" Cyrillic "Kazakh",
    Mn "mn" Cyrillic "Mongolian",
    Ar "ar" Arabic "Arabic",
    Fa "fa" Arabic "Persian",
    Ur "ur" Arabic "Urdu",
    Hi "hi" Devanagari "Hindi",
    Mr "mr" Devanagari "Marathi",
    Ne "ne" Devanagari "Nepali",
    Bn "bn" Bengali "Bengali",
    Pa "pa" Gurmukhi "Punjabi",
    Gu "gu" Gujarati "Gujarati",
    Ta "ta" Tamil "Tamil",
    Te "te" Telugu "Telugu",
    Kn "kn" Kannada "Kannada",
    Ml "ml" Malayalam "Malayalam",
    Si "si" Sinhala "Sinhala",
    Th "th" Thai "Thai",
    Lo "lo" Lao "Lao",
    Km "km" Khmer "Khmer",
    My "my" Myanmar "Burmese",
    Ka "ka" Georgian "Georgian",
    Hy "hy" Armenian "Armenian",
    El "el" Greek "Greek",
    He "he" Hebrew "Hebrew",
    Am "am" Ethiopic "Amharic",
}

/// A stretch of prose in another language than the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixed {
    /// From its first to its last word, in bytes.
    pub span: Range<usize>,
    /// Which language it is, where that is known.
    pub language: Option<Language>,
    /// How many words it counts.
    pub words: u64,
}

/// How a text is mixed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mixing {
    /// Words of the target language.
    pub target: u64,
    /// Words of other languages.
    pub other: u64,
    /// The stretches of other languages in order, neighbours of one language joined, the first 1,000.
    pub spans: Vec<Mixed>,
}

impl Mixing {
    /// `target / (target + other)`, in `[0, 1]`. 1 for a text without words: nothing is mixed there.
    pub fn share(&self) -> f64 {
        match self.target + self.other {
            0 => 1.0,
            all => self.target as f64 / all as f64,
        }
    }
}

/// How many stretches a report lists.
const MOST_SPANS: usize = 1_000;

/// The share of `text`'s words that are of the `target` language, in `[0, 1]`; 1 for a text without words.
///
/// One pass; memory does not grow with the text.
///
/// ```
/// use assay_core::text::{language, Language};
/// assert_eq!(language("First we add the two numbers: $a+b$.", Language::En), 1.0);
/// assert!(language("First we add 两个数字 and 然后 we stop.", Language::En) < 0.8);
/// ```
pub fn language(text: &str, target: Language) -> f64 {
    let mut mixing = Mixing::default();
    classify(text, target, |span| match span {
        Stretch::Target(words) => mixing.target += words,
        Stretch::Other(other) => mixing.other += other.words,
    });
    mixing.share()
}

/// As [`language`], with the stretches that are not of the target language.
pub fn mixing(text: &str, target: Language) -> Mixing {
    let mut mixing = Mixing::default();
    // Whether words of the target came since the last stretch of another language.
    let mut parted = true;
    classify(text, target, |span| match span {
        Stretch::Target(words) => {
            mixing.target += words;
            parted |= words > 0;
        }
        Stretch::Other(other) => {
            mixing.other += other.words;
            let full = mixing.spans.len() >= MOST_SPANS;
            match mixing.spans.last_mut() {
                Some(last) if !parted && last.language == other.language => {
                    last.span.end = other.span.end;
                    last.words += other.words;
                }
                _ if full => {}
                _ => mixing.spans.push(other),
            }
            parted = false;
        }
    });
    mixing
}

/// What a clause contributes.
enum Stretch {
    Target(u64),
    Other(Mixed),
}

fn classify(text: &str, target: Language, mut each: impl FnMut(Stretch)) {
    let mut clause = Clause::default();
    let mut context = Context::default();
    for piece in Pieces::new(text) {
        let full = match piece {
            Piece::Word(word) => {
                clause.add(text, &word);
                clause.is_full()
            }
            Piece::Clause => true,
        };
        if full {
            clause.settle(text, target, &mut context, &mut each);
        }
    }
    clause.settle(text, target, &mut context, &mut each);
}

#[cfg(test)]
mod tests;
