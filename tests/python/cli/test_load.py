"""`assay load` against a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Assay = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """The address and the process id of a server."""
    command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--threads", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "ASSAY_LOG": "off"}
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1], process.pid
        process.kill()


def test_a_right_server(assay: Assay, server: tuple[str, int]) -> None:
    address, pid = server
    done = assay("load", address, "--requests", 20, "--batch", 8, "--pid", pid, "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    assert (done.json["items"], done.json["lost"], done.json["mode"]) == (160, 0, "closed")
    assert done.json["server"]["rss_mib_after"] > 0
    text = assay("load", address, "--requests", 20, "--rate", 500, "--kind", "long-tokens", "--batch", 2)
    assert text.code == 0
    assert "40 right" in text.out
    assert "open loop, 500 requests/s" in text.out


def test_a_failed_request_is_exit_1_and_a_mistake_exit_2(assay: Assay, server: tuple[str, int]) -> None:
    address, _ = server
    done = assay("load", address, "--requests", 2, "--batch", 100_000)
    assert done.code == 1
    assert "2 with ResourceExhausted" in done.out
    assert "--rate" in assay("load", address, "--rate", 0).mistake
    assert "127.0.0.1:1" in assay("load", "127.0.0.1:1").mistake


def test_ctrl_c_ends_it_with_the_report(server: tuple[str, int]) -> None:
    command = [sys.executable, "-m", "assay.cli", "load", server[0], "--seconds", "600", "--batch", "1", "--json"]
    # Its lines on a terminal say when it has begun; here, threads of its own do.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while "assay-load" not in threads_of(process.pid):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        report = json.loads(process.communicate(timeout=60)[0])
        assert process.returncode == 130
    assert report["ok"]
    assert report["items"] == report["requests"] > 0


def threads_of(pid: int) -> set[str]:
    """The names of the threads of a process."""
    return {path.read_text(encoding="ascii").strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")}
