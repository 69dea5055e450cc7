//! From a rollout's token ids to the text that is judged, decoding no more than that.

use tokenizers::{DecoderWrapper, Tokenizer};

use super::sections::{LONGEST_TAG, Tag, Tracker};
use super::{Sections, Think, sections};
use crate::{Error, Result};

/// The part of a rollout that is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// What follows the last `</think>`; everything if the rollout does not think; empty if thinking is unclosed.
    pub text: String,
    /// The sections of the whole rollout, with spans into `text`. `think` is `None`: thoughts are not decoded.
    pub sections: Sections,
}

/// Turns token ids into text, exactly as `Tokenizer::decode` with special tokens skipped, with one difference: the four
/// tags `<think>`, `</think>`, `<answer>`, `</answer>` are kept even where a tokenizer declares them special.
///
/// For byte-level BPE (GPT-2, Llama 3, Qwen, `DeepSeek`) decoding is one table look-up per token. Any other decoder is
/// driven through the `tokenizers` crate; the results are the same, the speed is its own.
pub struct TokenDecoder {
    table: Option<ByteTable>,
    tokenizer: Tokenizer,
    /// By id: what to do with it.
    class: Vec<Class>,
}

/// What a token is to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// No token has this id.
    Unknown,
    /// Special, and no tag: leaves no text.
    Skipped,
    /// Holds no `<`.
    Plain,
    /// Holds a `<`, so a tag may start in it.
    Bracket,
}

/// The bytes of every token, one after the other.
struct ByteTable {
    bytes: Vec<u8>,
    /// Token `id` is `bytes[starts[id]..starts[id + 1]]`.
    starts: Vec<u32>,
}

impl ByteTable {
    fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        &self.bytes[self.starts[id] as usize..self.starts[id + 1] as usize]
    }
}

/// A place in a rollout: a token, and a byte within it. Just after a tag may be one past the token's last byte.
type Place = (usize, usize);

impl TokenDecoder {
    /// Prepares the tables of `tokenizer`: some 10 bytes for each token of the vocabulary, plus its text.
    ///
    /// # Errors
    /// `InvalidInput` if the tokenizer's vocabulary is empty or its bytes exceed 4 GiB.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self> {
        let vocabulary = tokenizer.get_vocab(true);
        let size = vocabulary
            .values()
            .max()
            .map(|&largest| largest as usize + 1)
            .ok_or_else(|| Error::input("tokenizer: the vocabulary is empty"))?;
        let mut texts: Vec<Option<&str>> = vec![None; size];
        for (text, &id) in &vocabulary {
            texts[id as usize] = Some(text);
        }
        // An added token takes precedence over a token of the model with the same id.
        let added = tokenizer.get_added_tokens_decoder();
        for (&id, token) in &added {
            if let Some(text) = texts.get_mut(id as usize) {
                *text = Some(token.content.as_str());
            }
        }
        let specials = tokenizer.get_added_vocabulary();
        let class = texts
            .iter()
            .map(|text| match text {
                None => Class::Unknown,
                Some(text) if specials.is_special_token(text) && !is_tag(text) => Class::Skipped,
                Some(text) if text.contains('<') => Class::Bracket,
                Some(_) => Class::Plain,
            })
            .collect();
        let byte_level = matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let table = if byte_level {
            Some(byte_table(&texts)?)
        } else {
            None
        };
        Ok(Self {
            table,
            tokenizer: tokenizer.clone(),
            class,
        })
    }

    /// One more than the largest id of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.class.len()
    }

    /// The whole text of `ids`.
    ///
    /// # Errors
    /// `InvalidInput`, naming id and position, if an id is not in the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.check(ids)?;
        match &self.table {
            Some(table) => Ok(self.lossy(table, ids, 0)),
            None => self.decode_slowly(ids),
        }
    }

    /// The part of `ids` that is judged, with the sections of the whole. `think_in_prompt` as in
    /// [`sections`](super::sections).
    ///
    /// # Errors
    /// As [`TokenDecoder::decode`].
    pub fn tail(&self, ids: &[u32], think_in_prompt: bool) -> Result<Tail> {
        self.check(ids)?;
        let Some(table) = &self.table else {
            let text = self.decode_slowly(ids)?;
            return Ok(tail_of_text(text, think_in_prompt));
        };
        let tracker = self.track(table, ids, think_in_prompt);
        let state = tracker.state();
        let text = match (state, tracker.tail()) {
            (Think::Unclosed, _) => String::new(),
            (_, Some((token, byte))) => self.lossy(table, &ids[token..], byte),
            (_, None) => self.lossy(table, ids, 0),
        };
        let well_formed = tracker.layout().is_some_and(|layout| {
            layout
                .head_end
                .is_none_or(|end| self.is_blank(table, ids, (0, 0), end))
                && self.is_blank(table, ids, layout.gap.start, layout.gap.end)
                && self.is_blank(table, ids, layout.rest, (ids.len(), 0))
        });
        let spans = sections(&text, false);
        let sections = Sections {
            counts: tracker.counts(),
            think_in_prompt,
            state,
            well_formed,
            think: None,
            tail: 0..text.len(),
            answer: spans.answer,
        };
        Ok(Tail { text, sections })
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        let known = |id: u32| {
            self.class
                .get(id as usize)
                .is_some_and(|&class| class != Class::Unknown)
        };
        match ids.iter().position(|&id| !known(id)) {
            None => Ok(()),
            Some(at) => Err(Error::input(format!(
                "token_ids: id {} at position {at} is not in the tokenizer's vocabulary of {} ids",
                ids[at],
                self.class.len()
            ))),
        }
    }

    fn decode_slowly(&self, ids: &[u32]) -> Result<String> {
        let kept: Vec<u32> = ids
            .iter()
            .copied()
            .filter(|&id| self.class[id as usize] != Class::Skipped)
            .collect();
        self.tokenizer.decode(&kept, false).map_err(|error| {
            Error::input(format!(
                "token_ids: the tokenizer cannot decode them: {error}"
            ))
        })
    }

    /// The bytes of `ids` from byte `skip` of the first one on, with invalid UTF-8 replaced.
    fn lossy(&self, table: &ByteTable, ids: &[u32], skip: usize) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        let mut skip = skip;
        for &id in ids {
            if self.class[id as usize] != Class::Skipped {
                bytes.extend_from_slice(&table.get(id)[skip..]);
            }
            skip = 0;
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Finds all tags. A tag starts with `<`, so only tokens that hold one are looked into, with as many of the
    /// following tokens as a tag may span.
    fn track(&self, table: &ByteTable, ids: &[u32], think_in_prompt: bool) -> Tracker<Place> {
        let mut tracker = Tracker::new(think_in_prompt);
        let mut ahead = [0_u8; LONGEST_TAG];
        for (token, &id) in ids.iter().enumerate() {
            if self.class[id as usize] != Class::Bracket {
                continue;
            }
            let bytes = table.get(id);
            for at in memchr::memchr_iter(b'<', bytes) {
                let mut length = 0;
                let mut places = [(0, 0); LONGEST_TAG];
                self.fill(table, &ids[token..], at, |index, byte| {
                    ahead[length] = byte;
                    places[length] = (token + index.0, index.1);
                    length += 1;
                    length < LONGEST_TAG
                });
                if let Some(tag) = Tag::at(&ahead[..length]) {
                    let (last, byte) = places[tag.text().len() - 1];
                    tracker.see(tag, (token, at), (last, byte + 1));
                }
            }
        }
        tracker
    }

    /// Calls `each` with the place and value of every byte from byte `skip` of the first token on, while it says so.
    fn fill(
        &self,
        table: &ByteTable,
        ids: &[u32],
        skip: usize,
        mut each: impl FnMut(Place, u8) -> bool,
    ) {
        let mut skip = skip;
        for (index, &id) in ids.iter().enumerate() {
            if self.class[id as usize] != Class::Skipped {
                for (at, &byte) in table.get(id).iter().enumerate().skip(skip) {
                    if !each((index, at), byte) {
                        return;
                    }
                }
            }
            skip = 0;
        }
    }

    /// Whether only white space stands between two places.
    fn is_blank(&self, table: &ByteTable, ids: &[u32], start: Place, end: Place) -> bool {
        let mut bytes = Vec::new();
        let mut blank = true;
        let ids = &ids[start.0.min(ids.len())..];
        self.fill(table, ids, start.1, |(index, at), byte| {
            if (start.0 + index, at) >= end {
                return false;
            }
            bytes.push(byte);
            blank = !byte.is_ascii_graphic();
            blank
        });
        blank && String::from_utf8_lossy(&bytes).trim().is_empty()
    }
}

