"""The loop does not know where its rewards come from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import UnavailableError
from assay.recipe import load_recipe, run_recipe

SHORT = ["stage.sft.steps=3", "stage.grpo.steps=3"]


def rewards(folder: Path) -> list[tuple[object, ...]]:
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    return [(r["completion"], r["total"], r["components"], r["status"], r["reason"], r["answer"]) for r in rows]


def test_a_reward_server_gives_the_same_run(small_recipe: Path, tmp_path: Path):
    run_recipe(load_recipe(small_recipe, SHORT), tmp_path / "local")
    tokenizer = tmp_path / "local" / "tokenizer" / "tokenizer.json"
    command = [sys.executable, "-c", "from assay.cli import main; main()", "serve", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--tokenizer", str(tokenizer)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            run_recipe(load_recipe(small_recipe, [*SHORT, f"scorer.remote={address}"]), tmp_path / "remote")
        finally:
            process.kill()
    assert rewards(tmp_path / "remote") == rewards(tmp_path / "local")
    name = Path("checkpoints/grpo/step-000003/model/model.safetensors")
    assert (tmp_path / "remote" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_a_dead_server_is_an_error_and_never_a_reward(small_recipe: Path, tmp_path: Path):
    recipe = load_recipe(small_recipe, [*SHORT, "scorer.remote=127.0.0.1:1"])
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        run_recipe(recipe, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows] == ["sft"] * 3
