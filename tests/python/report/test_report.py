"""Run folders as pages: complete, bounded, and safe whatever a model wrote."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from assay.errors import InvalidInputError, UnavailableError
from assay.report import build
from assay.report.page import embed
from assay.report.samples import MAX_TEXT, Segment, segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

    MakeRun = Callable[..., Path]


class Page(HTMLParser):
    """The elements of a page with their attributes and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])


def test_one_run(make_run: MakeRun) -> None:
    folder = make_run()
    report = build([folder], figures=False)
    assert report.html == folder / "report" / "report.html"
    assert report.notes == []
    data = Page(report.html).data
    names = [chart["name"] for chart in data["charts"]]
    assert names[:3] == ["reward/mean", "reward/std", "reward/accuracy/mean"]
    # Two points say no more as a chart than in the table below.
    assert not {"eval/accuracy", "eval/accuracy_se"} & set(names)
    loss = next(chart for chart in data["charts"] if chart["name"] == "loss")
    assert loss["joined"]
    assert loss["curves"][1]["y"][2] is None  # NaN is a gap
    assert data["before_after"][0] == {
        "run": "demo",
        "metric": "eval/accuracy",
        "before": 0.43,
        "after": 0.93,
        "before_error": 0.016,
        "after_error": 0.008,
    }
    stages = {row["stage"]: row for row in data["stages"]}
    assert list(stages) == ["cold-start", "before", "zero", "after"]
    assert stages["zero"]["seconds"] == 8.5
    assert stages["zero"]["accuracy"] == [pytest.approx(0.5, abs=0.1), pytest.approx(0.9, abs=0.1)]
    assert stages["before"]["accuracy"] == [0.43, 0.43]
    assert data["statuses"] == [
        {"run": "demo", "stage": "zero", "source": "metrics", "counts": {"scored": 2520.0, "undecided": 40.0}}
    ]
    assert len(data["groups"]) == 40
    group = data["groups"][5]
    assert [sample["index"] for sample in group["samples"]] == [0, 1, 2, 3]
    assert {"segments", "answer", "total", "components", "status", "reason", "advantage"} <= set(group["samples"][0])


def test_hostile_text_stays_text(make_run: MakeRun, made: SimpleNamespace) -> None:
    page = Page(build([make_run()], figures=False).html)
    assert [tag for tag, _ in page.found if tag in {"img", "iframe", "link", "object", "form", "a"}] == []
    assert len(page.scripts) == 2
    first = page.data["groups"][0]
    assert first["prompt"] == made.hostile
    assert first["samples"][0]["segments"][1] == ["answer", made.hostile]
    assert first["samples"][0]["reason"] == made.hostile
    assert page.data["recipes"][0]["text"].startswith('name = "</pre><script>"')
    assert page.data["descriptions"] == ["<b>It learns.</b>"]
    # Model text reaches the page through `textContent` alone.
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert dangerous not in page.scripts[1]


def test_nothing_is_loaded_and_only_our_script_may_run(make_run: MakeRun) -> None:
    import base64
    import hashlib

    page = Page(build([make_run()], figures=False).html)
    for _, attributes in page.found:
        assert not {"src", "href", "onclick", "onload", "onerror"} & set(attributes)
    policy = next(attributes["content"] for tag, attributes in page.found if "http-equiv" in attributes) or ""
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    style = page.source.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize(
    "text", ["</script><script>", "<!--<script>", "</SCRIPT >", "]]>", "\ud83d", "a\u2029b", '"\\']
)
def test_embedded_json_cannot_leave_its_element(text: str) -> None:
    embedded = embed({"text": text})
    assert not set("<>&\u2028\u2029") & set(embedded)
    embedded.encode()
    assert json.loads(embedded) == {"text": text}


def test_a_killed_run_is_reported_as_far_as_it_went(make_run: MakeRun) -> None:
    folder = make_run()
    for name in ("metrics.jsonl", "samples.jsonl"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-40])
    (folder / "summary.json").unlink()
    (folder / "recipe.toml").unlink()
    report = build([folder], figures=False)
    assert len(report.notes) == 4
    assert "metrics.jsonl: the last line is cut off" in report.notes[0]
    assert any("summary.json is missing: the run has not finished" in note for note in report.notes)
    data = Page(report.html).data
    assert data["notes"] == report.notes
    assert [row["stage"] for row in data["stages"]] == ["cold-start", "before", "zero"]
    accuracy = next(chart for chart in data["charts"] if chart["name"] == "eval/accuracy")
    assert [(curve["x"], curve["error"]) for curve in accuracy["curves"]] == [([0.0], [0.016])]
    assert data["stages"][2]["seconds"] == pytest.approx(20 * 0.38)
    assert data["before_after"] == []


def test_a_resumed_run_counts_repeated_steps_once(make_run: MakeRun, made: SimpleNamespace) -> None:
    folder = make_run()
    rows = [row for row in made.metrics(20) if row["stage"] == "zero"]
    again = [{**row, "accuracy": 0.0} for row in rows[-5:]]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "zero", "kind": "gr\n')
        file.writelines(json.dumps(row) + "\n" for row in again)
    with (folder / "samples.jsonl").open("a") as file:
        file.writelines(json.dumps({**row, "total": 7.0}) + "\n" for row in made.samples(20)[-4:])
    report = build([folder], figures=False)
    assert "metrics.jsonl: 1 lines are not JSON objects and are left out (line 43)" in report.notes
    assert "metrics.jsonl: 5 steps occur twice, as after a resume; the later row is shown" in report.notes
    data = Page(report.html).data
    accuracy = next(chart for chart in data["charts"] if chart["name"] == "accuracy")
    assert len(accuracy["curves"][0]["y"]) == 20
    assert accuracy["curves"][0]["y"][-5:] == [0.0] * 5
    assert [sample["total"] for sample in data["groups"][-1]["samples"]] == [7.0] * 4


