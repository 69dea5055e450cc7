"""What the options of the stage `grpo` do to a run: algorithms, divergence in the reward, references, dynamic sampling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from assay.data import Task
from assay.errors import InvalidSpecError
from assay.recipe import load_recipe, run_recipe
from assay.recipe.advantages import groups_with_variance, penalised_advantages
from assay.recipe.schema.algorithms import ALGORITHMS
from assay.recipe.scoring import ScoredBatch, merge, select
from assay.rollout import Rollout
from assay.scores import Scores

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ["stage.sft.steps=2", "stage.grpo.steps=3", "stage.before.problems=1", "stage.after.problems=1"]


def rows_of(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == "grpo"]


def batch_of(totals: list[float], groups: list[int]) -> ScoredBatch:
    n = len(totals)
    ids = np.ones(2, np.uint32)
    return ScoredBatch(
        [Rollout(g, i, ids, ids, np.zeros(2, np.float32), "stop", 0) for i, g in enumerate(groups)],
        [Task(id=str(i), prompt="", reference="1", metadata={}, source="") for i in range(n)],
        [""] * n,
        Scores(np.array(totals), {"accuracy": np.array(totals)}, ["scored"] * n, [None] * n, [None] * n),
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_runs_and_is_written_out(small_recipe: Path, tmp_path: Path, algorithm: str):
    text = small_recipe.read_text().replace("kl_coefficient = 0.01\n", f'algorithm = "{algorithm}"\n')
    small_recipe.write_text(text)
    recipe = load_recipe(small_recipe, [*SHORT, "stage.grpo.steps=2"])
    run_recipe(recipe, tmp_path / "run")
    assert all(np.isfinite(row["loss"]) for row in rows_of(tmp_path / "run"))
    (stage,) = [stage for stage in load_recipe(tmp_path / "run" / "recipe.toml").stage if stage.kind == "grpo"]
    for key, value in ALGORITHMS[algorithm].items():
        assert getattr(stage, key) == value


def test_what_the_recipe_says_wins_over_the_algorithm(small_recipe: Path):
    recipe = load_recipe(small_recipe, ["stage.grpo.algorithm=dapo", "stage.grpo.clip_high=0.5"])
    (stage,) = [stage for stage in recipe.stage if stage.kind == "grpo"]
    assert (stage.clip_high, stage.mask_truncated, stage.kl_coefficient) == (0.5, True, 0.01)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stage.grpo.kl_estimator=k1"], "kl_estimator 'k1' has no gradient on average"),
        (["stage.grpo.dual_clip=1.2"], "dual_clip must be above 1 . clip_high"),
        (["stage.grpo.kl_coefficient=0.0", "stage.grpo.reference_refresh_every=4"], "needs a reference"),
        (["stage.grpo.kl_in=reward", "stage.grpo.advantage=gdpo"], "has no meaning for 'gdpo'"),
        (["stage.grpo.algorithm=dapoo"], "did you mean 'dapo'|dapo"),
    ],
)
def test_options_that_exclude_each_other(small_recipe: Path, overrides: list[str], message: str):
    with pytest.raises(InvalidSpecError, match=message):
        load_recipe(small_recipe, overrides)


def test_a_refreshed_reference_survives_kill_and_resume(small_recipe: Path, tmp_path: Path):
    """References are renewed at steps 2 and 4, checkpoints written at 3 and 6: the resumed run needs the one of step 2."""
    recipe = load_recipe(
        small_recipe,
        [*SHORT, "stage.grpo.steps=6", "stage.grpo.reference_refresh_every=2", "stage.grpo.checkpoint_every=3"],
    )
    run_recipe(recipe, tmp_path / "whole")
    rows = rows_of(tmp_path / "whole")
    # Ratio and divergence are 0 in the first pass after a refresh; the mean over two inner epochs is small but not 0.
    assert rows[2]["kl"] < rows[1]["kl"]
    assert rows[4]["kl"] < rows[3]["kl"]
    stage = tmp_path / "whole" / "checkpoints" / "grpo"
    assert sorted(path.name for path in stage.iterdir()) == ["reference-000006", "step-000006"]
    # A run that died after step 4, before its second checkpoint.
    partial = _stopped_after(recipe, tmp_path / "part", 4)
    assert sorted(path.name for path in partial.iterdir()) == ["reference-000002", "reference-000004", "step-000003"]
    run_recipe(recipe, tmp_path / "part", resume=True)
    for ours, theirs in zip(rows_of(tmp_path / "part"), rows, strict=True):
        assert (ours["loss"], ours["kl"], ours["grad_norm"]) == (theirs["loss"], theirs["kl"], theirs["grad_norm"])


def _stopped_after(recipe, folder: Path, step: int) -> Path:
    """A run that ends with an error right after its row of ``step``."""
    from assay.recipe.training import TrainingRun

    original = TrainingRun.finish_step

    def finish(self: TrainingRun, context: object) -> None:
        if self.stage.name == "grpo" and self.step + 1 == step:
            raise OSError("the machine is gone")
        original(self, context)

    TrainingRun.finish_step = finish
    try:
        with pytest.raises(OSError, match="gone"):
            run_recipe(recipe, folder)
    finally:
        TrainingRun.finish_step = original
    return folder / "checkpoints" / "grpo"


def test_dynamic_sampling_goes_on_until_enough_groups_teach(small_recipe: Path, tmp_path: Path):
    recipe = load_recipe(small_recipe, [*SHORT, "stage.grpo.dynamic_sampling=5", "stage.grpo.inner_epochs=1"])
    run_recipe(recipe, tmp_path / "run")
    for row in rows_of(tmp_path / "run"):
        sampled = sum(value for key, value in row.items() if key.startswith("status/"))
        teaching = round((1 - row["frac_zero_variance"]) * sampled / 4)
        assert row["train/sequences"] <= 16
        assert sampled == 96 or teaching >= 4


def test_penalties_by_hand():
    batch = batch_of([1.0, 0.0, np.nan, 1.0], [0, 0, 1, 1])
    apart = [np.array([0.1, 0.2]), np.array([0.0, 0.4]), np.array([1.0, 1.0]), np.array([0.0, 0.0])]
    stage = type("Stage", (), {"kl_coefficient": 0.5, "advantage": "dr_grpo"})
    found = penalised_advantages(batch, apart, stage)
    assert found == pytest.approx([(0.85 + 0.2) / 2, -(0.85 + 0.2) / 2, 0.0, 0.0])
    stage.advantage = "reinforce_pp"
    returns = np.array([0.85, 0.9, -0.2, -0.2, 1.0, 1.0])
    white = (returns - returns.mean()) / (returns.std(ddof=1) + 1e-6)
    found = penalised_advantages(batch, apart, stage)
    assert np.concatenate(found) == pytest.approx([*white[:4], 0.0, 0.0, *white[4:]], abs=1e-5)


def test_groups_with_variance_and_their_selection():
    first, second = batch_of([1.0, 0.0, 1.0, 1.0], [0, 0, 1, 1]), batch_of([np.nan, 1.0, 0.5, 0.0], [2, 2, 3, 3])
    both = merge([first, second])
    assert groups_with_variance(both) == {0, 3}
    chosen = select(both, {0, 3})
    assert chosen.group_ids.tolist() == [0, 0, 3, 3]
    assert chosen.scores.total.tolist() == [1.0, 0.0, 0.5, 0.0]
