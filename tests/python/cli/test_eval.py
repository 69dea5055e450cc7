"""`assay eval` on a small model with weights of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Assay = Callable[..., Any]
    Rows = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    from assay.learner.tiny import TinyConfig, tiny_model

    config = TinyConfig(hidden_size=32, layers=1, heads=2, key_value_heads=1, feed_forward_size=64)
    folder = tmp_path / "model"
    made, tokenizer = tiny_model(config, seed=3)
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_eval(assay: Assay, rows: Rows, model: Path, tmp_path: Path) -> None:
    data = rows(*({"question": f"{n}+1", "answer": f"so #### {n + 1}"} for n in range(3)))
    output = tmp_path / "samples.jsonl"
    arguments = [
        *("eval", model, "--data", data, "--prompt-field", "question", "--reference-field", "answer"),
        *("--gold", "hashes", "--samples", 2, "--k", 1, "--k", 2, "--max-new-tokens", 6, "--temperature", 1.0),
    ]
    found = assay(*arguments, "--output", output, "--json")
    assert found.code == 0, found.err
    assert found.json["eval/samples"] == 6
    assert {"eval/n", "eval/unjudged", "eval/length_mean", "eval/thinks_ratio"} <= set(found.json)
    samples = [json.loads(line) for line in output.read_text().splitlines()]
    assert [sample["reference"] for sample in samples] == ["1", "1", "2", "2", "3", "3"]
    assert all(sample["length"] <= 6 for sample in samples)
    again = assay(*arguments, "--json").json
    assert {**again, "output": None} == {**found.json, "output": None}
    table = assay(*arguments).out
    assert "accuracy (pass@1)" in table
    assert "6 samples of 3 problems" in table


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--samples", 2, "--k", 3], "k = 3 needs at least 3 samples"),
        (["--template", "chat"], "no usable chat template"),
        (["--profile", "r2"], "r2"),
        (["--top-p", 0], "sampling.top_p is 0"),
        (["--data", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--data", "gym:gdc"], "has no task 'gdc'"),
    ],
)
def test_mistakes(assay: Assay, rows: Rows, model: Path, arguments: list[object], expected: str) -> None:
    data = rows({"prompt": "1+1", "reference": "2"})
    assert expected in assay("eval", model, "--data", data, "--max-new-tokens", 2, *arguments).mistake


def test_what_is_no_model(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    data = rows({"prompt": "1+1", "reference": "2"})
    assert "not a Hugging Face folder" in assay("eval", tmp_path, "--data", data).mistake
