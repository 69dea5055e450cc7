//! The stand-alone reward server. Exit status 0 after a stop that was asked for, 2 for bad usage, 1 for a fault.

use std::io::{Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_server::{Config, Overrides, ServeError};
use clap::Parser;

/// The assay reward server: scores completions over gRPC.
///
/// Prints `listening on ADDRESS` when it is ready. SIGTERM and Ctrl-C stop it after the requests in flight.
/// Logs go to standard error; `ASSAY_LOG` sets what is logged (default `info`), as in `ASSAY_LOG=assay_server=debug`.
#[derive(Parser)]
#[command(name = "assay-server", version)]
struct Arguments {
    /// HOST:PORT to listen on; port 0 takes a free one [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// TOML file with any of the settings; options given here win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Threads that score; 0 is one for each core [default: 0]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Largest message in either direction, in bytes [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    max_message_bytes: Option<usize>,
    /// A tokenizer.json that token ids may belong to; may be repeated
    #[arg(long = "tokenizer", value_name = "FILE")]
    tokenizers: Vec<PathBuf>,
}

impl Arguments {
    fn config(self) -> Result<Config, ServeError> {
        let overrides = Overrides {
            bind: self.bind,
            threads: self.threads,
            max_message_bytes: self.max_message_bytes,
            tokenizers: self.tokenizers,
        };
        Config::load(self.config.as_deref(), overrides)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    assay_server::log_to_stderr();
    let announce = |address: SocketAddr| {
        // Nobody may be reading; serving goes on all the same.
        let _ = writeln!(stdout(), "listening on {address}").and_then(|()| stdout().flush());
    };
    match arguments
        .config()
        .and_then(|config| assay_server::run(config, announce))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "assay-server: {error}");
            ExitCode::from(if matches!(error, ServeError::Io(_)) {
                1
            } else {
                2
            })
        }
    }
}
