"""The R1 recipes at their tiny scale, end to end: every stage visibly does what it claims.

Each assertion is about a direction, with room for another machine's rounding; docs/recipes.md has the measured numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.recipe import load_recipe, run_recipe

RECIPES = Path(__file__).parents[3] / "recipes"


def table(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["stage"]: row for row in summary["table"]}


@pytest.mark.timeout(1800)
def test_r1_zero_learns_that_thinking_pays(tmp_path: Path):
    summary = run_recipe(load_recipe(RECIPES / "r1-zero.toml", scale="tiny"), tmp_path / "run")
    rows = table(summary)
    before, after = rows["before"], rows["after"]
    assert before["after"] == "pretrain"
    assert after["after"] == "grpo"
    assert before["thinks"] < 0.7
    assert after["thinks"] > 0.9
    assert after["accuracy"] > before["accuracy"] + 0.15
    assert after["tokens"] > before["tokens"] + 2
    assert after["format"] > 0.9
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in metrics if row["kind"] == "grpo"]
    assert steps[-1]["emergence/think_answer_ratio"] > 0.9
    assert {"emergence/length_mean", "emergence/readability", "emergence/mixed_ratio"} <= set(steps[0])
    assert "| after | grpo |" in (tmp_path / "run" / "export" / "export" / "README.md").read_text()


def check_r1(summary: dict[str, Any], run: Path) -> None:
    """What the stages of R1 claim, of a finished run."""
    rows = table(summary)
    cold, ablation, reasoned = (rows[f"after-{name}"] for name in ("cold-start", "ablation", "reasoning-rl"))
    final, scenario = rows["after-sft"], rows["after-all-scenario-rl"]
    # The cold start teaches the format, and to mix languages.
    assert rows["base-model"]["thinks"] < 0.8
    assert cold["thinks"] > 0.95
    assert 0.4 < cold["language"] < 0.75
    # Accuracy alone gains by driving English out; the language reward brings English back, and that costs accuracy.
    assert ablation["accuracy"] > cold["accuracy"] + 0.05
    assert ablation["language"] < cold["language"] - 0.3
    assert reasoned["language"] > cold["language"] + 0.2
    assert reasoned["language"] > 0.9
    assert cold["accuracy"] - 0.05 < reasoned["accuracy"] < ablation["accuracy"]
    # Rejection sampling keeps only what is right and in one language, and a model trained on that is both.
    shards = sorted((run / "datasets" / "rejection").glob("data-*"))
    kept = [json.loads(line) for path in shards for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(kept) > 200
    assert all(row["provenance"]["components"]["accuracy"] == 1.0 for row in kept)
    assert final["accuracy"] > reasoned["accuracy"] + 0.05
    assert final["language"] > 0.95
    assert scenario["accuracy"] > cold["accuracy"]
    assert scenario["language"] > 0.95
    # Reward models tell pairs apart, and general responses get better by them.
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    tested = {
        row["stage"]: row["preference/held_out_accuracy"] for row in metrics if "preference/held_out_accuracy" in row
    }
    assert set(tested) == {"helpful", "harmless"}
    assert min(tested.values()) > 0.9
    general = [rows[f"general-{when}-all-scenario-rl"]["reward"] for when in ("before", "after")]
    assert general[1] > general[0] + 0.2


@pytest.mark.timeout(1800)
def test_r1_repairs_the_mixing_of_languages_and_gets_better_by_rejection_sampling(tmp_path: Path):
    check_r1(run_recipe(load_recipe(RECIPES / "r1.toml", scale="tiny"), tmp_path / "run"), tmp_path / "run")
