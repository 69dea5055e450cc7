"""A tiny Llama with a character tokenizer, made from a seed: the model of the demo and of tests."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from assay._transformers import end_token_id
from assay.errors import InvalidInputError

TAG_TOKENS = ("<think>", "</think>", "<answer>", "</answer>")
END_TOKEN = "<end>"  # noqa: S105 - not a secret
DEFAULT_ALPHABET = "0123456789+-*/=;:,.?!()% \nabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """Shape of the model.

    Attributes:
        hidden_size: Width; a multiple of ``heads``.
        layers: Decoder layers.
        heads: Query heads.
        key_value_heads: Key-value heads; divides ``heads``.
        feed_forward_size: Width inside the SwiGLU.
        max_positions: Longest sequence in tokens.
        alphabet: Characters with a token of their own; text outside it cannot be encoded.
        words: Longer texts with a token of their own, in any surroundings; where several fit, the longest.
    """

    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    key_value_heads: int = 2
    feed_forward_size: int = 352
    max_positions: int = 128
    alphabet: str = DEFAULT_ALPHABET
    words: tuple[str, ...] = ()


def tiny_tokenizer(alphabet: str = DEFAULT_ALPHABET, words: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """One token per character and word, one for each of the four R1 tags, one that ends a text and pads.

    The tags are not marked as special, so that decoding without special tokens keeps them.

    Raises:
        InvalidInputError: The alphabet is empty or names a character twice.
    """
    if not alphabet or len(set(alphabet)) != len(alphabet):
        msg = "model.alphabet: give each character once"
        raise InvalidInputError(msg)
    if len(set(words)) != len(words) or not all(len(word) > 1 for word in words):
        msg = "model.words: give each word once, and single characters in the alphabet"
        raise InvalidInputError(msg)
    vocabulary = {token: i for i, token in enumerate([END_TOKEN, *TAG_TOKENS, *alphabet, *words])}
    # A BPE without merges splits text into its characters.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(END_TOKEN, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in (*TAG_TOKENS, *words)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_TOKEN,
        pad_token=END_TOKEN,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def tiny_model(config: TinyConfig, *, seed: int) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Builds model and tokenizer; the weights (float32) depend on the shape and the seed alone.

    Raises:
        InvalidInputError: The shape is not possible.
    """
    if config.hidden_size % config.heads or config.heads % config.key_value_heads:
        msg = "model: hidden_size must be a multiple of heads, and heads of key_value_heads"
        raise InvalidInputError(msg)
    tokenizer = tiny_tokenizer(config.alphabet, config.words)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.feed_forward_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.key_value_heads,
        max_position_embeddings=config.max_positions,
        tie_word_embeddings=True,
        # The usual 0.02 suits widths of a thousand; at this width it doubles the steps until the model adds.
        initializer_range=config.hidden_size**-0.5,
        bos_token_id=None,
        eos_token_id=end_token_id(tokenizer),
        pad_token_id=None,  # a padding id would freeze that row of the embedding, which is also the end token's
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(shape)
    return model, tokenizer
