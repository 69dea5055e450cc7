"""`assay serve` in a process of its own, and `assay score --remote` against it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Assay = Callable[..., Any]
    Rows = Callable[..., Path]


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port of the loopback, and its address."""
    command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--threads", "1"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "ASSAY_LOG": "off"},
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:")
        yield process, line.removeprefix("listening on ").strip()
        process.kill()


def test_remote_scores_are_the_local_ones(
    assay: Assay, rows: Rows, tmp_path: Path, server: tuple[subprocess.Popen[str], str]
) -> None:
    process, address = server
    path = rows(
        {"completion": "<think>1</think><answer>4</answer>", "reference": "4"},
        {"completion": "<think>never closed", "reference": "4"},
        {"completion": "4", "reference": None},
    )
    spec = tmp_path / "spec.toml"
    spec.write_text('[[component]]\nkind = "accuracy"\n[[component]]\nkind = "format"\nweight = 0.3\n')
    outputs = [tmp_path / "here.jsonl", tmp_path / "there.jsonl"]
    here = assay("score", path, "--spec", spec, "--output", outputs[0], "--json").json
    there = assay("score", path, "--spec", spec, "--output", outputs[1], "--json", "--remote", address).json
    assert {**here, "output": None} == {**there, "output": None}
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    bad = assay("score", path, "--spec", "acuracy", "--remote", address).mistake
    assert "did you mean `accuracy`" in bad
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_a_dead_server_is_an_error_and_no_score(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    output = tmp_path / "out.jsonl"
    path = rows({"completion": "4", "reference": "4"})
    done = assay("score", path, "--spec", "accuracy", "--remote", address, "--output", output)
    assert address in done.mistake
    assert done.out == ""
    assert not output.exists()


def test_remote_mistakes(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    path = rows({"completion": "4", "reference": "4"})
    done = assay("score", path, "--spec", "accuracy", "--remote", "x:1", "--tokenizer", tmp_path)
    assert "leave it out with --remote" in done.mistake
    assert assay("score", path, "--spec", "accuracy", "--remote", "no port").code == 2


def test_serve_mistakes(assay: Assay, tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("thread = 2\n")
    assert "server.toml: line 1" in assay("serve", "--config", config).mistake
    assert "absent.toml" in assay("serve", "--config", tmp_path / "absent.toml").mistake
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in assay("serve", "--bind", address).mistake
    assert assay("serve", "--bind", "nowhere").code == 2
