"""`assay score`: right figures, and one clear line for whatever is wrong with the input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Assay = Callable[..., Any]
    Rows = Callable[..., Path]

GOOD = {"completion": "<think>2+2</think><answer>4</answer>", "reference": "4", "id": 7}
WRONG = {"completion": "<think>2+2</think><answer>5</answer>", "reference": 4}
NO_GOLD = {"completion": "<think></think><answer>5</answer>", "reference": None}
SPEC = '[[component]]\nkind = "accuracy"\n\n[[component]]\nkind = "format"\nweight = 0.5\n'


def test_figures(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    done = assay("score", rows(GOOD, WRONG, NO_GOLD), "--spec", tmp_path / "spec.toml", "--json")
    assert done.code == 0
    assert done.json == {
        "items": 3,
        "status": {"scored": 2, "invalid_reference": 1},
        "mean": {"total": 1.0, "accuracy": 0.5, "format": 1.0},
        "scored": {"total": 2, "accuracy": 2, "format": 3},
        "output": None,
    }


def test_an_item_without_a_value_is_no_zero(assay: Assay, rows: Rows) -> None:
    found = assay("score", rows(NO_GOLD), "--spec", "accuracy", "--json").json
    assert found["mean"] == {"total": None, "accuracy": None}


def test_table(assay: Assay, rows: Rows) -> None:
    out = assay("score", rows(GOOD, WRONG, NO_GOLD), "--spec", "accuracy").out
    assert "scored" in out
    assert "66.67%" in out
    assert "invalid_reference" in out


def test_field_names_messages_and_output(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    written = {"out": [{"role": "assistant", "content": "<answer>0.10</answer>"}], "gold": 0.10, "note": "é"}
    path = tmp_path / "deep" / "scored.jsonl"
    done = assay(
        "score", rows(written), "--spec", "accuracy", "--completion", "out", "--reference", "gold", "--output", path
    )
    assert done.code == 0
    row = json.loads(path.read_text())
    assert row["note"] == "é"
    assert row["score"]["total"] == 1.0
    assert row["score"]["answer"] == "0.10"
    assert [entry.name for entry in path.parent.iterdir()] == ["scored.jsonl"]


def test_more_rows_than_a_batch(assay: Assay, rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("assay.commands.score.BATCH", 3)
    output = tmp_path / "out.jsonl"
    found = assay("score", rows(*[GOOD, WRONG] * 5), "--spec", "accuracy", "--json", "--output", output).json
    assert (found["items"], found["mean"]["accuracy"]) == (10, 0.5)
    assert len(output.read_text().splitlines()) == 10


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "rows.jsonl:2: not JSON at column 2"),
        ("[]", "rows.jsonl:2: a JSON array where an object"),
        ({"completon": "x", "reference": "1"}, "rows.jsonl:2: no field 'completion' (did you mean 'completon'?)"),
        ({"completion": "x"}, "rows.jsonl:2: no field 'reference'; fields here: completion; set --reference"),
        ({"completion": None, "reference": "1"}, "rows.jsonl:2: completion: expected text or a list of messages"),
        ({"completion": 4, "reference": "1"}, "rows.jsonl:2: completion: expected text"),
        ({"completion": "x", "reference": ["1"]}, "rows.jsonl:2: reference: expected text or a number, got list"),
        ({"completion": "x", "reference": False}, "rows.jsonl:2: reference: expected text or a number, got bool"),
    ],
)
def test_bad_rows(assay: Assay, rows: Rows, tmp_path: Path, line: object, expected: str) -> None:
    output = tmp_path / "out.jsonl"
    assert expected in assay("score", rows(GOOD, line), "--spec", "accuracy", "--output", output).mistake
    assert not output.exists()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ('[[component]]\nkind = "acuracy"\n', "did you mean `accuracy`"),
        ('[[component]]\nkind = "accuracy"\nweigth = 2\n', "weigth"),
        ('[[component]]\nkind = "accuracy"\nweight = nan\n', "weight"),
        ('[[component]]\nkind = "accuracy"\nweight = inf\n', "weight"),
        ('on_undecided = "zer"\n[[component]]\nkind = "accuracy"\n', "zero"),
        ("", "component"),
        ("component = []\n", "component"),
        ("[[component\n", "spec.toml"),
        ('[[component]]\nkind = "length"\nmax_length = 10\nmode = "soft_overlong"\nbuffer = 2\n', "tokenizer"),
    ],
)
def test_bad_specs(assay: Assay, rows: Rows, tmp_path: Path, spec: str, expected: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(spec)
    assert expected in assay("score", rows(GOOD), "--spec", path).mistake


def test_missing_things(assay: Assay, rows: Rows, tmp_path: Path) -> None:
    assert "absent.jsonl: no such file" in assay("score", tmp_path / "absent.jsonl", "--spec", "accuracy").mistake
    assert "absent.toml: " in assay("score", rows(GOOD), "--spec", tmp_path / "absent.toml").mistake
    assert "no rows" in assay("score", rows(), "--spec", "accuracy").mistake
    assert "is a folder" in assay("score", tmp_path, "--spec", "accuracy").mistake
    assert "--spec" in assay("score", rows(GOOD)).mistake
    assert (
        "absent.json"
        in assay("score", rows(GOOD), "--spec", "accuracy", "--tokenizer", tmp_path / "absent.json").mistake
    )
    assert "did you mean `accuracy`" in assay("score", rows(GOOD), "--spec", "acuracy").mistake


def test_a_completion_over_the_limit_is_data(assay: Assay, rows: Rows) -> None:
    huge = {"completion": "x" * (4 * 1024 * 1024 + 1), "reference": "4"}
    done = assay("score", rows(GOOD, huge), "--spec", "accuracy", "--json")
    assert done.code == 0
    assert done.json["status"] == {"scored": 1, "limit": 1}


def test_a_full_disk_leaves_what_was_there(
    assay: Assay, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("before")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = assay("score", rows(GOOD), "--spec", "accuracy", "--output", output)
    assert "out.jsonl: cannot be written: No space left on device; nothing was changed" in done.mistake
    assert output.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


def test_interrupting_leaves_no_output(
    assay: Assay, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def score(self, *_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("assay.commands.score._scorer", lambda *_: Interrupted())
    done = assay("score", rows(GOOD), "--spec", "accuracy", "--output", tmp_path / "out.jsonl")
    assert (done.code, done.err) == (130, "assay: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
