//! Answers that are more than one expression: tuples, sets, regions of the real line, relations, quantities.

mod chain;
mod collection;
mod compare;
mod critical;
mod equation;
mod form;
mod name;
mod parameter;
mod pieces;
mod quantity;
mod region;
mod signs;
