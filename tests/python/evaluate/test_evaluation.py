"""Evaluation end to end with a generator that says what it is told to."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import assay
from assay.data import Task
from assay.errors import InvalidInputError
from assay.evaluate import Plan, evaluate, summarise
from assay.evaluate.sampling import sample
from assay.rollout.types import Rollout, RolloutGroup, SamplingParams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from assay.rollout.types import TokenIds

SAMPLING = SamplingParams(max_new_tokens=8)


class Scripted:
    """Says line i of its script as sample i of every problem; groups come back last first."""

    weight_version = 0

    def __init__(self, script: list[str]) -> None:
        self.script = script
        self.calls: list[dict[str, Any]] = []

    def generate(self, prompts: Sequence[TokenIds], **options: Any) -> Iterator[RolloutGroup]:
        self.calls.append(options)
        first = options.get("first_group_id", 0)
        for position in reversed(range(len(prompts))):
            texts = self.script[: options["group_size"]]
            yield RolloutGroup(
                first + position,
                prompts[position],
                [
                    Rollout(
                        first + position,
                        index,
                        prompts[position],
                        np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32),
                        np.zeros(len(text), dtype=np.float32),
                        "stop",
                        0,
                    )
                    for index, text in enumerate(texts)
                ],
            )

    def update_weights(self, version: int, named_tensors: Any) -> None:
        raise AssertionError

    def close(self) -> None:
        return


class Characters:
    """One token a character."""

    def encode(self, task: Task) -> TokenIds:
        return np.frombuffer(str(task.prompt).encode("utf-32-le"), dtype=np.uint32)

    def decode(self, token_ids: TokenIds) -> str:
        return token_ids.tobytes().decode("utf-32-le")


def task(position: int, reference: str | None) -> Task:
    return Task(f"problem {position}", reference, f"id-{position}", "test")


def test_evaluation() -> None:
    script = [
        "<think>hm</think><answer>4</answer>",
        "<think>hm</think><answer>5</answer>",
        "<think></think><answer>5.0</answer>",
        "<think>never closed",
    ]
    tasks = [task(0, "4"), task(1, "5"), task(2, None)]
    generator = Scripted(script)
    seen: list[int] = []
    made = evaluate(
        generator,
        tasks,
        Characters(),
        assay.Scorer("accuracy"),
        Plan(SAMPLING, samples=4, seed=9, batch=2, ks=(1, 2, 4)),
        progress=seen.append,
    )
    assert seen == [4, 8, 12]
    assert [call["first_group_id"] for call in generator.calls] == [0, 2]
    assert all(call["seed"] == 9 for call in generator.calls)
    # Problem 0 has one right sample of four, problem 1 two; problem 2 has no gold answer and counts nowhere.
    assert made.accuracy == (pytest.approx(0.375), pytest.approx(0.125), 2)
    assert made.pass_at[1].value == pytest.approx(0.375)
    assert made.pass_at[2].value == pytest.approx((0.5 + 5 / 6) / 2)
    assert made.pass_at[4].value == 1.0
    assert made.cons_at[4].value == 0.5  # 5 and 5.0 vote together: right for problem 1 only
    assert made.unjudged == 4
    assert made.thinks_ratio == 0.5
    assert made.length_mean == pytest.approx(np.mean([len(text) for text in script]))
    rows = [sample.row("test", tasks[sample.problem]) for sample in made.samples]
    assert [(row["id"], row["index"]) for row in rows[:5]] == [*((("id-0"), i) for i in range(4)), ("id-1", 0)]
    assert rows[3]["answer"] is None
    assert rows[3]["correct"] is False
    assert (rows[8]["correct"], rows[8]["status"]) == (None, "invalid_reference")
    json.dumps(rows)
    metrics = made.metrics()
    assert metrics["eval/accuracy"] == pytest.approx(0.375)
    assert metrics["eval/n"] == 2
    assert metrics["eval/unjudged"] == 4
    assert {"eval/accuracy_se", "eval/thinks_ratio", "eval/length_mean", "eval/pass@2", "eval/cons@4_se"} <= set(
        metrics
    )
    assert all(math.isfinite(value) for value in metrics.values())


def test_nothing_that_could_be_judged_is_not_zero() -> None:
    made = evaluate(
        Scripted(["4"]), [task(0, None)], Characters(), assay.Scorer("accuracy"), Plan(SAMPLING, samples=1, ks=(1,))
    )
    assert math.isnan(made.accuracy.value)
    assert "eval/accuracy" not in made.metrics()
    assert made.unjudged == 1


def test_only_what_is_missing_is_drawn() -> None:
    """A whole group where one of its samples is missing; single samples where they are asked for one by one."""
    tasks = [task(i, "4") for i in range(5)]
    done = {(0, 0), (0, 1), (1, 0), (3, 0), (3, 1)}
    generator = Scripted(["4", "5"])
    scorer = assay.Scorer("accuracy")
    parts = list(sample(generator, tasks, Characters(), scorer, Plan(SAMPLING, samples=2), done=done))
    assert [call["first_group_id"] for call in generator.calls] == [1, 4]
    assert sorted((s.problem, s.index) for part in parts for s in part) == [
        (1, 0), (1, 1), (2, 0), (2, 1), (4, 0), (4, 1),
    ]  # fmt: skip
    generator = Scripted(["4"])
    parts = list(sample(generator, tasks, Characters(), scorer, Plan(SAMPLING, samples=2, together=False), done=done))
    assert all(len(part) == 1 for part in parts)
    found = {(part[0].problem, part[0].index) for part in parts}
    assert found == {(p, i) for p in range(5) for i in range(2)} - done
    assert generator.calls[0]["group_size"] == 1
    assert generator.calls[0]["seed"] != 0  # the requests are numbered anew


def test_what_is_contaminated_counts_apart() -> None:
    tasks = [task(0, "4"), task(1, "5")]
    made = evaluate(Scripted(["4", "5"]), tasks, Characters(), assay.Scorer("accuracy"), Plan(SAMPLING, samples=2))
    assert made.clean is None
    some = summarise(made.samples, problems=2, contaminated=frozenset({0}))
    assert some.clean == (0.5, pytest.approx(math.nan, nan_ok=True), 1)
    assert some.metrics()["eval/n_clean"] == 1


def test_a_consensus_of_choices_is_by_letter() -> None:
    script = ["so \\boxed{B}", "The answer is (B).", "\\boxed{A}"]
    scorer = assay.Scorer({"component": [{"kind": "accuracy", "answer": "choice"}]})
    made = evaluate(Scripted(script), [task(0, "B")], Characters(), scorer, Plan(SAMPLING, samples=3))
    assert summarise(made.samples, problems=1, ks=[3], kind="choice").cons_at[3].value == 1.0


def test_what_contradicts_itself() -> None:
    with pytest.raises(InvalidInputError, match="k = 5 needs at least 5 samples"):
        Plan(SAMPLING, samples=4, ks=(5,))
    with pytest.raises(InvalidInputError, match="give at least 1"):
        Plan(SAMPLING, samples=0)
    with pytest.raises(InvalidInputError, match="no problem"):
        evaluate(Scripted([]), [], Characters(), assay.Scorer("accuracy"), Plan(SAMPLING))
