"""A guarded program and all it started end with whoever started it, in whatever way that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay import _guarded

# Prints the pid of a child of its own, then waits.
PROGRAM = "sleep 600 & echo $!; wait"
CALLER = f"""
import subprocess, sys
from assay import _guarded
program = _guarded.start(["sh", "-c", {PROGRAM!r}], stdout=subprocess.PIPE)
print(program.pid, program.stdout.readline().decode(), flush=True)
sys.stdin.read()
"""


def gone(group: int) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def caller():
    process = subprocess.Popen([sys.executable, "-c", CALLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    group, child = map(int, process.stdout.readline().split())
    yield process, group, child
    process.kill()
    process.communicate()


def test_a_killed_caller_leaves_nothing(caller):
    process, group, _ = caller
    os.kill(process.pid, signal.SIGKILL)
    assert gone(group)


def test_nor_does_one_whose_child_is_killed_with_it(caller):
    """As Ray does: the child of a worker is killed, its own children are not."""
    process, group, child = caller
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(group, signal.SIGKILL)
    os.kill(child, 0)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert gone(group)


def test_a_caller_that_ends_by_itself_leaves_nothing(caller):
    process, group, _ = caller
    process.communicate()
    assert gone(group)


def test_the_program_gets_signals_and_says_how_it_ended(tmp_path: Path):
    mark = tmp_path / "ended"
    program = _guarded.start(
        ["sh", "-c", f"trap 'echo yes > {mark}; exit 3' TERM; echo up; sleep 600 & wait"], stdout=-1
    )
    with program.stdout:
        assert program.stdout.readline() == b"up\n"
        _guarded.end(program)
        assert program.stdout.read() == b""
    assert program.returncode == 3
    assert mark.read_text() == "yes\n"
    assert gone(program.pid)
    _guarded.end(program)


def test_what_a_program_leaves_behind_ends_after_it():
    program = _guarded.start(["sh", "-c", "sleep 600 & echo left"], stdout=subprocess.PIPE)
    with program.stdout, program.stdin:
        assert program.stdout.readline() == b"left\n"
        assert program.wait() == 0
        assert gone(program.pid)


def test_a_group_is_killed_once(monkeypatch):
    program = _guarded.start(["sleep", "600"])
    _guarded.end(program)
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("the pid may be another's by now"))
    _guarded.end(program)


def test_a_program_that_is_not_there_is_an_exit_status(tmp_path: Path):
    program = _guarded.start([str(tmp_path / "nothing")], stderr=subprocess.PIPE)
    with program.stderr:
        assert b"nothing: No such file" in program.stderr.read()
    assert program.wait() == 127
    _guarded.end(program)
