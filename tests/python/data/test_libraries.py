"""Parquet, Hugging Face datasets and reasoning-gym: the real libraries, no network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from assay.data import load, load_splits
from assay.data.split import normalised
from assay.errors import InvalidInputError, InvalidSpecError, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"question": ["a?", "b?"], "answer": ["x #### 1", "y #### 2"], "level": [1, 2]})
    pq.write_table(table, tmp_path / "rows.parquet")
    config = {
        "source": "parquet",
        "path": "rows.parquet",
        "prompt_field": "question",
        "reference_field": "answer",
        "gold": "hashes",
    }
    first, second = load(config, base=tmp_path)
    assert (first.reference, second.reference, second.metadata) == ("1", "2", {"level": 2})
    with pytest.raises(InvalidInputError, match=r"rows\.parquet:1: no field 'questoin' \(did you mean 'question'"):
        load({**config, "prompt_field": "questoin"}, base=tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidInputError, match=r"broken\.parquet: not a readable Parquet file"):
        load({**config, "path": "broken.parquet"}, base=tmp_path)
    with pytest.raises(InvalidInputError, match="no such file"):
        load({**config, "path": "absent.parquet"}, base=tmp_path)


def hub(name: str = "folder", **options: object) -> dict[str, object]:
    return {"source": "huggingface", "name": name, **options}


def test_a_local_folder_in_hub_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"prompt": "a", "reference": "1"}\n{"prompt": "b", "reference": "2"}\n')
    (folder / "test.jsonl").write_text('{"prompt": "A.", "reference": "1"}\n{"prompt": "c", "reference": "3"}\n')
    splits = load_splits(hub(held_out_split="test"), base=tmp_path)
    assert [task.reference for task in splits.train] == ["1", "2"]
    assert [task.reference for task in splits.held_out] == ["3"]
    assert splits.train[0].id == "folder/train:1"
    with pytest.raises(InvalidInputError, match=r"folder: .*check name, subset and split"):
        load(hub(split="dev"), base=tmp_path)


@pytest.mark.parametrize("kind", ["connection", "hub", "chained"])
def test_no_network_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    import datasets

    class HubError(Exception):
        __module__ = "huggingface_hub.errors"

    def fail(*_: object, **__: object) -> None:
        if kind == "connection":
            raise ConnectionError("Couldn't reach 'openai/gsm8k' on the Hub\ndetails")
        if kind == "hub":
            raise HubError("offline mode is enabled")
        raise RuntimeError("gave up") from HubError("timed out")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(
        UnavailableError, match=r"openai/gsm8k: the Hugging Face hub cannot be reached .*jsonl"
    ) as caught:
        load(hub("openai/gsm8k", subset="main"), base=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bug_in_the_library_is_not_called_a_network_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        load(hub("owner/name"), base=tmp_path)


def test_a_missing_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UnavailableError, match=r"datasets is not installed .*pip install 'assay\[train\]'"):
        load(hub("owner/name"), base=tmp_path)
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(UnavailableError, match=r"reasoning_gym is not installed .*pip install 'assay\[tasks\]'"):
        load({"source": "reasoning_gym", "task": "gcd"})


def gym(**options: object) -> dict[str, object]:
    return {"source": "reasoning_gym", "task": "chain_sum", "size": 20, **options}


def test_reasoning_gym_repeats_and_continues() -> None:
    splits = load_splits(gym(held_out=10, seed=5, options={"min_terms": 2, "max_terms": 2}))
    assert (len(splits.train), len(splits.held_out)) == (20, 10)
    again = load_splits(gym(held_out=10, seed=5, options={"min_terms": 2, "max_terms": 2}))
    assert splits == again
    prompts = {normalised(task.prompt) for task in splits.train}
    assert not prompts & {normalised(task.prompt) for task in splits.held_out}
    # The next seed repeats most of this one's problems, which is why held-out problems never come from one.
    shifted = load(gym(seed=6, options={"min_terms": 2, "max_terms": 2}))
    assert len(prompts & {normalised(task.prompt) for task in shifted}) > 10
    task = splits.train[3]
    assert (task.id, task.source) == ("chain_sum:5:3", "reasoning_gym:chain_sum")
    assert task.metadata["num_terms"] == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"task": "chain_sums"}, "reasoning-gym has no task 'chain_sums'; did you mean 'chain_sum'?"),
        ({"task": "countdown"}, "set reference_only = true"),
        ({"options": {"min_term": 3}}, "chain_sum refuses them .*its options: min_terms, max_terms"),
        ({"options": {"min_terms": 5, "max_terms": 2}}, "chain_sum refuses them"),
    ],
)
def test_reasoning_gym_mistakes(options: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidSpecError, match=expected):
        load(gym(**options))


def test_reasoning_gym_reference_only_is_a_choice() -> None:
    assert load(gym(task="countdown", reference_only=True))[0].reference


def test_a_generator_that_runs_out_of_problems_says_so() -> None:
    options = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    with pytest.raises(InvalidInputError, match=r"chain_sum: only \d+ of 400 held-out problems are new after 8000"):
        load(gym(held_out=400, options=options))


def test_data_imports_no_learning_library() -> None:
    import subprocess

    code = "import sys, assay.data; print([m for m in ('torch', 'datasets', 'pyarrow', 'transformers') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
