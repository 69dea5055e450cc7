//! The language of the words of a clause.

use std::ops::Range;
use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use unicode_script::Script;

use super::words::Word;
use super::{Language, Mixed, Stretch, tables};

/// Number of languages in Latin script; they come first in [`Language`].
const LATIN: usize = tables::WORDS.len();

/// Votes for each language in Latin script.
#[derive(Clone, Debug, Default)]
struct Evidence([f32; LATIN]);

/// What a clause learns from those before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    votes: Evidence,
    /// Whether the last clause with Han or kana had kana.
    kana: Option<bool>,
}

/// Weight of the clauses before against the votes of a clause itself.
const MEMORY: f32 = 0.5;

/// Votes under this are noise: one shared ending.
const FAINT: f32 = 0.2;

/// How far another language must be ahead of the target.
const LEAD: f32 = 0.25;

/// A clause of so many words without a vote for the target is foreign.
const LONG: usize = 8;

/// A clause that goes on without punctuation is judged in parts of so many words.
const FULL: usize = 24;

/// Han letters without kana that still may be a Japanese compound.
const COMPOUND: usize = 8;

/// Weight of an ending and of a letter against that of a function word.
const ENDING: f32 = 0.4;
const LETTER: f32 = 0.6;

/// Words longer than this are counted but not looked up.
const LONGEST: usize = 64;

/// Sets of languages as bits.
struct Tables {
    words: FxHashMap<&'static str, u32>,
    endings: FxHashMap<&'static str, u32>,
    letters: FxHashMap<char, u32>,
    neutral: FxHashSet<&'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables {
        words: FxHashMap::default(),
        endings: FxHashMap::default(),
        letters: FxHashMap::default(),
        neutral: tables::NEUTRAL.split_whitespace().collect(),
    };
    let bit = |language: Language| 1_u32 << language as u32;
    for (language, words) in tables::WORDS {
        for word in words.split_whitespace() {
            *tables.words.entry(word).or_default() |= bit(language);
        }
    }
    for (language, endings) in tables::ENDINGS {
        for ending in endings.split_whitespace() {
            *tables.endings.entry(ending).or_default() |= bit(language);
        }
    }
    for (letters, languages) in tables::LETTERS {
        for letter in letters.chars() {
            for &language in languages {
                *tables.letters.entry(letter).or_default() |= bit(language);
            }
        }
    }
    tables
});

impl Evidence {
    /// Splits `weight` among the languages of `set`.
    fn vote(&mut self, set: u32, weight: f32) {
        let share = weight / set.count_ones().max(1) as f32;
        for (language, votes) in self.0.iter_mut().enumerate() {
            if set >> language & 1 == 1 {
                *votes += share;
            }
        }
    }

    /// What the lower-case `word` says.
    fn read(&mut self, word: &str, letters: usize) {
        let tables = &*TABLES;
        if let Some(&set) = tables.words.get(word) {
            self.vote(set, 1.0);
        } else if letters >= 5 {
            let starts = word.char_indices().rev().map(|(at, _)| at).take(6).skip(1);
            for start in starts {
                if let Some(&set) = tables.endings.get(&word[start..]) {
                    self.vote(set, ENDING);
                }
            }
        }
        if !word.is_ascii()
            && let Some(set) = word.chars().find_map(|letter| tables.letters.get(&letter))
        {
            self.vote(*set, LETTER);
        }
    }

    /// The language with most votes but `target`, and its votes.
    fn best_other(&self, target: Option<usize>) -> (usize, f32) {
        let others = self.0.iter().copied().enumerate();
        others
            .filter(|&(language, _)| Some(language) != target)
            .fold(
                (0, 0.0),
                |best, next| if next.1 > best.1 { next } else { best },
            )
    }

    /// Scaled down until no language has more than one vote: a long clause is remembered no better than a short one.
    fn capped(mut self) -> Self {
        let most = self.0.iter().copied().fold(1.0, f32::max);
        for votes in &mut self.0 {
            *votes /= most;
        }
        self
    }

    fn plus(&self, context: &Self) -> Self {
        let mut sum = self.clone();
        for (votes, before) in sum.0.iter_mut().zip(context.0) {
            *votes += MEMORY * before;
        }
        sum
    }
}

/// A word that counts.
struct Entry {
    span: Range<usize>,
    script: Script,
    words: u64,
}

/// The words since the last clause ended: at most [`FULL`].
#[derive(Default)]
pub(super) struct Clause {
    entries: Vec<Entry>,
    evidence: Evidence,
    latin: usize,
    han: usize,
    kana: bool,
    lower: String,
}

