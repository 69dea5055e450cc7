"""Which problems stand in training data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data import Task
from assay.data.overlap import find_overlap, texts_of, words
from assay.errors import InvalidInputError


def tasks(*prompts: str) -> list[Task]:
    return [Task(prompt, "1", str(i), "test") for i, prompt in enumerate(prompts)]


def test_shared_words_in_a_row_are_found_whatever_their_case_and_marks() -> None:
    problems = tasks("Tom has three red apples, and eats two.", "Ann has four pears.", "What is 7*8?")
    rows = [("t:1", "nothing of it"), ("t:2", "Yesterday TOM HAS THREE RED apples; he slept."), ("t:3", "what is 7 8")]
    found = find_overlap(problems, rows, ngram=5)
    # 8 words have four 5-grams, of which one is there; the short problem counts because all of it is.
    assert [(o.problem, o.share, o.where) for o in found] == [(0, 0.25, "t:2"), (2, 1.0, "t:3")]
    assert find_overlap(problems, rows, ngram=6) == [found[1]]


def test_nothing_in_nothing() -> None:
    assert find_overlap([], [("t", "a b c")]) == []
    assert find_overlap(tasks("?"), [("t", "a b c")]) == []
    with pytest.raises(InvalidInputError, match="ngram is 0"):
        find_overlap([], [], ngram=0)


ALPHABET = st.lists(st.sampled_from("abc"), min_size=1, max_size=8)


@given(st.lists(ALPHABET, min_size=1, max_size=4), st.lists(ALPHABET, max_size=4), st.integers(1, 4))
def test_against_brute_force(prompts: list[list[str]], rows: list[list[str]], ngram: int) -> None:
    def grams(tokens: list[str], size: int) -> set[tuple[str, ...]]:
        return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}

    expected: dict[int, float] = {}
    for position, prompt in enumerate(prompts):
        size = min(ngram, len(prompt))
        own = grams(prompt, size)
        shared = {gram for gram in own if any(gram in grams(row, size) for row in rows)}
        if shared:
            expected[position] = len(shared) / len(own)
    found = find_overlap(
        tasks(*(" ".join(prompt) for prompt in prompts)), [("t", " ".join(row)) for row in rows], ngram=ngram
    )
    assert {o.problem: o.share for o in found} == pytest.approx(expected)


def test_every_text_of_a_row_counts() -> None:
    row = {"prompt": [{"role": "user", "content": "a"}], "n": 3, "answer": "b"}
    assert list(texts_of(row)) == ["user", "a", "b"]
    assert words("Don't ﬁx_it: É2!") == ["don", "t", "fix", "it", "é2"]