def test_several_runs(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("a", 5), make_run("b", 7), make_run("deep/a", 3)]
    with pytest.raises(InvalidInputError, match="--output"):
        build(folders)
    report = build(folders, tmp_path / "out", figures=False)
    data = Page(report.html).data
    assert data["runs"] == ["a (1)", "b", "a (3)"]
    assert {group["run"] for group in data["groups"]} == {0, 1, 2}
    reward = next(chart for chart in data["charts"] if chart["name"] == "reward/mean")
    # Each run has it in one stage only, so that stage's own steps are compared.
    assert not reward["joined"]
    assert [curve["x"][0] for curve in reward["curves"]] == [1.0, 1.0, 1.0]


def test_big_files_are_bounded(make_run: MakeRun, made: SimpleNamespace) -> None:
    folder = make_run(steps=3)
    rows = [
        {**row, "stage": f"s{i % 2}", "step": i, "group_id": i, "completion": "x" * 30_000}
        for i, row in enumerate(made.samples(3) * 200)
    ]
    made.write(folder / "samples.jsonl", rows)
    made.write(folder / "metrics.jsonl", [{"stage": "s", "kind": "grpo", "step": i, "loss": i} for i in range(5000)])
    report = build([folder], figures=False)
    assert report.html.stat().st_size < 16 * 1024 * 1024
    data = Page(report.html).data
    loss = data["charts"][0]["curves"][0]
    assert len(loss["x"]) == 1000
    assert loss["y"][0] == 2.0  # the mean of rows 0 to 4
    assert any("samples are shown, in whole groups spread evenly over each stage" in note for note in report.notes)
    assert any(f"longer than {MAX_TEXT:,} characters is left out" in note for note in report.notes)
    steps = [group["step"] for group in data["groups"]]
    assert (min(steps), max(steps)) == (0, len(rows) - 1)
    assert "10,000 characters left out" in data["groups"][0]["samples"][0]["segments"][0][1]


def test_rows_of_the_wrong_shape_do_not_stop_the_report(make_run: MakeRun, made: SimpleNamespace) -> None:
    folder = make_run(steps=2)
    odd = [
        {"stage": None, "step": "x", "loss": "high", "accuracy": True, "reward/mean": 10**400},
        {"kind": 3, "step": None, "loss": [1]},
        {"stage": "s", "kind": "grpo", "step": 1, "loss": 1e400, "lr": 0.1},
    ]
    made.write(folder / "metrics.jsonl", odd)
    made.write(
        folder / "samples.jsonl",
        [
            {},
            {"components": [1], "total": "x", "completion": None, "prompt": [{"role": "user", "content": "hi"}]},
            {"stage": 1, "step": 1e400, "completion": 5, "answer": {"a": 1}, "reason": 3},
        ],
    )
    (folder / "summary.json").write_text("[]")
    report = build([folder], figures=False)
    assert "summary.json is not an object; it is left out" in report.notes
    assert [chart["name"] for chart in Page(report.html).data["charts"]] == ["lr"]


def test_figures(make_run: MakeRun, tmp_path: Path) -> None:
    report = build([make_run("a", 5), make_run("b", 4)], tmp_path / "out")
    assert {path.name for path in report.figures} >= {"reward-mean.png", "accuracy.png", "overview.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in report.figures)


def test_without_matplotlib_the_page_is_written_and_says_so(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    report = build([make_run()])
    assert report.figures == []
    assert "matplotlib is not installed" in report.notes[-1]
    assert report.html.is_file()


def test_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such run folder"):
        build([tmp_path / "absent"])
    with pytest.raises(InvalidInputError, match=r"neither metrics\.jsonl nor samples\.jsonl"):
        build([tmp_path])
    with pytest.raises(InvalidInputError, match="at least one"):
        build([])


def test_a_full_disk_leaves_the_report_from_before(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run()
    page = build([folder], figures=False).html
    before = page.read_bytes()

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        UnavailableError, match=r"report\.html: cannot be written: No space left on device; nothing was"
    ):
        build([folder], figures=False)
    assert page.read_bytes() == before
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("", [("text", "")]),
        ("42", [("text", "42")]),
        ("<think>a</think><answer>b</answer>", [("think", "a"), ("answer", "b")]),
        ("a</think>\n<answer>b</answer>", [("think", "a"), ("answer", "b")]),
        (
            "x<think>a</think>y<answer>b</answer>z",
            [("text", "x"), ("think", "a"), ("text", "y"), ("answer", "b"), ("text", "z")],
        ),
        ("<think>never closed", [("open_think", "never closed")]),
        ("<think>a</think><answer>b", [("think", "a"), ("text", "<answer>b")]),
        ("<think><answer>1</answer></think><answer>2</answer>", [("think", "<answer>1</answer>"), ("answer", "2")]),
        ("<think></think>", [("think", "")]),
    ],
)
def test_segments(completion: str, expected: list[tuple[str, str]]) -> None:
    assert segments(completion) == [Segment(*piece) for piece in expected]
