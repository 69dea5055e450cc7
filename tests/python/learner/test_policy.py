"""Log-probs of the policy: shared prompts against whole sequences against a plain forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from architectures import SHAPE, VOCABULARY
from transformers import AutoModelForCausalLM, CohereConfig, GPT2Config, MistralConfig

from assay.learner.batch import Block
from assay.learner.policy import Policy, PolicyOptions


def blocks_of(sequences, rows: list[int] | None = None) -> list[Block]:
    """One block per group, rows in order."""
    blocks: dict[int, Block] = {}
    for row in rows if rows is not None else range(len(sequences)):
        sequence = sequences[row]
        blocks.setdefault(sequence.group_id, Block(sequence.prompt_ids, [])).rows.append(row)
    return list(blocks.values())


def plain_logprobs(model, sequences, blocks, temperature: float = 1.0) -> torch.Tensor:
    parts = []
    for row in [row for block in blocks for row in block.rows]:
        sequence = sequences[row]
        ids = torch.from_numpy(np.concatenate([sequence.prompt_ids, sequence.token_ids]).astype(np.int64))
        start = len(sequence.prompt_ids)
        logits = model(input_ids=ids[None]).logits[0, start - 1 : -1].float()
        parts.append(torch.log_softmax(logits / temperature, -1).gather(-1, ids[start:, None]).squeeze(-1))
    return torch.cat(parts)


@pytest.mark.parametrize("prompt_lengths", [[6, 6, 6], [1, 1], [5, 1, 9]])
def test_shared_prompts_give_the_values_and_gradients_of_separate_sequences(make_model, make_sequences, prompt_lengths):
    sequences = make_sequences(prompt_lengths, group_size=3)
    policy, plain = Policy(make_model(), None), make_model().eval()
    assert policy.layout == "shared"
    blocks = blocks_of(sequences)
    weights = torch.linspace(-1, 1, sum(len(s.token_ids) for s in sequences))
    logprobs, entropy, _ = policy.logprobs(sequences, blocks, temperature=0.8)
    expected = plain_logprobs(plain, sequences, blocks, 0.8)
    torch.testing.assert_close(logprobs, expected, rtol=0, atol=1e-5)
    assert ((entropy > 0) & (entropy <= np.log(VOCABULARY) + 1e-5)).all()
    (logprobs * weights).sum().backward()
    (expected * weights).sum().backward()
    for ours, theirs in zip(policy.model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


MODELS = {
    "gpt2": GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "mistral-sliding-window": MistralConfig(**SHAPE, sliding_window=3),
    # Cohere scales its logits after the head, which the chunked head must notice.
    "cohere": CohereConfig(**SHAPE, logit_scale=0.25),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_other_models_match_a_plain_forward(make_sequences, name: str, checkpointing: bool):
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(MODELS[name])
    sequences = make_sequences([4, 2, 7], group_size=2)
    policy = Policy(model, None, PolicyOptions(gradient_checkpointing=checkpointing))
    blocks = blocks_of(sequences)
    logprobs, *_ = policy.logprobs(sequences, blocks)
    with torch.no_grad():
        expected = plain_logprobs(model, sequences, blocks)
    torch.testing.assert_close(logprobs.detach(), expected, rtol=0, atol=1e-5)
    logprobs.sum().backward()


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_offloaded_activations_change_nothing_and_are_the_layers_inputs(
    make_policy, make_sequences, monkeypatch: pytest.MonkeyPatch, layout: str
):
    packed: list[torch.Size] = []

    class Recorded(torch.autograd.graph.saved_tensors_hooks):
        def __init__(self, *, pin_memory: bool) -> None:
            assert not pin_memory

            def pack(tensor: torch.Tensor) -> torch.Tensor:
                packed.append(tensor.shape)
                # A copy, as the way to the host and back makes.
                return tensor.clone()

            super().__init__(pack, lambda kept: kept)

    monkeypatch.setattr("assay.learner.policy.save_on_cpu", Recorded)
    sequences = make_sequences([6, 3, 5, 4], group_size=2)
    gradients = []
    for offload in (False, True):
        policy = make_policy(layout=layout, gradient_checkpointing=True, offload_activations=offload)
        policy.logprobs(sequences, blocks_of(sequences))[0].sum().backward()
        gradients.append({name: master.grad for name, master in policy.masters.items()})
        layers, width = policy.model.config.num_hidden_layers, policy.model.config.hidden_size
        inputs = [shape for shape in packed if len(shape) == 3 and shape[-1] == width]
        assert (len(inputs) >= layers) is offload
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name


def test_bfloat16_compute_keeps_float32_masters(make_model, make_sequences):
    sequences = make_sequences([5, 3], group_size=2)
    policy, exact = Policy(make_model(), None, PolicyOptions("bfloat16")), Policy(make_model(), None)
    assert {p.dtype for p in policy.model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in policy.masters.values()} == {torch.float32}
    for current in (policy, exact):
        for part in ([0, 1], [2, 3]):  # two micro-batches, added up in float32
            current.logprobs(sequences, blocks_of(sequences, part))[0].sum().backward()
    for name, master in policy.masters.items():
        assert master.grad.dtype == torch.float32
        scale = exact.masters[name].grad.abs().max()
        assert (master.grad - exact.masters[name].grad).abs().max() <= 0.05 * scale + 1e-3
    assert all(p.grad is None for p in policy.model.parameters())


def test_a_step_below_bfloat16_precision_is_kept_by_the_masters(make_model):
    policy = Policy(make_model(), None, PolicyOptions("bfloat16"))
    name, parameter = next(iter(policy.model.named_parameters()))
    before = parameter.detach().clone()
    with torch.no_grad():
        policy.masters[name].add_(1e-6)
    policy.publish()
    assert (parameter == before).float().mean() > 0.9  # rounded away in the copy
    for _ in range(20_000 // 1000):
        with torch.no_grad():
            policy.masters[name].add_(1e-3)
    policy.publish()
    torch.testing.assert_close(parameter.float(), before.float() + 0.02, rtol=0.01, atol=1e-3)
