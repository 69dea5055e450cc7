"""What stages hand on to each other: weights, data and rewards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

import assay
from assay.data import Task
from assay.errors import InvalidInputError
from assay.recipe import load_recipe, run_recipe
from assay.recipe.rewards import StageScorer
from assay.recipe.schema import ScorerConfig
from assay.recipe.start import lineage
from assay.rollout import Rollout

RECIPES = Path(__file__).parents[3] / "recipes"

TWO_STARTS = """
[[stage]]
kind = "sft"
name = "again"
start = "{start}"
steps = 1
batch_size = 8
lr = 1e-2
"""


def weights(folder: Path, stage: str) -> dict[str, np.ndarray]:
    return load_file(sorted((folder / "checkpoints" / stage).glob("step-*"))[-1] / "model" / "model.safetensors")


def test_a_stage_starts_from_the_weights_it_names(small_recipe: Path, tmp_path: Path):
    text = small_recipe.read_text()
    sft = text[: text.index('[[stage]]\nkind = "eval"')].replace("steps = 6", "steps = 1")
    runs: dict[str, dict[str, np.ndarray]] = {}
    for start in ("previous", "base", "sft"):
        small_recipe.write_text(sft + TWO_STARTS.format(start=start))
        run_recipe(load_recipe(small_recipe), tmp_path / start)
        runs[start] = weights(tmp_path / start, "again")
    first = weights(tmp_path / "base", "sft")

    def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
        return all(np.array_equal(a[name], b[name]) for name in a)

    assert same(runs["previous"], runs["sft"])
    # The order of the data has the stage's name in it, so two stages from the base differ in their rows alone.
    assert not same(runs["base"], runs["previous"])
    moved = max(float(np.abs(runs["base"][name] - first[name]).max()) for name in first)
    assert moved < 0.05


@pytest.mark.parametrize(
    ("recipe", "scale", "stage", "came_from"),
    [
        ("r1", "tiny", "base-model", ["pretrain", None]),
        ("r1", "full", "base-model", [None]),
        ("r1", "tiny", "after-ablation", ["ablation", "cold-start", "pretrain", None]),
        # The ablation is a branch beside it, and so is the checkpoint that rejection sampling used.
        ("r1", "tiny", "after-reasoning-rl", ["reasoning-rl", "cold-start", "pretrain", None]),
        ("r1", "full", "after-all-scenario-rl", ["all-scenario-rl", "sft", None]),
        ("distill-qwen-1.5b", "tiny", "student", ["distill"]),
    ],
)
def test_where_the_weights_of_a_stage_came_from(recipe: str, scale: str, stage: str, came_from: list[str | None]):
    stages = load_recipe(RECIPES / f"{recipe}.toml", scale=scale).stage
    assert lineage(stages, stage) == came_from


def scorer(**config: object) -> StageScorer:
    words = {word: i for i, word in enumerate(["<answer>", "</answer>", "4", "5", "<think>", "</think>", "[UNK]"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    models = [Halves() for _ in config.get("preference", [])]
    return StageScorer(
        ScorerConfig.model_validate(config),
        lambda spec: assay.Scorer(spec, tokenizer=tokenizer),
        models,
    )


class Halves:
    """A reward model that likes short prompts."""

    def rewards(self, tasks: list[Task], texts: list[str]) -> np.ndarray:
        return np.array([1.0 / len(task.prompt) for task in tasks])


def rows(*kinds: str, answer: int = 2) -> tuple[list[Rollout], list[Task], list[str]]:
    ids = np.array([0, answer, 1], dtype=np.uint32)
    rollouts = [Rollout(i, 0, ids, ids, np.zeros(3, np.float32), "stop", 0) for i in range(len(kinds))]
    tasks = [
        Task("2+2=", "4" if kind == "reasoning" else None, str(i), "here", {"kind": kind})
        for i, kind in enumerate(kinds)
    ]
    return rollouts, tasks, [f"<answer> {'45'[answer - 2]} </answer>"] * len(kinds)


def test_each_row_is_scored_by_the_components_that_are_for_it():
    mixed = scorer(
        component=[
            {"kind": "accuracy", "rows": ["reasoning"]},
            {"kind": "tags", "weight": 0.5},
        ],
        preference=[{"name": "helpfulness", "stage": "rm", "weight": 2.0, "rows": ["general"]}],
    )
    scores = mixed.score(*rows("reasoning", "general", "reasoning"))
    assert np.allclose(scores.components["accuracy"], [1.0, np.nan, 1.0], equal_nan=True)
    assert np.allclose(scores.components["helpfulness"], [np.nan, 0.25, np.nan], equal_nan=True)
    assert scores.components["tags"].tolist() == [0.5, 0.5, 0.5]
    assert scores.total.tolist() == [1.25, 0.75, 1.25]
    assert {str(status) for status in scores.status} == {"scored"}
    assert mixed.weights == {"accuracy": 1.0, "tags": 0.5, "helpfulness": 2.0}


def test_a_component_is_part_of_the_reward_from_its_step_on():
    later = scorer(
        component=[{"kind": "accuracy"}, {"kind": "tags", "weight": 0.5, "from_step": 3}],
        preference=[{"name": "helpfulness", "stage": "rm", "from_step": 4}],
    )
    assert later.judges == ["helpfulness"]
    totals = {step: later.score(*rows("reasoning"), step).total[0] for step in (1, 2, 3, 4, None)}
    assert totals == {1: 1.0, 2: 1.0, 3: 1.25, 4: 1.5, None: 1.5}
    assert np.isnan(later.score(*rows("reasoning"), 3).components["helpfulness"][0])
    alone = scorer(component=[{"kind": "accuracy", "from_step": 2}])
    with pytest.raises(InvalidInputError, match="is for at step 1"):
        alone.score(*rows("reasoning"), 1)


def test_a_row_without_reference_is_no_zero():
    plain = scorer(component=[{"kind": "accuracy"}])
    scores = plain.score(*rows("general"))
    assert np.isnan(scores.total[0])
    assert str(scores.status[0]) == "invalid_reference"
    with pytest.raises(InvalidInputError, match=r"row 0 has kind = 'poem', which no component"):
        scorer(component=[{"kind": "accuracy", "rows": ["reasoning"]}]).score(*rows("poem"))


def test_two_components_of_one_name_are_refused(small_recipe: Path, tmp_path: Path):
    override = 'scorer={component=[{kind="tags"}], preference=[{name="tags", path="x"}]}'
    with pytest.raises(InvalidInputError, match="two components called 'tags'"):
        run_recipe(load_recipe(small_recipe, [override]), tmp_path / "run")
