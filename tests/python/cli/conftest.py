"""Running a command line in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from assay.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON, which is then one line of it."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def mistake(self) -> str:
        """The one line a mistake is told in."""
        assert self.code == 2, self
        assert self.err.startswith("assay: error: "), self
        assert self.err.count("\n") == 1, self
        assert "Traceback" not in self.err
        return self.err.removeprefix("assay: error: ").strip()


@pytest.fixture
def assay(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`assay("verify", "1", "1")` runs that command."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()  # what fixtures and libraries wrote before is not the command's
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """`rows({..}, "raw line", ..)` writes a JSON Lines file."""

    def write(*lines: object, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        return path

    return write
