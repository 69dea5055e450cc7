"""math-verify's public test-suite, transcribed as data, against assay. docs/verification.md explains every disagreement.

A row agrees if one of three readings does: both texts as answers, both through the extraction of the profile
`math_verify`, or the answer through assay's own extraction.
"""

import json
from pathlib import Path
from typing import Any

import assay

ROOT = Path(__file__).resolve().parents[3]
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests/cases/peers/math_verify.jsonl").read_text(encoding="utf-8").splitlines()
]


def extracted(text: str, profile: str) -> str:
    found = assay.extract(text, profile=profile)
    return found.text if found else text


def accepted(gold: str, answer: str) -> bool:
    if assay.verify(gold, answer):
        return True
    reference = extracted(gold, "math_verify")
    return any(assay.verify(reference, extracted(answer, profile)) for profile in ("math_verify", "r1"))


def test_agreement_is_as_documented() -> None:
    disagreeing = {row["id"] for row in ROWS if accepted(row["gold"], row["answer"]) != row["expected"]}
    documented = {row["id"] for row in ROWS if "disagreement" in row}
    assert disagreeing == documented


def test_every_disagreement_has_its_place_in_the_document() -> None:
    document = (ROOT / "docs/verification.md").read_text(encoding="utf-8")
    reasons = {row["disagreement"] for row in ROWS if "disagreement" in row}
    for reason in sorted(reasons):
        assert f"| {reason} |" in document, reason
    agreeing = sum("disagreement" not in row for row in ROWS)
    assert f"{agreeing} of {len(ROWS)}" in document
