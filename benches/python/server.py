"""One core of the reward server beside a Python gRPC server that calls math-verify, and beside scoring in process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
from common import best_of, seconds, table
from verify import FOUR, FULL, completions, formulas_in_words, peer_rewards, plain_formulas

import assay

BATCH = 256
ROUNDS = 20
SEPARATOR = "\x1e"


@contextmanager
def assay_server(*options: str) -> Iterator[tuple[str, int]]:
    """`assay serve` with one scoring thread in a process of its own: its address and process id."""
    command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--threads", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"listening on (\S+)", process.stdout.readline())
        assert found, "the server did not say where it listens"
        try:
            yield found[1], process.pid
        finally:
            process.terminate()


@contextmanager
def python_server() -> Iterator[str]:
    """A unary method over strings in this process, the least that a Python reward server can do."""

    def score(request: bytes, _context: grpc.ServicerContext) -> bytes:
        fields = request.decode().split(SEPARATOR)
        # math-verify's time limits need the main thread, so a Python server runs without any.
        rewards = peer_rewards(fields[0::2], fields[1::2], limit=None)
        return " ".join(map(repr, rewards)).encode()

    handler = grpc.method_handlers_generic_handler("Peer", {"Score": grpc.unary_unary_rpc_method_handler(score)})
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peer_rate(texts: list[str], references: list[str], expected: list[float]) -> float:
    """Items per CPU second of the Python server and its client."""
    with python_server() as address, grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/Peer/Score")
        pairs = list(zip(texts[:BATCH], references[:BATCH], strict=True))
        request = SEPARATOR.join(field for pair in pairs for field in pair).encode()
        timed, reply = best_of(2, lambda: call(request))
    rewards = [float(word) for word in reply.split()]
    assert sum(a == b for a, b in zip(rewards, expected, strict=False)) > 0.9 * BATCH
    return BATCH / timed.cpu


class InTurn(NamedTuple):
    """Seconds for all items: CPU in process, CPU of the server, and by the clock of its client, the least of the rounds."""

    here: float
    server: float
    served: float


def in_turn(address: str, pid: int, spec: object, texts: list[str], references: list[str], rounds: int) -> InTurn:
    """Both sides in turn, so that they see the same machine; their results have to be the same to the last bit."""
    count = len(texts)
    batches = [(texts[start : start + BATCH], references[start : start + BATCH]) for start in range(0, count, BATCH)]
    local, remote = assay.Scorer(spec, threads=1), assay.connect(address, spec)
    for scorer in (local, remote):
        scorer.score(*batches[0])
    here = server_cpu = 0.0
    served = float("inf")
    # Often, because another process's CPU time comes in hundredths of a second.
    for _ in range(rounds):
        started = time.process_time()
        expected = [local.score(*batch).total.tobytes() for batch in batches]
        here += (time.process_time() - started) / rounds
        before, started = cpu_of(pid), time.perf_counter()
        found = [remote.score(*batch).total.tobytes() for batch in batches]
        served = min(served, time.perf_counter() - started)
        server_cpu += (cpu_of(pid) - before) / rounds
        assert found == expected, "the server finds something else"
    return InTurn(here, server_cpu, served)


def run() -> list[str]:
    """The table of this file."""
    texts, references, expected = completions(20_480)
    assert assay.Scorer(FULL).score(texts, references).total.tolist() == expected
    long = formulas_in_words(plain_formulas(), 2_048)
    with assay_server() as (address, pid):
        short_times = in_turn(address, pid, FULL, texts, references, ROUNDS)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        # Or the server would score these once and remember.
        config.write("result_cache_bytes = 0\n")
        config.flush()
        with assay_server("--config", config.name) as (address, pid):
            long_times = in_turn(address, pid, FOUR, *long, 3)
    peer = peer_rate(texts, references, expected)
    rows = []
    for name, count, times in (
        ("60 words and a number, accuracy + format", len(texts), short_times),
        ("600 words and a formula, those + language + repetition", len(long[0]), long_times),
    ):
        each = [seconds(took / count) for took in times]
        rows.append([name, *each, f"{count / times.server:,.0f}", f"{times.server / times.here:.2f}x"])
    ratio = len(texts) / short_times.server / peer
    rows.append(
        [f"the first by Python grpcio + math-verify ({ratio:,.0f}x)", "-", seconds(1 / peer), "-", f"{peer:,.0f}", "-"]
    )
    header = [
        "",
        "in process, CPU",
        "server, CPU",
        "client, wall",
        "items per CPU s of the server",
        "server over in process",
    ]
    return [table(f"Reward server, one scoring thread, requests of {BATCH}", header, rows)]
