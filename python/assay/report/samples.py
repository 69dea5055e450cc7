"""Which samples of a run the report shows, and how a completion is taken apart for reading."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from assay.report.run import Row, number, tolerant_rows

if TYPE_CHECKING:
    from pathlib import Path

# What one report carries: a browser opens it at once, and whole groups across all of the run still fit.
MAX_SAMPLES = 2000
MAX_BYTES = 12 * 1024 * 1024
MAX_TEXT = 20_000

_OPENING = re.compile(r"<(think|answer)>")


class Segment(NamedTuple):
    """A piece of a completion.

    Attributes:
        kind: `think`, `open_think` (never closed), `answer` or `text`.
        text: the piece, without its tags.
    """

    kind: str
    text: str


@dataclass(slots=True)
class Group:
    """Where the samples of one group stand in the file: byte ranges, in file order."""

    stage: str
    step: float
    group_id: str
    ranges: list[tuple[int, int]]
    count: int
    size: int


def read_samples(path: Path, notes: list[str], *, share: float = 1.0, stage: str = "?") -> tuple[list[Row], Row]:
    """The groups of samples to show, whole, spread evenly over each stage.

    The file is read once to find the groups and again only where chosen ones stand, so memory grows with their number,
    not with the text.

    Args:
        path: `samples.jsonl`; a missing file gives no groups.
        notes: what was left out is added here.
        share: of what a report may carry, this file's part, in (0, 1].
        stage: what rows belong to that do not name a stage.

    Returns:
        The groups as JSON-ready mappings, and the count of statuses in the whole file by stage.
    """
    if not path.is_file():
        notes.append("samples.jsonl is missing: there are no traces")
        return [], {}
    groups, statuses = _index(path, notes, stage)
    chosen = _choose(groups, MAX_SAMPLES * share, MAX_BYTES * share)
    if len(chosen) < len(groups):
        shown, total = sum(group.count for group in chosen), sum(group.count for group in groups)
        notes.append(
            f"{path.name}: {shown:,} of {total:,} samples are shown, in whole groups spread evenly over each stage"
        )
    with path.open("rb") as file:
        shown_groups = [_load(file, group) for group in chosen]
    cut = sum(sample["cut"] for group in shown_groups for sample in group["samples"])
    if cut:
        notes.append(f"{path.name}: the middle of {cut} completions longer than {MAX_TEXT:,} characters is left out")
    return shown_groups, statuses


def segments(completion: str) -> list[Segment]:
    """Takes a completion apart into thinking, answer and the rest, in order.

    A `</think>` without `<think>` closes what the prompt opened. For reading only: what is judged is what the scorer
    extracted, which stands beside it.
    """
    found: list[Segment] = []
    position = 0
    head, closing, _ = completion.partition("</think>")
    if closing and "<think>" not in head:
        found.append(Segment("think", head))
        position = len(head) + len(closing)
    while opening := _OPENING.search(completion, position):
        _add_text(found, completion[position : opening.start()])
        kind = opening[1]
        end = completion.find(f"</{kind}>", opening.end())
        if end < 0:
            thinking = kind == "think"
            found.append(
                Segment("open_think", completion[opening.end() :])
                if thinking
                else Segment("text", completion[opening.start() :])
            )
            return found
        found.append(Segment(kind, completion[opening.end() : end]))
        position = end + len(f"</{kind}>")
    _add_text(found, completion[position:])
    return found or [Segment("text", completion)]


def _add_text(found: list[Segment], text: str) -> None:
    if text.strip():
        found.append(Segment("text", text))


def _index(path: Path, notes: list[str], default: str) -> tuple[list[Group], Row]:
    groups: dict[tuple[str, float, str], Group] = {}
    statuses: dict[str, dict[str, int]] = {}
    for start, end, row in tolerant_rows(path, notes):
        stage, step = str(row.get("stage", default)), number(row.get("step")) or 0.0
        identity = str(_place(row)[0])
        key = (stage, step, identity)
        group = groups.setdefault(key, Group(stage, step, identity, [], 0, 0))
        if group.ranges and group.ranges[-1][1] == start:
            group.ranges[-1] = (group.ranges[-1][0], end)
        else:
            group.ranges.append((start, end))
        group.count += 1
        group.size += min(end - start, 2 * MAX_TEXT)
        counts = statuses.setdefault(stage, {})
        status = str(row.get("status", "?"))
        counts[status] = counts.get(status, 0) + 1
    return list(groups.values()), cast("Row", statuses)


def _place(row: Row) -> tuple[Any, Any]:
    """Group and index of a sample: two fields, or in a collected dataset one key `group/index`."""
    key = row.get("key")
    if "group_id" not in row and isinstance(key, str) and key.count("/") == 1:
        group, index = key.split("/")
        return group, int(index) if index.isascii() and index.isdigit() else index
    return row.get("group_id", "?"), row.get("index")


def _choose(groups: list[Group], samples: float, size: float) -> list[Group]:
    """Whole groups within the budget: each stage an equal share, what a small stage leaves goes to the others."""
    stages: dict[str, list[Group]] = {}
    for group in groups:
        stages.setdefault(group.stage, []).append(group)
    kept: set[int] = set()
    left = len(stages)
    for members in sorted(stages.values(), key=lambda members: sum(group.count for group in members)):
        total, total_size = sum(group.count for group in members), sum(group.size for group in members)
        share = min(1.0, samples / left / total, size / left / max(total_size, 1))
        wanted = max(1, int(len(members) * share))
        spread = {round(i * (len(members) - 1) / max(wanted - 1, 1)) for i in range(wanted)}
        for position in spread:
            kept.add(id(members[position]))
            samples -= members[position].count
            size -= members[position].size
        left -= 1
        samples, size = max(samples, 0.0), max(size, 0.0)
    return [group for group in groups if id(group) in kept]


def _load(file: Any, group: Group) -> Row:
    rows: dict[str, Row] = {}
    for start, end in group.ranges:
        file.seek(start)
        for line in file.read(end - start).split(b"\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                typed = cast("Row", row)
                # After a resume a sample may stand twice; the later one is the one that was trained on.
                index = _place(typed)[1]
                rows[str(len(rows) if index is None else index)] = typed
    members = list(rows.values())[:MAX_SAMPLES]
    first: Row = members[0] if members else {}
    return {
        "stage": group.stage,
        "step": group.step,
        "id": group.group_id,
        "prompt": _cut(_prompt(first.get("prompt", "")))[0],
        "reference": _cut(_as_text(first.get("reference", "")))[0],
        "samples": [_sample(row, position) for position, row in enumerate(members)],
    }


def _sample(row: Row, position: int) -> Row:
    completion, cut = _cut(_as_text(row.get("completion", "")))
    components = row.get("components")
    named = cast("Row", components) if isinstance(components, dict) else {}
    return {
        "index": position if (index := _place(row)[1]) is None else index,
        "segments": [list(segment) for segment in segments(completion)],
        "answer": None if row.get("answer") is None else _cut(_as_text(row["answer"]))[0],
        "total": number(row.get("total")),
        "components": {str(name): number(value) for name, value in named.items()},
        "status": str(row.get("status", "?")),
        "reason": _cut(_as_text(row.get("reason") or ""))[0],
        "advantage": number(row.get("advantage")),
        "finish": str(row.get("finish_reason", "")),
        "length": number(row.get("length")),
        "cut": cut,
    }


def _prompt(value: object) -> str:
    """A prompt as text: the turns of a chat one below the other."""
    turns = cast("list[Row]", value) if isinstance(value, list) else []
    if turns and all(isinstance(turn, dict) and "content" in turn for turn in turns):  # pyright: ignore[reportUnnecessaryIsInstance]
        return "\n".join(_as_text(turn["content"]) for turn in turns)
    return _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> tuple[str, bool]:
    """The text, or its beginning and end if it is too long to show."""
    if len(text) <= MAX_TEXT:
        return text, False
    head, tail = MAX_TEXT * 3 // 5, MAX_TEXT * 2 // 5
    return f"{text[:head]}\n[.. {len(text) - MAX_TEXT:,} characters left out ..]\n{text[-tail:]}", True
