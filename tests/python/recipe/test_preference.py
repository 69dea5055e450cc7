"""Reward models: what they learn, what they judge, and that a kill changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from assay.data import Task
from assay.errors import InvalidInputError
from assay.learner.tiny import tiny_tokenizer
from assay.recipe import load_recipe, run_recipe
from assay.recipe.reward_model import PreferenceScorer, judged_part, read_card
from assay.recipe.schema import PreferenceReward

PIPELINE = """
name = "pipeline"
seed = 3

[runtime]
threads = 1

[model]
kind = "tiny"
hidden_size = 16
layers = 1
heads = 2
key_value_heads = 1
feed_forward_size = 24
words = ["greet ", "hello ", "dear ", "go away ", "this is a ", "friend", "fool"]

[data]
source = "greetings"
size = 64
held_out = 20

[scorer]
component = [{ kind = "tags" }]

[[stage]]
kind = "sft"
steps = 4
batch_size = 8
lr = 1e-2

[[stage]]
kind = "preference"
name = "helpful"
part = "summary"
data = { source = "greetings", prefer = "helpful", size = 256, held_out = 40 }
steps = 30
batch_size = 16
lr = 2e-2
checkpoint_every = 10

[[stage]]
kind = "collect"
prompts = 8
samples = 2
shard = 4
sampling = { max_new_tokens = 12 }
min_score = 0.0
filter = { thinks = false, finished = false }

[[stage]]
kind = "grpo"
steps = 2
prompts_per_step = 2
group_size = 2
sampling = { max_new_tokens = 12 }
lr = 1e-3
checkpoint_every = 1
scorer = { component = [{ kind = "tags" }], preference = [{ name = "helpfulness", stage = "helpful", rows = ["general"] }] }

[[stage]]
kind = "distill"
data = { source = "stage", stage = "collect" }
steps = 3
batch_size = 4
lr = 1e-2
checkpoint_every = 1

[stage.student]
kind = "tiny"
hidden_size = 8
layers = 1
heads = 1
key_value_heads = 1
feed_forward_size = 16
words = ["friend", "fool", "hello ", "dear ", "go away ", "this is a ", "greet "]

[[stage]]
kind = "eval"
name = "after"
problems = 4
sampling = { max_new_tokens = 12 }

[[stage]]
kind = "export"
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE)
    return path


def test_a_pipeline_with_every_kind_of_stage_and_what_each_leaves(pipeline: Path, tmp_path: Path):
    run = tmp_path / "run"
    summary = run_recipe(load_recipe(pipeline), run)
    assert summary["complete"]
    card = read_card(run / "models" / "helpful")
    assert card.held_out_accuracy > 0.8
    assert card.held_out_pairs == 40
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [r["preference/held_out_accuracy"] for r in rows if "preference/held_out_accuracy" in r] == [
        card.held_out_accuracy
    ]
    assert all(isinstance(r["reward/helpfulness/mean"], float) for r in rows if r["kind"] == "grpo")
    # The student has another vocabulary and went on from there.
    exported = run / "export" / "export"
    assert json.loads((exported / "config.json").read_text())["hidden_size"] == 8
    text = (exported / "README.md").read_text()
    assert "| after | distill |" in text
    assert f"seed {3}" in text
    data = (exported / "datasets" / "collect" / "README.md").read_text()
    assert "| kept |" in data
    assert "sampled from tiny llama (1 x 16), pipeline@4" in data

    scorer = PreferenceScorer(run / "models" / "helpful", PreferenceReward(name="h", path="x", squash="none"))
    task = Task("greet bob:", None, "0", "here")
    ordered = [f"<think>this is a friend</think><answer>{s}</answer>" for s in ("hello dear bob", "go away bob")]
    warm, cold = scorer.rewards([task, task], ordered)
    assert warm > cold
    # Helpfulness is judged on the summary: the thoughts do not change it.
    rude = scorer.rewards([task], [ordered[0].replace("friend", "fool")])[0]
    assert rude == pytest.approx(warm, abs=1e-5)
    squashed = [
        PreferenceScorer(run / "models" / "helpful", PreferenceReward(name="h", path="x", squash=s)).rewards(
            [task], [ordered[0]]
        )[0]
        for s in ("standard", "sigmoid")
    ]
    assert squashed[0] == pytest.approx((warm - card.center) / card.spread)
    assert squashed[1] == pytest.approx(1 / (1 + np.exp(-squashed[0])))


