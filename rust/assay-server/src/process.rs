//! CPU time and memory of a process of this machine, from `/proc`.

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds of CPU of all its threads.
    pub(crate) cpu_seconds: f64,
    /// Resident bytes.
    pub(crate) rss_bytes: u64,
}

/// What the kernel counts CPU time in, on every Linux that Rust supports: `USER_HZ`.
const TICKS_PER_SECOND: f64 = 100.0;
/// `status` counts memory in these.
const KIB: u64 = 1024;

/// `None` when there is no such process, or no `/proc`.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    Some(Usage {
        cpu_seconds: cpu_seconds(&read("stat")?)?,
        rss_bytes: rss_bytes(&read("status")?).unwrap_or(0),
    })
}

/// Fields 14 and 15 of `stat`, user and system time. The second field, a name in brackets, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "7 (a) name (x) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(rss_bytes("Name:\tx\nVmRSS:\t    12 kB\n"), Some(12 * 1024));
        assert!(usage(std::process::id()).unwrap().rss_bytes > 0);
        assert_eq!(usage(u32::MAX), None);
    }
}
