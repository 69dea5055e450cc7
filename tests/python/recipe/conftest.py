"""A recipe that runs in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SMALL = """
name = "small"
seed = 1

[runtime]
threads = 1

[model]
kind = "tiny"
hidden_size = 16
layers = 1
heads = 2
key_value_heads = 1
feed_forward_size = 24

[data]
source = "addition"
digits = 1
size = 40
held_out = 12

[[scorer.component]]
kind = "accuracy"
weight = 0.9

[[scorer.component]]
kind = "tags"
weight = 0.1

[[stage]]
kind = "sft"
steps = 6
batch_size = 8
lr = 1e-2
checkpoint_every = 2

[[stage]]
kind = "eval"
name = "before"
sampling = { max_new_tokens = 12 }

[[stage]]
kind = "grpo"
steps = 6
prompts_per_step = 4
group_size = 4
sampling = { max_new_tokens = 12 }
lr = 1e-3
kl_coefficient = 0.01
inner_epochs = 2
checkpoint_every = 2

[[stage]]
kind = "eval"
name = "after"
samples = 2
sampling = { max_new_tokens = 12 }
"""


@pytest.fixture
def small_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path
