"""Names, buckets and checksums of weights, beside what transformers writes into a checkpoint."""

import base64
import copy
import hashlib
import io

import pytest
import torch
from fake_weights import Unpickler
from safetensors.torch import load_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from assay.rollout.sglang.checksums import compare, word_digest
from assay.rollout.sglang.weights import checkpoint_tensors, flatten, serialise, shards

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
MODELS = {
    "tied": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "untied": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=False)),
    "experts": lambda: Qwen3MoeForCausalLM(
        Qwen3MoeConfig(**SMALL, moe_intermediate_size=8, num_experts=4, num_experts_per_tok=2, decoder_sparse_step=1)
    ),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("source", ["state_dict", "named_parameters"])
def test_names_and_cuts_are_the_checkpoints(kind, source, tmp_path):
    model = MODELS[kind]()
    model.save_pretrained(tmp_path)
    expected = load_file(tmp_path / "model.safetensors")
    named = model.state_dict().items() if source == "state_dict" else model.named_parameters()
    found = dict(checkpoint_tensors(named))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert not any(tensor.requires_grad for tensor in found.values())


def test_wrappers_leave_no_names():
    inner = nn.Linear(2, 2)
    names = ["weight", "_orig_mod.weight", "module._orig_mod.weight", "a._checkpoint_wrapped_module.weight"]
    found = [name for name, _ in checkpoint_tensors((name, inner.weight) for name in names)]
    assert found == ["weight", "weight", "weight", "a.weight"]
    assert [name for name, _ in checkpoint_tensors([("my_module.weight", inner.weight)])] == ["my_module.weight"]


def test_experts_with_biases_stay_stacked():
    stack = torch.randn(2, 4, 3)
    named = [("l.experts.gate_up_proj", stack), ("l.experts.gate_up_proj_bias", torch.randn(2, 4))]
    assert {name for name, _ in checkpoint_tensors(named)} == {name for name, _ in named}


def test_shards_hold_one_dtype_and_a_limit():
    named = [(str(size), torch.zeros(size)) for size in (4, 4, 100, 1, 1)] + [("half", torch.zeros(2).half())]
    cut = list(shards(named, 32))
    assert [[tensor.numel() for _, tensor in shard] for shard in cut] == [[4, 4], [100], [1, 1], [2]]
    assert list(shards([], 32)) == []


@pytest.mark.parametrize("shared", [True, False])
def test_a_bucket_survives_the_wire(shared):
    draw = torch.Generator().manual_seed(0)
    named = [
        ("a", torch.randn(3, 5, generator=draw)),
        ("b", torch.randn(7, 2, generator=draw).T),
        ("c", torch.tensor(2.5)),
    ]
    message = serialise(bucket := flatten(named), shared=shared)
    assert all(
        name == was and torch.equal(tensor, before)
        for (name, tensor), (was, before) in zip(bucket.tensors(), named, strict=True)
    )
    content = Unpickler(io.BytesIO(base64.b64decode(message))).load()
    assert content["flattened_tensor"].dtype == torch.uint8
    for (name, tensor), meta in zip(named, content["metadata"], strict=True):
        assert (meta.name, meta.shape, meta.dtype) == (name, tensor.shape, tensor.dtype)
        assert meta.numel == meta.end_idx - meta.start_idx == tensor.nbytes
        part = content["flattened_tensor"][meta.start_idx : meta.end_idx]
        assert torch.equal(part.view(meta.dtype).reshape(meta.shape), tensor)
    assert (len(message) < 2 * bucket.data.nbytes + 1500) if shared else message
    assert torch.multiprocessing.get_sharing_strategy() == "file_descriptor", "the process's own setting is left alone"


def checksum(*parts, dtype=torch.float32, padding=0):
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part.to(dtype).contiguous().flatten().view(torch.uint8).numpy().tobytes())
    hasher.update(bytes(padding))
    return hasher.hexdigest()[:16]


def test_checksums_see_through_fusing_padding_and_narrower_dtypes():
    weights = dict(checkpoint_tensors(MODELS["experts"]().state_dict().items()))
    layer = "model.layers.0"
    qkv = [weights[f"{layer}.self_attn.{part}_proj.weight"] for part in "qkv"]
    gate_up = [weights[f"{layer}.mlp.experts.{e}.{part}.weight"] for e in range(4) for part in ("gate_proj", "up_proj")]
    down = [weights[f"{layer}.mlp.experts.{e}.down_proj.weight"] for e in range(4)]
    checksums = {
        f"{layer}.self_attn.qkv_proj.weight": checksum(*qkv),
        f"{layer}.self_attn.o_proj.weight": checksum(weights[f"{layer}.self_attn.o_proj.weight"], dtype=torch.bfloat16),
        f"{layer}.mlp.experts.w13_weight": checksum(*gate_up, dtype=torch.bfloat16),
        f"{layer}.mlp.experts.w2_weight": checksum(*down),
        "model.embed_tokens.weight": checksum(weights["model.embed_tokens.weight"], padding=4 * 16 * 4),
        "lm_head.weight": checksum(weights["lm_head.weight"], dtype=torch.float16, padding=4 * 16 * 2),
        "rotary.cache": "0" * 16,
    }
    outcome = compare(checksums, weights, device="cpu")
    assert (outcome.equal, outcome.different, outcome.unknown) == (6, [], ["rotary.cache"])

    changed = copy.deepcopy(weights)
    changed[f"{layer}.mlp.experts.3.up_proj.weight"][0, 0] += 1
    changed[f"{layer}.self_attn.v_proj.weight"][0, 0] += 1
    different = compare(checksums, changed, device="cpu").different
    assert different == [f"{layer}.self_attn.qkv_proj.weight", f"{layer}.mlp.experts.w13_weight"]


@pytest.mark.parametrize(
    ("count", "dtype", "expected"),
    [
        (1, torch.uint8, "3d93a6540b54ef2a"),
        (7, torch.uint8, "d9e9661b18c29da2"),
        (8192, torch.float32, "9e553c270f743b1b"),
        (8193, torch.float32, "5fc4c904834e32e7"),
        (49157, torch.bfloat16, "5e7eefbd2dce262a"),
        (131149, torch.float32, "94857ca11e509cf6"),
    ],
)
def test_the_gpu_checksum_is_sglangs(count, dtype, expected):
    # Expected values: gpu_tensor_hash of sglang 0.5.23 on the same tensors, run by Triton's interpreter.
    places = torch.arange(count)
    tensor = (places % 251).to(dtype) if dtype == torch.uint8 else ((places % 1009).float() / 7 - 50).to(dtype)
    raw = tensor.view(torch.uint8).numpy()
    assert word_digest([raw]) == expected
    assert word_digest([raw[:1], raw[1:]]) == expected
    assert word_digest([]) == "0" * 16