@pytest.mark.timeout(600)
def test_kill_9_in_every_stage_and_resume_is_the_uninterrupted_run(pipeline: Path, killed_run, lasting):
    whole, killed = killed_run(pipeline)
    assert lasting(killed) == lasting(whole)
    for name in ("datasets", "models", "export"):
        ours = {
            str(path.relative_to(killed)): path.read_bytes()
            for path in sorted((killed / name).rglob("*"))
            if path.is_file() and path.name != "README.md"
        }
        assert ours == {name: (whole / name).read_bytes() for name in ours}
        assert ours


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("<think>a</think> b", "b"),
        ("<think>a</think>b</think>c", "c"),
        ("plain", "plain"),
        ("<think>never ends", ""),
        ("in the prompt</think>x", "x"),
    ],
)
def test_the_summary_is_what_comes_after_the_thoughts(text: str, summary: str):
    assert judged_part(text, "summary") == summary
    assert judged_part(text, "response") == text


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stage.helpful.data.prefer=nothing", r"row greetings:.* has no text in 'chosen'; a pair needs"),
        ("stage.helpful.data.held_out=0", r"no pairs are held out to test it on"),
        (
            "stage.sft.scorer={preference=[{name='h', path='nowhere'}]}|stage.grpo.scorer={preference=[{name='h', path='nowhere'}]}",
            r"nowhere: no reward model of a stage preference",
        ),
        ("stage.distill.student.alphabet=0123456789", r"stage 'distill': .* tokenizer cannot write"),
    ],
)
def test_mistakes_are_named(pipeline: Path, tmp_path: Path, override: str, message: str):
    overrides = override.split("|")
    with pytest.raises(InvalidInputError, match=message):
        run_recipe(load_recipe(pipeline, overrides), tmp_path / "run")


def test_a_checkpoint_of_another_tokenizer_is_refused(pipeline: Path, tmp_path: Path):
    run = tmp_path / "run"
    text = PIPELINE[: PIPELINE.index('[[stage]]\nkind = "preference"')]
    again = '[[stage]]\nkind = "sft"\nname = "again"\nstart = "sft"\nsteps = 1\nbatch_size = 4\nlr = 1e-3\n'
    pipeline.write_text(text + again)
    run_recipe(load_recipe(pipeline), run)
    for path in (run / "checkpoints" / "sft").rglob("tokenizer.json"):
        path.write_text(path.read_text().replace('"fool"', '"foot"'))
    shutil.rmtree(run / "checkpoints" / "again")
    with pytest.raises(InvalidInputError, match=r"its tokenizer is not the model's: 'foo[lt]' is"):
        run_recipe(load_recipe(pipeline), run, resume=True)


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(pipeline: Path, tmp_path: Path):
    run = tmp_path / "run"
    pipeline.write_text(PIPELINE[: PIPELINE.index('[[stage]]\nkind = "preference"')])
    run_recipe(load_recipe(pipeline), run)
    folder = next((run / "checkpoints" / "sft").glob("step-*")) / "model"
    tiny_tokenizer(words=tuple(f"word{i}" for i in range(99))).save_pretrained(folder)
    override = f'model={{kind="huggingface", path="{folder}"}}'
    with pytest.raises(InvalidInputError, match=r"ids up to \d+ but the model has embeddings for 64 tokens only"):
        run_recipe(load_recipe(pipeline, [override]), tmp_path / "other")
