"""What an evaluation reports, by hand."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from assay.data import Task
from assay.recipe.evaluate import comparison, eval_metrics
from assay.recipe.progress import StageProgress
from assay.recipe.scoring import ScoredBatch, batch_metrics, sample_rows
from assay.rollout import Rollout
from assay.scores import Scores, Status

NAN = float("nan")
IDS = np.array([1, 2, 3], dtype=np.uint32)


@pytest.fixture
def batch() -> ScoredBatch:
    """Three problems, two samples each; one completion has no value."""
    rollouts = [
        Rollout(group, index, IDS, IDS[: 1 + index], np.zeros(1 + index, np.float32), reason, 0)
        for group in (4, 5, 6)
        for index, reason in ((0, "stop"), (1, "length"))
    ]
    texts = ["<think>a</think>1", "1", "<think>b</think>2", "<think></think>2", "3", "4"]
    accuracy = np.array([1.0, 0.0, 1.0, 1.0, NAN, 0.0])
    status = [Status.UNDECIDED if math.isnan(value) else Status.SCORED for value in accuracy]
    scores = Scores(accuracy * 0.5, {"accuracy": accuracy}, status, [None] * 6, [None] * 6)
    tasks = [Task(f"p{i}", "1", str(i), "test") for i in range(3) for _ in range(2)]
    return ScoredBatch(rollouts, tasks, texts, scores)


def test_accuracy_its_error_and_its_split(batch: ScoredBatch):
    metrics = eval_metrics(batch, samples=2)
    # Problem means 0.5, 1 and 0 (the value that is missing is left out).
    assert metrics["eval/accuracy"] == pytest.approx(0.5)
    assert metrics["eval/accuracy_se"] == pytest.approx(0.5 / math.sqrt(3))
    assert metrics["eval/n"] == 3
    assert metrics["eval/thinks_ratio"] == pytest.approx(2 / 6)
    assert (metrics["eval/accuracy_thinking"], metrics["eval/n_thinking"]) == (1.0, 2)
    assert metrics["eval/accuracy_direct"] == pytest.approx(1 / 3)
    assert metrics["eval/n_direct"] == 3
    assert metrics["eval/length_mean"] == 1.5
    assert (metrics["eval/status/scored"], metrics["eval/status/undecided"]) == (5, 1)


def test_batch_metrics_leave_out_what_has_no_value(batch: ScoredBatch):
    metrics = batch_metrics(batch)
    assert metrics["reward/mean"] == pytest.approx(0.3)
    assert metrics["accuracy"] == metrics["reward/accuracy/mean"] == pytest.approx(0.6)
    assert metrics["completion/clipped_ratio"] == 0.5
    assert metrics["completion/length_max"] == 2


def test_sample_rows_are_whole_groups(batch: ScoredBatch):
    rows = sample_rows(batch, stage="s", step=3, groups=2, advantages=np.arange(6, dtype=np.float32))
    assert [(row["group_id"], row["index"], row["advantage"]) for row in rows] == [
        (4, 0, 0.0),
        (4, 1, 1.0),
        (5, 0, 2.0),
        (5, 1, 3.0),
    ]
    assert rows[0]["prompt"] == "p0"
    assert sample_rows(batch, stage="s", step=3, groups=0) == []


def test_the_comparison_says_what_changed(batch: ScoredBatch):
    before = eval_metrics(batch, samples=2)
    lines = comparison(before, {**before, "eval/accuracy": 0.75, "eval/thinks_ratio": 0.9})
    assert lines[0] == "accuracy 0.500 -> 0.750"
    assert "share that think 0.333 -> 0.900" in lines


def test_progress_without_a_terminal_is_lines():
    out = io.StringIO()
    with StageProgress("grpo", 2, console=Console(file=out, width=200)) as progress:
        progress.step({"reward/mean": 0.25, "completion/length_mean": 7.0})
        progress.step({"reward/mean": 0.5, "tokens_per_s": 1234.0, "unknown": "x"})
        progress.say("done")
    assert out.getvalue().splitlines() == [
        "grpo 1/2  reward 0.250  length 7.0",
        "grpo 2/2  reward 0.500  tok/s 1,234",
        "done",
    ]


def test_progress_on_a_terminal_shows_the_time_left():
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True)
    with StageProgress("grpo", 4, done=1, console=console) as progress:
        progress.step({"reward/mean": 0.25})
    assert "2/4" in out.getvalue()
    assert "reward 0.250" in out.getvalue()
