"""assay's verdicts beside reasoning-gym's own scorers, on the tasks that assay takes without asking."""

from __future__ import annotations

import pytest
import reasoning_gym

import assay
from assay.data import load
from assay.data.gym import COMPARED_BY_VALUE

# Tasks with a reference that is a number or a word, of those that have no scorer of their own.
BY_REFERENCE = ("base_conversion", "basic_arithmetic", "count_bits", "gcd", "lcm", "leg_counting", "letter_counting")
TASKS = (*sorted(COMPARED_BY_VALUE), *BY_REFERENCE)


@pytest.mark.parametrize("task", TASKS)
def test_the_two_scorers_agree(task: str) -> None:
    size = 40
    generator = reasoning_gym.create_dataset(task, size=size, seed=11)
    tasks = load({"source": "reasoning_gym", "task": task, "size": size, "seed": 11})
    references = [row.reference for row in tasks]
    assert references == [row["answer"] for row in generator]
    scorer = assay.Scorer("accuracy")
    right = scorer.score([f"<answer>{reference}</answer>" for reference in references], references)
    assert right.total.tolist() == [1.0] * size
    # Every problem's answer is offered to every other: right where the two happen to have the same one.
    shifted = [*references[1:], references[0]]
    theirs = [
        float(generator.score_answer(str(answer), row) == 1.0) for answer, row in zip(shifted, generator, strict=True)
    ]
    ours = scorer.score([f"<answer>{answer}</answer>" for answer in shifted], references)
    assert ours.total.tolist() == theirs


@pytest.mark.parametrize(
    ("task", "written"),
    [("chain_sum", "{}.0"), ("chain_sum", " {} "), ("products", "{}.00"), ("decimal_chain_sum", "{}0")],
)
def test_spellings_that_both_take(task: str, written: str) -> None:
    generator = reasoning_gym.create_dataset(task, size=20, seed=5)
    tasks = load({"source": "reasoning_gym", "task": task, "size": 20, "seed": 5})
    answers = [written.format(row.reference) for row in tasks]
    assert {generator.score_answer(a, row) for a, row in zip(answers, generator, strict=True)} == {1.0}
    scores = assay.Scorer("accuracy").score([f"<answer>{a}</answer>" for a in answers], [t.reference for t in tasks])
    assert scores.total.tolist() == [1.0] * 20
