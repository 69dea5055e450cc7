"""A run folder as the recipe runner writes one, made up but of the documented shape."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> <!-- \u2028 & \ud800"


def metrics_rows(steps: int) -> list[dict[str, Any]]:
    noise = random.Random(1)
    rows: list[dict[str, Any]] = [
        {"stage": "cold-start", "kind": "sft", "step": s, "time_s": s * 0.2, "loss": 3 / (1 + s / 20), "lr": 2e-3}
        for s in range(1, steps + 1)
    ]
    rows.append({"stage": "before", "kind": "eval", "step": 0, "eval/accuracy": 0.43, "eval/accuracy_se": 0.016})
    for step in range(1, steps + 1):
        accuracy = 0.43 + 0.5 * step / steps + noise.gauss(0, 0.03)
        rows.append(
            {
                "stage": "zero",
                "kind": "grpo",
                "step": step,
                "time_s": step * 0.4,
                "reward/mean": 0.9 * accuracy + 0.1,
                "reward/std": 0.3,
                "reward/accuracy/mean": accuracy,
                "accuracy": accuracy,
                "completion/length_mean": 18 + 11 * step / steps,
                "completion/thinks_ratio": min(1.0, 0.5 + step / steps),
                "loss": float("nan") if step == 3 else 0.01 * noise.random(),
                "entropy": 1.0 - 0.5 * step / steps,
                "timing_s/generate": 0.1,
                "timing_s/train": 0.28,
                "status/scored": 126,
                "status/undecided": 2,
            }
        )
    rows.append({"stage": "after", "kind": "eval", "step": 0, "eval/accuracy": 0.93, "eval/accuracy_se": 0.008})
    return rows


def sample_rows(steps: int, group_size: int = 4) -> list[dict[str, Any]]:
    noise = random.Random(2)
    rows: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        for group in range(2):
            a, b = noise.randrange(100, 1000), noise.randrange(100, 1000)
            for index in range(group_size):
                right = noise.random() < 0.5
                answer = str(a + b if right else a - b)
                undecided = (step + group + index) % 11 == 0
                rows.append(
                    {
                        "stage": "zero",
                        "step": step,
                        "group_id": 2 * step + group,
                        "index": index,
                        "prompt": f"What is {a} + {b}?",
                        "completion": f"<think>{a}+{b}={answer}; let me check that again.</think><answer>{answer}</answer>",
                        "answer": answer,
                        "reference": str(a + b),
                        "total": None if undecided else 0.9 * right + 0.1,
                        "components": {"accuracy": None if undecided else float(right), "format": 1.0},
                        "status": "undecided" if undecided else "scored",
                        "reason": "fuel ran out" if undecided else None,
                        "advantage": 0.0 if undecided else 0.8 if right else -0.9,
                        "finish_reason": "stop",
                        "length": 29,
                    }
                )
    rows[0]["completion"] = f"<think>{HOSTILE}</think><answer>{HOSTILE}</answer>"
    rows[0]["prompt"] = HOSTILE
    rows[0]["answer"] = HOSTILE
    rows[0]["status"] = "unavailable"
    rows[0]["reason"] = HOSTILE
    return rows


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def made() -> SimpleNamespace:
    """What the made-up runs are made of, for tests that change it."""
    return SimpleNamespace(hostile=HOSTILE, metrics=metrics_rows, samples=sample_rows, write=write_lines)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """`make_run(name, steps)` writes a finished run."""

    def make(name: str = "demo", steps: int = 20) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        write_lines(folder / "metrics.jsonl", metrics_rows(steps))
        write_lines(folder / "samples.jsonl", sample_rows(steps))
        (folder / "recipe.toml").write_text('name = "</pre><script>"\ndescription = "<b>It learns.</b>"\n')
        summary = {
            "stages": [{"name": "zero", "kind": "grpo", "steps": steps, "seconds": 8.5, "cpu_seconds": 7.5}],
            "before": {"eval/accuracy": 0.43, "eval/accuracy_se": 0.016, "eval/length_mean": 18.3},
            "after": {"eval/accuracy": 0.93, "eval/accuracy_se": 0.008, "eval/length_mean": 29.1},
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return make
