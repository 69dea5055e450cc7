"""A run on a local Ray: two processes of a learner, two generators, two reward servers; one of each killed in turn.

Whatever happens to a run, nothing that it started outlives it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InvalidSpecError
from assay.recipe import load_recipe

CLUSTER = """
[cluster]
learners = 2
generators = 2
reward_servers = 2
reward_cpus = 0.5
"""
ENDLESS = 100_000
# Of everything that a busy machine may take its time for.
PATIENCE = 240.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Run:
    """`assay train --on ray` in a process of its own, whose descendants are known by a variable they all inherit."""

    def __init__(self, recipe: Path, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str]

    def start(self, *more: str, steps: int, learners: int = 2) -> None:
        command = [sys.executable, "-m", "assay.cli", "train", str(self.recipe), "--out", str(self.folder)]
        command += ["--on", "ray", *more]
        settings = {"stage.grpo.steps": steps, "stage.grpo.sample_groups": 4, "stage.sft.steps": 1}
        for key, value in {**settings, "cluster.learners": learners}.items():
            command += ["--set", f"{key}={value}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "ASSAY_TEST": self.mark}
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
        if self.pid("learner-0") == learner:
            os.kill(learner, signal.SIGCONT)


def until(is_so: Callable[[], bool], why: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, why()
        time.sleep(0.02)


@pytest.fixture
def run(small_recipe: Path, tmp_path: Path) -> Iterator[Run]:
    assert find_spec("ray") is not None, "ray is part of the environment that make setup makes"
    text = small_recipe.read_text()
    before = text.index('[[stage]]\nkind = "eval"\nname = "before"')
    small_recipe.write_text(text[:before] + text[text.index('[[stage]]\nkind = "grpo"') :] + CLUSTER)
    made = Run(small_recipe, tmp_path / "run")
    yield made
    made.clean()


@pytest.mark.timeout(900)
def test_one_of_each_killed_in_turn_and_the_run_completes(run: Run):
    steps = 40
    run.start(steps=steps)
    for done, name in ((2, "generator-0"), (4, "rewards-1"), (6, "learner-0"), (8, "learner-1"), (10, "generator-1")):
        run.wait_for(done)
        run.kill(name)
    out, err = run.process.communicate(timeout=500)
    assert run.process.returncode == 0, err[-3000:]
    assert err.count("the learner died; it is started again from its last checkpoint") == 2
    folder = run.folder
    assert json.loads((folder / "summary.json").read_text())["complete"]
    assert str(folder) in out
    rows = [row for row in read(folder / "metrics.jsonl") if row["kind"] == "grpo"]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    assert all(row["sampling/logprob_diff_max"] < 1e-4 and row["staleness/max"] == 0 for row in rows)
    samples = [row for row in read(folder / "samples.jsonl") if row["stage"] == "grpo"]
    trained = sorted((row["group_id"], row["index"]) for row in samples)
    assert trained == [(group, index) for group in range(4 * steps) for index in range(4)]
    assert all(row["status"] != "unavailable" for row in samples)
    assert any((path / "shards").is_dir() for path in (folder / "checkpoints" / "grpo").glob("step-*"))
    run.nothing_is_left()


@pytest.mark.timeout(900)
def test_ctrl_c_checkpoints_and_leaves_nothing_and_the_run_is_resumed(run: Run):
    run.start(steps=30, learners=1)
    run.wait_for(2)
    run.process.send_signal(signal.SIGINT)
    _, err = run.process.communicate(timeout=300)
    assert run.process.returncode == 130, err[-3000:]
    assert "go on with --resume" in err
    assert not json.loads((run.folder / "summary.json").read_text())["complete"]
    run.nothing_is_left()
    done = run.steps()
    assert 2 <= done < 30
    run.start("--resume", steps=30, learners=1)
    _, err = run.process.communicate(timeout=300)
    assert run.process.returncode == 0, err[-3000:]
    assert run.steps() == 30
    run.nothing_is_left()


@pytest.mark.timeout(900)
def test_a_driver_that_is_killed_leaves_nothing(run: Run):
    run.start(steps=ENDLESS, learners=1)
    run.wait_for(2)
    assert any("assay.cli serve" in command for command in run.left().values())
    run.process.kill()
    run.process.communicate()
    run.nothing_is_left()


def test_a_cluster_table_that_says_nothing_sensible_is_refused(small_recipe: Path):
    with pytest.raises(InvalidSpecError, match=r"cluster\.generators"):
        load_recipe(small_recipe, ["cluster.generators=0"])
    with pytest.raises(InvalidSpecError, match=r"cluster\.learners"):
        load_recipe(small_recipe, ["cluster.learners=0"])
    with pytest.raises(InvalidSpecError, match="did you mean 'reward_servers'"):
        load_recipe(small_recipe, ["cluster.reward_server=1"])
