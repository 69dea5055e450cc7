//! One completion, as text or token ids, with whatever the components need of it made at most once.

use std::borrow::Cow;
use std::cell::OnceCell;

use tokenizers::Tokenizer;

use super::{MAX_COMPLETION_BYTES, MAX_COMPLETION_TOKENS};
use crate::answer::{
    Extraction, NoAnswer, Profile, Sections, Tail, TokenDecoder, extract_in, sections,
};
use crate::spec::LengthUnit;
use crate::text;
use crate::{Error, ErrorKind, Result};

/// What was given.
#[derive(Clone, Copy)]
enum Source<'a> {
    Text(&'a str),
    /// The decoder is there whenever a component reads text.
    Tokens(&'a [u32], Option<&'a TokenDecoder>),
}

pub(super) struct View<'a> {
    source: Source<'a>,
    /// Encodes texts for components that count tokens.
    encoder: Option<&'a Tokenizer>,
    /// The part of token ids that is judged; without and with the prompt's `<think>`.
    tails: [OnceCell<Tail>; 2],
    /// The sections of the whole text, likewise.
    sections: [OnceCell<Sections>; 2],
    text: OnceCell<Cow<'a, str>>,
    ids: OnceCell<Cow<'a, [u32]>>,
}

impl<'a> View<'a> {
    pub(super) fn of_text(text: &'a str, encoder: Option<&'a Tokenizer>) -> Self {
        Self::new(Source::Text(text), encoder)
    }

    pub(super) fn of_tokens(ids: &'a [u32], decoder: Option<&'a TokenDecoder>) -> Self {
        Self::new(Source::Tokens(ids, decoder), None)
    }

    fn new(source: Source<'a>, encoder: Option<&'a Tokenizer>) -> Self {
        Self {
            source,
            encoder,
            tails: Default::default(),
            sections: Default::default(),
            text: OnceCell::new(),
            ids: OnceCell::new(),
        }
    }

    /// Why the completion is too long to read, if it is.
    pub(super) fn over_limit(&self) -> Option<&'static str> {
        match self.source {
            Source::Text(text) if text.len() > MAX_COMPLETION_BYTES => {
                Some("the completion is longer than 4 MiB")
            }
            Source::Tokens(ids, _) if ids.len() > MAX_COMPLETION_TOKENS => {
                Some("the completion is longer than 1048576 tokens")
            }
            _ => None,
        }
    }

    /// The answer under a profile.
    pub(super) fn extract(
        &self,
        profile: Profile,
        think_in_prompt: bool,
    ) -> Result<std::result::Result<Extraction, NoAnswer>> {
        if matches!(self.source, Source::Tokens(..)) && profile.reads_tail_only() {
            let tail = self.tail(think_in_prompt)?;
            return Ok(extract_in(&tail.text, &tail.sections, profile));
        }
        let text = self.text()?;
        let sections = filled(&self.sections[usize::from(think_in_prompt)], || {
            Ok(sections(text, think_in_prompt))
        })?;
        Ok(extract_in(text, sections, profile))
    }

    /// The sections of the completion; their spans may be those of a tail.
    pub(super) fn sections(&self, think_in_prompt: bool) -> Result<&Sections> {
        match self.source {
            Source::Text(text) => filled(&self.sections[usize::from(think_in_prompt)], || {
                Ok(sections(text, think_in_prompt))
            }),
            Source::Tokens(..) => Ok(&self.tail(think_in_prompt)?.sections),
        }
    }

    /// The chain of thought, or the whole text where there are no think tags.
    pub(super) fn thoughts(&self, think_in_prompt: bool) -> Result<&str> {
        let text = self.text()?;
        let sections = self.text_sections(text, think_in_prompt)?;
        Ok(sections
            .think
            .as_ref()
            .map_or(text, |span| &text[span.clone()]))
    }

    /// The sections of the whole text, even where token ids were given.
    pub(super) fn text_sections(&self, text: &str, think_in_prompt: bool) -> Result<&Sections> {
        filled(&self.sections[usize::from(think_in_prompt)], || {
            Ok(sections(text, think_in_prompt))
        })
    }

    pub(super) fn length(&self, unit: LengthUnit) -> Result<usize> {
        Ok(match unit {
            LengthUnit::Tokens => self.ids()?.len(),
            LengthUnit::Characters => text::characters(self.text()?),
            LengthUnit::Words => text::words(self.text()?),
        })
    }

    fn tail(&self, think_in_prompt: bool) -> Result<&Tail> {
        filled(&self.tails[usize::from(think_in_prompt)], || {
            match self.source {
                Source::Tokens(ids, Some(decoder)) => decoder.tail(ids, think_in_prompt),
                _ => Err(unprepared()),
            }
        })
    }

    /// The whole text.
    pub(super) fn text(&self) -> Result<&str> {
        let text = filled(&self.text, || match self.source {
            Source::Text(text) => Ok(Cow::Borrowed(text)),
            Source::Tokens(ids, Some(decoder)) => decoder.decode(ids).map(Cow::Owned),
            Source::Tokens(_, None) => Err(unprepared()),
        })?;
        Ok(text)
    }

    /// The token ids; of a text, those the tokenizer gives.
    pub(super) fn ids(&self) -> Result<&[u32]> {
        let encode = |text, encoder: &Tokenizer| match encoder.encode_fast(text, false) {
            Ok(encoding) => Ok(Cow::Owned(encoding.get_ids().to_vec())),
            Err(error) => Err(Error::input(format!(
                "the tokenizer cannot encode it: {error}"
            ))),
        };
        let ids = filled(&self.ids, || match (self.source, self.encoder) {
            (Source::Tokens(ids, _), _) => Ok(Cow::Borrowed(ids)),
            (Source::Text(text), Some(encoder)) => encode(text, encoder),
            (Source::Text(_), None) => Err(unprepared()),
        })?;
        Ok(ids)
    }
}

/// `Scorer::score` and `score_tokens` refuse a batch whose spec needs a tokenizer that is not there.
fn unprepared() -> Error {
    Error::new(
        ErrorKind::Internal,
        "a component went without the tokenizer it needs",
    )
}

/// `OnceCell::get_or_try_init`, which is not stable.
fn filled<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