impl Clause {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= FULL
    }

    /// Takes a word, unless it is one that does not count.
    pub(super) fn add(&mut self, text: &str, word: &Word) {
        let words = match word.script {
            Script::Latin => {
                if !self.counts(&text[word.span.clone()], word) {
                    return;
                }
                self.latin += 1;
                1
            }
            Script::Han => {
                self.han += word.letters;
                word.letters.div_ceil(2)
            }
            Script::Hiragana => {
                self.kana = true;
                word.letters.div_ceil(2)
            }
            Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar => {
                word.letters.div_ceil(5)
            }
            Script::Hangul => 1,
            // A single Greek or Cyrillic letter is a symbol.
            _ if word.letters < 2 || word.attached => return,
            _ => 1,
        };
        self.entries.push(Entry {
            span: word.span.clone(),
            script: word.script,
            words: words as u64,
        });
    }

    /// Whether a word in Latin script is prose; if so, its evidence is read.
    fn counts(&mut self, word: &str, found: &Word) -> bool {
        if found.letters < 2 || found.attached {
            return false;
        }
        if found.letters > LONGEST {
            return true;
        }
        self.lower.clear();
        self.lower.extend(word.chars().flat_map(char::to_lowercase));
        // Of `don't` and `l'eau` the longer part says more.
        let stem = self.lower.split(['\'', '’']).max_by_key(|part| part.len());
        let stem = stem.unwrap_or(&self.lower);
        if TABLES.neutral.contains(stem) {
            return false;
        }
        let mut letters = word.chars();
        let capital = letters.next().is_some_and(char::is_uppercase);
        let capitals = letters.filter(|letter| letter.is_uppercase()).count();
        let known = TABLES.words.contains_key(stem);
        let shouted = capital && capitals + 1 == found.letters;
        let name = match capitals {
            0 => capital && !found.initial,
            _ if shouted => found.letters <= 5 && !known,
            _ => true,
        };
        if !name {
            self.evidence.read(stem, found.letters);
        }
        !name
    }

    /// Gives every word its language and begins anew.
    pub(super) fn settle(
        &mut self,
        text: &str,
        target: Language,
        context: &mut Context,
        mut each: impl FnMut(Stretch),
    ) {
        if self.entries.is_empty() {
            return;
        }
        let latin = self.latin_owner(target, context);
        let han = self.han_owner(target, context);
        for entry in self.entries.drain(..) {
            let owner = match entry.script {
                Script::Latin => latin,
                Script::Han => han,
                script => owner(script, &text[entry.span.clone()], target),
            };
            match owner {
                Owner::Target => each(Stretch::Target(entry.words)),
                Owner::Other(language) => each(Stretch::Other(Mixed {
                    span: entry.span,
                    language,
                    words: entry.words,
                })),
                Owner::Nobody => {}
            }
        }
        if self.latin > 0 {
            context.votes = self.evidence.plus(&context.votes).capped();
            self.evidence = Evidence::default();
        }
        if self.han > 0 || self.kana {
            context.kana = Some(self.kana);
        }
        (self.latin, self.han, self.kana) = (0, 0, false);
    }

    /// Whose the words in Han are. A short clause without kana goes by the clause before it.
    fn han_owner(&self, target: Language, context: &Context) -> Owner {
        let short = self.han <= COMPOUND;
        let japanese = self.kana || short && context.kana == Some(true);
        match (target, japanese) {
            (Language::Ja, true) | (Language::Zh, false) => Owner::Target,
            (Language::Ja, false) if short && context.kana.is_none() => Owner::Nobody,
            (_, true) => Owner::Other(Some(Language::Ja)),
            (_, false) => Owner::Other(Some(Language::Zh)),
        }
    }

    /// Whose the words in Latin script are.
    fn latin_owner(&self, target: Language, context: &Context) -> Owner {
        let votes = self.evidence.plus(&context.votes);
        let target = Some(target as usize).filter(|&target| target < LATIN);
        let (other, others_votes) = votes.best_other(target);
        let language = (others_votes > FAINT).then(|| Language::ALL[other]);
        let Some(target) = target else {
            return Owner::Other(language);
        };
        let own = votes.0[target];
        let silent = self.latin >= LONG && self.evidence.0[target] <= FAINT;
        if silent || others_votes > own + LEAD {
            Owner::Other(language)
        } else if own > FAINT {
            Owner::Target
        } else {
            Owner::Nobody
        }
    }
}

/// Whose words are.
#[derive(Clone, Copy)]
enum Owner {
    Target,
    Other(Option<Language>),
    /// Nothing says; they do not count.
    Nobody,
}

/// Whose a word in a script other than Latin and Han is.
fn owner(script: Script, word: &str, target: Language) -> Owner {
    if target.script() == script {
        let foreign = foreign_letters(target);
        let lower = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
        return if !foreign.is_empty() && word.chars().any(|letter| foreign.contains(lower(letter)))
        {
            Owner::Other(None)
        } else {
            Owner::Target
        };
    }
    let mut native = Language::ALL
        .iter()
        .copied()
        .filter(|language| language.script() == script);
    match (native.next(), native.next()) {
        (Some(only), None) => Owner::Other(Some(only)),
        _ => Owner::Other(None),
    }
}

/// Letters of the target's script that its alphabet lacks and a neighbour's has, in lower case.
fn foreign_letters(target: Language) -> &'static str {
    match target {
        Language::Ru => "іїєґўћђјљњџѓќѕәғқңөұүһ",
        Language::Uk => "ыэъёўћђјљњџѓќѕәғқңөұүһ",
        Language::Be => "ищъїєґћђјљњџѓќѕәғқңөұүһ",
        Language::Bg => "ыэёіїєґўћђјљњџѓќѕәғқңөұүһ",
        Language::Sr => "йщъыьэюяёіїєґўѓќѕәғқңөұүһ",
        Language::Mk => "йщъыьэюяёіїєґўћђәғқңөұүһ",
        Language::Kk => "їєґўћђјљњџѓќѕ",
        Language::Mn => "іїєґўћђјљњџѓќѕәғқңұһ",
        Language::Ar => "پچژگکیہےٹڈڑںھۃ",
        Language::Fa => "ةىكيٹڈڑںےہھۃ",
        Language::Ur => "ةىكي",
        _ => "",
    }
}
