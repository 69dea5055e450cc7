"""A run on a local Ray whose completions come from a real SGLang server under an actor, which is killed in the middle.

    python benches/python/sglang_ray.py --python SGLANG_VENV/bin/python [--steps 8]

A learner, a generator and a reward server, each an actor in one placement group. The script raises unless the run completes,
every completion is there once, every token was sampled by the weights of its step, and its log-probability is that of the
learner's float32 forward within 1e-3. It prints what it measured as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sglang_grpo import GROUP, PROMPTS, RECIPE, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

CLUSTER = """
[cluster]
learners = 1
generators = 1
reward_servers = 1
reward_cpus = 0.5
"""
PATIENCE_S = 600.0


def rows_of(path: Path) -> list[dict[str, object]]:
    """The whole rows of a file that is being written."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def main() -> None:
    """Runs the recipe and prints its measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter that has sglang")
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-sglang-ray-") as folder:
        path, out = Path(folder) / "recipe.toml", Path(folder) / "run"
        python = Path(arguments.python).absolute()
        text = RECIPE.format(python=python, steps=arguments.steps, prompts=PROMPTS, group=GROUP)
        path.write_text(text + f"sample_groups = {PROMPTS}\n" + CLUSTER)
        started = time.perf_counter()
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        command = [sys.executable, "-m", "assay.cli", "train", str(path), "--out", str(out), "--on", "ray"]
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            pid, back_s = kill_generator(process, out)
            status = process.wait(PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.perf_counter() - started
        assert status == 0, f"assay train ended with {status}"
        rows = [row for row in rows_of(out / "metrics.jsonl") if row["kind"] == "grpo"]
        samples = [row for row in rows_of(out / "samples.jsonl") if row["stage"] == "grpo"]
        actor = json.loads((out / "cluster" / "generator-0.json").read_text())
    assert [row["step"] for row in rows] == list(range(1, arguments.steps + 1))
    trained = sorted((row["group_id"], row["index"]) for row in samples)
    assert trained == [(group, index) for group in range(arguments.steps * PROMPTS) for index in range(GROUP)]
    assert all(row["staleness/max"] == 0 for row in rows)
    worst = max(float(row["sampling/logprob_diff_max"]) for row in rows)
    assert worst < TOLERANCE, f"log-probabilities differ by {worst}"
    assert actor["pid"] != pid, "the actor was not started again"
    found = {"steps": len(rows), "completions": len(samples), "largest log-prob difference": worst}
    print(json.dumps({**found, "step with the kill, s": round(back_s, 1), "seconds": round(seconds, 1)}))


def kill_generator(process: subprocess.Popen[bytes], out: Path) -> tuple[int, float]:
    """Kills the actor after two steps; its pid, and the seconds until the next step was done."""

    def steps() -> int:
        assert process.poll() is None, "the run ended before its generator was killed"
        return sum(row["kind"] == "grpo" for row in rows_of(out / "metrics.jsonl"))

    wait_for(lambda: steps() >= 2)
    pid: int = json.loads((out / "cluster" / "generator-0.json").read_text())["pid"]
    done, killed = steps(), time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    # The next step may have been sampled already.
    wait_for(lambda: steps() >= done + 2)
    return pid, time.perf_counter() - killed


def wait_for(is_so: Callable[[], bool]) -> None:
    """Waits for a condition, as long as a busy machine may need to start a server."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "nothing happens any more"
        time.sleep(0.1)


if __name__ == "__main__":
    main()
