"""What a report says of collected data, alarms and cost, and what becomes of a reviewer's marks."""

from __future__ import annotations

import http.client
import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from assay.cli import run as assay
from assay.errors import InvalidInputError, UnavailableError
from assay.report import build
from assay.report.build import collect
from assay.report.reviews import add_reviews, checked, read_reviews
from assay.report.serve import ReportServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import SimpleNamespace

    MakeRun = Callable[..., Path]

REVIEW = {"stage": "zero", "step": 1, "group_id": 2, "index": 0, "mark": "reject", "note": "mixes languages"}


def collected(folder: Path, write: Any) -> None:
    dataset = folder / "datasets" / "gather"
    dataset.mkdir(parents=True)
    rows = [
        {
            "key": f"{group}/{index}",
            "prompt": [{"role": "user", "content": f"What is {group} + 1?"}],
            "reference": str(group + 1),
            "completion": f"<think>hm</think><answer>{group + index}</answer>",
            "answer": str(group + index),
            "total": float(index == 1),
            "components": {"accuracy": float(index == 1)},
            "status": "scored",
            "reason": None,
            "finish_reason": "stop",
            "length": 9,
        }
        for group in range(3)
        for index in range(4)
    ]
    write(dataset / "samples-00000.jsonl", rows[:8])
    write(dataset / "samples-00001.jsonl", rows[8:])
    wrong = [{**row, "rejected": "wrong"} for row in rows if row["total"] == 0]
    write(dataset / "rejected-00000.jsonl", wrong)
    manifest = {"counts": {"kept": 3, "wrong": 9}, "model": "tiny", "rows": 3}
    (dataset / "manifest.json").write_text(json.dumps(manifest))


def test_decisions_stand_by_their_samples(make_run: MakeRun, made: SimpleNamespace) -> None:
    folder = make_run()
    collected(folder, made.write)
    _, data = collect([folder])
    assert data["decisions"] == [
        {"run": "demo", "stage": "gather", "model": "tiny", "kept": 3.0, "rejected": {"wrong": 9.0}}
    ]
    groups = [group for group in data["groups"] if group["stage"] == "gather"]
    assert [group["id"] for group in groups] == ["0", "1", "2"]
    assert groups[2]["prompt"] == "What is 2 + 1?"
    assert [sample["rejected"] for sample in groups[0]["samples"]] == ["wrong", "", "wrong", "wrong"]
    # Samples of training have no decision, which is not the same as having been kept.
    assert all("rejected" not in s for g in data["groups"] if g["stage"] == "zero" for s in g["samples"])
    (folder / "datasets" / "gather" / "manifest.json").unlink()
    _, data = collect([folder])
    assert data["decisions"] == []
    assert any("datasets/gather: not finished" in note for note in data["notes"])
    assert all("rejected" not in s for g in data["groups"] if g["stage"] == "gather" for s in g["samples"])


def test_alarms_are_told_and_are_no_step(make_run: MakeRun, made: SimpleNamespace) -> None:
    folder = make_run()
    alarm = {
        "stage": "zero",
        "kind": "alarm",
        "step": 7,
        "alarm": "length explosion",
        "text": "twice as long",
        "ratio": 2.1,
    }
    made.write(folder / "metrics.jsonl", [*made.metrics(20), alarm])
    _, data = collect([folder])
    assert data["alarms"] == [
        {
            "run": "demo",
            "stage": "zero",
            "step": 7.0,
            "alarm": "length explosion",
            "message": "twice as long",
            "figures": {"ratio": 2.1},
        }
    ]
    assert data["notes"] == []
    assert {row["stage"]: row["kind"] for row in data["stages"]}["zero"] == "grpo"


