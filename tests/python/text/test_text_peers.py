"""Length, repetition, format and tags against the published formulas, written slowly, and against TRL itself."""

import math
import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import assay
from assay.spec import Accuracy, Format, Length, Repetition, RewardSpec, Tags

WORDS = ["the", "The", "THE", "sum", "is", "42.", "x²", "É", "é", "ΑΣ", "ΑΣ.", "İ", "ß", "数", "数字", "n't", "-", "🎉"]
BLANKS = [" ", "  ", "\n", "\t", "\u3000", "\x85", "\x1c", "\u2009", "\r\n", " \x1f "]


def corpus(count: int = 600) -> list[str]:
    """Texts of 0 to 60 words with repeats, in odd cases and with odd white space."""
    generator = random.Random(20250122)
    texts = ["", " ", "\n\n", "one", "one two"]
    while len(texts) < count:
        few = generator.sample(WORDS, generator.randint(1, len(WORDS)))
        length = generator.randint(0, 60)
        texts.append("".join(generator.choice(few) + generator.choice(BLANKS) for _ in range(length)))
    return texts


def id_rows(count: int = 300) -> list[list[int]]:
    """Rows of 0 to 80 token ids of a small vocabulary."""
    generator = random.Random(7)
    return [
        [generator.randrange(generator.randint(1, 9)) for _ in range(generator.randint(0, 80))] for _ in range(count)
    ]


def values(component: Any, completions: list[str], reference: str = "5") -> list[float]:
    others = [] if isinstance(component, Accuracy) else [Accuracy(name="right", weight=0.0)]
    scores = assay.Scorer(RewardSpec([component, *others])).score(completions, [reference] * len(completions))
    return scores.components[component.name].tolist()


def values_of_ids(component: Any, rows: Sequence[Sequence[int]]) -> list[float]:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    flat = np.array([token for row in rows for token in row], dtype=np.uint32)
    scores = assay.Scorer(RewardSpec([component])).score_tokens(flat, offsets, [None] * len(rows))
    return scores.components[component.name].tolist()


def repetition(items: Sequence[Any], ngram: int, max_penalty: float) -> float:
    """arXiv 2502.03373, appendix C.2."""
    ngrams = [tuple(items[at : at + ngram]) for at in range(len(items) - ngram + 1)]
    if not ngrams:
        return 0.0
    return (1 - len(set(ngrams)) / len(ngrams)) * max_penalty


def cosine(length: int, right: bool, options: Length) -> float:
    """arXiv 2502.03373, appendix C.1, the progress clamped to 1."""
    if right:
        low, high = options.min_correct, options.max_correct
    else:
        low, high = options.max_wrong, options.min_wrong
    assert low is not None
    assert high is not None
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * min(length / options.max_length, 1)))


def soft_overlong(length: int, max_length: int, buffer: int) -> float:
    """arXiv 2503.14476, equation 13."""
    if length <= max_length - buffer:
        return 0.0
    if length <= max_length:
        return ((max_length - buffer) - length) / buffer
    return -1.0


