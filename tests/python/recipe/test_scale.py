"""One recipe at several sizes, and stages that name other stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assay.errors import InvalidSpecError
from assay.recipe import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

SCALES = """
[scale.tiny]
seed = 5
stages = ["sft", "after"]
data = { source = "greetings", size = 10, held_out = 2 }

[scale.tiny.model]
layers = 2

[scale.tiny.stage.sft]
steps = 1

[scale.wrong]
stages = ["stf"]

[scale.odd]
stage = { grop = { steps = 1 } }
"""


@pytest.fixture
def scaled(small_recipe: Path) -> Path:
    small_recipe.write_text(small_recipe.read_text() + SCALES)
    return small_recipe


def test_a_scale_merges_tables_replaces_other_kinds_and_picks_stages(scaled: Path):
    full, tiny = load_recipe(scaled), load_recipe(scaled, scale="tiny")
    assert [stage.name for stage in tiny.stage] == ["sft", "after"]
    assert (tiny.seed, tiny.stage[0].steps, tiny.stage[0].batch_size) == (5, 1, 8)
    assert (tiny.model.layers, tiny.model.hidden_size) == (2, 16)
    assert tiny.data.source == "greetings"
    assert [stage.name for stage in full.stage] == ["sft", "before", "grpo", "after"]
    assert load_recipe(scaled, scale="full") == full
    assert load_recipe(scaled, ["stage.sft.steps=4"], scale="tiny").stage[0].steps == 4


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("tini", r"there is no scale 'tini'; did you mean 'tiny'"),
        ("wrong", r"scale\.wrong\.stages: no stage 'stf'; did you mean 'sft'"),
        ("odd", r"scale\.odd\.stage: no stage 'grop'; did you mean 'grpo'"),
    ],
)
def test_scales_that_lead_nowhere_are_named(scaled: Path, scale: str, message: str):
    with pytest.raises(InvalidSpecError, match=message):
        load_recipe(scaled, scale=scale)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stage.grpo.start=stf", r"stage 'grpo': start names 'stf', which is no earlier stage; did you mean 'sft'"),
        ("stage.sft.start=grpo", r"stage 'sft': start names 'grpo', which is no earlier stage"),
        ("stage.grpo.start=before", r"start names 'before', which is not a stage that trains the model"),
        ('stage.grpo.data={source="stage", stage="colect"}', r"data\.stage names 'colect', which is no earlier stage"),
        ('stage.grpo.data={source="stage", stage="sft"}', r"names 'sft', which is not a stage that leaves a dataset"),
        ('data={source="stage", stage="sft"}', r"data: what a stage left can be the data of a later stage only"),
        ("stage.grpo.name=base", r"a stage cannot be called 'base'"),
        ('stage.grpo.scorer={preference=[{name="h", stage="rm"}]}', r"scorer\.preference\.stage names 'rm'"),
        ('stage.grpo.scorer={preference=[{name="h"}]}', r"give either stage or path"),
        ('stage.grpo.scorer={component=[{kind="tags", rows="x"}]}', r"rows is a list of texts"),
        ("stage.grpo.scorer={}", r"give either spec or"),
        ('stage.grpo.data={source="mixture", parts=[]}', r"parts"),
    ],
)
def test_references_to_stages_are_checked_when_the_recipe_is_read(small_recipe: Path, override: str, message: str):
    with pytest.raises(InvalidSpecError, match=message) as caught:
        load_recipe(small_recipe, [override])
    assert "\n" not in str(caught.value)


def test_a_reward_for_tags_that_nothing_shows_is_refused(small_recipe: Path):
    text = small_recipe.read_text()
    sft, rest = text.index("[[stage]]"), text.index('[[stage]]\nkind = "eval"')
    small_recipe.write_text(text[:sft] + text[rest:])
    with pytest.raises(
        InvalidSpecError, match=r"stage 'grpo': its reward has 'tags' but its template .*no <think> tag"
    ):
        load_recipe(small_recipe)
    for override in (
        'data.template={kind="r1"}',
        'data.template={kind="text", text="{prompt} Write <think>."}',
        'data.template={prefill="<think>"}',
        'stage.grpo.scorer={component=[{kind="accuracy"}, {kind="format", weight=0.0}]}',
    ):
        assert load_recipe(small_recipe, [override])
