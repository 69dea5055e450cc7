"""A tokenizer with one token per byte, so that any text has token ids."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

TAGS = ["<think>", "</think>", "<answer>", "</answer>"]


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer
