r"""The public benchmarks: where they are, how a problem is put, and how often each is sampled.

The prompt follows the model card of DeepSeek-R1: everything in the user's turn, no system prompt, and for mathematics the
sentence "Please reason step by step, and put your final answer within \boxed{}.". How many samples: AIME 64, MATH-500 4,
GPQA 8 as open-r1 reproduces the paper; for MMLU and GSM8K no source gives a number, and 4 is the least the paper uses
("k between 4 and 64, depending on the test set size", arXiv:2501.12948, section 3).
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from assay.data import HuggingFaceConfig, Task, gold_answer, read_jsonl
from assay.data.columnar import read_hub, read_parquet
from assay.data.rows import as_prompt, as_text, get_field
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from assay.data.rows import Gold

Row = dict[str, Any]
BOXED = r"Please reason step by step, and put your final answer within \boxed{}."
LETTER = r"Please reason step by step, and put the letter of the right option within \boxed{}."
LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A public set of problems.

    Attributes:
        name: what `--tasks` calls it.
        title: its name for a reader.
        dataset: its id on the Hugging Face hub.
        subset: the configuration there, if it has several.
        split: the split that is evaluated.
        samples: completions of each problem, as the paper takes them.
        answer: what sort of answer the reference is, as the accuracy component has it.
        instruction: what is asked of the model below the problem.
        make: a `Task` with the bare problem out of one row, given its name for errors.
    """

    name: str
    title: str
    dataset: str
    subset: str | None
    split: str
    samples: int
    answer: Literal["auto", "number", "choice"]
    instruction: str
    make: Callable[[Row, str], Task]


def load_benchmark(benchmark: Benchmark, path: Path | None = None) -> Sequence[Task]:
    """The bare problems of a benchmark, from the hub or from a local file with the same fields.

    Args:
        benchmark: which one.
        path: a `.jsonl` or `.parquet` file, or a folder that `datasets` can load; by default the hub.

    Raises:
        InvalidInputError: a file is not there, or a row lacks a field; the message names it.
        UnavailableError: the hub cannot be reached, or a library is missing.
    """
    if path is None or path.is_dir():
        config = HuggingFaceConfig(
            name=benchmark.dataset if path is None else str(path),
            subset=benchmark.subset if path is None else None,
            split=benchmark.split,
        )
        rows, where = read_hub(config, benchmark.split, Path()), config.name
    else:
        rows, where = (read_parquet if path.suffix == ".parquet" else read_jsonl)(path), str(path)
    tasks = [benchmark.make(row, f"{where}:{number}") for number, row in rows]
    if not tasks:
        raise InvalidInputError(f"{where}: no rows; {benchmark.title} needs at least one")
    return tasks


def options_text(question: str, options: Sequence[str]) -> str:
    """A multiple-choice question: the question, then the options under their letters."""
    return "\n".join([question, "", *(f"{LETTERS[index]}) {option}" for index, option in enumerate(options))])


def _open_question(
    row: Row, where: str, *, question: str, reference: str, gold: Gold = "as_is", identity: str = "id"
) -> Task:
    text = as_prompt(get_field(row, question, where=where, key="the field"), where=where, name=question)
    if not isinstance(text, str):
        raise InvalidInputError(f"{where}: {question}: expected text")
    value = as_text(get_field(row, reference, where=where, key="the field"), where=where, name=reference)
    if value is None:
        raise InvalidInputError(f"{where}: {reference}: there is no answer")
    answer = gold_answer(value, gold, where=where, name=reference)
    name = row.get(identity)
    return Task(text, answer, where if name is None else str(name), where.rpartition(":")[0])


def _choice(where: str, question: object, options: Sequence[object], right: int, identity: object) -> Task:
    texts = [as_text(option, where=where, name="an option") for option in options]
    if not isinstance(question, str) or not question.strip() or any(text is None for text in texts):
        raise InvalidInputError(f"{where}: the question and its options must be texts")
    shown = options_text(question.strip(), [str(text).strip() for text in texts])
    name = where if identity is None else str(identity)
    return Task(shown, LETTERS[right], name, where.rpartition(":")[0])


def _aime(row: Row, where: str) -> Task:
    return _open_question(row, where, question="problem", reference="answer")


def _math(row: Row, where: str) -> Task:
    return _open_question(row, where, question="problem", reference="answer", identity="unique_id")


def _gsm8k(row: Row, where: str) -> Task:
    return _open_question(row, where, question="question", reference="answer", gold="hashes")


def _mmlu(row: Row, where: str) -> Task:
    options = get_field(row, "choices", where=where, key="the field")
    right = get_field(row, "answer", where=where, key="the field")
    if not isinstance(options, list) or not 2 <= len(cast("list[object]", options)) <= len(LETTERS):
        raise InvalidInputError(f"{where}: choices: expected a list of 2 to {len(LETTERS)} options")
    choices = cast("list[object]", options)
    if isinstance(right, bool) or not isinstance(right, int) or not 0 <= right < len(choices):
        raise InvalidInputError(f"{where}: answer: expected the position of the right option, 0 to {len(choices) - 1}")
    question = get_field(row, "question", where=where, key="the field")
    return _choice(where, question, choices, right, row.get("id"))


def _gpqa(row: Row, where: str) -> Task:
    """The right answer stands first in the data, so the options are shuffled, the same way every time."""
    fields = ["Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"]
    options = [get_field(row, name, where=where, key="the field") for name in fields]
    question = get_field(row, "Question", where=where, key="the field")
    digest = hashlib.blake2b(str(question).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    order = list(range(4))
    random.Random(int.from_bytes(digest, "big")).shuffle(order)  # noqa: S311 - repeatable by intention
    return _choice(where, question, [options[i] for i in order], order.index(0), row.get("Record ID"))


BENCHMARKS: Mapping[str, Benchmark] = {
    made.name: made
    for made in (
        Benchmark("aime24", "AIME 2024", "HuggingFaceH4/aime_2024", None, "train", 64, "number", BOXED, _aime),
        Benchmark("math500", "MATH-500", "HuggingFaceH4/MATH-500", None, "test", 4, "auto", BOXED, _math),
        Benchmark(
            "gpqa_diamond", "GPQA diamond", "Idavidrein/gpqa", "gpqa_diamond", "train", 8, "choice", LETTER, _gpqa
        ),
        Benchmark("mmlu", "MMLU", "cais/mmlu", "all", "test", 4, "choice", LETTER, _mmlu),
        Benchmark("gsm8k", "GSM8K", "openai/gsm8k", "main", "test", 4, "number", BOXED, _gsm8k),
    )
}
"""By the name that `--tasks` takes."""
