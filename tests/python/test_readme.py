"""Every command and every Python example of the README and of docs/ runs, or says why it does not.

A fenced block is preceded by a marker: `<!-- run -->` (runs in any installation), `<!-- run: train -->` (needs the `train`
extra) or `<!-- not run: reason -->`. In a `console` block, lines that start with `$ ` are commands and the lines below are
their expected output, where `...` stands for anything.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = Path(os.environ.get("ASSAY_README", ROOT / "README.md"))
DOCUMENTS = [README, *sorted((README.parent / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:^<!-- (?P<marker>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
RUNNABLE = {"console", "python"}


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """The (marker, language, body) of each runnable fenced block of a document."""
    found = [
        (match["marker"] or "", match["language"], match["body"])
        for match in FENCE.finditer(path.read_text(encoding="utf-8"))
    ]
    return [block for block in found if block[1] in RUNNABLE]


def pattern(expected: str) -> re.Pattern[str]:
    """A regular expression for an expected output in which `...` stands for anything."""
    return re.compile(r".*?".join(re.escape(part) for part in expected.strip().split("...")), re.DOTALL)


def commands(body: str) -> list[tuple[str, str]]:
    """The (command, expected output) pairs of a console block."""
    pairs: list[tuple[str, str]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif pairs and pairs[-1][0].endswith("\\"):
            pairs[-1] = (pairs[-1][0] + "\n" + line, "")
        elif pairs:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line + "\n")
    return pairs


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_says_whether_it_runs(path: Path) -> None:
    for marker, _, body in blocks(path):
        assert re.fullmatch(r"run|run: train|not run: .+", marker), f"{path.name}: no marker above the block\n{body}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.timeout(600)
def test_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    monkeypatch.chdir(tmp_path)
    if (ROOT / "recipes").is_dir():
        (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for marker, language, body in blocks(path):
        if marker.startswith("not run") or (marker == "run: train" and find_spec("torch") is None):
            continue
        if language == "python":
            exec(compile(body, str(path), "exec"), namespace)
            continue
        for command, expected in commands(body):
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
            output = done.stdout + done.stderr
            assert pattern(expected).search(output.strip()), (
                f"{path.name}: $ {command}\n{output}\nexpected:\n{expected}"
            )
            if not expected:
                assert done.returncode == 0, f"{path.name}: $ {command}\n{output}"
