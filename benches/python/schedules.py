"""Throughput of the three schedules on one workload whose generation and training take about equal time, in two processes.

    python benches/python/schedules.py [--rounds 3] [--steps 12]

The schedules take turns, so that other load on the machine hits them alike. Each is a whole run of `assay train`'s loop on the
local engine; its steps after the first two count (starting the second process and filling the queue are not throughput).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from assay.recipe import load_recipe, run_recipe

WARM = 2
PIPELINES = {
    "synchronous": '{ kind = "synchronous" }',
    "one step off": '{ kind = "one_step_off" }',
    "asynchronous": '{ kind = "asynchronous", ahead = 1, max_staleness = 2 }',
}
RECIPE = """
name = "schedules"
runtime = {{ threads = 1, token_budget = 4096 }}
model = {{ kind = "tiny", max_positions = 256 }}
data = {{ source = "addition", digits = 3, size = 4000, held_out = 8 }}
[generator]
kind = "local"
process = true
[[scorer.component]]
kind = "accuracy"
[[scorer.component]]
kind = "length"
weight = 0.1
mode = "soft_overlong"
max_length = 96
buffer = 95
[[stage]]
kind = "grpo"
steps = {steps}
prompts_per_step = 16
group_size = 8
sampling = {{ max_new_tokens = 96 }}
lr = 1e-7
inner_epochs = {epochs}
checkpoint_every = 0
sample_groups = 0
pipeline = {pipeline}
"""


def measure(pipeline: str, steps: int, epochs: int) -> dict[str, float]:
    """Means over the steps that count, and tokens per second of wall time."""
    with tempfile.TemporaryDirectory(prefix="assay-schedules-") as folder:
        path = Path(folder) / "recipe.toml"
        path.write_text(RECIPE.format(steps=steps, epochs=epochs, pipeline=PIPELINES[pipeline]))
        run_recipe(load_recipe(path), Path(folder) / "run")
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    counted = rows[WARM:]
    seconds = counted[-1]["time_s"] - rows[WARM - 1]["time_s"]
    tokens = sum(row["completion/length_mean"] for row in counted) * 16 * 8
    mean = {
        key: statistics.mean(row[key] for row in counted)
        for key in ("timing_s/generate", "timing_s/train", "idle_s/learner", "idle_s/generator", "staleness/mean")
    }
    oldest = max(row["staleness/max"] for row in counted)
    return {"tokens_per_s": tokens / seconds, "step_s": seconds / len(counted), "staleness/max": oldest, **mean}


def main() -> None:
    """Prints a table of medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=2, help="passes over a batch: makes training longer")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PIPELINES}
    for _ in range(arguments.rounds):
        for name in PIPELINES:
            found[name].append(measure(name, arguments.steps, arguments.epochs))
    median = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    base = median["synchronous"]
    assert base["staleness/max"] == 0
    assert median["one step off"]["staleness/max"] <= 1
    assert median["asynchronous"]["staleness/max"] <= 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f} over 5 minutes, {arguments.rounds} rounds\n")
    print(
        "| schedule | tokens/s | beside synchronous | step s | generate s | train s | learner idle s | generator idle s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, row in median.items():
        times = (row["step_s"], row["timing_s/generate"], row["timing_s/train"])
        idle = (row["idle_s/learner"], row["idle_s/generator"])
        cells = " | ".join(f"{value:.2f}" for value in (*times, *idle))
        ratio = row["tokens_per_s"] / base["tokens_per_s"]
        print(f"| {name} | {row['tokens_per_s']:,.0f} | {ratio:.2f}x | {cells} |")


if __name__ == "__main__":
    main()
