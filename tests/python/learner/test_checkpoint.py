"""Checkpoints: complete, atomic, and exact."""

from __future__ import annotations

import os

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from assay.errors import InvalidInputError, UnavailableError
from assay.learner import state
from assay.learner.checkpoint import (
    atomic_folder,
    drop_old_checkpoints,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)
from assay.learner.optimizer import OptimizerConfig
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.step import Learner
from assay.learner.tiny import TinyConfig, tiny_model

SHAPE = TinyConfig(hidden_size=16, layers=1, heads=2, key_value_heads=1, feed_forward_size=24, alphabet="0123456789+=;")


def make_learner(seed: int = 0, compute_dtype: str = "float32") -> Learner:
    model, tokenizer = tiny_model(SHAPE, seed=seed)
    return Learner(Policy(model, tokenizer, PolicyOptions(compute_dtype)), OptimizerConfig(lr=1e-2))


def masters(learner: Learner) -> list[torch.Tensor]:
    return [p.detach().clone() for p in learner.policy.masters.values()]


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_training_goes_on_bit_for_bit(tmp_path, make_sequences, compute_dtype: str):
    sequences = make_sequences([4, 3], group_size=2)
    for sequence in sequences:
        sequence.prompt_ids %= 18
        sequence.token_ids %= 18
    learner = make_learner(compute_dtype=compute_dtype)
    for _ in range(3):
        learner.sft_step(sequences)
    save_checkpoint(tmp_path / "step-000003", learner, {"anything": [1, 2]})
    torch.manual_seed(99)
    for _ in range(3):
        learner.sft_step(sequences)
    other = make_learner(seed=5, compute_dtype=compute_dtype)
    assert load_checkpoint(tmp_path / "step-000003", other) == {"anything": [1, 2]}
    assert other.steps_done == 3
    for _ in range(3):
        other.sft_step(sequences)
    for ours, theirs in zip(masters(other), masters(learner), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_the_model_folder_is_a_hugging_face_folder(tmp_path, compute_dtype: str):
    learner = make_learner(compute_dtype=compute_dtype)
    save_checkpoint(tmp_path / "c", learner, {})
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "c" / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "c" / "model")
    for ours, theirs in zip(learner.policy.masters.values(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    ids = tokenizer("12+3=<think>2+3=5</think><answer>15</answer>")["input_ids"]
    assert len(ids) == 16
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == (
        "12+3=<think>2+3=5</think><answer>15</answer>"
    )


def test_a_failed_write_leaves_the_earlier_checkpoint_and_nothing_else(tmp_path, monkeypatch):
    learner = make_learner()
    save_checkpoint(tmp_path / "step-000001", learner, {})

    def full(*_args: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(UnavailableError, match=r"step-000002: cannot be written \(No space left on device\)"):
        save_checkpoint(tmp_path / "step-000002", learner, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_any_other_error_inside_leaves_nothing(tmp_path):
    def write() -> None:
        with atomic_folder(tmp_path / "x") as folder:
            (folder / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not list(tmp_path.iterdir())


def test_unfinished_folders_are_never_taken_for_checkpoints(tmp_path):
    for step in (1, 2, 10):
        with atomic_folder(tmp_path / f"step-{step:06d}") as folder:
            (folder / "state.json").write_text("{}")
    (tmp_path / "step-000011.partial").mkdir()
    assert newest_checkpoint(tmp_path).name == "step-000010"
    assert not (tmp_path / "step-000011.partial").exists()
    drop_old_checkpoints(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000002", "step-000010"]
    assert newest_checkpoint(tmp_path / "none") is None


def test_a_checkpoint_of_another_model_is_refused(tmp_path, make_policy):
    save_checkpoint(tmp_path / "c", make_learner(), {})
    with pytest.raises(InvalidInputError, match="another model"):
        load_checkpoint(tmp_path / "c", Learner(make_policy(), OptimizerConfig(lr=1.0)))
    with pytest.raises(InvalidInputError, match="not a checkpoint"):
        load_checkpoint(tmp_path, make_learner())
