"""One core of the reward server beside a Python gRPC server that calls math-verify, and beside scoring in process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
from common import best_of, seconds, table
from verify import completions, peer_rewards

import assay

SPEC = {"accuracy": 1.0, "format": 0.5}
BATCH = 256
ROUNDS = 20
SEPARATOR = "\x1e"


@contextmanager
def assay_server() -> Iterator[tuple[str, int]]:
    """`assay serve` with one scoring thread in a process of its own: its address and process id."""
    command = [str(Path(sys.executable).parent / "assay"), "serve", "--bind", "127.0.0.1:0", "--threads", "1"]
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


def run() -> list[str]:
    """The table of this file."""
    count = 20_480
    texts, references, expected = completions(count)
    local = assay.Scorer(SPEC, threads=1)
    local.score(texts[:BATCH], references[:BATCH])
    batches = [(texts[start : start + BATCH], references[start : start + BATCH]) for start in range(0, count, BATCH)]
    here = server_cpu = 0.0
    served = float("inf")
    with assay_server() as (address, pid):
        remote = assay.connect(address, SPEC)
        remote.score(texts[:BATCH], references[:BATCH])
        # In turn, so that both see the same machine; and often, because another process's CPU time comes in hundredths of a second.
        for _ in range(ROUNDS):
            started = time.process_time()
            totals = [local.score(*batch).total.tolist() for batch in batches]
            here += (time.process_time() - started) / ROUNDS
            assert [total for batch in totals for total in batch] == expected
            before, started = cpu_of(pid), time.perf_counter()
            totals = [remote.score(*batch).total.tolist() for batch in batches]
            served = min(served, time.perf_counter() - started)
            server_cpu += (cpu_of(pid) - before) / ROUNDS
            assert [total for batch in totals for total in batch] == expected
    peer = peer_rate(texts, references, expected)
    ours = count / server_cpu
    rows = [
        ["assay.Scorer, in process, 1 thread", f"{count / here:,.0f}", seconds(here / count)],
        [
            "assay serve, CPU of the server process",
            f"{ours:,.0f} ({ours / peer:,.0f}x the Python server)",
            seconds(1 / ours),
        ],
        ["assay serve, wall seen by one Python client", f"{count / served:,.0f}", seconds(served / count)],
        ["Python grpcio + math-verify, CPU", f"{peer:,.0f}", seconds(1 / peer)],
        ["server CPU over in-process CPU", f"{server_cpu / here:.2f}x", ""],
    ]
    return [
        table(
            f"Reward server, {count:,} number completions in batches of {BATCH}, accuracy + format",
            ["", "items per second", "per item"],
            rows,
        )
    ]
