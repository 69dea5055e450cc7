"""GGUF files become Hugging Face folders, once."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError
from assay.learner.gguf import cache_folder, convert_gguf, gguf_in_package
from assay.learner.policy import Policy

WIDTH, HEADS, LAYERS, FEED_FORWARD = 32, 2, 1, 64
TOKENS = [*"0123456789+=", "99", "<end>"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer with random float32 weights."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 1) + [3])
    writer.add_token_merges(["9 9"])
    writer.add_eos_token_id(len(TOKENS) - 1)
    writer.add_bos_token_id(len(TOKENS) - 1)
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (WIDTH, WIDTH),
        "blk.0.attn_v.weight": (WIDTH, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
        "blk.0.ffn_gate.weight": (FEED_FORWARD, WIDTH),
        "blk.0.ffn_up.weight": (FEED_FORWARD, WIDTH),
        "blk.0.ffn_down.weight": (WIDTH, FEED_FORWARD),
    }
    for name, shape in shapes.items():
        writer.add_tensor(name, rng.normal(size=shape, scale=0.2).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_folder_holds_the_weights_and_is_made_once(file: Path, tmp_path: Path):
    folder = convert_gguf(file, cache=tmp_path)
    policy = Policy.load(folder)
    expected = np.random.default_rng(0).normal(size=(len(TOKENS), WIDTH), scale=0.2).astype(np.float32)
    torch.testing.assert_close(policy.masters["model.embed_tokens.weight"].detach(), torch.from_numpy(expected))
    assert policy.tokenizer("12+3=")["input_ids"] == [1, 2, 10, 3, 11]
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert convert_gguf(file, cache=tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made


def test_what_is_no_model_is_named(tmp_path: Path):
    with pytest.raises(InvalidInputError, match=r"none\.gguf: there is no such file"):
        convert_gguf(tmp_path / "none.gguf", cache=tmp_path)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(InvalidInputError, match=r"bad\.gguf: cannot be converted"):
        convert_gguf(tmp_path / "bad.gguf", cache=tmp_path)
    assert not (tmp_path / "gguf").exists()


def test_packages_hold_exactly_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "model_inside"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidInputError, match="'model_inside' holds 0 GGUF files"):
        gguf_in_package("model_inside")
    (package / "one.gguf").touch()
    assert gguf_in_package("model_inside") == package / "one.gguf"
    for name in ("no_such_package", "not a name", "json"):
        with pytest.raises(InvalidInputError, match=r"model\.package"):
            gguf_in_package(name)


def test_the_cache_can_be_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASSAY_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("ASSAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/assay")
