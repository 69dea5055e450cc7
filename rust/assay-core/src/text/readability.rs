//! Whether a person could read a completion: no loops, no garbled characters, no endless lines.

use unicode_script::{Script, UnicodeScript};

/// What makes a text hard to read, as shares of its characters in `[0, 1]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readability {
    /// Characters that repeat what stands one period before them, where the text goes round in circles.
    pub looping: f64,
    /// Characters that no text has: U+FFFD, controls, private use, unassigned, stacks of combining marks.
    pub garbled: f64,
    /// Characters of a line past its first [`LONGEST_LINE`], and of a word past its first [`LONGEST_WORD`].
    pub endless: f64,
}

/// Longest readable line, in characters: about 400 words.
pub const LONGEST_LINE: usize = 2_000;

/// Longest readable run without white space in a script that has spaces, in characters.
pub const LONGEST_WORD: usize = 200;

/// A text is in a loop once it has repeated itself for this many bytes ..
const LOOP_BYTES: usize = 96;

/// .. and this many times after the first.
const LOOP_TIMES: usize = 3;

/// Longest period of a loop, in bytes.
const LONGEST_PERIOD: usize = 16 * 1024;

/// Weight of garbled characters: one in ten makes a text worthless.
const GARBLED_WEIGHT: f64 = 10.0;

/// More combining marks than this on one letter are garbage; Vietnamese and Hebrew need three.
const MOST_MARKS: usize = 4;

impl Readability {
    /// `max(0, 1 - looping - endless - 10 * garbled)`, in `[0, 1]`.
    pub fn value(&self) -> f64 {
        (1.0 - self.looping - self.endless - GARBLED_WEIGHT * self.garbled).max(0.0)
    }
}

/// The readability of `text`, in `[0, 1]`: 1 is fine, and what an empty text gets.
///
/// A loop is a stretch that repeats with a period of at most 16 KiB, at least three times after its first round and for
/// at least 96 bytes. One pass over characters and one over bytes; memory does not grow with the text.
///
/// ```
/// use assay_core::text::readability;
/// assert_eq!(readability("First add the two numbers, then divide by three."), 1.0);
/// assert!(readability(&"Wait, let me check again. ".repeat(50)) < 0.1);
/// assert_eq!(readability("\u{fffd}\u{fffd}\u{fffd}"), 0.0);
/// ```
pub fn readability(text: &str) -> f64 {
    readability_report(text).value()
}

/// As [`readability`], fault by fault.
pub fn readability_report(text: &str) -> Readability {
    let mut layout = Layout::default();
    for character in text.chars() {
        layout.read(character);
    }
    if layout.characters == 0 {
        return Readability::default();
    }
    let share = |count: usize| count as f64 / layout.characters as f64;
    Readability {
        looping: looping(text.as_bytes()) as f64 / text.len() as f64,
        garbled: share(layout.garbled),
        endless: share(layout.endless),
    }
}

/// Characters so far, and the faults among them.
#[derive(Default)]
struct Layout {
    characters: usize,
    garbled: usize,
    endless: usize,
    line: usize,
    word: usize,
    marks: usize,
}

impl Layout {
    fn read(&mut self, character: char) {
        self.characters += 1;
        if character == '\n' {
            (self.line, self.word, self.marks) = (0, 0, 0);
            return;
        }
        self.line += 1;
        if character.is_whitespace() {
            self.word = 0;
        } else if character.is_ascii() || has_spaces(character) {
            self.word += 1;
        } else {
            self.word = 0;
        }
        if self.line > LONGEST_LINE || self.word > LONGEST_WORD {
            self.endless += 1;
        }
        if self.is_garbled(character) {
            self.garbled += 1;
        }
    }

    fn is_garbled(&mut self, character: char) -> bool {
        if character.is_ascii() {
            self.marks = 0;
            return character.is_ascii_control() && !matches!(character, '\t' | '\r');
        }
        let script = character.script();
        self.marks = if script == Script::Inherited {
            self.marks + 1
        } else {
            0
        };
        // `Unknown` is private use, unassigned and noncharacters. Directional overrides reorder what is seen.
        self.marks > MOST_MARKS
            || script == Script::Unknown
            || character.is_control()
            || matches!(character, '\u{fffd}' | '\u{fffc}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }
}

/// Whether words of the character's script are set apart by spaces. Common punctuation and symbols follow their
/// neighbours, so they interrupt nothing that is Latin and everything that is not.
fn has_spaces(character: char) -> bool {
    !matches!(
        character.script(),
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
            | Script::Common
            | Script::Unknown
    )
}

/// The number of bytes that repeat the bytes one period before them, in stretches long enough to be loops.
///
/// Every byte extends or ends the few stretches that are open, and may open one with the period at which its next
/// [`GRAM`] bytes were seen last: constant work a byte, whatever repeats what.
fn looping(bytes: &[u8]) -> usize {
    let mut recent = Recent::new(bytes.len());
    let mut open: [Option<Stretch>; 4] = [None; 4];
    let (mut total, mut counted) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        for slot in &mut open {
            let Some(stretch) = *slot else { continue };
            if bytes[at - stretch.period] != *byte {
                *slot = None;
            } else if at + 1 - stretch.start >= LOOP_BYTES.max(LOOP_TIMES * stretch.period) {
                total += at + 1 - counted.max(stretch.start);
                counted = at + 1;
            }
        }
        let Some(gram) = bytes[at..].first_chunk::<GRAM>() else {
            continue;
        };
        let place = recent.replace(gram, at);
        let period = at.wrapping_sub(place);
        let seen = place < at && period <= LONGEST_PERIOD && bytes[place..].starts_with(gram);
        if seen
            && !open
                .iter()
                .flatten()
                .any(|stretch| stretch.period == period)
        {
            // The youngest gives way: it has the least to lose.
            if let Some(slot) = open
                .iter_mut()
                .max_by_key(|slot| slot.map_or(usize::MAX, |stretch| stretch.start))
            {
                *slot = Some(Stretch { start: at, period });
            }
        }
    }
    total
}

/// Bytes from `start` on that equal those `period` before them.
#[derive(Clone, Copy)]
struct Stretch {
    start: usize,
    period: usize,
}

/// Length of the byte strings that are looked up.
const GRAM: usize = 8;

/// Where byte strings were seen last: a table of bounded size in which a newer one takes the place of an older.
struct Recent {
    places: Vec<u32>,
    bits: u32,
}

impl Recent {
    /// A table for a text of `length` bytes: at most 128 KiB.
    fn new(length: usize) -> Self {
        let bits = length.max(1).ilog2().clamp(6, 14) + 1;
        Self {
            places: vec![u32::MAX; 1 << bits],
            bits,
        }
    }