@pytest.mark.parametrize("ngram", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("max_penalty", [-1.0, -0.3])
def test_repetition_of_words(ngram: int, max_penalty: float) -> None:
    texts = corpus()
    expected = [repetition(text.lower().split(), ngram, max_penalty) for text in texts]
    assert values(Repetition(ngram=ngram, max_penalty=max_penalty), texts) == expected


@pytest.mark.parametrize("ngram", [1, 2, 3, 5, 20])
def test_repetition_of_ids(ngram: int) -> None:
    rows = id_rows()
    expected = [repetition(row, ngram, -1.0) for row in rows]
    assert values_of_ids(Repetition(unit="tokens", ngram=ngram), rows) == expected


@pytest.mark.parametrize("right", [True, False])
def test_cosine(right: bool) -> None:
    texts = [f"{'x ' * count}\\boxed{{{5 if right else 6}}}" for count in range(0, 400, 3)]
    options = Length(
        mode="cosine",
        unit="characters",
        max_length=500,
        min_correct=0.2,
        max_correct=0.9,
        min_wrong=-0.8,
        max_wrong=-0.1,
    )
    expected = [cosine(len(text), right, options) for text in texts]
    assert values(options, texts) == pytest.approx(expected, rel=1e-15, abs=1e-15)


def test_soft_overlong_of_words_and_characters() -> None:
    texts = corpus()
    for unit, length_of in (("words", lambda text: len(text.split())), ("characters", len)):
        component = Length(mode="soft_overlong", unit=unit, max_length=40, buffer=15)
        assert values(component, texts) == [soft_overlong(length_of(text), 40, 15) for text in texts]


def test_soft_overlong_of_ids() -> None:
    rows = id_rows()
    component = Length(mode="soft_overlong", max_length=60, buffer=20)
    assert values_of_ids(component, rows) == [soft_overlong(len(row), 60, 20) for row in rows]


PIECES = ["<think>", "</think>", "<answer>", "</answer>", "\n", "5", "x", " "]
OPEN_R1 = re.compile(r"<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>", re.DOTALL)


def layouts() -> list[str]:
    generator = random.Random(11)
    texts = ["<think>\nx\n</think>\n<answer>\n5\n</answer>"]
    return texts + ["".join(generator.choices(PIECES, k=generator.randint(0, 14))) for _ in range(3_000)]


def test_format_follows_open_r1_where_tags_stand_once() -> None:
    """open-r1 asks for line breaks beside the tags; assay does not, and asks that every tag stands once."""
    texts = layouts()
    for text, value in zip(texts, values(Format(), texts), strict=True):
        once = all(text.count(tag) == 1 for tag in PIECES[:4])
        if OPEN_R1.fullmatch(text) and once:
            assert value == 1.0, text
        loose = re.fullmatch(r"\s*<think>.*</think>\s*<answer>.*</answer>\s*", text, re.DOTALL)
        assert value == float(once and loose is not None), text


def test_tags_follow_open_r1_where_lines_break() -> None:
    texts = layouts()
    for text, value in zip(texts, values(Tags(), texts), strict=True):
        assert value == sum(text.count(tag) == 1 for tag in PIECES[:4]) / 4
    broken = "<think>\n{}\n</think>\n<answer>\n{}\n</answer>"
    counts = [text.replace("<", "").replace(">", "") for text in layouts()]
    filled = [broken.format(text, text) for text in counts]
    open_r1 = ["<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"]
    assert values(Tags(), filled) == [sum(text.count(tag) == 1 for tag in open_r1) / 4 for text in filled]


def test_trl_repetition_and_overlong() -> None:
    rewards = pytest.importorskip("trl.rewards")
    rows = id_rows()
    for ngram in (1, 2, 3, 7):
        theirs = rewards.get_repetition_penalty_reward(ngram_size=ngram, max_penalty=-0.7)(completion_ids=rows)
        assert values_of_ids(Repetition(unit="tokens", ngram=ngram, max_penalty=-0.7), rows) == theirs
    theirs = rewards.get_soft_overlong_punishment(max_completion_len=60, soft_punish_cache=20)(completion_ids=rows)
    assert values_of_ids(Length(mode="soft_overlong", max_length=60, buffer=20), rows) == theirs


def test_trl_cosine(byte_ids: Any) -> None:
    rewards = pytest.importorskip("trl.rewards")
    pytest.importorskip("math_verify")
    texts = [f"{'x ' * count}\\boxed{{{answer}}}" for count in range(0, 90, 7) for answer in (5, 6)]
    tokenizer, rows = byte_ids(texts)
    theirs = rewards.get_cosine_scaled_reward(max_len=100)(
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        solution=["$5$"] * len(texts),
        completion_ids=rows,
    )
    spec = RewardSpec([Accuracy(weight=0.0), Length(mode="cosine", max_length=100)])
    ours = assay.Scorer(spec, tokenizer=tokenizer).score(texts, ["$5$"] * len(texts))
    assert ours.components["length"].tolist() == pytest.approx(theirs, rel=1e-15, abs=1e-15)


@pytest.fixture
def byte_ids() -> Any:
    """A tokenizer of single bytes, and what it makes of texts."""
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE({letter: index for index, letter in enumerate(alphabet)}, [])
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()

    def encode(texts: list[str]) -> tuple[Any, list[list[int]]]:
        return tokenizer, [tokenizer.encode(text).ids for text in texts]

    return encode
