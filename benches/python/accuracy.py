"""Verdicts of assay and of other graders on generated pairs, by category, in one run; see peers.py for which graders.

The generator is this project's own and its cases were looked at while the verifier was written: the table shows where
the two differ, not what either does on unseen data. A pair's label follows from how it was made.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from common import percentile, seconds, table
from pairs import MAKERS, PER_CATEGORY, Pair, pairs_of
from peers import Judged, available

import assay

WIDE = Path(__file__).resolve().parents[2] / "tests" / "cases" / "verify_wide.jsonl"


def wide_pairs() -> list[Pair]:
    """The rows of tests/cases/verify_wide.jsonl: one of each kind of answer, and what is near it."""
    rows = [json.loads(line) for line in WIDE.read_text(encoding="utf-8").splitlines()]
    return [(row["gold"], row["answer"], row["expected"] == "equal") for row in rows]


def ours(gold: str, answer: str) -> Judged:
    """assay's verdict, with its CPU time."""
    started = time.thread_time_ns()
    equal = bool(assay.verify(gold, answer))
    return Judged(equal=equal, failed=False, seconds=(time.thread_time_ns() - started) * 1e-9)


@dataclass
class Tally:
    """What one grader made of the pairs of one category, or of all."""

    wrong_no: int = 0
    wrong_yes: int = 0
    failed: int = 0
    times: list[float] = field(default_factory=list[float])

    def count(self, equal: bool, said: Judged) -> None:
        """Adds one verdict."""
        self.wrong_no += equal and not said.equal
        self.wrong_yes += said.equal and not equal
        self.failed += said.failed
        self.times.append(said.seconds)

    def __str__(self) -> str:
        return f"{self.wrong_no} / {self.wrong_yes}"

    @property
    def median(self) -> str:
        """The median CPU time of a pair."""
        return seconds(percentile(sorted(self.times), 0.5))


def run() -> list[str]:
    """The table of this file."""
    peers = available()
    judges = {"assay": ours, **{peer.name: peer.judge for peer in peers}}
    totals = {name: Tally() for name in judges}
    categories = {name: pairs_of(name, PER_CATEGORY) for name in MAKERS}
    rows = []
    for category, pairs in [*categories.items(), ("one of each kind", wide_pairs())]:
        tallies = {name: Tally() for name in judges}
        # One grader after the other, so that none waits for the others with cold caches.
        for (name, judge), (gold, answer, equal) in itertools.product(judges.items(), pairs):
            said = judge(gold, answer)
            tallies[name].count(equal, said)
            totals[name].count(equal, said)
        assert tallies["assay"].wrong_yes == 0, f"{category}: assay accepted a wrong answer"
        rows.append([category, str(len(pairs)), *map(str, tallies.values())])
    for peer in peers:
        peer.close()
    count = len(totals["assay"].times)
    rows.append(["all: FN / FP", str(count), *map(str, totals.values())])
    rows.append(["right", "", *(f"{1 - (tally.wrong_no + tally.wrong_yes) / count:.1%}" for tally in totals.values())])
    rows.append(["exceptions and hangs", "", *(str(tally.failed) for tally in totals.values())])
    rows.append(["CPU time, p50", "", *(tally.median for tally in totals.values())])
    return [
        table("Wrongly different / wrongly equal (the pairs are our own, not held out)", ["", "pairs", *judges], rows)
    ]
