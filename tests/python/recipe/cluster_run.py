"""A run on Ray in a process of its own, and what is known of it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Of everything that a busy machine may take its time for.
PATIENCE = 600.0


def read(path: Path) -> list[dict[str, Any]]:
    """The rows so far; one that is being written is not there yet."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


class Run:
    """`assay train --on ray` in a process of its own, whose descendants are known by a variable they all inherit."""

    def __init__(
        self, recipe: Path, folder: Path, *, address: str = "ray", environment: dict[str, str] | None = None
    ) -> None:
        self.recipe, self.folder, self.address = recipe, folder, address
        self.environment = environment or {}
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str]

    def start(self, *more: str, steps: int, learners: int = 2) -> None:
        command = [sys.executable, "-m", "assay.cli", "train", str(self.recipe), "--out", str(self.folder)]
        command += ["--on", self.address, *more]
        settings = {"stage.grpo.steps": steps, "stage.grpo.sample_groups": 4, "stage.sft.steps": 1}
        for key, value in {**settings, "cluster.learners": learners}.items():
            command += ["--set", f"{key}={value}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "ASSAY_TEST": self.mark}
        environment |= self.environment
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def left(self) -> dict[int, str]:
        """What is running of all that was ever started, by pid."""
        found: dict[int, str] = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if f"ASSAY_TEST={self.mark}".encode() in (path / "environ").read_bytes():
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # gone meanwhile
                continue
        return found

    def nothing_is_left(self) -> None:
        until(lambda: not self.left(), lambda: f"these outlive the run: {self.left()}")

    def clean(self) -> None:
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def steps(self) -> int:
        return sum(row["kind"] == "grpo" for row in read(self.folder / "metrics.jsonl"))

    def wait_for(self, steps: int) -> None:
        self.until(lambda: self.steps() >= steps)

    def until(self, is_so: Callable[[], bool]) -> None:
        def why() -> str:
            self.process.kill()
            return self.process.communicate()[1][-3000:]

        until(lambda: self.process.poll() is not None or is_so(), why)
        assert self.process.poll() is None, why()

    def pid(self, name: str) -> int:
        return json.loads((self.folder / "cluster" / f"{name}.json").read_text())["pid"]

    def kill(self, name: str) -> None:
        """Kills a process and waits until another has taken its place; the learner is held up, so the run is not over by then."""
        before, learner = self.pid(name), self.pid("learner-0")
        os.kill(learner, signal.SIGSTOP)
        os.kill(before, signal.SIGKILL)
        self.until(lambda: self.pid(name) != before)
        # With the other learner this one is ended, too; its successor may not have said so yet.
        with suppress(ProcessLookupError):
            os.kill(learner, signal.SIGCONT)


def until(is_so: Callable[[], bool], why: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, why()
        time.sleep(0.02)
