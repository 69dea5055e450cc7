//! The stand-alone reward server. Exit status 0 after a stop that was asked for, 2 for bad usage, 1 for a fault.
//! `assay-server load` makes load instead: 0 when every result was right, 1 when not.

use std::io::{Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use assay_server::load::{LoadOptions, load};
use assay_server::{Config, Overrides, ServeError};
use clap::{Args, Parser, Subcommand};

/// Requests are made of many small pieces that one thread allocates and another frees, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The assay reward server: scores completions over gRPC.
///
/// Prints `listening on ADDRESS` when it is ready. SIGTERM and Ctrl-C stop it after the requests in flight.
/// Logs go to standard error; `ASSAY_LOG` sets what is logged (default `info`), as in
/// `ASSAY_LOG=assay_server=debug`, and `ASSAY_LOG_FORMAT=json` makes each line a JSON object.
#[derive(Parser)]
#[command(name = "assay-server", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    serve: Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make load on a server, check every result, and tell how long requests took
    Load {
        #[command(flatten)]
        options: LoadOptions,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
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
    /// HOST:PORT of an HTTP endpoint with /metrics, /livez and /readyz [default: none]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    /// OpenTelemetry collector (OTLP over gRPC) that gets a span for each call, as in `http://127.0.0.1:4317` [default: none]
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// A reward function to run in worker processes, as package.module:function; may be repeated
    #[arg(long = "plugin", value_name = "[NAME=]MODULE:FUNCTION")]
    plugins: Vec<String>,
    /// The Python that runs plug-ins; it must have assay installed [default: python3]
    #[arg(long, value_name = "PATH")]
    plugin_python: Option<PathBuf>,
    /// The server's certificate chain, PEM; with --tls-key, callers need TLS [default: none]
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key, PEM [default: none]
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authorities of clients, PEM; callers need a certificate of theirs then [default: none]
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Bearer tokens, a line each, TOKEN or NAME:TOKEN; callers need one of them then. More may stand in the
    /// environment variable `ASSAY_SERVER_TOKENS` [default: none]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The share of a tenant beside others that have work, as NAME=WEIGHT; all others have 1; may be repeated
    #[arg(long = "tenant-weight", value_name = "NAME=WEIGHT")]
    tenant_weights: Vec<String>,
    /// Listen on a public address although there is no TLS or no way to know callers
    #[arg(long)]
    insecure_public: bool,
    /// Let --metrics be a public address
    #[arg(long)]
    public_metrics: bool,
}

impl Arguments {
    fn config(self) -> Result<Config, ServeError> {
        let overrides = Overrides {
            bind: self.bind,
            threads: self.threads,
            max_message_bytes: self.max_message_bytes,
            tokenizers: self.tokenizers,
            metrics: self.metrics,
            otlp: self.otlp,
            plugins: self.plugins,
            plugin_python: self.plugin_python,
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            tls_client_ca: self.tls_client_ca,
            token_file: self.token_file,
            tenant_weights: self.tenant_weights,
            insecure_public: self.insecure_public,
            public_metrics: self.public_metrics,
        };
        Config::load(self.config.as_deref(), overrides)
    }
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    match command_line.command {
        Some(Command::Load { options, json }) => make_load(&options, json),
        None => serve(command_line.serve),
    }
}

fn make_load(options: &LoadOptions, json: bool) -> ExitCode {
    let told = load(options, &Arc::default(), |moment| {
        let _ = writeln!(stderr(), "{moment}");
    });
    match told {
        Ok(report) => {
            let text = if json {
                serde_json::to_string(&report).unwrap_or_default() + "\n"
            } else {
                report.to_string()
            };
            let written = stdout().write_all(text.as_bytes());
            ExitCode::from(u8::from(!report.ok || written.is_err()))
        }
        Err(error) => {
            let _ = writeln!(stderr(), "assay-server: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(arguments: Arguments) -> ExitCode {
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        CommandLine::command().debug_assert();
        let serving = CommandLine::try_parse_from(["assay-server", "--metrics", "127.0.0.1:0"]);
        assert!(serving.is_ok_and(|line| line.command.is_none()));
        let line = [
            "assay-server",
            "load",
            "a:1",
            "--rate",
            "5",
            "--kind",
            "long-text",
            "--json",
        ];
        let loading = CommandLine::try_parse_from(line);
        let Ok(CommandLine {
            command: Some(Command::Load { options, json }),
            ..
        }) = loading
        else {
            panic!("`load` was not understood")
        };
        let expected = LoadOptions {
            target: "a:1".to_owned(),
            rate: Some(5.0),
            kind: assay_server::load::Kind::LongText,
            ..LoadOptions::default()
        };
        assert!(json && options == expected);
        assert!(CommandLine::try_parse_from(["assay-server", "load"]).is_err());
    }
}
