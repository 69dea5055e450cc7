"""Every example runs as it stands, but for those that the page lists as needing more; the example command too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SELF_CONTAINED, _, NEEDS_MORE = (EXAMPLES / "README.md").read_text(encoding="utf-8").partition("These need more")


def test_the_page_lists_every_example() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert f"`{path.name}`" in SELF_CONTAINED + NEEDS_MORE, path.name


@pytest.mark.parametrize(
    "path", [path for path in sorted(EXAMPLES.glob("*.py")) if path.name not in NEEDS_MORE], ids=lambda path: path.name
)
def test_example(path: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


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
