"""Attention and layers that were exchanged compute what transformers' own do, and every kernel for packed sequences the same."""

from __future__ import annotations

import copy

import pytest
import torch
from architectures import CONFIGS, blocks_of, model_of
from torch.nn.attention import flex_attention as flex
from transformers import AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from assay._attention import Borders, attention, check_kernel
from assay._layers import lighten
from assay.errors import InvalidInputError, InvalidSpecError
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.tiny import tiny_tokenizer
from assay.recipe import load_recipe

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")


class _Layer(torch.nn.Module):
    num_key_value_groups = 2
    is_causal = True


def heads(rows: int, queries: int, keys: int, *, value: int = 8) -> list[torch.Tensor]:
    torch.manual_seed(1)
    shapes = [(rows, 4, queries, 8), (rows, 2, keys, 8), (rows, 2, keys, value)]
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("queries", [1, 5])
def test_grouped_heads_attend_as_under_sdpa(queries: int, masked: bool):
    tensors = heads(3, queries, 9 if masked or queries == 1 else 5)
    mask = None
    if masked:
        mask = torch.rand(3, 1, queries, 9, generator=torch.Generator().manual_seed(2)) > 0.4
        mask[..., 0] = True
    found = []
    for run in (attention, sdpa_attention_forward):
        out, _ = run(_Layer(), *tensors, mask, scaling=0.3)
        gradients = torch.autograd.grad((out * torch.arange(out.numel()).view_as(out)).sum(), tensors)
        found.append((out, gradients))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("lengths", [[6, 6, 6], [2, 30, 1, 7]], ids=["alike", "uneven"])
@pytest.mark.parametrize("window", [None, 4])
def test_flex_attention_by_sequence_is_attention_of_each_sequence(lengths, window, monkeypatch: pytest.MonkeyPatch):
    """Torch refuses the backward of flex attention on a CPU; its reference, which is what runs here, has one."""
    monkeypatch.setattr(flex, "_validate_device", lambda *_: None)
    tensors = heads(1, sum(lengths), sum(lengths))
    found = []
    for kernel in ("flex", "by_sequence"):
        borders = Borders(lengths, torch.device("cpu"), kernel)
        out, _ = attention(_Layer(), *tensors, None, scaling=0.3, sliding_window=window, borders=borders)
        gradients = torch.autograd.grad((out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum(), tensors)
        found.append((out, gradients))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "qwen3", "mistral-window", "qwen3-moe"])
def test_a_model_under_flex_attention_gives_the_same_logprobs(make_sequences, name: str):
    sequences = make_sequences([2, 12, 1], group_size=2)
    policy = Policy(model_of(name), tiny_tokenizer(), PolicyOptions(layout="packed"))
    with torch.no_grad():
        expected = policy.logprobs(sequences, blocks_of(sequences)).logprobs
        policy.options = policy.options._replace(packed_attention="flex")
        found = policy.logprobs(sequences, blocks_of(sequences)).logprobs
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_kernels_that_cannot_train_here_are_refused():
    for kernel in ("flex", "varlen", "flash_attention_2"):
        with pytest.raises(InvalidInputError, match=f"packed_attention '{kernel}': its backward needs a GPU"):
            Policy(model_of("llama"), tiny_tokenizer(), PolicyOptions(layout="packed", packed_attention=kernel))
    with pytest.raises(InvalidInputError, match="needs layout 'packed'"):
        Policy(model_of("llama"), tiny_tokenizer(), PolicyOptions(packed_attention="by_sequence"))
    gpu = torch.device("cuda")
    with pytest.raises(InvalidInputError, match="half precision only"):
        check_kernel("varlen", gpu, torch.float32)
    with pytest.raises(InvalidInputError, match="flash-attn is not installed"):
        check_kernel("flash_attention_2", gpu, torch.bfloat16)
    check_kernel("flex", gpu, torch.float32)
    with pytest.raises(InvalidSpecError, match="packed_attention"):
        load_recipe("recipes/demo.toml", ["model.packed_attention=flash3"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CONFIGS)
def test_lightened_layers_give_values_and_gradients_of_their_own(name: str, dtype: torch.dtype):
    torch.manual_seed(3)
    plain = AutoModelForCausalLM.from_config(CONFIGS[name], dtype=torch.float32).to(dtype)
    light = copy.deepcopy(plain)
    lighten(light)
    changed = [type(m).__name__ for m in light.modules() if "forward" in vars(m)]
    assert any(kind.endswith("RMSNorm") for kind in changed)
    assert any(kind.endswith("MLP") for kind in changed) or name == "qwen3-moe"  # its experts are stacked
    ids = torch.randint(0, 23, (2, 9))
    weights = torch.randn(2, 9, 23)
    for model in (plain, light):
        (model(input_ids=ids, use_cache=False).logits.float() * weights).sum().backward()
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.1, "atol": 0.2}
    for (key, ours), theirs in zip(light.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, **close, msg=lambda text, key=key: f"{key}: {text}")


def test_a_copy_of_a_lightened_model_has_its_own_weights():
    model = model_of("llama")
    lighten(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    ids = torch.tensor([[1, 2, 3]])
    assert twin(input_ids=ids).logits.abs().max() == 0
    assert model(input_ids=ids).logits.abs().max() > 0


def test_a_layer_that_computes_something_else_is_left_alone():
    class OneMoreRMSNorm(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.variance_epsilon = torch.nn.Parameter(torch.ones(8)), 1e-6

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (1 + self.weight)

    layer = OneMoreRMSNorm()
    lighten(layer)
    assert layer(torch.ones(8)).tolist() == [2.0] * 8
