"""One core of the reward server beside a Python gRPC server that calls math-verify, and beside scoring in process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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
    in_process, totals = best_of(3, lambda: [local.score(*batch).total.tolist() for batch in batches])
    assert [total for batch in totals for total in batch] == expected
    with assay_server() as (address, pid):
        remote = assay.connect(address, SPEC)
        remote.score(texts[:BATCH], references[:BATCH])
        # CPU time of another process comes in hundredths of a second, so it is taken over many rounds.
        rounds = 20
        before = cpu_of(pid)
        served, totals = best_of(rounds, lambda: [remote.score(*batch).total.tolist() for batch in batches])
        server_cpu = (cpu_of(pid) - before) / rounds
    assert [total for batch in totals for total in batch] == expected
    peer = peer_rate(texts, references, expected)
    ours = count / server_cpu
    rows = [
        ["assay.Scorer, in process, 1 thread", f"{count / in_process.cpu:,.0f}", seconds(in_process.cpu / count)],
        [
            "assay serve, CPU of the server process",
            f"{ours:,.0f} ({ours / peer:,.0f}x the Python server)",
            seconds(1 / ours),
        ],
        ["assay serve, wall seen by one Python client", f"{count / served.wall:,.0f}", seconds(served.wall / count)],
        ["Python grpcio + math-verify, CPU", f"{peer:,.0f}", seconds(1 / peer)],
        ["server CPU over in-process CPU", f"{server_cpu / in_process.cpu:.2f}x", ""],
    ]
    return [
        table(
            f"Reward server, {count:,} number completions in batches of {BATCH}, accuracy + format",
            ["", "items per second", "per item"],
            rows,
        )
    ]
