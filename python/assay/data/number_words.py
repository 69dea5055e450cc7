"""Addition spelled out in English or Chinese number words: a task on which accuracy and language pull apart.

A demonstration adds column by column from the right, and every column is in either language: a chain of thought that
switches, as DeepSeek-R1's did before its language reward (arXiv 2501.12948, 2.3.2). English columns may be made to
slip (``english_slips``): their sum is then off by one, so that a model trained on them is right more often in Chinese.
Rewarding accuracy alone then drives English out; the language reward brings it back at some cost in accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.data.sums import draw_sums
from assay.data.task import Task

if TYPE_CHECKING:
    import random

    from assay.data.config import NumberWordsConfig
    from assay.data.split import Splits

ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
CHINESE = (
    *("零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二", "十三", "十四", "十五"),
    *("十六", "十七", "十八", "十九"),
)
# What stands between the numbers, one spelling a language: "seven and five is twelve", "七加五是十二".
AND, IS, THEN = (" and ", "加"), (" is ", "是"), ("; ", "；")  # noqa: RUF001 - the Chinese semicolon


def column(digits: tuple[int, ...], total: int, *, english: bool) -> str:
    """One column in words.

    >>> column((7, 5), 12, english=True), column((3, 4, 1), 8, english=False)
    ('seven and five is twelve', '三加四加一是八')
    """
    words, place = (ENGLISH, 0) if english else (CHINESE, 1)
    return AND[place].join(words[digit] for digit in digits) + IS[place] + words[total]


def spoken_addition(a: int, b: int, english: list[bool], slips: list[bool]) -> tuple[str, int]:
    """The chain of thought and the sum that it arrives at.

    Args:
        a: Not negative.
        b: Not negative.
        english: The language of each column, from the right.
        slips: Whether the column's sum is one too large, or one too small where it would not fit.

    >>> spoken_addition(37, 45, [True, False], [False, False])
    ('seven and five is twelve; 三加四加一是八', 82)
    """
    text, result, carry = "", 0, 0
    for place, (is_english, slip) in enumerate(zip(english, slips, strict=True)):
        digits = (a // 10**place % 10, b // 10**place % 10, *([1] if carry else []))
        total = sum(digits)
        if slip:
            total += 1 if total < 19 else -1
        text += (THEN[0] if is_english else THEN[1]) if place else ""
        text += column(digits, total, english=is_english)
        last = place == len(english) - 1
        result += (total if last else total % 10) * 10**place
        carry = total // 10
    return text, result


def load_number_words(config: NumberWordsConfig) -> Splits:
    """Training problems, and held-out ones that occur nowhere among them.

    ``metadata`` has the demonstration as ``completion`` and ``kind = "reasoning"``.

    Raises:
        InvalidInputError: There are not twice as many sums of so many digits as problems are held out.
    """
    return draw_sums(config, "number words", _task)


def _task(config: NumberWordsConfig, name: str, pair: tuple[int, int], rng: random.Random) -> Task:
    a, b = pair
    english = [rng.random() < config.english_share for _ in range(config.digits)]
    slips = [rng.random() < config.english_slips and is_english for is_english in english]
    thinking, result = spoken_addition(a, b, english, slips)
    if rng.random() >= config.think_share:
        thinking, result = "", a + b
    completion = f"<think>{thinking}</think><answer>{result}</answer>"
    identity = f"number_words:{config.seed}:{name}"
    metadata = {"completion": completion, "kind": "reasoning"}
    return Task(f"{a}+{b}=", str(a + b), identity, "number_words", metadata)
