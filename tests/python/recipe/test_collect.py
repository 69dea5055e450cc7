"""Rejection sampling as a stage: what it leaves, and that neither a judge that is down nor a kill loses anything."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from assay.errors import InvalidInputError, InvalidSpecError, UnavailableError
from assay.recipe import collect, dataset, folder, load_recipe, rewards, run_recipe
from assay.rollout import LocalGenerator

if TYPE_CHECKING:
    from pathlib import Path

COLLECT = """
[[stage]]
kind = "collect"
prompts = 20
samples = 3
shard = 6
per_prompt = 2
patience_s = 0.0
sampling = { max_new_tokens = 12 }
accept = "tags"
min_score = 0.5
filter = { thinks = false, finished = false }

[[stage]]
kind = "sft"
name = "again"
start = "base"
data = { source = "stage", stage = "collect" }
steps = 2
batch_size = 4
lr = 1e-2
"""


@pytest.fixture
def collecting(small_recipe: Path) -> Path:
    text = small_recipe.read_text()
    small_recipe.write_text(text[: text.index('[[stage]]\nkind = "eval"')].replace("steps = 6", "steps = 20") + COLLECT)
    return small_recipe


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def left(run: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((run / "datasets" / "collect").iterdir())}


def test_a_dataset_with_provenance_that_the_next_stage_trains_on(collecting: Path, tmp_path: Path):
    summary = run_recipe(load_recipe(collecting), tmp_path / "run")
    assert summary["complete"]
    files = left(tmp_path / "run")
    samples = [row for name in files if name.startswith("samples") for row in map(json.loads, files[name].splitlines())]
    kept = [row for name in files if name.startswith("data") for row in map(json.loads, files[name].splitlines())]
    gone = [row for name in files if name.startswith("rejected") for row in map(json.loads, files[name].splitlines())]
    assert len(samples) == 60 == len(kept) + len(gone)
    assert len([name for name in files if name.startswith("samples")]) == 4
    assert not [name for name in files if name.startswith("unscored")]
    for row in kept:
        assert row["provenance"]["components"]["tags"] >= 0.5
        assert row["provenance"]["model"].endswith("small@20")
        assert set(row["provenance"]) >= {"weight_version", "seed", "total", "status", "pass_rate", "key"}
    assert all(row["rejected"] for row in gone)
    assert {row["rejected"] for row in gone} >= {"wrong"}
    manifest = json.loads(files["manifest.json"])
    assert manifest["counts"]["kept"] == manifest["rows"] == len(kept)
    metrics = [row for row in read(tmp_path / "run" / "metrics.jsonl") if row["kind"] == "collect"]
    assert metrics[0]["collect/kept"] == len(kept)
    assert metrics[0]["collect/rejected/wrong"] == sum(row["rejected"] == "wrong" for row in gone)


def test_parquet_holds_the_same_rows(collecting: Path, tmp_path: Path):
    for form in ("jsonl", "parquet"):
        run_recipe(load_recipe(collecting, [f"stage.collect.format={form}"]), tmp_path / form)
    a, b = (
        dataset.load_data(load_recipe(collecting).stage[2].data, tmp_path / form).train for form in ("jsonl", "parquet")
    )
    assert [(x.prompt, x.reference, x.metadata["completion"]) for x in a] == [
        (x.prompt, x.reference, x.metadata["completion"]) for x in b
    ]


def test_a_judge_that_is_down_pauses_the_stage_and_nothing_is_lost(collecting: Path, tmp_path: Path, monkeypatch):
    run_recipe(load_recipe(collecting), tmp_path / "whole")
    score, generate, calls, drawn = rewards.StageScorer.score, LocalGenerator.generate, [], []

    def down(self: Any, *args: Any) -> Any:
        calls.append(1)
        if len(calls) in (2, 4, 5):  # the second shard after one wait; the third never
            raise UnavailableError("judge:50051 does not answer")
        return score(self, *args)

    def count(self: Any, prompts: Any, **options: Any) -> Any:
        drawn.append(options["first_group_id"])
        return generate(self, prompts, **options)

    monkeypatch.setattr(rewards.StageScorer, "score", down)
    monkeypatch.setattr(LocalGenerator, "generate", count)
    monkeypatch.setattr(collect.time, "sleep", lambda _seconds: None)
    recipe = load_recipe(collecting)
    patient = recipe.model_copy(
        update={"stage": [s.model_copy(update={"patience_s": 0.5}) if s.kind == "collect" else s for s in recipe.stage]}
    )
    with pytest.raises(UnavailableError, match=r"judge did not answer for 0 s .*every completion so far is kept"):
        run_recipe(patient, tmp_path / "run")
    assert sorted(left(tmp_path / "run")) == ["samples-00000.jsonl", "samples-00001.jsonl", "unscored-00002.jsonl"]
    assert run_recipe(patient, tmp_path / "run", resume=True)["complete"]
    assert drawn == [0, 6, 12, 18]
    assert left(tmp_path / "run") == left(tmp_path / "whole")


def test_a_component_that_is_unavailable_is_no_rejection(collecting: Path, tmp_path: Path, monkeypatch):
    score, calls = rewards.StageScorer.score, []

    def down(self: Any, *args: Any) -> Any:
        scores = score(self, *args)
        calls.append(1)
        if len(calls) == 1:
            status = ["unavailable", *scores.status[1:]]
            return type(scores)(scores.total, scores.components, status, scores.reasons, scores.answers)
        return scores

    monkeypatch.setattr(rewards.StageScorer, "score", down)
    monkeypatch.setattr(collect.time, "sleep", lambda _seconds: None)
    run_recipe(load_recipe(collecting, ["stage.collect.patience_s=9.0"]), tmp_path / "run")
    assert len(calls) == 5
    assert not any("unavailable" in text for text in left(tmp_path / "run").values())


def test_a_full_disk_leaves_whole_shards_and_the_run_goes_on(collecting: Path, tmp_path: Path, monkeypatch):
    run_recipe(load_recipe(collecting), tmp_path / "whole")
    real = folder.write_whole

    def full(path: Path, text: str) -> None:
        if path.name == "samples-00001.jsonl":
            raise UnavailableError(f"{path}: cannot be written ({os.strerror(28)}); free some space")
        real(path, text)

    monkeypatch.setattr(dataset, "write_whole", full)
    with pytest.raises(UnavailableError, match=r"samples-00001\.jsonl: cannot be written \(No space left"):
        run_recipe(load_recipe(collecting), tmp_path / "run")
    monkeypatch.undo()
    run_recipe(load_recipe(collecting), tmp_path / "run", resume=True)
    assert left(tmp_path / "run") == left(tmp_path / "whole")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stage.collect.accept=accurcy", r"accept names 'accurcy'; its reward has accuracy, tags"),
        ("stage.collect.min_score=9.0", r"nothing was kept \(wrong: 60\); ask for less"),
        (
            "stage.collect.scorer={component=[{kind='accuracy'}]}|accept",
            r"none of 60 completions has a score \(invalid_reference: .*give the rows references, or a judge",
        ),
    ],
)
def test_a_dataset_that_cannot_be_made_says_why(collecting: Path, tmp_path: Path, override: str, message: str):
    overrides = [override.removesuffix("|accept")]
    if override.endswith("|accept"):
        collecting.write_text(collecting.read_text().replace('accept = "tags"\n', ""))
        overrides.append('stage.collect.data={source="greetings", size=20}')
        overrides.append("model.alphabet=abcdefghijklmnopqrstuvwxyz:0123456789+= ")
    with pytest.raises(InvalidInputError, match=message):
        run_recipe(load_recipe(collecting, overrides), tmp_path / "run")


def test_marks_are_read_by_sample_and_the_last_one_counts(tmp_path: Path):
    path = tmp_path / "marks.jsonl"
    rows = [(0, 1, "accept"), (0, 1, "reject"), (2, 0, "note"), (3, 1, "accept")]
    path.write_text("".join(json.dumps({"group_id": g, "index": i, "mark": m}) + "\n" for g, i, m in rows))
    assert dataset.read_marks(str(path), "collect") == {"0/1": "reject", "3/1": "accept"}
    path.write_text('{"group_id": 0, "index": 1, "mark": "good"}\n')
    with pytest.raises(InvalidInputError, match=r"marks\.jsonl:1: not a mark"):
        dataset.read_marks(str(path), "collect")


def test_edges_rise(collecting: Path):
    with pytest.raises(InvalidSpecError, match="edges: give rising pass rates"):
        load_recipe(collecting, ["stage.collect.balance={edges=[0.5, 0.5]}"])


def test_a_missing_dataset_is_named(tmp_path: Path, collecting: Path):
    with pytest.raises(InvalidInputError, match=r"no finished dataset of stage 'collect'"):
        dataset.load_data(load_recipe(collecting).stage[2].data, tmp_path)
