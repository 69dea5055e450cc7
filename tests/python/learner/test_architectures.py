"""Dense models and mixtures of experts, adapters and layouts: one GRPO step each, packed as unpacked, saved and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import CONFIGS, VOCABULARY, blocks_of, model_of

from assay.errors import InvalidInputError
from assay.learner.checkpoint import load_checkpoint, save_checkpoint
from assay.learner.config import GrpoConfig
from assay.learner.lora import LoraOptions
from assay.learner.optimizer import OptimizerConfig
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.step import Learner
from assay.learner.tiny import tiny_tokenizer

CONFIG = GrpoConfig(token_budget=64)
OPTIMIZER = OptimizerConfig(lr=3e-3)


def policy_of(name: str, **options: object) -> Policy:
    return Policy(model_of(name), tiny_tokenizer(), PolicyOptions(**options))


def one_by_one(policy: Policy, sequences) -> torch.Tensor:
    parts = []
    for sequence in sequences:
        ids = torch.from_numpy(np.concatenate([sequence.prompt_ids, sequence.token_ids]).astype(np.int64))
        start = len(sequence.prompt_ids)
        logits = policy.model(input_ids=ids[None], use_cache=False).logits[0, start - 1 : -1].float()
        parts.append(torch.log_softmax(logits, -1).gather(-1, ids[start:, None]).squeeze(-1))
    return torch.cat(parts)


@pytest.mark.parametrize("lengths", [[6, 6, 6], [2, 30, 1]], ids=["alike", "uneven"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_packed_sequences_give_values_and_gradients_of_single_ones(make_sequences, name, checkpointing, lengths):
    sequences = make_sequences(lengths, group_size=2)
    weights = torch.linspace(-1, 1, sum(len(s.token_ids) for s in sequences))
    gradients, values = [], []
    for packed in (True, False):
        policy = policy_of(name, layout="packed", gradient_checkpointing=checkpointing)
        assert policy.layout == "packed"
        found = policy.logprobs(sequences, blocks_of(sequences)).logprobs if packed else one_by_one(policy, sequences)
        (found * weights).sum().backward()
        values.append(found.detach())
        gradients.append([p.grad for p in policy.masters.values() if p.grad is not None])
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=2e-5)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_learns_and_the_export_is_the_model(make_sequences, tmp_path: Path, name: str):
    sequences = make_sequences([5, 3], group_size=4)
    policy = policy_of(name)
    learner = Learner(policy, OPTIMIZER)
    config = replace(CONFIG, router_coefficient=0.01 if name in {"qwen3-moe", "deepseek-v3"} else 0.0, inner_epochs=1)
    losses = []
    for _ in range(4):
        # Off policy on purpose: the surrogate of the same rollouts falls as they are learned from.
        for sequence in sequences:
            sequence.logprobs = None
        losses.append(learner.sft_step(sequences)["loss"])
        assert np.isfinite(learner.grpo_step(sequences, config)["loss"])
    assert losses[-1] < losses[0]
    policy.export(tmp_path / "model")
    again = Policy.load(tmp_path / "model")
    blocks = blocks_of(sequences)
    with torch.no_grad():
        ours, theirs = (p.logprobs(sequences, blocks).logprobs for p in (policy, again))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)
    assert "attn_implementation" not in json.dumps(json.loads((tmp_path / "model" / "config.json").read_text()))


def test_the_router_loss_pushes_towards_balance_and_is_refused_elsewhere(make_sequences):
    sequences = make_sequences([5, 3], group_size=4, zero_groups=(0, 1))
    for sequence in sequences:
        sequence.advantage = 1e-12
    learner = Learner(policy_of("qwen3-moe"), replace(OPTIMIZER, lr=1e-2))
    config = replace(CONFIG, router_coefficient=1.0, token_budget=10_000)
    losses = [learner.grpo_step(sequences, config)["router_loss"] for _ in range(20)]
    # With two of four experts a token, 2 is perfect balance.
    assert losses[0] > 2.01
    assert losses[-1] == pytest.approx(2.0, abs=0.01)
    assert Learner(policy_of("deepseek-v3"), OPTIMIZER).grpo_step(sequences, config)["router_loss"] > 1.0
    with pytest.raises(InvalidInputError, match="router loss needs a mixture-of-experts model"):
        Learner(policy_of("llama"), OPTIMIZER).grpo_step(sequences, config)


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_adapters_train_alone_and_are_merged_when_they_leave(make_sequences, tmp_path: Path, compute_dtype: str):
    sequences = make_sequences([5, 3], group_size=4)
    lora = LoraOptions(rank=4)
    policy = policy_of("llama", compute_dtype=compute_dtype, lora=lora)
    base = {name: p.detach().clone() for name, p in policy.model.named_parameters() if "lora_" not in name}
    assert all("lora_" in name for name in policy.masters)
    before = policy.full_state()
    assert set(before) == set(model_of("llama").state_dict())
    learner = Learner(policy, replace(OPTIMIZER, lr=2e-2))
    for _ in range(3):
        learner.grpo_step(sequences, CONFIG)
    for name, parameter in policy.model.named_parameters():
        if name in base:
            assert torch.equal(parameter, base[name])
    blocks = blocks_of(sequences)
    with torch.no_grad():
        ours = policy.logprobs(sequences, blocks).logprobs
    save_checkpoint(tmp_path / "step-000003", learner, {})
    merged = Policy.load(tmp_path / "step-000003" / "model")
    with torch.no_grad():
        theirs = merged.logprobs(sequences, blocks).logprobs
        start = policy_of("llama").logprobs(sequences, blocks).logprobs
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5 if compute_dtype == "float32" else 5e-2)
    assert (ours - start).abs().max() > 0.1
    assert {name for name, _ in policy.named_tensors()} == {name for name, _ in merged.named_tensors()}
    # A resumed learner has the adapters themselves, bit for bit.
    again = Learner(policy_of("llama", compute_dtype=compute_dtype, lora=lora), replace(OPTIMIZER, lr=2e-2))
    load_checkpoint(tmp_path / "step-000003", again)
    assert learner.grpo_step(sequences, CONFIG) == pytest.approx(again.grpo_step(sequences, CONFIG), abs=0.2)
    for name, master in policy.masters.items():
        assert torch.equal(master, again.policy.masters[name])


def test_layouts_and_adapters_that_cannot_be_are_errors():
    from transformers import GPT2Config, GPT2LMHeadModel

    with pytest.raises(InvalidInputError, match="layout 'shared' is not exact for MistralForCausalLM"):
        policy_of("mistral-window", layout="shared")
    with pytest.raises(InvalidInputError, match=r"model.lora.targets \['nonsense'\]"):
        policy_of("llama", lora=LoraOptions(targets=("nonsense",)))
    tiny = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=4, n_positions=64))
    assert Policy(tiny, tiny_tokenizer()).layout in {"shared", "packed"}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # raised by the tracing itself
def test_a_compiled_body_gives_the_same_step(make_sequences, monkeypatch: pytest.MonkeyPatch):
    """Traced and run as it is traced: code generation is torch's own, and needs a C++ compiler."""
    sequences = make_sequences([5, 3], group_size=4)
    plain, compile_body = Learner(policy_of("llama"), OPTIMIZER), torch.compile
    monkeypatch.setattr(torch, "compile", lambda body, **options: compile_body(body, backend="eager", **options))
    traced = Learner(policy_of("llama", compiled=True), OPTIMIZER)
    for _ in range(2):
        expected, found = (learner.grpo_step(sequences, CONFIG) for learner in (plain, traced))
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-6)
        assert found["grad_norm"] == pytest.approx(expected["grad_norm"], rel=1e-4)
