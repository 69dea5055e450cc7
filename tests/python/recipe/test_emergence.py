"""What is counted in completions, and when an alarm sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.data import Task
from assay.recipe.emergence import (
    Alarms,
    agreement,
    aha_rows,
    count,
    emergence_metrics,
    held_out_alarm,
    judge_metrics,
    repetition,
)
from assay.recipe.scoring import ScoredBatch
from assay.rollout import Rollout
from assay.scores import Scores

AHA = "<think>3+2=6. Wait, wait. That's an aha moment: let me check, 3+2=5</think> <answer>5</answer>"


def batch(texts: list[str], accuracy: list[float], group_size: int = 2) -> ScoredBatch:
    ids = np.zeros(3, np.uint32)
    rollouts = [
        Rollout(i // group_size, i % group_size, ids, ids, np.zeros(3, np.float32), "stop", 0)
        for i in range(len(texts))
    ]
    values = np.array(accuracy)
    scores = Scores(values, {"accuracy": values}, ["scored"] * len(texts), [None] * len(texts), [None] * len(texts))
    return ScoredBatch(rollouts, [Task("3+2=", "5", str(i), "here") for i in range(len(texts))], texts, scores)


@pytest.mark.parametrize(
    ("kind", "text", "times"),
    [
        ("reflection", "Wait, however: hmm.", 3),
        ("reflection", "waiter awaits", 0),
        ("reflection", "等等, 不对", 2),
        ("verification", "We double-check and verify it", 2),
        ("verification", "验算一下", 1),
        ("aha", "Wait, wait. Oh, I see", 2),
        ("aha", "ahab", 0),
    ],
)
def test_phrases_are_whole_words_and_the_longest_counts_once(kind: str, text: str, times: int):
    assert count(kind, text) == times


def test_metrics_of_a_batch():
    texts = [AHA, "<answer>5</answer>", "<think>three 加 two</think><answer>5</answer>", "a b c d a b c d"]
    metrics = emergence_metrics(batch(texts, [1.0, 1.0, 0.0, 0.0]))
    assert metrics["emergence/length_mean"] == 3.0
    assert metrics["emergence/aha_ratio"] == metrics["emergence/mixed_ratio"] == 0.25
    assert metrics["emergence/reflecting_ratio"] == 0.25
    assert metrics["emergence/think_answer_ratio"] == 0.5
    assert metrics["emergence/guess_share"] == 0.5
    assert metrics["emergence/duplicate_share"] == 0.0
    assert metrics["emergence/repetition"] == pytest.approx(repetition(texts[3]) / 4)
    assert metrics["emergence/easy/think_answer_ratio"] == metrics["emergence/hard/think_answer_ratio"] == 0.5
    assert "emergence/medium/reflection" not in metrics


def test_candidates_for_an_aha_come_with_their_trace_right_ones_first():
    rows = aha_rows(batch(["wait, no", AHA, "x", AHA], [0.0, 1.0, 1.0, 0.0]), stage="rl", step=3)
    assert [(row["group_id"], row["index"], row["correct"]) for row in rows] == [
        (0, 1, True),
        (0, 0, False),
        (1, 1, False),
    ]
    assert rows[0]["completion"] == AHA
    assert rows[0]["phrase"] == "Wait, wait"


def step(**changes: float) -> dict[str, float]:
    names = {
        "reward": "reward/mean",
        "length": "completion/length_mean",
        "accuracy": "accuracy",
        "duplicates": "emergence/duplicate_share",
        "guesses": "emergence/guess_share",
        "agreement": "judge/agreement",
    }
    plain = {"reward": 0.5, "length": 20.0, "accuracy": 0.5, "duplicates": 0.1, "guesses": 0.1, "agreement": 0.9}
    return {names[key]: value for key, value in {**plain, **changes}.items()}


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("duplicates", {"duplicates": 0.6}),
        ("guesses", {"guesses": 0.9}),
        ("length", {"length": 100.0}),
        ("reward", {"reward": 0.8, "accuracy": 0.3}),
        ("judge", {"reward": 0.8, "agreement": 0.5}),
    ],
)
def test_an_alarm_sounds_once_until_its_sign_is_gone(name: str, odd: dict[str, float]):
    alarms = Alarms(window=3)
    begun: list[str] = []
    for row in [*[step()] * 4, *[step(**odd)] * 4, *[step()] * 4, *[step(**odd)] * 4]:
        begun += [alarm["alarm"] for alarm in alarms.look(row)]
    assert begun == [name, name]


@pytest.mark.parametrize(
    "odd",
    [
        {"reward": 0.9, "accuracy": 0.9},
        {"accuracy": 0.2, "reward": 0.2},
        {"length": 40.0},
        {"reward": 0.5, "agreement": 0.5},
        {"reward": 0.9, "agreement": float("nan")},
    ],
)
def test_progress_and_plain_failure_are_no_alarms(odd: dict[str, float]):
    alarms = Alarms(window=3)
    assert not [alarm for row in [*[step()] * 4, *[step(**odd)] * 6] for alarm in alarms.look(row)]
    assert not Alarms().look({"reward/mean": None, "completion/length_mean": 2.0})


def test_a_step_that_says_nothing_of_judges_leaves_the_comparison_to_the_others():
    alarms, begun = Alarms(window=3), []
    unknown = step(agreement=float("nan"))
    for row in [step(), unknown, step(), *[step(reward=0.8, agreement=0.5), unknown] * 3]:
        begun += [alarm["alarm"] for alarm in alarms.look(row)]
    assert begun == ["judge"]
    # Another reward from here on is no sign of anything.
    alarms.begin_again()
    assert not [alarm for _ in range(6) for alarm in alarms.look(step(reward=5.0, agreement=0.1))]


def test_agreement_of_a_judge_with_the_verifier():
    right = np.array([1.0, 1.0, 0.0, 0.0])
    assert agreement(np.array([3.0, 2.0, 1.0, -9.0]), right) == 1.0
    assert agreement(np.array([3.0, 0.0, 1.0, -9.0]), right) == 0.75
    assert agreement(np.array([0.0, 0.0, 0.0, 0.0]), right) == 0.5
    assert agreement(np.array([0.0, 0.1, 0.2, 0.3]), right) == 0.0
    assert agreement(np.array([3.0, np.nan, 1.0, 4.0]), np.array([1.0, 1.0, 0.0, np.nan])) == 1.0
    assert np.isnan(agreement(np.array([1.0, 2.0]), np.array([1.0, 1.0])))


def test_judges_are_compared_where_there_is_a_verifier():
    scored = batch([AHA, "x", AHA, "y"], [1.0, 0.0, 1.0, 0.0])
    scored.scores.components["helpful"] = np.array([2.0, 1.0, 0.0, 1.0])
    scored.scores.components["kind"] = np.full(4, np.nan)
    metrics = judge_metrics(scored, ["helpful", "kind"])
    assert metrics["judge/helpful/agreement"] == metrics["judge/agreement"] == 0.5
    assert np.isnan(metrics["judge/kind/agreement"])
    assert judge_metrics(scored, []) == {}


def evaluation(reward: float | None, accuracy: float, error: float = 0.02) -> dict[str, Any]:
    return {"eval/reward_mean": reward, "eval/accuracy": accuracy, "eval/accuracy_se": error}


def test_held_out_accuracy_that_falls_while_the_reward_rises_is_an_alarm():
    alarm = held_out_alarm(evaluation(0.5, 0.8), evaluation(0.9, 0.6))
    assert alarm is not None
    assert alarm["alarm"] == "held_out"
    for after in (evaluation(0.9, 0.78), evaluation(0.4, 0.6), evaluation(0.9, 0.9), evaluation(None, 0.1)):
        assert held_out_alarm(evaluation(0.5, 0.8), after) is None