def test_cost_stands_beside_the_plan(make_run: MakeRun) -> None:
    folder = make_run()
    plan = {
        "hardware": {"name": "h800", "count": 8, "price": 2.0},
        "stages": [
            {"name": "zero", "kind": "rl", "step_seconds": 0.5, "bottleneck": "train: arithmetic"},
            {"name": "after", "kind": "generate", "step_seconds": 3.0, "bottleneck": "x"},
            {"name": "never", "kind": "rl", "step_seconds": 3.0},
        ],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    _, data = collect([folder])
    zero = data["costs"][0]
    assert (zero["stage"], zero["planned"], zero["seconds"], zero["CPU seconds"]) == ("zero", 10.0, 8.5, 7.5)
    assert zero["measured hours"] == pytest.approx(8.5 * 8 / 3600)
    assert zero["planned dollars"] == pytest.approx(2 * 10 * 8 / 3600)
    assert [row["stage"] for row in data["costs"]] == ["zero", "after", "all"]
    assert data["costs"][2]["planned"] == 13.0
    assert data["hardware"] == ["8 x h800"]
    (folder / "plan.json").write_text("[]")
    _, data = collect([folder])
    assert data["costs"] == []
    assert "plan.json is not an object; it is left out" in data["notes"]


def test_marks_of_earlier_reviews_are_in_the_page(make_run: MakeRun) -> None:
    folder = make_run()
    add_reviews(folder, [REVIEW])
    with (folder / "reviews.jsonl").open("a") as file:
        file.write('{"mark": "maybe"}\n')
    notes: list[str] = []
    assert read_reviews(folder, notes) == [REVIEW]
    assert notes == ["reviews.jsonl: 1 rows are not marks and are left out"]
    assert collect([folder])[1]["reviews"] == [{**REVIEW, "run": 0}]


@pytest.mark.parametrize(
    "change",
    [{"stage": 3}, {"index": True}, {"mark": "maybe"}, {"note": 5}, {"note": "x" * 10_001}, {"group_id": None}],
)
def test_what_is_no_mark(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        checked({**REVIEW, **change})
    with pytest.raises(InvalidInputError, match="JSON object"):
        checked([REVIEW])
    assert checked({**REVIEW, "other": 1}) == REVIEW


def test_collect_takes_the_marks_of_its_own_stage(tmp_path: Path) -> None:
    from assay.recipe.dataset import read_marks

    add_reviews(
        tmp_path, [REVIEW, {**REVIEW, "stage": "gather", "mark": "accept"}, {**REVIEW, "stage": "gather", "index": 1}]
    )
    assert read_marks(str(tmp_path / "reviews.jsonl"), "gather") == {"2/0": "accept", "2/1": "reject"}


@pytest.fixture
def served(make_run: MakeRun) -> Iterator[tuple[Path, ReportServer]]:
    folder = make_run(steps=3)
    server = ReportServer([folder])
    thread = threading.Thread(target=server.run)
    thread.start()
    yield folder, server
    server.close()
    thread.join()


def ask(server: ReportServer, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_served_page_writes_marks_into_the_run(served: tuple[Path, ReportServer]) -> None:
    folder, server = served
    status, page = ask(server, "GET", "/")
    assert status == 200
    assert "connect-src 'self'; " in page
    token = json.loads(re.findall(r'id="report">(.*?)</script>', page, re.DOTALL)[0])["token"]
    status, text = ask(server, "POST", "/reviews", {"run": 0, "review": REVIEW}, **{"X-Review-Token": token})
    assert (status, text) == (200, "{}")
    assert json.loads((folder / "reviews.jsonl").read_text()) == REVIEW
    assert '"mark":"reject"' in ask(server, "GET", "/")[1]
    for body, expected in [
        ({"run": 1, "review": REVIEW}, "position"),
        ({"run": 0, "review": {}}, "stage"),
        ([], "position"),
    ]:
        status, text = ask(server, "POST", "/reviews", body, **{"X-Review-Token": token})
        assert (status, expected in text) == (400, True)
    assert len((folder / "reviews.jsonl").read_text().splitlines()) == 1


def test_nobody_else_may_write_or_read(served: tuple[Path, ReportServer]) -> None:
    folder, server = served
    for headers in ({}, {"X-Review-Token": "guess"}, {"X-Review-Token": "é".encode().decode("latin-1")}):
        assert ask(server, "POST", "/reviews", {"run": 0, "review": REVIEW}, **headers)[0] == 403
    assert ask(server, "GET", "/", Host="evil.example")[0] == 403
    assert ask(server, "GET", "/reviews.jsonl")[0] == 404
    assert not (folder / "reviews.jsonl").exists()
    with pytest.raises(UnavailableError, match="choose another --port"):
        ReportServer([folder], port=int(server.url.rstrip("/").rpartition(":")[2]))


def test_the_offline_page_connects_to_nothing(make_run: MakeRun) -> None:
    page = build([make_run()], figures=False).html.read_text()
    assert "connect-src" not in page
    assert '"token":null' in page


def test_serving_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert assay(["report", str(tmp_path / "absent"), "--serve"]) == 2
    assert "no such run folder" in capsys.readouterr().err
