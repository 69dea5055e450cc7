"""The local generator against a plain forward of the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GemmaConfig, GPT2Config, LlamaConfig, MistralConfig, PretrainedConfig

from assay.errors import InvalidInputError
from assay.rollout import LocalGenerator, Rollout, RolloutGroup, SamplingParams

VOCABULARY = 29
PROMPT_LENGTHS = [3, 7, 5, 7, 1]


def tiny(config: PretrainedConfig, implementation: str = "sdpa") -> torch.nn.Module:
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(config, attn_implementation=implementation).eval()


def llama(**changes: object) -> LlamaConfig:
    values: dict[str, object] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        "pad_token_id": 2,
        "eos_token_id": 2,
    }
    return LlamaConfig(**{**values, **changes})


def prompts(lengths: list[int] = PROMPT_LENGTHS) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    # Id 2 is both padding and end of text, and occurs in the prompts: nothing may take it for padding.
    return [rng.choice([1, 2, 2, 5, 9, 11], size=n).astype(np.uint32) for n in lengths]


def run(model: torch.nn.Module, sampling: SamplingParams, *, seed: int = 0, **options: int) -> list[RolloutGroup]:
    generator = LocalGenerator(model, token_budget=options.pop("token_budget", 65_536))
    groups = generator.generate(prompts(), group_size=4, sampling=sampling, seed=seed, **options)
    return sorted(groups, key=lambda group: group.group_id)


def full_logprobs(model: torch.nn.Module, rollout: Rollout, temperature: float) -> np.ndarray:
    ids = torch.from_numpy(np.concatenate([rollout.prompt_ids, rollout.token_ids]).astype(np.int64))
    with torch.no_grad():
        logits = model(input_ids=ids[None]).logits[0, len(rollout.prompt_ids) - 1 : -1].float()
    table = torch.log_softmax(logits / temperature, dim=-1)
    return table.gather(-1, ids[len(rollout.prompt_ids) :, None]).squeeze(-1).numpy()


MODELS = {
    "llama": (llama(), "sdpa"),
    "llama-eager": (llama(), "eager"),
    "gpt2": (GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64), "sdpa"),
    "mistral-sliding-window": (
        MistralConfig(**{**llama().to_dict(), "sliding_window": 4, "model_type": "mistral"}),
        "sdpa",
    ),
    "gemma": (GemmaConfig(**{**llama().to_dict(), "head_dim": 8, "model_type": "gemma"}), "sdpa"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_match_a_full_forward(name: str, temperature: float):
    model = tiny(*MODELS[name])
    sampling = SamplingParams(max_new_tokens=9, temperature=temperature, top_k=7, top_p=0.9, stop_token_ids=(2,))
    for group in run(model, sampling):
        for rollout in group.rollouts:
            expected = full_logprobs(model, rollout, temperature)
            np.testing.assert_allclose(rollout.logprobs, expected, atol=1e-4)


def test_groups_are_complete_and_end_at_the_stop_token():
    groups = run(tiny(llama()), SamplingParams(max_new_tokens=12, stop_token_ids=(2, 7)), first_group_id=40)
    assert [group.group_id for group in groups] == [40, 41, 42, 43, 44]
    reasons = set()
    for group, prompt in zip(groups, prompts(), strict=True):
        np.testing.assert_array_equal(group.prompt_ids, prompt)
        assert [rollout.index for rollout in group.rollouts] == [0, 1, 2, 3]
        for rollout in group.rollouts:
            assert rollout.token_ids.dtype == np.uint32
            assert rollout.logprobs.dtype == np.float32
            assert len(rollout.token_ids) == len(rollout.logprobs) <= 12
            stops = np.isin(rollout.token_ids, [2, 7])
            assert not stops[:-1].any()
            assert (rollout.finish_reason == "stop") == bool(stops[-1])
            assert rollout.finish_reason == "stop" or len(rollout.token_ids) == 12
            reasons.add(rollout.finish_reason)
    assert reasons == {"stop", "length"}


def test_the_seed_decides_and_the_batch_does_not():
    model = tiny(llama())
    sampling = SamplingParams(max_new_tokens=10, stop_token_ids=(2,))

    def tokens(**options: int) -> list[list[int]]:
        return [list(map(int, r.token_ids)) for group in run(model, sampling, **options) for r in group.rollouts]

    together = tokens(seed=1)
    assert tokens(seed=1) == together
    assert tokens(seed=1, token_budget=1) == together  # one prompt per batch, so no padding and other drops
    assert tokens(seed=2) != together
    assert tokens(seed=1, first_group_id=7) != together


def test_temperature_zero_is_greedy():
    model = tiny(llama())
    sampling = SamplingParams(max_new_tokens=6, temperature=0.0)
    for group in run(model, sampling):
        first = group.rollouts[0]
        assert all(np.array_equal(first.token_ids, other.token_ids) for other in group.rollouts)
        ids = torch.from_numpy(np.concatenate([first.prompt_ids, first.token_ids]).astype(np.int64))
        with torch.no_grad():
            best = model(input_ids=ids[None]).logits[0].argmax(dim=-1)
        np.testing.assert_array_equal(best[len(first.prompt_ids) - 1 : -1], first.token_ids)
        np.testing.assert_allclose(first.logprobs, full_logprobs(model, first, 1.0), atol=1e-4)


def test_update_weights_copies_or_only_notes_the_version():
    model, other = tiny(llama()), tiny(llama())
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.25)
    generator = LocalGenerator(model)
    generator.update_weights(3, lambda: other.state_dict().items())
    assert generator.weight_version == 3
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    sampling = SamplingParams(max_new_tokens=2)
    (group,) = generator.generate(prompts([3]), group_size=1, sampling=sampling, seed=0)
    assert group.rollouts[0].weight_version == 3

    def untouched() -> list[tuple[str, torch.Tensor]]:
        raise AssertionError

    shared = LocalGenerator(model, shares_weights=True)
    shared.update_weights(4, untouched)
    assert shared.weight_version == 4
    with pytest.raises(InvalidInputError, match="'nope'"):
        generator.update_weights(5, lambda: [("nope", torch.zeros(1))])
    assert generator.weight_version == 3


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (np.array([], dtype=np.uint32), "prompt 1 is empty"),
        (np.ones(60, dtype=np.uint32), "64 positions: shorten"),
    ],
)
def test_a_prompt_the_model_cannot_take_is_named(prompt: np.ndarray, message: str):
    generator = LocalGenerator(tiny(llama()))
    sampling = SamplingParams(max_new_tokens=5)
    with pytest.raises(InvalidInputError, match=message):
        list(generator.generate([prompts([3])[0], prompt], group_size=2, sampling=sampling, seed=0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_k": -1}, "top_k"),
    ],
)
def test_sampling_params_out_of_range_are_named(values: dict[str, float], message: str):
    with pytest.raises(InvalidInputError, match=message):
        SamplingParams(**{"max_new_tokens": 4, **values})
