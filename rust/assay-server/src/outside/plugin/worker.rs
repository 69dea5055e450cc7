//! One worker process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use assay_core::score::Given;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Asked;
use super::frame;

/// Importing a user's module may load a model.
const START_TIMEOUT: Duration = Duration::from_mins(2);
/// How often the memory of a worker is looked at during a call.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a worker may use.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) timeout: Duration,
    pub(super) rss_mb: u64,
    pub(super) items: u64,
}

/// The first message of a worker.
#[derive(Deserialize)]
struct Hello {
    error: Option<String>,
}

#[derive(Serialize)]
struct Call<'a> {
    completions: Vec<&'a str>,
    references: Vec<Option<&'a str>>,
    prompts: Vec<Option<&'a str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    /// For each completion a number, or a sentence in its place.
    Values { values: Vec<Value> },
    /// The whole call failed.
    Error { error: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Reason(String),
}

/// A process, killed with its whole group when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    done: u64,
}

impl Worker {
    /// Starts a process and waits until it has imported the function.
    pub(super) async fn start(python: &Path, function: &str) -> Result<Self, String> {
        let spawned = Command::new(python)
            .args(["-m", "assay.plugin.worker", function])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child =
            spawned.map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("cannot start its process: no pipes".to_owned());
        };
        let mut worker = Self {
            child,
            input,
            output,
            done: 0,
        };
        let hello = tokio::time::timeout(START_TIMEOUT, frame::read(&mut worker.output)).await;
        match hello {
            Ok(Ok(Hello { error: None })) => Ok(worker),
            Ok(Ok(Hello { error: Some(error) })) => Err(error),
            Ok(Err(_)) => Err(format!(
                "its process {} before it was ready; {} needs assay installed",
                worker.end().await,
                python.display()
            )),
            Err(_) => Err("its process was not ready within 120 s".to_owned()),
        }
    }

    /// Calls the function. After an `Err` of the outer kind the worker must not be used again.
    pub(super) async fn call(
        &mut self,
        part: &[Asked],
        limits: &Limits,
    ) -> Result<Result<Vec<Given>, String>, String> {
        let call = Call {
            completions: part.iter().map(|asked| asked.text.as_str()).collect(),
            references: part
                .iter()
                .map(|asked| asked.reference.as_deref())
                .collect(),
            prompts: part.iter().map(|asked| asked.prompt.as_deref()).collect(),
        };
        let json = serde_json::to_vec(&call).map_err(|error| error.to_string())?;
        self.done += part.len() as u64;
        let exchange = async {
            frame::write(&mut self.input, &json).await?;
            frame::read(&mut self.output).await
        };
        let pid = self.child.id();
        let reply = tokio::select! {
            reply = tokio::time::timeout(limits.timeout, exchange) => reply,
            megabytes = grown(pid, limits.rss_mb) => {
                return Err(format!("its process was killed at {megabytes} MiB; max_rss_mb is {}", limits.rss_mb));
            }
        };
        match reply {
            Ok(Ok(Reply::Error { error })) => Ok(Err(error)),
            Ok(Ok(Reply::Values { values })) if values.len() == part.len() => {
                let given = |value| match value {
                    Value::Number(number) => Ok(number),
                    Value::Reason(reason) => Err(reason),
                };
                Ok(Ok(values.into_iter().map(given).collect()))
            }
            Ok(Ok(Reply::Values { .. })) => Err("its process answered another call".to_owned()),
            Ok(Err(_)) => Err(format!("its process {}", self.end().await)),
            Err(_) => Err(format!(
                "it did not finish within {} s; its process was killed",
                limits.timeout.as_secs()
            )),
        }
    }

    /// Whether the process still runs.
    pub(super) fn is_alive(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // Without NOWAIT the process would be gone for whoever waits for it properly.
        self.pid()
            .is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    /// Whether it has to be replaced before the next call.
    pub(super) fn is_worn(&self, limits: &Limits) -> bool {
        let resident = self.child.id().and_then(resident_mb);
        self.done >= limits.items || resident.is_some_and(|megabytes| megabytes > limits.rss_mb)
    }

    /// How the process ended, in words. It has closed its pipe, so it ends or is made to.
    async fn end(&mut self) -> String {
        for _ in 0..100 {
            if !self.is_alive() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Before it is waited for: until then its number, which is that of the group, can be nobody else's.
        self.kill();
        match self.child.wait().await {
            Ok(status) => format!("ended ({status})"),
            Err(error) => format!("was lost: {error}"),
        }
    }

    /// Its number; none once it was waited for, when the number may be another's.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| Pid::from_raw(pid as i32))
    }

    /// Kills it and whatever it started.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            // It fails only for a group that is gone.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Resolves when the process is larger than `limit`; never on a system without /proc.
async fn grown(pid: Option<u32>, limit: u64) -> u64 {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(megabytes) = pid.and_then(resident_mb)
            && megabytes > limit
        {
            return megabytes;
        }
    }
}

/// Resident memory in MiB.
fn resident_mb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}
