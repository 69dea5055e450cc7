//! The text of an answer to typed values.
//!
//! A hand-written recursive-descent and Pratt parser. It consumes the whole answer or fails: the number inside a
//! formula that could not be read is never taken. Where notation is ambiguous it returns every sensible reading,
//! the likeliest first. Work is linear in the input times the (bounded) number of readings.

mod based;
mod bind;
mod clock;
mod cursor;
mod environment;
mod error;
mod expr;
mod fast;
mod group;
mod item;
mod list;
mod literal;
mod money;
mod name;
mod noun;
mod operand;
mod policy;
mod prose;
mod readings;
mod repeat;
mod scientific;
mod set;
mod special;
mod strip;
mod unit;

pub use error::{ParseError, ParseErrorKind};

use super::Kind;
use super::ast::Value;
use super::lexer;
use super::normalise;

/// Longest answer that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Deepest nesting of brackets, functions and signs that is read.
pub const MAX_DEPTH: u16 = 200;
/// Tallest expression tree that is built.
pub const MAX_HEIGHT: u16 = 256;
/// Most nodes a reading may have.
pub const MAX_NODES: u16 = 4096;

/// What is known about an answer before it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ParseOptions {
    /// What sort of answer it is; `Kind::Text` and `Kind::Choice` restrict the readings.
    pub kind: Kind,
}

/// An answer as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// At least one reading, the likeliest first; at most eight.
    pub readings: Vec<Value>,
    /// The text folded for a comparison as a string: see [`canonical`].
    pub canonical: String,
}

/// Reads an answer: LaTeX or plain text, with or without `$..$` or `\boxed{..}` round it.
///
/// Total: any text gives readings or a [`ParseError`]; nothing panics, and no input takes more than time linear in
/// its length (at most [`MAX_BYTES`]) for each of at most eight readings.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Parsed, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::new(ParseErrorKind::TooLong, MAX_BYTES));
    }
    if !matches!(options.kind, Kind::Text | Kind::Choice)
        && let Some((readings, canonical)) = fast::number(text)
    {
        return Ok(Parsed {
            readings,
            canonical,
        });
    }
    if let Some(single) = strip::undoubled(text) {
        return parse(&single, options).map_err(|error| error.moved(|at| at.min(text.len())));
    }
    let (inner, styled) = strip::strip_styled(text);
    let offset = inner.as_ptr().addr() - text.as_ptr().addr();
    let folded = normalise::fold(inner);
    let tokens = lexer::tokens(&folded.text);
    let canonical = policy::canonical(&folded.text, &tokens);
    match readings::readings(&folded.text, &tokens, styled, *options) {
        Ok(mut readings) => {
            if !matches!(options.kind, Kind::Text | Kind::Choice)
                && let Some(decimal) = fast::decimal_comma(&folded.text)
            {
                readings.push(decimal);
            }
            Ok(Parsed {
                readings,
                canonical,
            })
        }
        Err(error) => Err(error.moved(|at| offset + folded.original(at).min(inner.len()))),
    }
}

/// The text of an answer folded for a comparison as a string: wrappers, styles and spacing gone, Unicode folded,
/// case kept. Defined for every text, read or not; two texts with one canonical form are written the same.
pub fn canonical(text: &str) -> String {
    if let Some(single) = strip::undoubled(text) {
        return canonical(&single);
    }
    let folded = normalise::fold(strip::strip(text));
    let tokens = lexer::tokens(&folded.text);
    policy::canonical(&folded.text, &tokens)
}