fn tail_of_text(mut text: String, think_in_prompt: bool) -> Tail {
    let mut whole = sections(&text, think_in_prompt);
    let start = whole.tail.start;
    text.drain(..start);
    whole.tail = 0..text.len();
    whole.think = None;
    whole.answer = whole
        .answer
        .map(|answer| answer.start - start..answer.end - start);
    Tail {
        text,
        sections: whole,
    }
}

fn is_tag(text: &str) -> bool {
    Tag::ALL.iter().any(|tag| tag.text() == text)
}

/// The bytes each token stands for under the byte-level alphabet; a token with a character outside the alphabet stands
/// for its own text, as `tokenizers` has it.
fn byte_table(texts: &[Option<&str>]) -> Result<ByteTable> {
    let alphabet = byte_alphabet();
    let mut table = ByteTable {
        bytes: Vec::new(),
        starts: Vec::with_capacity(texts.len() + 1),
    };
    for text in texts {
        table.starts.push(offset(&table.bytes)?);
        let Some(text) = text else { continue };
        let begin = table.bytes.len();
        for character in text.chars() {
            if let Some(byte) = alphabet.get(character as usize).copied().flatten() {
                table.bytes.push(byte);
            } else {
                table.bytes.truncate(begin);
                table.bytes.extend_from_slice(text.as_bytes());
                break;
            }
        }
    }
    table.starts.push(offset(&table.bytes)?);
    Ok(table)
}

fn offset(bytes: &[u8]) -> Result<u32> {
    u32::try_from(bytes.len())
        .map_err(|_| Error::input("tokenizer: the texts of its tokens exceed 4 GiB"))
}

/// GPT-2's alphabet: the byte that a character stands for. Printable Latin-1 bytes stand for themselves, the other 68
/// for U+0100 onwards, in order.
fn byte_alphabet() -> [Option<u8>; 324] {
    let mut alphabet = [None; 324];
    let mut next = 256;
    for byte in 0..=u8::MAX {
        let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let character = if printable {
            usize::from(byte)
        } else {
            next += 1;
            next - 1
        };
        alphabet[character] = Some(byte);
    }
    alphabet
}
