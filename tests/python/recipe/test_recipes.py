"""Recipes as files: every one that is shipped parses, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.errors import InvalidInputError, InvalidSpecError
from assay.recipe import dump_recipe, load_recipe

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


def test_there_are_recipes():
    assert {path.stem for path in RECIPES} >= {"demo", "smollm2", "gsm8k"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_parses_and_survives_a_round_trip(path: Path, tmp_path: Path):
    recipe = load_recipe(path)
    assert recipe.description
    (tmp_path / "again.toml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.toml") == recipe


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_parses_at_every_scale(path: Path, tmp_path: Path):
    scales = [name for name in ("tiny", "small", "full") if f"[scale.{name}]" in path.read_text(encoding="utf-8")]
    assert bool(scales) == path.stem.startswith(("r1", "distill"))
    for scale in scales:
        recipe = load_recipe(path, scale=scale)
        (tmp_path / "again.toml").write_text(dump_recipe(recipe), encoding="utf-8")
        assert load_recipe(tmp_path / "again.toml") == recipe
        assert (recipe.runtime.device == "cpu") == (scale == "tiny")


def test_the_six_students_and_both_orders_of_stages_are_there():
    students = {path.stem for path in RECIPES if path.stem.startswith("distill")}
    assert students == {
        f"distill-{n}" for n in ("qwen-1.5b", "qwen-7b", "qwen-14b", "qwen-32b", "llama-8b", "llama-70b")
    }

    def order(name: str) -> list[str]:
        stages = load_recipe(next(path for path in RECIPES if path.stem == name)).stage
        return [stage.kind for stage in stages if stage.kind in ("sft", "grpo", "collect")]

    assert order("r1") == ["sft", "grpo", "collect", "sft", "grpo"]
    assert order("r1-sft-rl-rl-sft") == ["sft", "grpo", "grpo", "collect", "sft"]


def test_overrides_reach_every_level(small_recipe: Path):
    recipe = load_recipe(
        small_recipe,
        [
            "seed = 7",
            "name=other",
            "stage.grpo.steps=2",
            "stage.after.sampling.temperature=0.5",
            'stage.grpo.sampling.stop=["<think>"]',
            "data.template.kind=r1",
        ],
    )
    assert (recipe.seed, recipe.name) == (7, "other")
    assert recipe.stage[2].steps == 2
    assert recipe.stage[2].sampling.stop == ["<think>"]
    assert recipe.stage[3].sampling.temperature == 0.5
    assert recipe.data.template.kind == "r1"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sed=3", r"small\.toml: sed: unknown key; did you mean 'seed'"),
        ("model.layer=2", r"model\.layer: unknown key; did you mean 'layers'"),
        ("stage.grpo.step=3", r"step: unknown key; did you mean 'steps'"),
        ("stage.grpo.sampling.temprature=1.0", r"temprature: unknown key; did you mean 'temperature'"),
        ("stage.grpo.steps=0", r"stage.*steps"),
        ("stage.grpo.group_size=1", r"group_size"),
        ("stage.grpo.lr=nan", r"lr"),
        ("stage.grpo.lr=fast", r"lr.*got 'fast'"),
        ("model.kind=tyny", r"did you mean 'tiny'"),
        ("stage.gropo.steps=3", r"there is no 'gropo' here; did you mean 'grpo'"),
        ("stage=3", r"stage"),
        ("stage.grpo=3", r"stage"),
        ("seed.deeper=3", r"seed is a value, not a table"),
        ("seed", r"write key=value"),
        ("stage.after.name=before", r"two stages are called"),
        ("scorer.spec=x.toml", r"either spec or"),
    ],
)
def test_mistakes_name_the_key_and_the_nearest_one(small_recipe: Path, override: str, message: str):
    with pytest.raises(InvalidSpecError, match=message) as caught:
        load_recipe(small_recipe, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"name = ", InvalidSpecError, r"bad\.toml: not valid TOML: .*end of document"),
        (b"\xff\xfe", InvalidInputError, r"bad\.toml: cannot read the recipe: not UTF-8"),
        (b"", InvalidSpecError, r"bad\.toml: .*required"),
        (None, InvalidInputError, r"bad\.toml: cannot read the recipe: No such file"),
    ],
)
def test_files_that_are_no_recipes_are_named(tmp_path: Path, content: bytes | None, error: type, message: str):
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message):
        load_recipe(path)


def test_paths_are_relative_to_the_recipe(tmp_path: Path):
    source = next(path for path in RECIPES if path.stem == "gsm8k")
    (tmp_path / "deep").mkdir()
    copy = tmp_path / "deep" / "gsm8k.toml"
    copy.write_text(source.read_text())
    recipe = load_recipe(copy, ['model={kind="huggingface", path="model"}'])
    assert recipe.model.path == str(tmp_path / "deep" / "model")
    assert recipe.data.path == str(tmp_path / "deep" / "gsm8k" / "train.jsonl")
    assert load_recipe(copy, ["data.path=/abs/train.jsonl"]).data.path == "/abs/train.jsonl"


def test_strings_with_quotes_and_controls_survive(small_recipe: Path, tmp_path: Path):
    text = 'a "b" \\ \n \t \x7f é \U0001f600'
    recipe = load_recipe(small_recipe).model_copy(update={"description": text})
    (tmp_path / "again.toml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "again.toml").description == text
