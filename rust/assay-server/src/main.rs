//! The stand-alone reward server.
fn main() {}
