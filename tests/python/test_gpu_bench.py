"""The GPU benchmark works from end to end, on a CPU and a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benches" / "gpu" / "run.py"


def test_the_script_runs_tiny_on_a_cpu() -> None:
    command = [sys.executable, str(SCRIPT), "--tiny", "--device", "cpu", "--steps", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    where, kernels, exact, sides = (json.loads(line) for line in done.stdout.splitlines()[:4])
    assert "needs a GPU" in kernels["packed attention"]["flex"]
    assert kernels["packed attention"]["by_sequence"]["seconds"] > 0
    assert where["matmul TFLOP/s"] > 0
    assert exact["tiny"]["bfloat16 k3 divergence per token"] < 1e-3
    assert set(sides["tiny"]) == {"assay", "TRL"}
    assert all(row["step_s"] > 0 and row["peak_bytes"] > 0 for row in sides["tiny"].values())
    assert "| floor" in done.stdout
