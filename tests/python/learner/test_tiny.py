"""The tiny model: its size, its tags, its seed."""

from __future__ import annotations

import pytest
import torch

from assay.errors import InvalidInputError
from assay.learner.tiny import TAG_TOKENS, TinyConfig, tiny_model, tiny_tokenizer


def test_the_demo_model_has_0_56_million_parameters():
    model, tokenizer = tiny_model(TinyConfig(), seed=0)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 0.56
    assert len(tokenizer) == 57


def test_tags_are_single_tokens_that_decoding_keeps():
    tokenizer = tiny_tokenizer()
    text = "<think>7+1=8;3+6=9</think><answer>98</answer>"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == 4 + len("7+1=8;3+6=9") + 2
    for tag in TAG_TOKENS:
        assert len(tokenizer(tag)["input_ids"]) == 1
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == text


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first, _ = tiny_model(TinyConfig(layers=1), seed=3)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again, _ = tiny_model(TinyConfig(layers=1), seed=3)
    other, _ = tiny_model(TinyConfig(layers=1), seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    name = "model.embed_tokens.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


@pytest.mark.parametrize("shape", [{"hidden_size": 30}, {"heads": 4, "key_value_heads": 3}])
def test_impossible_shapes_are_errors(shape: dict[str, int]):
    with pytest.raises(InvalidInputError, match="multiple"):
        tiny_model(TinyConfig(**shape), seed=0)


@pytest.mark.parametrize("alphabet", ["", "abca"])
def test_an_alphabet_names_each_character_once(alphabet: str):
    with pytest.raises(InvalidInputError, match="each character once"):
        tiny_tokenizer(alphabet)


def test_words_are_single_tokens_and_the_longest_wins():
    tokenizer = tiny_tokenizer("ab 十一", ("six", "sixteen", " and ", "十一"))
    text = "sixteen and sixa十一十"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["sixteen", " and ", "six", "a", "十一", "十"]
    assert tokenizer.decode(ids) == text
    for words in (("six", "six"), ("x",)):
        with pytest.raises(InvalidInputError, match=r"model\.words"):
            tiny_tokenizer("ab", words)
