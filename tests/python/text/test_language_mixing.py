"""The report of where a text leaves its language: the same counts as the reward, and spans in characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay

WORDS = [
    "the",
    "numbers",
    "we",
    "add",
    "then",
    "两个数字",
    "然后",
    "получаем",
    "ответ",
    "😀",
    "$x+1$",
    "`code`",
    "。",
    "\n",
]


def test_stretches_are_where_they_stand() -> None:
    text = "😀 First we add 两个数字 and then we stop, потому что это ответ."
    report = assay.language_mixing(text)
    start, stop, language, words = report.spans[0]
    assert (text[start:stop], language) == ("两个数字", "zh")
    assert words > 0
    assert any("потому" in text[a:b] for a, b, _, _ in report.spans)
    assert report.other == sum(words for *_, words in report.spans)
    assert report.share == report.target / (report.target + report.other)
    assert "share=0." in repr(report)


def test_nothing_is_mixed_where_there_are_no_words() -> None:
    report = assay.language_mixing("$x^2$ 12 + 7", target="de")
    assert (report.share, report.target, report.other, report.spans) == (1.0, 0, 0, [])


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_the_share_is_the_reward_and_spans_lie_in_the_text_in_order(thoughts: str) -> None:
    report = assay.language_mixing(thoughts, "en")
    scorer = assay.Scorer({"component": [{"kind": "language", "target": "en"}]})
    scores = scorer.score([f"<think>{thoughts}</think><answer>1</answer>"], [None])
    assert scores.total[0] == pytest.approx(report.share)
    ends = [end for start, stop, _, _ in report.spans for end in (start, stop)]
    assert ends == sorted(ends)
    assert all(0 <= start < stop <= len(thoughts) for start, stop, _, _ in report.spans)


def test_a_language_that_is_not_known_is_named() -> None:
    with pytest.raises(assay.InvalidSpecError, match="klingon"):
        assay.language_mixing("text", "klingon")
