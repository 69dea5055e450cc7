"""What changes in the course of a stage: lengths, rows and rewards, at their step and no other, resumed or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.data import Task
from assay.errors import InvalidInputError, InvalidSpecError
from assay.recipe import load_recipe, run_recipe
from assay.recipe.phases import Phases
from assay.recipe.schema import GrpoStage, ScorerConfig
from assay.recipe.training import TrainingRun
from assay.rollout import SamplingParams

SCORER = ScorerConfig.model_validate({"component": [{"kind": "accuracy"}]})
TASKS = [Task(str(i), "1", str(i), "here", {"kind": "general" if i % 4 == 0 else "reasoning"}) for i in range(20)]


def stage(**options: Any) -> GrpoStage:
    plain = {"kind": "grpo", "steps": 50, "lr": 1e-3, "prompts_per_step": 5, "group_size": 2}
    return GrpoStage.model_validate({**plain, "sampling": {"max_new_tokens": 7}, **options})


def phases(**options: Any) -> Phases:
    return Phases(stage(**options), SCORER, TASKS, SamplingParams(7, temperature=0.5), seed=3)


def test_lengths_change_at_their_step():
    schedule = [{"from_step": 3, "max_new_tokens": 20}, {"from_step": 9, "max_new_tokens": 10}]
    made = phases(length_schedule=schedule)
    found = [made.sampling(step).max_new_tokens for step in (1, 2, 3, 8, 9, 50)]
    assert found == [7, 7, 20, 20, 10, 10]
    assert made.sampling(4).temperature == 0.5


def test_rows_are_drawn_from_their_step_on_and_each_once_a_pass():
    made = phases(rows_from={"general": 4})
    early = [task for step in (1, 2, 3) for task in made.tasks(step, 5 * (step - 1), 5)]
    assert sorted(task.id for task in early) == sorted(t.id for t in TASKS if t.metadata["kind"] == "reasoning")
    assert made.tasks(4, 20, 20) != TASKS
    assert sorted(task.id for task in made.tasks(4, 20, 20)) == sorted(task.id for task in TASKS)
    assert phases().tasks(1, 0, 20) == phases(rows_from={}).tasks(50, 0, 20)


def test_rows_that_are_not_there_are_refused():
    with pytest.raises(
        InvalidInputError, match=r"rows_from names 'generic', but the field 'kind' of its rows is 'general', 'r"
    ):
        phases(rows_from={"generic": 4})
    with pytest.raises(InvalidInputError, match="no row for step 1"):
        phases(rows_from={"general": 4, "reasoning": 2})


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("stage.grpo.length_schedule=[{from_step=7, max_new_tokens=5}]", "change at step 7, but it has 6 steps"),
        ("stage.grpo.rows_from={general=9}", "change at step 9, but it has 6 steps"),
        ('scorer.component=[{kind="tags", from_step=8}]', "change at step 8, but it has 6 steps"),
        ('scorer.component=[{kind="tags", from_step=0}]', "a whole number from 1"),
        ("stage.grpo.length_schedule=[{from_step=1, max_new_tokens=5}]", "from_step"),
        (
            "stage.grpo.length_schedule=[{from_step=3, max_new_tokens=5}, {from_step=2, max_new_tokens=6}]",
            "rising from_step",
        ),
    ],
)
def test_what_never_comes_is_refused(small_recipe: Path, setting: str, words: str):
    with pytest.raises(InvalidSpecError, match=words):
        load_recipe(small_recipe, [setting])


SETTINGS = [
    "stage.grpo.length_schedule=[{from_step=4, max_new_tokens=5}]",
    'scorer.component=[{kind="accuracy"}, {kind="tags", weight=0.1, from_step=3}]',
    "stage.grpo.sample_groups=9",
]


def grpo(folder: Path, name: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    return [row for row in rows if row["stage"] == "grpo" and row.get("kind", "grpo") == "grpo"]


def test_a_run_changes_at_its_steps_and_does_so_when_resumed(small_recipe: Path, tmp_path: Path, monkeypatch: Any):
    recipe = load_recipe(small_recipe, SETTINGS)
    run_recipe(recipe, tmp_path / "whole")
    rows = grpo(tmp_path / "whole", "metrics.jsonl")
    assert max(row["completion/length_max"] for row in rows[:3]) > 5
    assert max(row["completion/length_max"] for row in rows[3:]) <= 5
    assert [row["reward/tags/mean"] is None for row in rows] == [True, True, False, False, False, False]

    original = TrainingRun.finish_step

    def stop(self: TrainingRun, context: Any) -> None:
        original(self, context)
        if self.stage.name == "grpo" and self.step == 2:
            raise OSError("stopped")

    monkeypatch.setattr(TrainingRun, "finish_step", stop)
    with pytest.raises(OSError, match="stopped"):
        run_recipe(recipe, tmp_path / "stopped")
    monkeypatch.undo()
    run_recipe(recipe, tmp_path / "stopped", resume=True)
    assert grpo(tmp_path / "stopped", "samples.jsonl") == grpo(tmp_path / "whole", "samples.jsonl")
