"""One scoring thread of the reward server under load: how much, how fast, how large, and what happens beyond its limit.

python benches/python/load.py [--seconds 3] [--overload | --soak 600]

Every result is checked by the load generator; a wrong one stops the benchmark. The server and the generator share the machine; for
the overload each has a core of its own, where there are two, so that what the generator takes is not taken from the server.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common import table
from server import peer_rate
from verify import completions

COMMAND = [sys.executable, "-m", "assay.cli"]
KINDS = ("short", "long-text", "long-tokens")
BATCHES = (1, 64, 256, 1024)


def on_core(core: int | None) -> list[str]:
    """What makes a command run on one core."""
    if core is None or len(os.sched_getaffinity(0)) <= core or shutil.which("taskset") is None:
        return []
    return ["taskset", "--cpu-list", str(core)]


@contextmanager
def server(*options: str, core: int | None = None) -> Iterator[tuple[str, int]]:
    """`assay serve` with one scoring thread: its address and process id."""
    command = [*on_core(core), *COMMAND, "serve", "--bind", "127.0.0.1:0", "--threads", "1", *options]
    quiet = {**os.environ, "ASSAY_LOG": "off"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        try:
            yield address, process.pid
        finally:
            process.terminate()


@contextmanager
def busy(count: int, core: int) -> Iterator[None]:
    """Loops that take their shares of a core."""
    command = [*on_core(core), sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in loops:
            process.kill()
            process.wait()


def load(address: str, *options: object, core: int | None = None) -> dict[str, Any]:
    """What `assay load` found. A wrong result stops the benchmark."""
    report = attempt(address, *options, core=core)
    assert report["ok"], report
    return report


def attempt(address: str, *options: object, core: int | None = None) -> dict[str, Any]:
    """The same, where requests may fail; results may not be wrong."""
    command = [*on_core(core), *COMMAND, "load", address, *map(str, options), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert (report["lost"], report["duplicated"], report["different"]) == (0, 0, 0), report
    return report


def milliseconds(report: dict[str, Any]) -> list[str]:
    latency = report["latency_ms"]
    return [f"{latency[name]:.2f}" for name in ("p50", "p99", "p999")]


def throughput(address: str, pid: int, seconds: float) -> str:
    """Closed loop for the rate, then an open loop at half of it for the times."""
    rows: list[list[str]] = []
    for kind in KINDS:
        for batch in BATCHES:
            common = ("--kind", kind, "--batch", batch, "--pid", pid, "--seconds", seconds)
            closed = ("--concurrency", 4 if batch == 1024 else 8, "--connections", 2, "--allow-shed")
            full = attempt(address, *common, *closed)
            rate = max(full["answered"] / full["seconds"] / 2, 1.0)
            # On a machine that others use it may have to turn some away even so.
            options = ("--rate", f"{rate:.3f}", "--concurrency", 4096, "--connections", 2, "--allow-shed")
            half = attempt(address, *common, *options)
            core = full["server"]["items_per_core_second"]
            rows.append([kind, f"{batch:,}", f"{full['items_per_second']:,.0f}", f"{core:,.0f}", *milliseconds(half)])
    return table(
        "Reward server, one scoring thread, accuracy + format: rate in a closed loop; times in an open loop at half the rate",
        ["items", "batch", "items/s", "items per CPU s of the server", "p50 ms", "p99 ms", "p99.9 ms"],
        rows,
    )


def beside_python(address: str, pid: int, seconds: float) -> str:
    """The same machine, the same minute: a Python grpcio server that calls math-verify."""
    texts, references, expected = completions(1024)
    peer = peer_rate(texts, references, expected)
    ours = load(address, "--batch", 256, "--pid", pid, "--seconds", seconds)["server"]["items_per_core_second"]
    rows = [
        ["assay, requests of 256 one-line items", f"{ours:,.0f}", f"{ours / peer:,.0f}x"],
        ["Python grpcio + math-verify, the same size", f"{peer:,.0f}", "1x"],
    ]
    return table("Items per second of one core", ["", "items per CPU s", ""], rows)


def connections() -> str:
    """Memory of connections, on servers that have done nothing else."""
    most: dict[int, float] = {}
    for count in (1, 1000):
        with server() as (address, pid):
            options = ("--connections", count, "--requests", 2000, "--batch", 1, "--pid", pid, "--seconds", 60)
            most[count] = load(address, *options)["server"]["rss_mib_most"]
    each = (most[1000] - most[1]) * 1024 / 999
    rows = [["1", f"{most[1]:.1f}", ""], ["1,000", f"{most[1000]:.1f}", f"{each:.1f}"]]
    return table("Memory by connections, 2,000 requests over them", ["connections", "MiB at most", "KiB each"], rows)


def overload(seconds: float) -> str:
    """Once and twice the rate that the server can do, each request with two seconds to live.

    To make and send megabytes of text takes the generator as long as it takes the server to receive and score them. So that it
    can offer twice of what the server can do, the server shares its core with three loops then.
    """
    rows: list[list[str]] = []
    for kind, batch, loops in (("short", 256, 0), ("long-text", 64, 3)):
        with server(core=0) as (address, pid), busy(loops, core=0):
            common = ("--kind", kind, "--batch", batch, "--pid", pid)
            # The first rounds find pages and branches cold.
            load(address, "--kind", kind, "--requests", 200, core=1)
            closed = ("--concurrency", 16, "--seconds", seconds, "--connections", 2)
            peak = attempt(address, *common, *closed, "--allow-shed", core=1)
            beside = f", beside {loops} loops" if loops else ""
            rows.append(overloaded(f"{kind} x {batch}{beside}, closed loop", peak, peak))
            for times in (1, 2):
                rate = f"{times * peak['answered'] / peak['seconds']:.1f}"
                options = ("--rate", rate, "--concurrency", 100_000, "--connections", 4, "--timeout", 2)
                over = attempt(address, *common, "--seconds", 3 * seconds, "--allow-shed", *options, core=1)
                rows.append(overloaded(f"{times}x, {rate} requests/s", over, peak))
    header = [
        "",
        "right items/s",
        "of the peak",
        "the same by CPU s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "turned away",
        "late",
    ]
    return table("Overload, server and generator on a core each", header, rows)


def overloaded(name: str, found: dict[str, Any], peak: dict[str, Any]) -> list[str]:
    """A row: what came back right beside the peak, by the clock and by the CPU time of the server."""
    by_clock = found["items_per_second"] / peak["items_per_second"]
    by_core = found["server"]["items_per_core_second"] / peak["server"]["items_per_core_second"]
    return [
        name,
        f"{found['items_per_second']:,.0f}",
        f"{by_clock:.0%}",
        f"{by_core:.0%}",
        *milliseconds(found),
        f"{found['shed'] / found['requests']:.0%}",
        f"{sum(found['failed'].values()) / found['requests']:.0%}",
    ]


def soak(seconds: float) -> str:
    """Memory over time under a steady load of mixed sizes."""
    rows: list[list[str]] = []
    with server() as (address, pid):
        found = load(address, "--batch", 64, "--kind", "long-text", "--rate", 20, "--seconds", seconds, "--pid", pid)
        series = found["series"]
        for share in (0.05, 0.25, 0.5, 0.75, 1.0):
            moment = series[min(len(series) - 1, int(share * len(series)))]
            rows.append([f"{moment['seconds']:.0f}", f"{moment['rss_mib']:.1f}", f"{moment['p99_ms']:.1f}"])
    title = f"Soak: {found['items']:,} items of 4,096 tokens in {found['seconds']:.0f} s, none wrong"
    return table(title, ["second", "memory in MiB", "p99 ms of that second"], rows)


def run(seconds: float = 3.0) -> Iterator[str]:
    """The tables of this file, each as soon as it is there."""
    yield overload(seconds)
    with server() as (address, pid):
        load(address, "--requests", 50)
        yield throughput(address, pid, seconds)
        yield beside_python(address, pid, seconds)
    yield connections()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--overload", action="store_true", help="only the overload")
    parser.add_argument("--soak", type=float, default=0.0, help="only the soak, of this many seconds")
    arguments = parser.parse_args()
    if arguments.soak:
        tables = iter([soak(arguments.soak)])
    elif arguments.overload:
        tables = iter([overload(arguments.seconds)])
    else:
        tables = run(arguments.seconds)
    for text in tables:
        print(text, flush=True)
