//! `RewardSpec`.
