//! The rows of `tests/cases`, and what holds for every input.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic as tests do")]

mod component_cases;
mod extract_cases;
mod extract_properties;
mod parse_cases;
mod parse_properties;
mod score_cases;
mod text_properties;
mod token_tail;
mod verify_cases;
