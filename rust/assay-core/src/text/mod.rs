//! Rewards that look at the text alone.
