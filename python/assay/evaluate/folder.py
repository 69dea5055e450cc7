"""The folder of an evaluation: every sample there ever was, and how to judge them again.

`eval.json` says what is evaluated and how; `samples.jsonl` has a line for each finished sample, written when it is
finished; `metrics.jsonl` and `summary.json` follow from the two. The files have the shape of a run's, so that
`assay report` reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from assay._files import AppendLog, write_atomic
from assay.data.strict import StrictModel, check
from assay.data.task import Task
from assay.errors import InvalidInputError, UnavailableError
from assay.evaluate.evaluation import Sample
from assay.scores import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILES = ("eval.json", "samples.jsonl", "metrics.jsonl", "summary.json")


class TaskSettings(StrictModel):
    """One set of problems in `eval.json`."""

    name: str
    """What the rows of samples call it."""
    source: str
    """Where its problems came from."""
    problems: int
    """How many there are."""
    samples: int
    """Completions of each."""
    fingerprint: str
    """A hash of prompts and references, so that samples are never added to those of other problems."""
    answer: Literal["auto", "number", "math", "choice", "text"]
    """What sort of answer the references are."""


class Settings(StrictModel):
    """All of `eval.json`: what a sample depends on."""

    model: str
    """The folder of the model or of its tokenizer."""
    servers: list[str]
    """SGLang servers that sampled; empty for this process."""
    tasks: list[TaskSettings]
    """The sets of problems, in order."""
    template: str
    """`raw`, `r1` or `chat`."""
    prefill: str
    """What every completion began with."""
    profile: str
    """Where the answer stands in a completion."""
    think_in_prompt: bool
    """Whether the prompt ended in `<think>`."""
    max_new_tokens: int
    """Longest completion in tokens."""
    temperature: float
    """0 is greedy."""
    top_p: float
    """Nucleus."""
    seed: int
    """Of sampling."""
    ks: list[int]
    """The k of pass@k and cons@k that were asked for."""

    def spec(self, task: TaskSettings) -> dict[str, Any]:
        """The reward spec that judges the samples of a task."""
        component = {
            "kind": "accuracy",
            "profile": self.profile,
            "answer": task.answer,
            "think_in_prompt": self.think_in_prompt,
        }
        return {"component": [component]}


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample as it stands in `samples.jsonl`, with the task it belongs to."""

    sample: Sample
    task: Task


class EvalFolder:
    """An evaluation in progress or done.

    Args:
        path: the folder.
        settings: what is evaluated.
        resume: go on with the evaluation in the folder, whose settings must be these.

    Raises:
        InvalidInputError: there is an evaluation where none should be, or none, or one with other settings, or another
            process is at work on it.
        UnavailableError: the folder cannot be written.
    """

    def __init__(self, path: Path, settings: Settings, *, resume: bool) -> None:
        self.path = path
        held = path / "eval.json"
        if not resume and _holds_a_run(path):
            raise InvalidInputError(
                f"{path}: holds a run already; add --resume to go on with an evaluation, --overwrite to replace it, or "
                "choose another --out"
            )
        if resume and not held.is_file():
            raise InvalidInputError(f"{path}: there is no evaluation to resume; leave --resume out to start one")
        if resume and (difference := _difference(read_settings(path), settings)):
            raise InvalidInputError(
                f"{held}: the evaluation to resume was started with another {difference}; give the same, or another --out"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._log = AppendLog(path / "samples.jsonl")
            self._log.lock()
        except BlockingIOError:
            self._log.close()
            raise InvalidInputError(f"{path}: another process is at work on this evaluation; wait for it") from None
        except OSError as error:
            raise UnavailableError(f"{path}: cannot be written: {error.strerror}") from error
        if not resume:
            write_atomic(held, json.dumps(settings.model_dump(), indent=2) + "\n")
        else:
            # A line that was cut off by a kill is not a sample; what comes next must not stand behind its half.
            self._log.cut(_whole_lines(path / "samples.jsonl"))

    def add(self, stage: str, samples: Sequence[Sample], tasks: Sequence[Task]) -> None:
        """Appends samples in one write. They survive the death of this process from here on.

        Raises:
            UnavailableError: the disk is full; none of them is there.
        """
        self._log.append(sample.row(stage, tasks[sample.problem]) for sample in samples)

    def finish(self, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
        """Brings the samples to the disk and writes what follows from them."""
        self._log.flush()
        write_results(self.path, rows, summary)

    def close(self) -> None:
        """Closes the file of samples."""
        self._log.close()


def write_results(path: Path, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Writes `metrics.jsonl` and `summary.json`, each whole or not at all."""
    write_atomic(path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_atomic(path / "summary.json", json.dumps(summary, indent=2) + "\n")


def write_samples(path: Path, stored: Mapping[str, Sequence[Stored]]) -> None:
    """Replaces `samples.jsonl` by the same samples with other verdicts, whole or not at all."""
    lines = [
        json.dumps(one.sample.row(stage, one.task), ensure_ascii=True)
        for stage, members in stored.items()
        for one in members
    ]
    write_atomic(path / "samples.jsonl", "".join(line + "\n" for line in lines))


def read_settings(path: Path) -> Settings:
    """`eval.json` of a folder.

    Raises:
        InvalidInputError: there is none, or it is not what `assay eval` writes.
    """
    file = path / "eval.json"
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: no eval.json in it; name a folder that `assay eval` wrote") from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{file}: cannot be read ({error})") from None
    settings: Settings = check(Settings, value, where=str(file))
    return settings


def read_samples(path: Path) -> dict[str, list[Stored]]:
    """The samples of a folder by the name of their task; of one that stands twice, the later.

    A last line that is cut off is passed over: its sample was not finished.

    Raises:
        InvalidInputError: another line is not a sample; it is named.
        UnavailableError: the file cannot be read.
    """
    file = path / "samples.jsonl"
    found: dict[str, dict[tuple[int, int], Stored]] = {}
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: no samples.jsonl in it; name a folder that `assay eval` wrote") from None
    except OSError as error:
        raise UnavailableError(f"{file}: cannot be read: {error.strerror}") from error
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
            stored = _stored(row)
            stage = row["stage"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{file}:{number}: not a sample ({type(error).__name__}: {error}); remove the line and --resume"
            ) from None
        found.setdefault(stage, {})[stored.sample.problem, stored.sample.index] = stored
    return {stage: list(samples.values()) for stage, samples in found.items()}


def _stored(row: Any) -> Stored:
    table = cast("dict[str, Any]", row)
    sample = Sample(
        problem=int(table["group_id"]),
        index=int(table["index"]),
        completion=str(table["completion"]),
        answer=table["answer"],
        correct=table["correct"],
        status=Status(table["status"]),
        reason=table["reason"],
        length=int(table["length"]),
        finish_reason=str(table["finish_reason"]),
    )
    return Stored(sample, Task(table["prompt"], table["reference"], str(table["id"]), str(table["stage"])))


def _whole_lines(path: Path) -> int:
    data = path.read_bytes()
    return data.rfind(b"\n") + 1


def _holds_a_run(path: Path) -> bool:
    """Whether anything was sampled or trained here; an evaluation that failed before its first sample leaves nothing."""
    samples = path / "samples.jsonl"
    return (path / "recipe.toml").exists() or (samples.is_file() and samples.stat().st_size > 0)


def _difference(old: Settings, new: Settings) -> str | None:
    """The first setting in which two differ. Servers may change: they hold the same model."""
    for name in type(old).model_fields:
        if name != "servers" and getattr(old, name) != getattr(new, name):
            return name
    return None
