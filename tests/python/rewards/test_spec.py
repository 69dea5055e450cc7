"""RewardSpec from Python: every spelling means the same, every mistake is named."""

import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.spec import (
    Accuracy,
    Component,
    Format,
    Length,
    Plugin,
    Repetition,
    RewardModel,
    RewardSpec,
    Tags,
    canonical_json,
)

FINITE = st.floats(-1e6, 1e6)
COMPONENT: st.SearchStrategy[Component] = st.one_of(
    st.builds(
        Accuracy,
        weight=FINITE,
        profile=st.sampled_from(["r1", "dapo", "gsm8k_strict"]),
        answer=st.sampled_from(["auto", "number", "math", "choice", "text"]),
        tolerance=st.sampled_from(["last_place", "exact", {"absolute": 0.5, "relative": 0.0}]),
        units=st.sampled_from(["ignore", "require", "convert"]),
        think_in_prompt=st.booleans(),
    ),
    st.builds(Format, weight=FINITE, think_in_prompt=st.booleans()),
    st.builds(Tags, weight=FINITE, think_in_prompt=st.booleans()),
    st.builds(
        Length,
        weight=FINITE,
        mode=st.just("soft_overlong"),
        max_length=st.integers(10, 2**40),
        buffer=st.integers(1, 10),
        unit=st.sampled_from(["tokens", "characters", "words"]),
    ),
    st.builds(Length, weight=FINITE, mode=st.just("cosine"), max_length=st.integers(1, 2**40), min_correct=FINITE),
    st.builds(Repetition, weight=FINITE, ngram=st.integers(1, 64), max_penalty=st.floats(-10, 0)),
    st.builds(
        RewardModel,
        weight=FINITE,
        endpoint=st.just("helpful"),
        input=st.sampled_from(["response", "summary", "answer"]),
        template=st.sampled_from([None, "{prompt}\n{completion}", '"{completion}"']),
        class_=st.sampled_from([None, 0, 3]),
        missing=st.one_of(st.none(), FINITE),
    ),
    st.builds(RewardModel, endpoint=st.just("judge"), mode=st.just("judge"), high=st.floats(2, 100)),
    st.builds(Plugin, weight=FINITE, function=st.just("mine")),
)


@given(components=st.lists(COMPONENT, max_size=5), on_undecided=st.sampled_from(["none", "zero"]))
def test_every_form_of_a_spec_is_the_same_spec(
    components: list[Component], on_undecided: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    named = [type(part)(**(part.__dict__ | {"name": f"c{index}"})) for index, part in enumerate(components)]
    spec = RewardSpec([Accuracy(), *named], on_undecided=on_undecided)
    path = tmp_path_factory.mktemp("spec") / "spec.toml"
    path.write_text(spec.to_toml(), encoding="utf-8")
    for form in (spec.to_dict(), spec.to_json(), path, str(path), spec):
        assert RewardSpec.of(form) == spec
    assert canonical_json(spec) == canonical_json(path)
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_short_forms() -> None:
    assert RewardSpec.of("accuracy") == RewardSpec.of({"accuracy": 1}) == RewardSpec([Accuracy()])
    both = RewardSpec.of({"tags": 0.5, "accuracy": 1.0})
    assert both == RewardSpec([Tags(weight=0.5), Accuracy()])
    assert assay.Scorer(both).spec == both
    assert repr(assay.Scorer(both)) == "Scorer(tags=0.5, accuracy=1)"


def test_defaults_are_the_cores() -> None:
    """The Python classes hold no default that the core does not hold, too."""
    for component in (Accuracy(), Format(), Tags(), Repetition()):
        [filled] = json.loads(canonical_json(component.kind))["component"]
        assert filled == {"kind": component.kind, **component.__dict__}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("acuracy", "did you mean `accuracy`"),
        ({"accuracy": math.nan}, "`weight` must be a finite number"),
        ({"accuracy": math.inf}, "`weight` must be a finite number"),
        ({"accuracy": -1e10}, "`weight` must be a finite number"),
        ({}, "no component"),
        ({"component": [{"kind": "accuracy", "nmae": "a"}]}, "did you mean `name`"),
        ({"component": [{"kind": "format"}], "on_undecidd": "zero"}, "did you mean `on_undecided`"),
        ({"accuracy": object()}, "reward spec: Object of type object is not JSON serializable"),
        (7, "a reward spec is a kind, a mapping, a RewardSpec or the path of a TOML file, not int"),
        (["accuracy"], "not list"),
        ('{"accuracy": ', "reward spec: EOF"),
    ],
)
def test_mistakes_are_named(spec: Any, message: str) -> None:
    for use in (assay.Scorer, RewardSpec.of):
        with pytest.raises(assay.InvalidSpecError) as raised:
            use(spec)
        assert message in str(raised.value)
        assert isinstance(raised.value, ValueError)


def test_components_are_checked_where_they_are_put_together() -> None:
    with pytest.raises(assay.InvalidSpecError, match="no component"):
        RewardSpec([])
    with pytest.raises(assay.InvalidSpecError, match="used twice"):
        RewardSpec([Format(), Format()])
    with pytest.raises(assay.InvalidSpecError, match="a component is one of accuracy, format"):
        RewardSpec(["accuracy"])  # type: ignore[list-item]
    with pytest.raises(assay.InvalidSpecError, match="`cosine` needs"):
        RewardSpec([Length(mode="cosine", max_length=9)])
    with pytest.raises(assay.InvalidSpecError, match="unknown option `buffer`"):
        RewardSpec([Accuracy(), Length(mode="cosine", max_length=9, buffer=3)])


def test_files_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "spec.toml"
    with pytest.raises(assay.InvalidInputError, match=r"spec\.toml: cannot read the reward spec: No such file"):
        assay.Scorer(missing)
    missing.write_text("[[component]]\nkind = 'accuracy'\nweight = oops\n", encoding="utf-8")
    with pytest.raises(assay.InvalidSpecError, match=r"spec\.toml: reward spec, line 3"):
        assay.Scorer(str(missing))
    missing.write_bytes(b"\xff\xfe")
    with pytest.raises(assay.InvalidInputError, match="not UTF-8"):
        assay.Scorer(missing)
