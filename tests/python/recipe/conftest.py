"""A recipe that runs in a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

# Test folders are not packages: what lies beside the tests, and SGLang's stand-in.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "rollout")]

SMALL = """
name = "small"
seed = 1

[runtime]
threads = 1

[model]
kind = "tiny"
hidden_size = 16
layers = 1
heads = 2
key_value_heads = 1
feed_forward_size = 24

[data]
source = "addition"
digits = 1
size = 40
held_out = 12

[[scorer.component]]
kind = "accuracy"
weight = 0.9

[[scorer.component]]
kind = "tags"
weight = 0.1

[[stage]]
kind = "sft"
steps = 6
batch_size = 8
lr = 1e-2
checkpoint_every = 2

[[stage]]
kind = "eval"
name = "before"
sampling = { max_new_tokens = 12 }

[[stage]]
kind = "grpo"
steps = 6
prompts_per_step = 4
group_size = 4
sampling = { max_new_tokens = 12 }
lr = 1e-3
kl_coefficient = 0.01
inner_epochs = 2
checkpoint_every = 2

[[stage]]
kind = "eval"
name = "after"
samples = 2
sampling = { max_new_tokens = 12 }
"""


@pytest.fixture
def small_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


TIMES = ("time_s", "tokens_per_s", "pairs_per_s", "timing_s/", "idle_s/", "peak_memory_bytes")

KILLER = """
    import os, random, signal, sys, time
    from assay.recipe import load_recipe
    from assay.recipe.run import run_recipe
    recipe, whole, killed, seed = load_recipe(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    rng = random.Random(seed)

    def start(out, resume):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run_recipe(recipe, out, resume=resume)
                status = 0
            finally:
                os._exit(status)
        return child

    began = time.monotonic()
    _, status = os.waitpid(start(whole, False), 0)
    assert status == 0, status
    length = time.monotonic() - began
    kills = 0
    for attempt in range(200):
        resume = os.path.exists(killed + "/recipe.toml")
        child = start(killed, resume)
        if kills < 6:
            time.sleep(rng.uniform(0.02, length / 2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), status
        kills += 1
    assert status == 0
    print(kills)
"""


@pytest.fixture
def lasting() -> Callable[[Path], dict[str, object]]:
    return everything


@pytest.fixture
def killed_run(tmp_path: Path) -> Callable[[Path], tuple[Path, Path]]:
    """Carries a recipe out twice: undisturbed, and killed with -9 at random moments and resumed each time."""

    def carry_out(recipe: Path) -> tuple[Path, Path]:
        script = tmp_path / "killer.py"
        script.write_text(textwrap.dedent(KILLER))
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        seed = int.from_bytes(os.urandom(4), "big")
        done = subprocess.run(
            [sys.executable, script, recipe, whole, killed, str(seed)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (seed, done.stderr[-2000:])
        assert int(done.stdout) >= 1
        return whole, killed

    return carry_out


def everything(folder: Path) -> dict[str, object]:
    """Everything a run leaves that does not measure time or memory, weights and optimizer byte for byte."""
    rows = [
        {key: value for key, value in row.items() if not key.startswith(TIMES)}
        for row in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    ]
    files = sorted(p for p in (folder / "checkpoints").rglob("*") if p.suffix == ".safetensors")
    return {
        "metrics": rows,
        "samples": (folder / "samples.jsonl").read_text(),
        **{str(path.relative_to(folder)): path.read_bytes() for path in files},
    }
