//! The gRPC reward service: wire in, core call, wire out.
//!
//! [`serve`] runs the service of `proto/assay/v1` until it is told to stop; [`run`] does so with a runtime of its
//! own, until the process gets SIGINT or SIGTERM. [`client`] scores on such servers; [`pb`] holds the messages and bare stubs.
//!
//! [`outside`] asks reward models and runs plug-ins, for the service and for scorers in a trainer's process.
//! Scoring never runs on the threads of the async runtime: a request is handed to threads of its own and its task waits.

mod auth;
mod cache;
pub mod client;
mod config;
mod digest;
mod error;
mod guard;
mod kept;
pub mod load;
mod log;
mod observe;
pub mod outside;
pub mod pb;
mod process;
mod refusable;
mod results;
mod serve;
mod service;
mod suites;
mod tenant;
mod tokenizer;
mod tokens;
mod wire;
mod work;

pub use config::{Config, Overrides};
pub use error::ServeError;
pub use log::log_to_stderr;
pub use serve::{run, serve};
pub use wire::{spec_from_wire, spec_to_wire};
