"""Every complaint about a JSON Lines file names the file, the line and the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.data import load, load_splits, parse_config, read_jsonl
from assay.errors import InvalidInputError, InvalidSpecError, UnavailableError


def config(**options: object) -> dict[str, object]:
    return {"source": "jsonl", "path": "rows.jsonl", **options}


def write(folder: Path, *lines: str | bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
    return path


GOOD = '{"prompt": "What is 1 + 1?", "reference": "2"}'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "rows.jsonl:2: not JSON at column 2"),
        ("[1]", "rows.jsonl:2: a JSON array where an object"),
        ('"text"', "rows.jsonl:2: a JSON string"),
        ("3", "rows.jsonl:2: a JSON number"),
        ("true", "rows.jsonl:2: a JSON boolean"),
        ("null", "rows.jsonl:2: a JSON null"),
        (b'{"prompt": "\xff"}', "rows.jsonl:2: not UTF-8 (byte 13 of the line); save the file as UTF-8"),
        ('{"prompt": "a"}', "rows.jsonl:2: no field 'reference'; fields here: prompt; set reference_field"),
        ('{"promt": "a", "reference": "b"}', "rows.jsonl:2: no field 'prompt' (did you mean 'promt'?)"),
        ('{"prompt": " ", "reference": "b"}', "rows.jsonl:2: prompt: the prompt is empty"),
        ('{"prompt": 3, "reference": "b"}', "rows.jsonl:2: prompt: expected text or a list of messages, got int"),
        ('{"prompt": [], "reference": "b"}', "rows.jsonl:2: prompt: expected text or a list of messages"),
        ('{"prompt": [{"role": "user"}], "reference": "b"}', "rows.jsonl:2: prompt[0]: a message must be"),
        ('{"prompt": "a", "reference": ["b"]}', "rows.jsonl:2: reference: expected text or a number, got list"),
        ('{"prompt": "a", "reference": true}', "rows.jsonl:2: reference: expected text or a number, got bool"),
        ('{"prompt": "a", "reference": ' + "9" * 5000 + "}", "rows.jsonl:2: an integer has too many digits"),
        ('{"prompt": ' + "[" * 100_000 + "}", "rows.jsonl:2: nested too deeply"),
    ],
)
def test_bad_line(tmp_path: Path, line: str | bytes, expected: str) -> None:
    write(tmp_path, GOOD, line)
    with pytest.raises(InvalidInputError) as caught:
        load(config(), base=tmp_path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_folder_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"rows\.jsonl: no such file; check the path"):
        load(config(), base=tmp_path)
    with pytest.raises(InvalidInputError, match="is a folder"):
        load(config(path="."), base=tmp_path)
    write(tmp_path, "", "  ")
    with pytest.raises(InvalidInputError, match="no rows"):
        load(config(), base=tmp_path)


def test_unreadable_file_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, GOOD)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnavailableError, match=r"rows\.jsonl: cannot be read: Permission denied"):
        list(read_jsonl(path))


def test_rows_become_tasks(tmp_path: Path) -> None:
    write(
        tmp_path,
        "\ufeff" + GOOD,
        "",
        '{"prompt": [{"role": "user", "content": "Hi"}], "reference": 0.10, "id": 7, "level": 3}',
        '{"prompt": "c", "reference": null}',
        '{"prompt": "d", "reference": 1234567890123456789012345}',
    )
    first, second, third, fourth = load(config(), base=tmp_path)
    assert (first.prompt, first.reference) == ("What is 1 + 1?", "2")
    assert first.id == f"{tmp_path}/rows.jsonl:1"
    assert second.prompt == [{"role": "user", "content": "Hi"}]
    # The two decimals are part of what the gold answer claims.
    assert (second.reference, second.id, second.metadata) == ("0.10", "7", {"level": 3})
    assert third.reference is None
    assert third.id.endswith(":4")
    assert fourth.reference == "1234567890123456789012345"


def test_a_dataset_without_references(tmp_path: Path) -> None:
    write(tmp_path, '{"prompt": "a"}')
    assert load(config(reference_field=None), base=tmp_path)[0].reference is None


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("hashes", "3 + 4 = <<3+4=7>>7\n#### 7", "7"),
        ("hashes", "#### 1\n#### 1,000 ", "1,000"),
        ("boxed", r"so \boxed{1}, or rather \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("as_is", " 7 ", "7"),
    ],
)
def test_gold(tmp_path: Path, gold: str, text: str, expected: str) -> None:
    write(tmp_path, json.dumps({"question": "q", "answer": text}))
    options = config(gold=gold, prompt_field="question", reference_field="answer")
    assert load(options, base=tmp_path)[0].reference == expected


@pytest.mark.parametrize(("gold", "text"), [("hashes", "no mark"), ("hashes", "####  "), ("boxed", r"\boxed{1")])
def test_gold_that_is_not_there(tmp_path: Path, gold: str, text: str) -> None:
    write(tmp_path, json.dumps({"prompt": "q", "reference": text}))
    with pytest.raises(InvalidInputError, match=r"rows\.jsonl:1: reference: no answer after .*as_is"):
        load(config(gold=gold), base=tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pth": "x"}, "data: pth: unknown key; did you mean 'path'?"),
        ({"source": "jsonl"}, "data: path: this key is required"),
        ({"source": "json", "path": "x"}, "'json' is not one of jsonl, parquet, huggingface, reasoning_gym"),
        ({"path": "x"}, "data: the key source is required"),
        ({"source": "jsonl", "path": "x", "limit": 0}, "data: limit: input should be greater than or equal to 1"),
        ({"source": "jsonl", "path": "x", "limit": "5"}, "data: limit: input should be a valid integer"),
        ({"source": "jsonl", "path": 3}, "data: path: input should be a valid string"),
        ({"source": "jsonl", "path": "x", "gold": "hash"}, "data: gold: 'hash' is not one of as_is, hashes, boxed"),
        ({"source": "jsonl", "path": "x", "template": {"kind": "r2"}}, "data: template.kind: 'r2' is not one of"),
        (
            {"source": "jsonl", "path": "x", "template": {"knd": "r1"}},
            "template.knd: unknown key; did you mean 'kind'?",
        ),
        ({"source": "reasoning_gym", "task": "gcd", "options": {"seed": 3}}, "options.seed: set seed beside task"),
        ("jsonl", "data: "),
    ],
)
def test_bad_configuration(options: object, expected: str) -> None:
    if isinstance(options, dict) and "pth" in options:
        options = {"source": "jsonl", **options}
    with pytest.raises(InvalidSpecError) as caught:
        parse_config(options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_held_out_rows_share_no_prompt_with_training(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n} + 1?", "reference": str(n + 1)} for n in range(50)]
    same = [{"prompt": "  what is 3 +  1 ", "reference": "4"}, {"prompt": "What is 3 - 1?", "reference": "2"}]
    write(tmp_path, *map(json.dumps, rows + same))
    splits = load_splits(config(held_out=10, seed=3), base=tmp_path)
    held_out = {task.prompt for task in splits.held_out}
    assert len(splits.held_out) == 10
    assert len(splits.train) + len(splits.held_out) + splits.removed == 52
    assert not held_out & {task.prompt for task in splits.train}
    assert held_out == {task.prompt for task in load(config(held_out=10, seed=3), "held_out", base=tmp_path)}
    assert held_out != {task.prompt for task in load(config(held_out=10, seed=4), "held_out", base=tmp_path)}


def test_held_out_file_loses_what_training_has(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(
        tmp_path,
        '{"prompt": "what is 1 + 1", "reference": "2"}',
        '{"prompt": "What is 1 - 1?", "reference": "0"}',
        '{"prompt": "What is 1 - 1 ?", "reference": "0"}',
        name="test.jsonl",
    )
    splits = load_splits(config(held_out_path="test.jsonl"), base=tmp_path)
    assert [task.reference for task in splits.held_out] == ["0"]
    assert splits.removed == 2


def test_limits(tmp_path: Path) -> None:
    write(tmp_path, *(json.dumps({"prompt": f"p{n}", "reference": "1"}) for n in range(8)))
    assert len(load(config(limit=3), base=tmp_path)) == 3
    with pytest.raises(InvalidInputError, match="held_out = 8 leaves no training row of 8"):
        load(config(held_out=8), base=tmp_path)
