"""assay.verify beside math-verify: number answers, LaTeX answers, whole completions in a batch, memory."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import math_verify
from common import best_of, latencies, percentile, seconds, table

import assay

CASES = Path(__file__).resolve().parents[2] / "tests" / "cases" / "verify.jsonl"
THINK_FORMAT = re.compile(r"^<think>.*?</think>\s*<answer>.*?</answer>$", re.DOTALL)


def peer_verify(gold: str, answer: str) -> bool:
    """What TRL's and open-r1's accuracy rewards do: parse both sides with math-verify, then compare."""
    return bool(math_verify.verify(math_verify.parse(f"${gold}$"), math_verify.parse(f"${answer}$")))


def number_pairs(count: int, seed: int = 0) -> list[tuple[str, str, bool]]:
    """GSM8K-style pairs (gold, answer, equal): integers with separators, decimals and currency; half are near misses."""
    draw = random.Random(seed)
    pairs = []
    for _ in range(count):
        gold = draw.choice([draw.randint(1, 99), draw.randint(100, 9_999), draw.randint(10_000, 999_999)])
        equal = draw.random() < 0.5
        value = gold if equal else gold + draw.choice([-10, -1, 1, 10])
        written = draw.choice([f"{value}", f"{value:,}", f"{value}.00", f"\\${value:,}"])
        pairs.append((str(gold), written, equal))
    return pairs


def completions(count: int, seed: int = 1) -> tuple[list[str], list[str], list[float]]:
    """R1-style completions of about 60 words with a number answer, their references, and accuracy + format / 2."""
    draw = random.Random(seed)
    texts, references, expected = [], [], []
    for gold, answer, equal in number_pairs(count, seed):
        words = " ".join(
            draw.choice(["so", "then", "add", "carry", "the", "total", "is", "3 + 4 = 7"]) for _ in range(60)
        )
        tagged = draw.random() < 0.9
        texts.append(
            f"<think>{words}</think>\n<answer>\\boxed{{{answer}}}</answer>"
            if tagged
            else f"{words} \\boxed{{{answer}}}"
        )
        references.append(gold)
        expected.append(float(equal) + 0.5 * tagged)
    return texts, references, expected


def bare_answers(count: int, seed: int = 2) -> tuple[list[str], list[str], list[float]]:
    """Number answers in a box and nothing else, their references, and the accuracy."""
    pairs = number_pairs(count, seed)
    return (
        [rf"\boxed{{{answer}}}" for _, answer, _ in pairs],
        [gold for gold, *_ in pairs],
        [float(p[2]) for p in pairs],
    )


def peer_rewards(texts: list[str], references: list[str], *, limit: int | None = 5) -> list[float]:
    """The same two rewards in Python: math-verify on the completion, and the format by regular expression.

    `limit` is math-verify's time limit in seconds; off the main thread it has to be None.
    """
    golds = {reference: math_verify.parse(f"${reference}$", parsing_timeout=limit) for reference in set(references)}
    answers = [math_verify.parse(text, parsing_timeout=limit) for text in texts]
    return [
        float(math_verify.verify(golds[reference], answer, timeout_seconds=limit))
        + 0.5 * bool(THINK_FORMAT.match(text))
        for text, answer, reference in zip(texts, answers, references, strict=True)
    ]


def compare_calls(title: str, pairs: list[tuple[str, str, bool]], peer_count: int) -> str:
    """Per-call latency and correctness of both over labelled pairs."""
    rows: list[list[str]] = []
    medians: list[list[float]] = []
    for name, function, some in (("assay", assay.verify, pairs), ("math-verify 0.9", peer_verify, pairs[:peer_count])):
        right = sum(bool(function(gold, answer)) == equal for gold, answer, equal in some)
        false_positives = sum(bool(function(gold, answer)) and not equal for gold, answer, equal in some)
        calls = [partial(function, gold, answer) for gold, answer, _ in some]
        once, best = latencies(calls), latencies(calls, rounds=5)
        medians.append([percentile(times, 0.5) for times in (once, best)])
        rows.append(
            [
                name,
                f"{right}/{len(some)}",
                str(false_positives),
                *map(seconds, [*medians[-1], percentile(best, 0.99), best[-1]]),
            ]
        )
        if name == "assay":
            assert false_positives == 0, f"{title}: assay accepted a wrong answer"
    ratios = [f"{theirs / ours:,.0f}x" for ours, theirs in zip(*medians, strict=True)]
    rows.append(["ratio", "", "", *ratios, "", ""])
    return table(title, ["", "right", "false positives", "p50, once", "p50, best of 5", "p99", "max"], rows)


FULL = {"accuracy": 1.0, "format": 0.5}
FOUR = {
    "component": [
        {"kind": "accuracy"},
        {"kind": "format", "weight": 0.5},
        {"kind": "language", "weight": 0.5, "target": "en"},
        {"kind": "repetition", "weight": 0.5},
    ]
}


def compare_batch(title: str, spec: dict[str, float], data: tuple[list[str], list[str], list[float]]) -> str:
    """CPU time per completion of both."""
    texts, references, expected = data
    scorer = assay.Scorer(spec, threads=1)
    ours, scores = best_of(5, lambda: scorer.score(texts, references))
    assert scores.total.tolist() == expected
    count, some = len(texts), 1_000
    theirs, rewards = best_of(1, lambda: peer_rewards(texts[:some], references[:some]))
    agree = sum(a == b for a, b in zip(rewards, expected, strict=False))
    peer_each, each = theirs.cpu / some, ours.cpu / count
    return table(
        title,
        ["", "right", "CPU per completion", "completions/s"],
        [
            ["assay.Scorer", f"{count}/{count}", seconds(each), f"{1 / each:,.0f}"],
            [f"math-verify (first {some:,})", f"{agree}/{some}", seconds(peer_each), f"{1 / peer_each:,.0f}"],
            ["ratio", "", f"{peer_each / each:,.0f}x", ""],
        ],
    )


def plain_formulas() -> list[tuple[str, str, bool]]:
    """The rows of verify.jsonl that need no options and have a verdict: gold, answer, equal."""
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    plain = [
        case
        for case in cases
        if case["expected"] in ("equal", "different") and not set(case) & {"kind", "tolerance", "units"}
    ]
    return [(case["gold"], case["answer"], case["expected"] == "equal") for case in plain]


def formulas_in_words(pairs: list[tuple[str, str, bool]], count: int) -> tuple[list[str], list[str]]:
    """R1-style completions of about 600 words with formulas as answers, and their references."""
    draw = random.Random(3)
    chosen = [pairs[index % len(pairs)] for index in range(count)]
    words = ["so", "then", "we", "add", "both", "sides", "and", "the", "total", "is", "$3 + 4 = 7$", "because"]
    thoughts = [" ".join(draw.choices(words, k=600)) for _ in chosen]
    texts = [
        f"<think>{thought}</think>\n<answer>\\boxed{{{answer}}}</answer>"
        for thought, (_, answer, _) in zip(thoughts, chosen, strict=True)
    ]
    return texts, [gold for gold, *_ in chosen]


def scaling(formulas: list[tuple[str, str, bool]]) -> str:
    """Wall time of one thread over that of two, each the least of seven rounds in turn."""
    short, short_references, _ = completions(10_000)
    long = formulas_in_words(formulas, 4_000)
    rows = []
    for name, spec, texts, references in (
        ("60 words and a number, accuracy + format", FULL, short * 10, short_references * 10),
        ("600 words and a formula, accuracy + format + language + repetition", FOUR, *long),
    ):
        one, two = (assay.Scorer(spec, threads=threads) for threads in (1, 2))
        alone, together = [], []
        for _ in range(7):
            first, expected = best_of(1, partial(one.score, texts, references))
            second, found = best_of(1, partial(two.score, texts, references))
            assert found.total.tobytes() == expected.total.tobytes(), "two threads find something else"
            alone.append(first.wall)
            together.append(second.wall)
        each = min(alone) / len(texts)
        rows.append([name, f"{len(texts):,}", seconds(each), f"{min(alone) / min(together):.2f}x"])
    return table("Two threads", ["", "completions", "one thread, each", "one thread over two"], rows)


MEMORY = """
import json, sys
from pathlib import Path
{setup}
rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
pairs = [(row["gold"], row["answer"]) for row in rows if isinstance(row["gold"], str) and isinstance(row["answer"], str)]
call("5 km", "\\\\sin 1")
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before = peak()
for gold, answer in pairs:
    call(gold, answer)
