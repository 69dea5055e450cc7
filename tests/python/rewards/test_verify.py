"""`verify` and `extract` from Python: arguments, types, documents. What they decide is in tests/cases."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay


def test_verdict() -> None:
    verdict = assay.verify("1,024", "$1024$")
    assert verdict
    assert verdict.outcome is assay.Outcome.EQUAL
    assert verdict.outcome == "equal"
    assert verdict.stage in assay.Stage
    assert verdict.reason
    assert not verdict.probable
    assert repr(verdict).startswith("Verdict(outcome='equal', stage='")
    other = assay.verify("4", "5")
    assert not other
    assert other.outcome is assay.Outcome.DIFFERENT


def test_options() -> None:
    assert assay.verify("0.3", "0.3", tolerance="exact")
    assert not assay.verify("3.14", "3.15", tolerance={"absolute": 0.001})
    assert assay.verify("3.14", "3.15", tolerance={"absolute": 0.1, "relative": 0.0})
    assert assay.verify("B", "B", kind="choice")


def test_profile_reads_a_completion() -> None:
    completion = "<think>\\boxed{3}</think> It is \\boxed{4}."
    assert assay.verify("4", completion, profile="r1")
    assert not assay.verify("3", completion, profile="r1")
    missing = assay.verify("4", "<think>never closed", profile="r1")
    assert missing.outcome is assay.Outcome.DIFFERENT
    assert missing.reason == "no answer: think block is not closed"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "nmber"}, assay.InvalidSpecError, "kind: unknown value `nmber`; did you mean `number`?"),
        ({"units": "ingore"}, assay.InvalidSpecError, "did you mean `ignore`"),
        ({"profile": "r2"}, assay.InvalidSpecError, "did you mean `r1`"),
        ({"tolerance": "exat"}, assay.InvalidSpecError, "`tolerance`"),
        ({"tolerance": {"absolute": -1}}, assay.InvalidSpecError, "`tolerance.absolute` must not be negative"),
        ({"tolerance": {"absolute": math.nan}}, assay.InvalidInputError, "tolerance"),
        ({"tolerance": {1, 2}}, assay.InvalidInputError, "tolerance"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        assay.verify("1", "2", **options)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_extract() -> None:
    completion = "<think>2+2</think> Über: \\boxed{4}"
    found = assay.extract(completion)
    assert found is not None
    assert (found.text, found.source) == ("4", assay.Source.BOXED)
    start, stop = found.span
    assert completion[start:stop] == "4"  # characters, as Python counts
    assert assay.extract("<think>4") is None
    assert repr(found) == f"Extraction(text=\"4\", span=({start}, {stop}), source='boxed')"


@given(text=st.text(max_size=80), gold=st.text(max_size=20))
def test_any_text_gives_a_verdict(text: str, gold: str) -> None:
    """Lone surrogates included, which have no UTF-8."""
    assert assay.verify(gold, text).outcome in assay.Outcome
    found = assay.extract(text)
    assert found is None or 0 <= found.span[0] <= found.span[1] <= len(text)


def test_lone_surrogates_are_data() -> None:
    assert assay.verify("4", "\ud800") is not None
    scores = assay.Scorer("accuracy").score(["\ud800 The answer is 4."], ["4"])
    assert scores.total.tolist() == [1.0]
