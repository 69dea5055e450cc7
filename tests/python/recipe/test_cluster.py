"""A run on a local Ray: two generators and two reward servers, and one of each process killed in turn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InvalidSpecError
from assay.recipe import load_recipe

CLUSTER = """
[cluster]
generators = 2
reward_servers = 2
reward_cpus = 0.5
"""
STEPS = 24


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Run:
    """`assay train --on ray` in a process of its own."""

    def __init__(self, recipe: Path, folder: Path, *more: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "assay.cli", "train", str(recipe), "--out", str(folder), "--on", "ray", *more]
        command += [
            "--set",
            f"stage.grpo.steps={STEPS}",
            "--set",
            "stage.grpo.sample_groups=4",
            "--set",
            "stage.sft.steps=1",
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def steps(self) -> int:
        return sum(row["kind"] == "grpo" for row in read(self.folder / "metrics.jsonl"))

    def wait_for(self, steps: int) -> None:
        while self.steps() < steps:
            assert self.process.poll() is None, self.process.communicate()[1][-3000:]
            time.sleep(0.02)

    def pid(self, name: str) -> int:
        return json.loads((self.folder / "cluster" / f"{name}.json").read_text())["pid"]

    def kill(self, name: str) -> None:
        """Kills a process and waits until another has taken its place."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)
        while self.pid(name) == before:
            assert self.process.poll() is None, self.process.communicate()[1][-3000:]
            time.sleep(0.02)


@pytest.mark.timeout(600)
def test_one_of_each_killed_in_turn_and_the_run_completes(small_recipe: Path, tmp_path: Path):
    assert find_spec("ray") is not None, "ray is part of the environment that make setup makes"
    text = small_recipe.read_text()
    before = text.index('[[stage]]\nkind = "eval"\nname = "before"')
    small_recipe.write_text(text[:before] + text[text.index('[[stage]]\nkind = "grpo"') :] + CLUSTER)
    folder = tmp_path / "run"
    run = Run(small_recipe, folder)
    try:
        for done, name in ((2, "generator-0"), (4, "rewards-1"), (6, "learner-0"), (9, "generator-1")):
            run.wait_for(done)
            run.kill(name)
        out, err = run.process.communicate(timeout=500)
    finally:
        run.process.kill()
    assert run.process.returncode == 0, err[-3000:]
    assert "the learner died; it is started again from its last checkpoint" in err
    assert json.loads((folder / "summary.json").read_text())["complete"]
    assert str(folder) in out
    rows = [row for row in read(folder / "metrics.jsonl") if row["kind"] == "grpo"]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert all(row["sampling/logprob_diff_max"] < 1e-4 and row["staleness/max"] == 0 for row in rows)
    samples = [row for row in read(folder / "samples.jsonl") if row["stage"] == "grpo"]
    trained = sorted((row["group_id"], row["index"]) for row in samples)
    assert trained == [(group, index) for group in range(4 * STEPS) for index in range(4)]
    assert all(row["status"] != "unavailable" for row in samples)


def test_a_cluster_table_that_says_nothing_sensible_is_refused(small_recipe: Path):
    with pytest.raises(InvalidSpecError, match=r"cluster\.generators"):
        load_recipe(small_recipe, ["cluster.generators=0"])
    with pytest.raises(InvalidSpecError, match="did you mean 'reward_servers'"):
        load_recipe(small_recipe, ["cluster.reward_server=1"])
