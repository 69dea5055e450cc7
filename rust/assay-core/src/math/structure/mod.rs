//! Answers that are more than one expression: tuples, sets, regions of the real line, relations, quantities.

mod collection;
mod compare;
mod critical;
mod equation;
mod form;
mod quantity;
mod region;
