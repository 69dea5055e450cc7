"""Near-duplicates by MinHash beside the obvious: every pair of sets of n-grams compared."""

from __future__ import annotations

import random

import numpy as np
import pytest

from assay.recipe.near import NearDuplicates, bands_for, near_duplicates, ngram_hashes, similarity, words

VOCABULARY = [f"word{i}" for i in range(400)]


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1))}


def jaccard(a: str, b: str, n: int) -> float:
    one, two = grams(a, n), grams(b, n)
    return len(one & two) / len(one | two)


def by_pairs(texts: list[str], threshold: float, n: int) -> list[bool]:
    kept: list[str] = []
    found: list[bool] = []
    for text in texts:
        found.append(any(jaccard(text, other, n) >= threshold for other in kept))
        if not found[-1]:
            kept.append(text)
    return found


def corpus(rng: random.Random, size: int) -> list[str]:
    """Texts, some of which are others with a few words changed."""
    texts: list[list[str]] = []
    for _ in range(size):
        if texts and rng.random() < 0.6:
            text = list(rng.choice(texts))
            for _ in range(rng.randrange(0, 12)):
                text[rng.randrange(len(text))] = rng.choice(VOCABULARY)
        else:
            text = rng.choices(VOCABULARY, k=rng.randrange(20, 120))
        texts.append(text)
    return [" ".join(text) for text in texts]


def test_similarity_is_that_of_sets_of_n_grams_in_any_script():
    for a, b, n in [
        ("a b c d", "A  b c e", 2),
        ("三加二 is", "三加二, is", 2),
        ("a", "a b", 3),
        ("", "x", 3),
        ("", " ", 2),
    ]:
        assert similarity(ngram_hashes(a, n), ngram_hashes(b, n)) == jaccard(a, b, n)
    assert words("三加2 and\u3042") == ["三", "加", "2", "and", "\u3042"]
    rng = random.Random(1)
    for a, b in zip(corpus(rng, 50), corpus(rng, 50), strict=True):
        assert similarity(ngram_hashes(a, 3), ngram_hashes(b, 3)) == jaccard(a, b, 3)
    assert len(ngram_hashes("\ud800 x", 1)) == 2


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.6, 0.8, 0.9, 0.99])
def test_pairs_at_the_threshold_are_hardly_ever_missed(threshold: float):
    bands, rows = bands_for(threshold)
    assert bands * rows <= 256
    assert (1 - threshold**rows) ** bands <= 1.01e-3
    if threshold > 0.3:
        # And what is not alike at all is hardly ever compared.
        assert 1 - (1 - 0.05**rows) ** bands < 0.13


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_decisions_are_those_of_comparing_every_pair(threshold: float):
    texts = corpus(random.Random(7), 300)
    wanted, found = by_pairs(texts, threshold, 3), near_duplicates(texts, threshold, 3)
    assert 20 < sum(wanted) < 280
    # At 300 texts the chance of a miss is far below one.
    assert found == wanted


def test_candidates_grow_with_the_texts_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch):
    compared = [0]

    def counting(a: np.ndarray, b: np.ndarray) -> float:
        compared[0] += 1
        return similarity(a, b)

    monkeypatch.setattr("assay.recipe.near.similarity", counting)
    rng = random.Random(3)
    index = NearDuplicates(0.8, 3)
    texts = [" ".join(rng.choices(VOCABULARY, k=60)) for _ in range(1500)]
    assert all(index.add(text) for text in texts)
    assert compared[0] < 150
    assert not any(index.add(text) for text in texts[:100])
