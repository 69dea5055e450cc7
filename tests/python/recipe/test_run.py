"""Whole runs: what they leave behind, and that nothing can make them forget."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from assay.errors import InvalidInputError, InvalidSpecError, UnavailableError
from assay.recipe import load_recipe, run_recipe
from assay.recipe.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_leaves_metrics_samples_checkpoints_and_a_summary(small_recipe: Path, tmp_path: Path):
    summary = run_recipe(load_recipe(small_recipe), tmp_path / "run")
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["complete"]
    assert [(s["name"], s["steps"]) for s in summary["stages"]] == [
        ("sft", 6),
        ("before", 1),
        ("grpo", 6),
        ("after", 1),
    ]
    assert summary["before"]["eval/n"] == summary["after"]["eval/n"] == 12
    rows = read(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows if row["kind"] == "grpo"] == [1, 2, 3, 4, 5, 6]
    for row in rows:
        if row["kind"] == "grpo":
            for key in ("reward/mean", "reward/accuracy/mean", "completion/length_mean", "loss", "grad_norm", "kl"):
                assert isinstance(row[key], float)
            assert row["sampling/logprob_diff_max"] < 1e-4
            assert sum(value for key, value in row.items() if key.startswith("status/")) == 16
    samples = read(tmp_path / "run" / "samples.jsonl")
    assert {s["stage"] for s in samples} == {"before", "grpo", "after"}
    assert set(samples[0]["components"]) == {"accuracy", "tags"}
    checkpoint = tmp_path / "run" / "checkpoints" / "grpo" / "step-000006"
    assert (checkpoint / "model" / "model.safetensors").is_file()
    assert load_recipe(tmp_path / "run" / "recipe.toml") == load_recipe(small_recipe)


def test_the_seed_decides_everything(small_recipe: Path, tmp_path: Path, lasting):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_recipe(
            load_recipe(small_recipe, [f"seed={seed}", "stage.sft.steps=2", "stage.grpo.steps=2"]), tmp_path / name
        )
    a, b, c = (lasting(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def test_kill_9_at_any_moment_and_resume_is_the_uninterrupted_run_bit_for_bit(small_recipe: Path, killed_run, lasting):
    whole, killed = killed_run(small_recipe)
    assert lasting(killed) == lasting(whole)
    assert not list(killed.rglob("*.partial"))


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_ctrl_c_checkpoints_writes_the_summary_and_can_be_resumed(
    small_recipe: Path, tmp_path: Path, monkeypatch, stage: str, lasting
):
    from assay.recipe import training

    run_recipe(load_recipe(small_recipe), tmp_path / "whole")
    original = training.TrainingRun.finish_step

    def press(self: training.TrainingRun, context: object) -> None:
        if self.stage.name == stage and self.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        original(self, context)

    monkeypatch.setattr(training.TrainingRun, "finish_step", press)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(load_recipe(small_recipe), tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / stage / "step-000003" / "state.json").is_file()
    assert not json.loads((tmp_path / "run" / "summary.json").read_text())["complete"]
    monkeypatch.undo()
    assert run_recipe(load_recipe(small_recipe), tmp_path / "run", resume=True)["complete"]
    ours, theirs = lasting(tmp_path / "run"), lasting(tmp_path / "whole")
    assert ours["metrics"] == theirs["metrics"]
    last = "checkpoints/grpo/step-000006/model/model.safetensors"
    assert ours[last] == theirs[last]


def test_a_full_disk_is_one_line_and_leaves_no_half_written_row(
    small_recipe: Path, tmp_path: Path, monkeypatch, lasting
):
    real, calls = os.pwrite, []

    def full(file: int, data: bytes, offset: int) -> int:
        calls.append(len(data))
        if len(calls) == 4:
            return real(file, data[:10], offset)  # a short write, then nothing more
        if len(calls) > 4:
            raise OSError(28, os.strerror(28))
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UnavailableError, match=r"metrics\.jsonl: cannot be written \(No space left on device\); free"):
        run_recipe(load_recipe(small_recipe), tmp_path / "run")
    monkeypatch.undo()
    assert [row["step"] for row in read(tmp_path / "run" / "metrics.jsonl")] == [1, 2, 3]
    assert run_recipe(load_recipe(small_recipe), tmp_path / "run", resume=True)["complete"]
    run_recipe(load_recipe(small_recipe), tmp_path / "whole")
    assert lasting(tmp_path / "run") == lasting(tmp_path / "whole")


def test_folders_that_do_not_fit_are_refused(small_recipe: Path, tmp_path: Path):
    recipe = load_recipe(small_recipe, ["stage.sft.steps=1", "stage.grpo.steps=1"])
    with pytest.raises(InvalidInputError, match="no run to resume"):
        run_recipe(recipe, tmp_path / "run", resume=True)
    run_recipe(recipe, tmp_path / "run")
    with pytest.raises(InvalidInputError, match="holds a run already; add --resume"):
        run_recipe(recipe, tmp_path / "run")
    with pytest.raises(InvalidInputError, match=r"another recipe \('seed = 1' there, 'seed = 9' here\)"):
        run_recipe(
            load_recipe(small_recipe, ["stage.sft.steps=1", "stage.grpo.steps=1", "seed=9"]),
            tmp_path / "run",
            resume=True,
        )


def test_two_processes_never_write_one_run(tmp_path: Path):
    first = RunFolder(tmp_path / "run", "seed = 1", resume=False)
    for resume in (False, True):
        with pytest.raises(InvalidInputError, match="another process is writing this run"):
            RunFolder(tmp_path / "run", "seed = 1", resume=resume)
    first.close()
    RunFolder(tmp_path / "run", "seed = 1", resume=True).close()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "accuracy"', 'kind = "acuracy"', "did you mean `accuracy`"),
        ("digits = 1", "digits = 1\nheld_out = 99", "held_out"),
        ('source = "addition"\ndigits = 1', 'source = "jsonl"\npath = "nowhere.jsonl"', r"nowhere\.jsonl"),
        ('kind = "tiny"\nhidden_size = 16', 'kind = "tiny"\nhidden_size = 17', "hidden_size must be a multiple"),
    ],
)
def test_a_mistake_is_found_before_there_is_a_run_folder(
    small_recipe: Path, tmp_path: Path, old: str, new: str, message: str
):
    text = small_recipe.read_text()
    assert old in text
    small_recipe.write_text(
        text.replace("held_out = 12", "").replace(old, new) if "held_out" in new else text.replace(old, new)
    )
    if 'source = "jsonl"' in new:
        small_recipe.write_text(small_recipe.read_text().replace("size = 40\n", ""))
    with pytest.raises((InvalidInputError, InvalidSpecError), match=message):
        run_recipe(load_recipe(small_recipe), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_order_visits_everything_once_per_pass_and_can_be_entered_anywhere():
    from assay.recipe.order import order

    whole = order(7, 3, 0, 21)
    assert [sorted(whole[i : i + 7]) for i in (0, 7, 14)] == [list(range(7))] * 3
    assert whole[:7] != whole[7:14]
    assert order(7, 3, 5, 9) == whole[5:14]
    assert order(7, 4, 0, 21) != whole


def test_thinking_is_a_closed_block_with_something_in_it():
    from assay.recipe.scoring import thinks

    cases = {"<think>a</think>1": True, "<think> </think>1": False, "a</think>1": True, "<think>a": False, "1": False}
    assert {text: thinks(text) for text in cases} == cases
    assert not np.any([thinks(text) for text in ("", "</think>", "<think></think>")])
