"""`assay verify` and `assay extract`."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Assay = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "code", "outcome"),
    [
        (["72", "72.0"], 0, "equal"),
        (["72", "73"], 1, "different"),
        (["-3", "-3"], 0, "equal"),
        (["-3", "-4"], 1, "different"),
        (["1,000", "1000"], 0, "equal"),
        (["3.14159", "3.14", "--tolerance", "exact"], 1, "different"),
        (["A", "(A)", "--kind", "choice"], 0, "equal"),
        (["the cat", "The  cat", "--kind", "text"], 0, "equal"),
        (["12", "((((", "--kind", "number"], 3, "undecided"),
    ],
)
def test_verify(assay: Assay, arguments: list[str], code: int, outcome: str) -> None:
    done = assay("verify", *arguments)
    assert (done.code, done.err) == (code, "")
    assert done.out.startswith(f"{outcome} (")
    assert done.out.count("\n") == 1
    found = assay("verify", *arguments, "--json")
    assert found.code == code
    assert found.json["outcome"] == outcome
    assert set(found.json) == {"outcome", "stage", "reason", "probable"}


def test_verify_explains(assay: Assay) -> None:
    lines = assay("verify", "1", "1", "--explain").out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "decided by",
        "certainty",
        "gold read as 1",
        "answer read as 1",
        "gold 1 with answer 1",
        "work",
    ]


def test_verify_explains_readings_and_refusals(assay: Assay) -> None:
    out = assay("verify", "(1,2)", "]1,2[", "--explain").out
    assert "gold read as 2: (1, 2)" in out or "gold read as 1: (1, 2)" in out
    assert "gold 2 with answer 1: equal (exact)" in out
    assert "answer not read: " in assay("verify", "1", "3+", "--explain").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["1"], "Missing argument"),
        (["1", "2", "3"], "unexpected extra argument"),
        (["1", "1", "--tolerence", "exact"], "unexpected extra argument"),
        (["1", "1", "--kind", "nope"], "'nope' is not one of"),
        (["1", "1", "--units", ""], "'' is not one of"),
    ],
)
def test_verify_mistakes(assay: Assay, arguments: list[str], expected: str) -> None:
    assert expected in assay("verify", *arguments).mistake
    assert "assay verify --help" in assay("verify", *arguments).err


def test_every_stage_has_a_meaning() -> None:
    from assay.commands.answers import MEANING
    from assay.verdicts import Stage

    assert set(MEANING) == {str(stage) for stage in Stage}


def test_extract(assay: Assay) -> None:
    text = "<think>7 or 8</think><answer>8</answer>"
    assert assay("extract", text).out == "8\n"
    assert assay("extract", text, "--json").json == {"text": "8", "span": [29, 30], "source": "answer_tag"}
    none = assay("extract", "<think>42")
    assert (none.code, none.out, none.err) == (1, "", "assay: no answer found\n")
    assert assay("extract", "<think>42", "--json").json is None
    assert "did you mean `r1`" in assay("extract", "x", "--profile", "r2").mistake


def test_extract_reads_standard_input(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    def give(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    give("so it is \\boxed{½}".encode())
    assert assay("extract").out == "½\n"
    give(b"<answer>4</answer>")
    assert assay("extract", "-").out == "4\n"
    give(b"ab\xff")
    assert assay("extract").mistake == "standard input: not UTF-8 (byte 3); convert it first"


def test_bytes_that_are_not_text_and_a_terminal_that_cannot_show_it() -> None:
    command = [sys.executable, "-m", "assay.cli"]
    done = subprocess.run([*command, "verify", b"1", b"\xff"], capture_output=True, check=False)
    assert done.returncode in {1, 3}
    assert done.stderr == b""
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    import os

    done = subprocess.run(
        [*command, "extract", "<answer>½</answer>"],
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert done.stdout == b"\\xbd\n"
