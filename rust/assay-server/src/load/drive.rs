//! The two loops.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::call::{Caller, End};
use super::report::{Latency, Moment, Report, ServerUse, histogram};
use super::{LoadError, LoadOptions};
use crate::process::{self, Usage};

/// How often figures are told.
const EVERY: Duration = Duration::from_secs(1);
const MIB: f64 = 1024.0 * 1024.0;

/// What all requests write into.
struct Tally {
    report: Report,
    latency: Histogram<u64>,
    /// Of the present moment.
    recent: Recent,
}

struct Recent {
    latency: Histogram<u64>,
    items: u64,
    shed: u64,
    failed: u64,
}

impl Recent {
    fn new() -> Self {
        Self {
            latency: histogram(),
            items: 0,
            shed: 0,
            failed: 0,
        }
    }
}

#[derive(Clone)]
struct Book {
    tally: Arc<Mutex<Tally>>,
}

impl Book {
    fn open(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, end: End, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut guard = self.open();
        let tally = &mut *guard;
        tally.report.requests += 1;
        match end {
            End::Answered(findings) => {
                tally.report.answered += 1;
                tally.recent.items += findings.items;
                tally.report.findings.add(findings);
                tally.latency.saturating_record(microseconds);
                tally.recent.latency.saturating_record(microseconds);
            }
            End::Shed => {
                tally.report.shed += 1;
                tally.recent.shed += 1;
            }
            End::Failed { code, message } => {
                *tally.report.failed.entry(code.clone()).or_default() += 1;
                tally
                    .report
                    .first_failure
                    .get_or_insert_with(|| format!("{code}: {message}"));
                tally.recent.failed += 1;
            }
        }
    }
}

/// Connects, runs the loop and sums up.
pub(crate) fn drive(
    runtime: &Runtime,
    options: &LoadOptions,
    stop: &Arc<AtomicBool>,
    mut moment: impl FnMut(&Moment) + Send,
) -> Result<Report, LoadError> {
    let caller = runtime.block_on(Caller::connect(options))?;
    let book = Book {
        tally: Arc::new(Mutex::new(Tally {
            report: Report::new(options),
            latency: histogram(),
            recent: Recent::new(),
        })),
    };
    let before = options.pid.and_then(process::usage);
    if options.pid.is_some() && before.is_none() {
        return Err(LoadError::Options(
            "--pid: there is no such process on this machine".to_owned(),
        ));
    }
    let course = Course {
        runtime,
        options,
        caller,
        book: book.clone(),
        started: Instant::now(),
        stop,
    };
    let started = course.started;
    let over = (Mutex::new(false), Condvar::new());
    let mut most = before.unwrap_or_default().rss_bytes;
    std::thread::scope(|scope| {
        let teller = scope.spawn(|| tell(&book, options.pid, started, &over, &mut moment));
        match options.rate {
            Some(rate) => course.open_loop(rate),
            None => course.closed_loop(),
        }
        *over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        over.1.notify_all();
        most = most.max(teller.join().unwrap_or(0));
    });
    let seconds = started.elapsed().as_secs_f64();
    let after = options.pid.and_then(process::usage);
    let tally = book.open();
    let mut report = tally.report.clone();
    report.seconds = seconds;
    report.items_per_second = report.findings.items as f64 / seconds;
    report.latency_ms = Latency::from(&tally.latency);
    report.server = before
        .zip(after)
        .map(|(before, after)| used(&report, before, after, most));
    report.ok = report.findings.is_clean()
        && report.findings.items > 0
        && report.failed.is_empty()
        && (report.shed == 0 || options.allow_shed);
    Ok(report)
}

fn used(report: &Report, before: Usage, after: Usage, most: u64) -> ServerUse {
    let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
    ServerUse {
        cpu_seconds,
        items_per_core_second: report.findings.items as f64 / cpu_seconds.max(0.01),
        rss_mib_before: before.rss_bytes as f64 / MIB,
        rss_mib_after: after.rss_bytes as f64 / MIB,
        rss_mib_most: most.max(after.rss_bytes) as f64 / MIB,
    }
}

/// Tells figures each second until `over`; returns the most memory seen.
fn tell(
    book: &Book,
    pid: Option<u32>,
    started: Instant,
    over: &(Mutex<bool>, Condvar),
    moment: &mut (impl FnMut(&Moment) + Send),
) -> u64 {
    let mut most = 0;
    let mut guard = over.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*guard {
        (guard, _) = over
            .1
            .wait_timeout(guard, EVERY)
            .unwrap_or_else(PoisonError::into_inner);
        let rss = pid.and_then(process::usage).map(|usage| usage.rss_bytes);
        most = most.max(rss.unwrap_or(0));
        let mut tally = book.open();
        let recent = std::mem::replace(&mut tally.recent, Recent::new());
        let told = Moment {
            seconds: started.elapsed().as_secs_f64(),
            items: recent.items,
            shed: recent.shed,
            failed: recent.failed,
            p99_ms: Latency::from(&recent.latency).p99,
            rss_mib: rss.map(|bytes| bytes as f64 / MIB),
        };
        moment(&told);
        tally.report.series.push(told);
    }
    most
}

/// What both loops need.
struct Course<'a> {
    runtime: &'a Runtime,
    options: &'a LoadOptions,
    caller: Caller,
    book: Book,
    started: Instant,
    stop: &'a Arc<AtomicBool>,
}

impl Course<'_> {
    /// The number of the request after the last.
    fn most(&self) -> u64 {
        self.options.requests.unwrap_or(u64::MAX)
    }

    /// `concurrency` requests in flight until the time or the count is over.
    fn closed_loop(&self) {
        let next = Arc::new(AtomicU64::new(0));
        let (end, most) = (self.started + self.options.length(), self.most());
        let worker = || {
            let (caller, book) = (self.caller.clone(), self.book.clone());
            let (next, stop) = (Arc::clone(&next), Arc::clone(self.stop));
            self.runtime.spawn(async move {
                while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= most {
                        return;
                    }
                    let sent = Instant::now();
                    let end = caller.call(number).await;
                    book.note(end, sent.elapsed());
                }
            })
        };
        let workers: Vec<_> = (0..self.options.concurrency).map(|_| worker()).collect();
        self.runtime.block_on(async {
            for worker in workers {
                // A worker that panicked leaves its request uncounted; the count of requests shows it.
                let _ = worker.await;
            }
        });
    }

    /// A request every `1 / rate` seconds. This thread keeps the time: the timers of the runtime are a millisecond coarse.
    fn open_loop(&self, rate: f64) {
        let room = Arc::new(Semaphore::new(self.options.concurrency));
        for number in 0..self.most() {
            let after = Duration::from_secs_f64(number as f64 / rate);
            if after >= self.options.length() || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let due = self.started + after;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let Ok(place) = self.runtime.block_on(Arc::clone(&room).acquire_owned()) else {
                break;
            };
            let (caller, book) = (self.caller.clone(), self.book.clone());
            self.runtime.spawn(async move {
                let end = caller.call(number).await;
                book.note(end, due.elapsed());
                drop(place);
            });
        }
        // All places back: every request has ended.
        let all = u32::try_from(self.options.concurrency).unwrap_or(u32::MAX);
        let _ = self.runtime.block_on(room.acquire_many(all));
    }
}
