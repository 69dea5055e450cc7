//! `RewardSpec` on the wire and in the core.
//!
//! Both ways go through the JSON form of the spec, so that names, defaults and checks live in the core alone; an
//! enum value of the wire is its JSON word in capitals with the name of the enum before it. Numbers stay `f64`
//! from end to end: JSON text of the core round-trips them exactly.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::spec_from_wire;
pub use write::spec_to_wire;

/// The revision of `spec.proto` that this crate was generated from.
const REVISION: u32 = 1;
