"""Tiny random models and batches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from assay.learner.batch import TrainSequence
from assay.learner.policy import Policy, PolicyOptions

if TYPE_CHECKING:
    from collections.abc import Callable

# Test folders are not packages; the configurations lie beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

from architectures import SHAPE, VOCABULARY


def make_model(seed: int = 0, **changes: object) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    values: dict[str, object] = {**SHAPE, "tie_word_embeddings": True}
    return LlamaForCausalLM(LlamaConfig(**{**values, **changes}))


def make_sequences(
    prompt_lengths: list[int], group_size: int, *, seed: int = 0, zero_groups: tuple[int, ...] = ()
) -> list[TrainSequence]:
    rng = np.random.default_rng(seed)
    sequences: list[TrainSequence] = []
    for group, length in enumerate(prompt_lengths):
        prompt = rng.integers(0, VOCABULARY, length).astype(np.uint32)
        for _ in range(group_size):
            tokens = rng.integers(0, VOCABULARY, rng.integers(1, 9)).astype(np.uint32)
            advantage = 0.0 if group in zero_groups else float(rng.normal())
            sequences.append(TrainSequence(group, prompt, tokens, None, advantage))
    return sequences


@pytest.fixture(name="make_model")
def _make_model() -> Callable[..., LlamaForCausalLM]:
    return make_model


@pytest.fixture(name="make_sequences")
def _make_sequences() -> Callable[..., list[TrainSequence]]:
    return make_sequences


@pytest.fixture(name="make_policy")
def _make_policy() -> Callable[..., Policy]:
    def build(seed: int = 0, **options: object) -> Policy:
        return Policy(make_model(seed), None, PolicyOptions(**options))

    return build
