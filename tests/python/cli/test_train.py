"""`assay train`, `assay convert` and `assay report`: the command's own part; what they call is tested beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Assay = Callable[..., Any]

RECIPE = """
name = "small"
[model]
kind = "tiny"
hidden_size = 32
layers = 1
heads = 2
key_value_heads = 1
feed_forward_size = 64
[data]
source = "addition"
digits = 1
size = 40
held_out = 4
[[scorer.component]]
kind = "accuracy"
[[stage]]
kind = "eval"
name = "before"
sampling = { max_new_tokens = 4 }
[[stage]]
kind = "grpo"
name = "grpo"
steps = 2
prompts_per_step = 2
group_size = 2
sampling = { max_new_tokens = 4 }
lr = 1e-4
[[stage]]
kind = "eval"
name = "after"
sampling = { max_new_tokens = 4 }
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_and_its_report(assay: Assay, recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = assay("train", recipe, "--out", run, "--set", "stage.grpo.steps=1", "--json")
    assert done.code == 0, done.err
    assert done.json["run"] == str(run)
    assert [stage["steps"] for stage in done.json["stages"]] == [1, 1, 1]
    assert "holds a run already" in assay("train", recipe, "--out", run).mistake
    (run / "notes.txt").write_text("mine")
    text = assay("train", recipe, "--out", run, "--overwrite")
    assert text.code == 0, text.err
    assert text.out.splitlines()[-1] == f"run: {run} (assay report {run})"
    assert "share that think" in text.out
    assert (run / "notes.txt").read_text() == "mine"
    report = assay("report", run, "--no-figures", "--json")
    assert report.json["notes"] == []
    assert (run / "report" / "report.html").is_file()
    assert assay("report", run).out.splitlines()[0] == f"report: {run}/report/report.html"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "stage.grpo.stps=1"], "stps: unknown key; did you mean 'steps'?"),
        (["--set", "stage.grp.steps=1"], "there is no 'grp' here; did you mean 'grpo'?"),
        (["--set", "stage.grpo.steps"], "write key=value"),
        (["--set", "stage.grpo.steps=many"], "steps: input should be a valid integer"),
        (["--set", "data.source=jsonl", "--set", "data.path=absent.jsonl"], "unknown key"),
        (["--resume", "--overwrite"], "give one of them"),
        (["--resume"], "there is no run to resume"),
    ],
)
def test_mistakes(assay: Assay, recipe: Path, tmp_path: Path, arguments: list[str], expected: str) -> None:
    assert expected in assay("train", recipe, "--out", tmp_path / "run", *arguments).mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = \n", "recipe.toml: not valid TOML"),
        ("", "recipe.toml: "),
        (RECIPE.replace('kind = "accuracy"', 'kind = "acuracy"'), "did you mean `accuracy`"),
        (RECIPE.replace('kind = "accuracy"', 'kind = "accuracy"\nweight = nan'), "weight"),
        (RECIPE.replace("group_size = 2", "group_size = 0"), "group_size: input should be greater than or equal to 2"),
        (RECIPE.replace('source = "addition"', 'source = "adition"'), "'adition' is not one of"),
    ],
)
def test_broken_recipes(assay: Assay, tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert expected in assay("train", path, "--out", tmp_path / "run").mistake


def test_missing_recipe_and_missing_torch(
    assay: Assay, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "absent.toml: cannot read the recipe: No such file" in assay("train", tmp_path / "absent.toml").mistake
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert assay("train", recipe).mistake == "torch is not installed; run: pip install 'assay[train]'"


def test_an_interrupted_run_says_how_to_go_on(
    assay: Assay, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import assay.recipe.run as module

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_recipe", interrupt)
    done = assay("train", recipe, "--out", tmp_path / "run")
    assert done.code == 130
    assert done.err.splitlines() == [
        f"assay: {tmp_path / 'run'} is checkpointed; go on with --resume",
        "assay: interrupted",
    ]


def test_a_process_that_torchrun_started_anew_goes_on(
    assay: Assay, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    run, fewer = tmp_path / "run", ["--set", "stage.grpo.steps=1"]
    assert assay("train", recipe, "--out", run, *fewer).code == 0  # died before there was anything to go on from
    before = (run / "metrics.jsonl").read_bytes()
    assert assay("train", recipe, "--out", run, "--overwrite", *fewer).code == 0
    assert (run / "metrics.jsonl").read_bytes().startswith(before.splitlines()[0])


def test_overwrite_removes_a_run_and_nothing_else(assay: Assay, recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "cat.png").write_text("cat")
    done = assay("train", recipe, "--out", folder, "--overwrite", "--set", "stage.grpo.steps=1", "--json")
    assert done.code == 0, done.err
    assert (folder / "checkpoints" / "cat.png").exists()


def test_report_mistakes(assay: Assay, tmp_path: Path) -> None:
    assert "no such run folder" in assay("report", tmp_path / "absent").mistake
    assert "neither metrics.jsonl nor samples.jsonl" in assay("report", tmp_path).mistake
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps({"stage": "s", "step": 1, "loss": 1.0}) + "\n")
    assert "say where to write with --output" in assay("report", tmp_path / "a", tmp_path / "b").mistake
    assert assay("report", tmp_path / "a", tmp_path / "b", "--output", tmp_path / "c", "--no-figures").code == 0
    assert assay("report").code == 2


def test_convert_mistakes(assay: Assay, tmp_path: Path) -> None:
    assert "absent.gguf: there is no such file" in assay("convert", tmp_path / "absent.gguf").mistake
    assert "there is no package 'absent_pkg'" in assay("convert", "package:absent_pkg").mistake
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF not really")
    assert "broken.gguf: cannot be converted" in assay("convert", broken, "--cache", tmp_path / "cache").mistake


def test_bench_asserts_what_it_times(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    found = assay("bench", "--seconds", "0.01", "--json").json
    assert {line["items"] for line in found["lines"]} == {1, 10_000}
    assert all(line["s"] > 0 for line in found["lines"])
    monkeypatch.setattr("assay.commands.bench.CASES", (("wrong", "1", "2", "equal"),))
    assert "bench: verify wrong gave different, not equal" in assay("bench", "--seconds", "0.01").mistake