print(before, peak() - before, len(pairs))
"""
SETUPS = {
    "assay": "from assay import verify as call",
    "math-verify 0.9": "import math_verify\n"
    "def call(gold, answer):\n"
    "    math_verify.verify(math_verify.parse(f'${gold}$'), math_verify.parse(f'${answer}$'))",
}


def memory() -> str:
    """Peak resident memory after the import and one call, and its growth over the rows of verify.jsonl, in a process each."""
    rows = []
    for name, setup in SETUPS.items():
        program = MEMORY.format(setup=setup)
        done = subprocess.run([sys.executable, "-c", program, str(CASES)], capture_output=True, text=True, check=True)
        before, growth, count = map(int, done.stdout.split())
        rows.append([name, f"{before / 1024:.0f} MB", f"{growth / 1024:.1f} MB", f"{count:,}"])
    return table("Memory of one process", ["", "after one call", "growth of the peak over all rows", "rows"], rows)


def run() -> list[str]:
    """All tables of this file."""
    numbers = number_pairs(2_000)
    formulas = plain_formulas()
    return [
        compare_calls("verify, GSM8K-style numbers, per call from Python", numbers, 500),
        compare_calls(
            f"verify, the {len(formulas)} plain rows of tests/cases/verify.jsonl, per call", formulas, len(formulas)
        ),
        compare_batch("10,000 number completions, accuracy + format, one core", FULL, completions(10_000)),
        compare_batch("10,000 number answers in a box, accuracy, one core", {"accuracy": 1.0}, bare_answers(10_000)),
        scaling(formulas),
        memory(),
    ]
