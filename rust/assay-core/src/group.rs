//! Group advantages.
