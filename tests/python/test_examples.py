"""Every example runs as it stands, and the example command gives what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_example(path: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert path.name in (EXAMPLES / "README.md").read_text()


def test_the_score_command_of_the_readme() -> None:
    command = [
        sys.executable,
        "-m",
        "assay.cli",
        "score",
        EXAMPLES / "completions.jsonl",
        "--spec",
        EXAMPLES / "reward.toml",
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert '"items": 6, "status": {"scored": 5, "invalid_reference": 1}' in done.stdout
    assert '"accuracy": 0.6' in done.stdout
