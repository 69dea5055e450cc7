"""Metrics in other people's trackers, offline, and what a step says of time, memory and arithmetic."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from assay.errors import InvalidInputError
from assay.learner.batch import Block, TrainSequence
from assay.learner.flops import Arithmetic
from assay.recipe import load_recipe, run_recipe

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ["stage.sft.steps=2", "stage.grpo.steps=2", "stage.before.problems=1", "stage.after.problems=1"]


@pytest.mark.filterwarnings("ignore")  # the trackers' own
def test_every_tracker_gets_every_row_offline(small_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    recipe = load_recipe(
        small_recipe, [*SHORT, 'track=["tensorboard", "wandb", "trackio"]', "runtime.peak_tflops=0.05"]
    )
    run = tmp_path / "run"
    run_recipe(recipe, run)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard" / "grpo"))
    events.Reload()
    grpo = [row for row in rows if row["stage"] == "grpo"]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx([row["loss"] for row in grpo])

    assert json.loads((run / "wandb-run.json").read_text())["id"]
    (log,) = run.glob("wandb/offline-run-*/*.wandb")
    assert b"grpo/loss" in log.read_bytes()

    import trackio

    (found,) = trackio.Api().runs("assay")
    assert found.name == "run"
    database = next((tmp_path / "trackio").glob("*.db"))
    assert b"grpo/loss" in database.read_bytes() or any(
        b"grpo/loss" in path.read_bytes() for path in (tmp_path / "trackio").glob("*.db*")
    )

    for row in grpo:
        phases = {"generate", "score", "advantage", "pack", "train", "sync"}
        assert phases <= {key.removeprefix("timing_s/") for key in row if key.startswith("timing_s/")}
        for key in ("tokens_per_s", "peak_memory_bytes", "entropy", "grad_norm", "frac_zero_variance", "staleness/max"):
            assert np.isfinite(row[key])
        assert row["mfu"] == pytest.approx(row["train/flops"] / row["timing_s/train"] / 0.05e12)


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_that_is_not_there_is_one_line(small_recipe: Path, tmp_path: Path, monkeypatch, name: str):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InvalidInputError, match=rf"track = \['{name}'\] needs {name}: pip install 'assay\[track\]'"):
        run_recipe(load_recipe(small_recipe, [*SHORT, f'track=["{name}"]']), tmp_path / "run")


def test_arithmetic_by_hand():
    shape = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
    dense = LlamaForCausalLM(
        LlamaConfig(**shape, intermediate_size=12, num_key_value_heads=1, tie_word_embeddings=True)
    )
    weights = 3 * (8 * 8 * 2 + 8 * 4 * 2 + 3 * 8 * 12) + 20 * 8
    prompt, tokens = np.ones(4, np.uint32), np.ones(6, np.uint32)
    sequences = [TrainSequence(0, prompt, tokens, None, 1.0) for _ in range(2)]
    block = [Block(prompt, [0, 1])]
    pair = 6 * 3 * 2 * (4 + 4)
    found = Arithmetic(dense)
    assert found.of(sequences, block, shared=False) == 20 * 6 * weights + 2 * 50 * pair
    assert found.of(sequences, block, shared=True) == 16 * 6 * weights + (50 + 42) * pair
    experts = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 5, "head_dim": 4}
    sparse = Qwen3MoeForCausalLM(Qwen3MoeConfig(**shape, **experts, num_key_value_heads=1, tie_word_embeddings=True))
    routed = 3 * (8 * 8 * 2 + 8 * 4 * 2 + 8 * 8 + 2 * 3 * 8 * 5) + 20 * 8
    assert Arithmetic(sparse).of(sequences, block, shared=False) == 20 * 6 * routed + 2 * 50 * pair
    assert sum(p.numel() for p in sparse.parameters()) > routed + 100
    # Against what torch counts for the products of one forward and backward.
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.ones(1, 10, dtype=torch.int64)
    dense.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        dense(input_ids=ids).logits.sum().backward()
    ours = Arithmetic(dense).of(sequences[:1], [Block(prompt, [0])], shared=False)
    # Eager attention computes the masked half too.
    assert counter.get_total_flops() == pytest.approx(ours + 50 * pair, rel=0.05)
