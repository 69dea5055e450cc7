//! The service over loopback: one binary, since linking a server takes longer than its tests do.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic as tests do")]

mod cases;
mod common;
mod input;
mod limits;
mod load;
mod observe;
mod proto;
mod remote;
mod security;
mod serve;
mod stream;
mod suites;
