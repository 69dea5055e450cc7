"""The benchmarks' loaders on rows of the same schema, and the published results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import assay
from assay.errors import InvalidInputError, UnavailableError
from assay.evaluate import BENCHMARKS, load_benchmark, published
from assay.evaluate.tasks import FileOptions, load_tasks

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, dict[str, Any]] = {
    "aime24": {"id": 60, "problem": "Find $n$.", "solution": "..", "answer": "033", "url": "..", "year": "2024"},
    "math500": {
        "problem": "Simplify $\\sqrt{8}$.",
        "solution": "..",
        "answer": "2\\sqrt{2}",
        "subject": "Algebra",
        "level": 1,
        "unique_id": "test/algebra/1.json",
    },
    "gpqa_diamond": {
        "Question": "Which is lightest? ",
        "Correct Answer": "hydrogen\n",
        "Incorrect Answer 1": "helium",
        "Incorrect Answer 2": "lithium",
        "Incorrect Answer 3": "neon",
        "Record ID": "rec1",
    },
    "mmlu": {"question": "2 + 2?", "subject": "maths", "choices": ["3", "4", "5", "6"], "answer": 1},
    "gsm8k": {"question": "Tom has 2 apples and buys 1,078.", "answer": "So <<2+1078=1080>>1080.\n#### 1,080"},
}
GOLD = {"aime24": "033", "math500": "2\\sqrt{2}", "mmlu": "B", "gsm8k": "1,080"}
SAYS = {"aime24": "33", "math500": "\\sqrt{8}", "mmlu": "B", "gsm8k": "1080"}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_row_becomes_a_problem_with_a_gold_answer_that_the_verifier_reads(name: str, tmp_path: Path) -> None:
    task = load_benchmark(BENCHMARKS[name], write(tmp_path / "rows.jsonl", ROWS[name]))[0]
    gold = task.reference or ""
    if name == "gpqa_diamond":
        assert f"{gold}) hydrogen" in str(task.prompt)
    else:
        assert gold == GOLD[name]
    spec = {"component": [{"kind": "accuracy", "answer": BENCHMARKS[name].answer}]}
    right = f"Let me think. So the answer is \\boxed{{{SAYS.get(name, gold)}}}."
    wrong = "\\boxed{Z}" if BENCHMARKS[name].answer == "choice" else "\\boxed{-7}"
    assert assay.Scorer(spec).score([right, wrong], [gold, gold]).total.tolist() == [1.0, 0.0]


def test_the_instruction_of_the_model_card_is_the_last_line(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS["math500"])
    made = load_tasks([f"math500={path}"])[0]
    assert str(made.asked(instruct=True)[0].prompt).splitlines() == [
        "Simplify $\\sqrt{8}$.",
        "Please reason step by step, and put your final answer within \\boxed{}.",
    ]
    assert made.asked(instruct=False) is made.bare
    assert (made.samples, made.source) == (4, str(path))


def test_options_are_shuffled_the_same_way_every_time_but_not_always_alike(tmp_path: Path) -> None:
    rows = [{**ROWS["gpqa_diamond"], "Question": f"Which is lightest ({i})?", "Record ID": str(i)} for i in range(40)]
    path = write(tmp_path / "rows.jsonl", *rows)
    first, second = (load_benchmark(BENCHMARKS["gpqa_diamond"], path) for _ in range(2))
    assert first == second
    assert {task.reference for task in first} == set("ABCD")
    assert all(f"{task.reference}) hydrogen" in str(task.prompt) for task in first)


def test_a_folder_and_a_parquet_file_are_read_like_the_hub(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "set").mkdir()
    table = arrow.Table.from_pylist([ROWS["mmlu"]] * 2)
    parquet.write_table(table, tmp_path / "set" / "test-00000.parquet")
    from_file = load_benchmark(BENCHMARKS["mmlu"], tmp_path / "set" / "test-00000.parquet")
    from_folder = load_benchmark(BENCHMARKS["mmlu"], tmp_path / "set")
    assert [task.prompt for task in from_file] == [task.prompt for task in from_folder]
    assert from_folder[0].reference == "B"


def test_the_hub_is_asked_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[str, str | None, str]] = []

    def load_dataset(name: str, subset: str | None, *, split: str, revision: str | None) -> list[dict[str, Any]]:
        assert revision is None
        asked.append((name, subset, split))
        return [next(ROWS[key] for key, made in BENCHMARKS.items() if made.dataset == name)]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    sets = load_tasks([",".join(BENCHMARKS)])
    assert [made.name for made in sets] == list(BENCHMARKS)
    assert asked == [
        ("HuggingFaceH4/aime_2024", None, "train"),
        ("HuggingFaceH4/MATH-500", None, "test"),
        ("Idavidrein/gpqa", "gpqa_diamond", "train"),
        ("cais/mmlu", "all", "test"),
        ("openai/gsm8k", "main", "test"),
    ]

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(UnavailableError, match="openai/gsm8k: the Hugging Face hub cannot be reached"):
        load_tasks(["gsm8k"])


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("aime24", {"answer": None}, "there is no answer"),
        ("gsm8k", {"answer": "18"}, "no answer after ####"),
        ("math500", {"problem": " "}, "the prompt is empty"),
        ("mmlu", {"answer": 4}, "expected the position of the right option, 0 to 3"),
        ("mmlu", {"choices": "abcd"}, "choices: expected a list"),
        ("gpqa_diamond", {"Question": ""}, "must be texts"),
    ],
)
def test_a_bad_row_is_named(name: str, change: dict[str, Any], expected: str, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS[name], {**ROWS[name], **change})
    with pytest.raises(InvalidInputError, match=r"rows\.jsonl:2: .*" + expected):
        load_benchmark(BENCHMARKS[name], path)


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no field 'problem'"):
        load_benchmark(BENCHMARKS["aime24"], write(tmp_path / "rows.jsonl", {"question": "?"}))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "names nothing"),
        (["aime25"], "neither a benchmark"),
        (["aime25=x.jsonl"], "is no benchmark"),
        (["gsm8k=absent.jsonl"], "no such file"),
        (["a.jsonl,b/a.jsonl"], "stands there twice"),
    ],
)
def test_what_names_no_task(names: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    for path in ("a.jsonl", "b/a.jsonl"):
        write(tmp_path / path, {"prompt": "?", "reference": "1"})
    with pytest.raises(InvalidInputError, match=expected):
        load_tasks(names)


def test_other_problems_have_another_fingerprint(tmp_path: Path) -> None:
    first = load_tasks([str(write(tmp_path / "a.jsonl", {"q": "1+1", "a": 2}))], FileOptions("q", "a"))[0]
    second = load_tasks([str(write(tmp_path / "a.jsonl", {"q": "1+1", "a": 3}))], FileOptions("q", "a"))[0]
    assert first.fingerprint() != second.fingerprint()


def test_every_published_figure_is_a_share_with_a_source_on_a_known_benchmark() -> None:
    found = published()
    assert len(found) == 15
    for entry in found:
        assert entry.source
        for (benchmark, metric), value in entry.figures.items():
            assert benchmark in BENCHMARKS
            assert metric in {"pass@1", "cons@64"}
            assert 0 < value <= 1
    assert published(["gsm8k"]) == []
    r1 = next(entry for entry in published(["mmlu"]) if entry.model == "DeepSeek-R1")
    assert r1.figures == {("mmlu", "pass@1"): pytest.approx(0.908)}
