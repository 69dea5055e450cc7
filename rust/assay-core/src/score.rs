//! `Scorer` and `Scores`.