    /// Where `gram`, or a string that shares its slot, was seen last; it is now at `at`.
    fn replace(&mut self, gram: &[u8; GRAM], at: usize) -> usize {
        // Fibonacci hashing: the high bits are the good ones.
        let hash = u64::from_le_bytes(*gram).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> (64 - self.bits)) as usize;
        // Completions are capped at 4 MiB; past 4 GiB a place would only miss its string.
        std::mem::replace(&mut self.places[slot], at as u32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_prose_code_and_tables_are_fine() {
        let texts = [
            "",
            "42",
            "First we add the two numbers, then we divide by three. The result is 14.",
            "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n",
            "```python\nfor i in range(10):\n    for j in range(10):\n        print(i, j)\n```",
            "所以答案是正确的。我们先把两个数相加，然后除以三。",
            "Trước hết chúng ta cần tìm xem cô ấy còn bao nhiêu quả táo.",
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
            "👩‍🔬 measures 5 µm → ok ✓",
        ];
        for text in texts {
            assert_eq!(
                readability(text),
                1.0,
                "{text:?}: {:?}",
                readability_report(text)
            );
        }
    }

    #[test]
    fn loops_are_found_whatever_their_period() {
        let paragraph: String = (0..200)
            .map(|number| format!("Line {number} of the paragraph, {}. ", number * 7919 % 1000))
            .collect();
        for unit in [
            "a",
            "ha",
            "no, ",
            "Wait, let me check again. ",
            "等一下，我再想想。",
            paragraph.as_str(),
        ] {
            let times = 8.max(400 / unit.len());
            let report = readability_report(&unit.repeat(times));
            let expected = (times - 1) as f64 / times as f64;
            assert!(
                report.looping > expected - 0.05,
                "{:?}: {report:?}",
                &unit[..unit.len().min(30)]
            );
        }
    }

    #[test]
    fn saying_something_twice_is_no_loop() {
        let paragraph: String = (0..40).map(|number| format!("Line {number}. ")).collect();
        assert_eq!(readability(&paragraph.repeat(2)), 1.0);
        assert!(readability(&paragraph.repeat(5)) < 0.5);
    }

    #[test]
    fn a_loop_at_the_end_counts_by_its_share() {
        let start: String = (0..200)
            .map(|number| format!("Step {number} gives {}. ", number * number))
            .collect();
        let text = format!("{start}{}", "So the answer is 5. ".repeat(start.len() / 20));
        let report = readability_report(&text);
        assert!((report.looping - 0.5).abs() < 0.05, "{report:?}");
    }

    #[test]
    fn garbled_characters_count() {
        let text = format!(
            "{}{}",
            "a fine text. ".repeat(1),
            "\u{fffd}\u{e000}\u{0}\u{7}\u{202e}"
        );
        let report = readability_report(&text);
        assert_eq!(report.garbled, 5.0 / 18.0);
        assert_eq!(report.value(), 0.0);
        let zalgo = format!("z{}", "\u{335}".repeat(9));
        assert_eq!(readability_report(&zalgo).garbled, 0.5);
    }

    #[test]
    fn endless_lines_and_words_count_past_their_limit() {
        let words = (0..2_000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>();
        let line = words.join(" ");
        let report = readability_report(&line);
        let characters = line.len() as f64;
        assert_eq!(
            report.endless,
            (characters - LONGEST_LINE as f64) / characters
        );
        assert_eq!(readability_report(&words.join("\n")).endless, 0.0);
        let glued = words[..400].concat();
        let characters = glued.len() as f64;
        assert_eq!(
            readability_report(&glued).endless,
            (characters - LONGEST_WORD as f64) / characters
        );
        let chinese: String = ('一'..'龥').step_by(37).collect();
        assert_eq!(readability_report(&chinese).endless, 0.0);
    }
}
