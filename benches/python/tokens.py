"""Scoring rollouts from token ids beside decoding them first."""

from __future__ import annotations

import random
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from common import best_of, seconds, table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from verify import peer_rewards

import assay

TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
SPEC = {"accuracy": 1.0, "format": 0.5}


def reasoning(draw: random.Random, words: int) -> str:
    """Text with the mix of words, numbers and formulas that chains of thought have."""
    vocabulary = [
        "so",
        "we",
        "get",
        "that",
        "the",
        "sum",
        "equals",
        "carry",
        "one",
        "wait,",
        "check",
        "again:",
        "therefore",
        "\\frac{1}{2}",
    ]
    return " ".join(str(draw.randint(0, 999)) if draw.random() < 0.2 else draw.choice(vocabulary) for _ in range(words))


def byte_level_tokenizer(draw: random.Random) -> Tokenizer:
    """A byte-level BPE tokenizer of the family that Llama 3 and Qwen use, trained on the benchmark's own text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4_000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([reasoning(draw, 200) for _ in range(200)], trainer)
    tokenizer.add_tokens(TAGS)
    return tokenizer


def rollouts(
    tokenizer: Tokenizer, count: int, length: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[str], list[float]]:
    """`count` completions of `length` tokens as flat ids and offsets, with references and expected totals."""
    draw = random.Random(seed)
    pool = tokenizer.encode(reasoning(draw, 20 * length)).ids
    tags = {tag: tokenizer.token_to_id(tag) for tag in TAGS}
    flat: list[int] = []
    references, expected = [], []
    for _ in range(count):
        answer = draw.randint(0, 9_999)
        equal = draw.random() < 0.5
        tail = [tags["</think>"], tags["<answer>"], *tokenizer.encode(str(answer)).ids, tags["</answer>"]]
        start = draw.randrange(len(pool) - length)
        flat += [tags["<think>"], *pool[start : start + length - len(tail) - 1], *tail]
        references.append(str(answer if equal else answer + 1))
        expected.append(float(equal) + 0.5)
    offsets = np.arange(count + 1, dtype=np.int64) * length
    return np.asarray(flat, dtype=np.uint32), offsets, references, expected


def compare(tokenizer: Tokenizer, path: Path, count: int, length: int) -> list[str]:
    """One row: tokens per CPU second from ids, and after decoding."""
    ids, offsets, references, expected = rollouts(tokenizer, count, length, seed=length)
    direct = assay.Scorer(SPEC, tokenizer=str(path), threads=1)
    text = assay.Scorer(SPEC, threads=1)

    def decoded() -> list[str]:
        return [tokenizer.decode(ids[a:b].tolist(), skip_special_tokens=False) for a, b in pairwise(offsets.tolist())]

    ours, scores = best_of(3, lambda: direct.score_tokens(ids, offsets, references))
    assert scores.total.tolist() == expected
    then_score, second = best_of(1, lambda: text.score(decoded(), references))
    assert second.total.tolist() == expected
    few = min(count, 256)
    texts = decoded()[:few]
    peer, rewards = best_of(1, lambda: peer_rewards(texts, references[:few]))
    decode_only, _ = best_of(1, decoded)
    peer_all = decode_only.cpu + peer.cpu * count / few
    right = sum(a == b for a, b in zip(rewards, expected[:few], strict=True))
    return [
        f"{count:,} x {length:,}",
        seconds(ours.cpu),
        f"{ids.size / ours.cpu / 1e6:,.0f} M/s",
        f"{seconds(then_score.cpu)} ({then_score.cpu / ours.cpu:,.0f}x)",
        f"{seconds(peer_all)} ({peer_all / ours.cpu:,.0f}x; {right}/{few} right)",
    ]


def run() -> list[str]:
    """The table of this file."""
    tokenizer = byte_level_tokenizer(random.Random(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        rows = [compare(tokenizer, path, 8_192, 512), compare(tokenizer, path, 8_192, 4_096)]
    header = [
        "rollouts x tokens",
        "assay.score_tokens",
        "tokens",
        "decode, then assay.score",
        "decode, then math-verify + regex (256 rollouts, scaled)",
    ]
    return [table("Rollouts scored from token ids, accuracy + format, one core, CPU time", header, rows)]
