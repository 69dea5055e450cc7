"""Configuration errors point at what the reader wrote, however deep, with the nearest valid name."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from assay.data import StrictModel, check
from assay.errors import InvalidSpecError


class Leaf(StrictModel):
    size: int = Field(default=1, ge=1)
    ratio: float | None = None


class First(StrictModel):
    kind: Literal["first"] = "first"
    leaf: Leaf = Leaf()
    steps: int = 1


class Second(StrictModel):
    kind: Literal["second"]
    leaves: list[Leaf] = Field(default_factory=list[Leaf])
    table: dict[str, Leaf] = Field(default_factory=dict[str, Leaf])


Member = Annotated[First | Second, Field(discriminator="kind")]


class Tree(StrictModel):
    name: str
    stage: list[Member] = Field(default_factory=list[Member])
    extra: Member | None = None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"nme": "x"}, "f: nme: unknown key; did you mean 'name'? (and 1 more)"),
        ({}, "f: name: this key is required"),
        ({"name": "x", "zzz": 1}, "f: zzz: unknown key; known keys: extra, name, stage"),
        ({"name": "x", "stage": [{"kind": "first", "stps": 1}]}, "f: stage.0.stps: unknown key; did you mean 'steps'?"),
        ({"name": "x", "stage": [{"kind": "third"}]}, "f: stage.0: 'third' is not one of first, second"),
        ({"name": "x", "stage": [{"steps": 1}]}, "f: stage.0: the key kind is required"),
        (
            {"name": "x", "stage": [{"kind": "first", "leaf": {"sze": 1}}]},
            "f: stage.0.leaf.sze: unknown key; did you mean",
        ),
        (
            {"name": "x", "stage": [{"kind": "first"}, {"kind": "second", "leaves": [{"size": 0}]}]},
            "f: stage.1.leaves.0.size: input should be greater than or equal to 1, got 0",
        ),
        (
            {"name": "x", "extra": {"kind": "second", "table": {"a": {"sie": 1}}}},
            "f: extra.table.a.sie: unknown key; did",
        ),
        (
            {"name": "x", "extra": {"kind": "first", "leaf": {"ratio": "a"}}},
            "f: extra.leaf.ratio: input should be a valid",
        ),
        ({"name": 3}, "f: name: input should be a valid string, got 3"),
        ([], "f: input should be"),
    ],
)
def test_the_message(table: object, expected: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        check(Tree, table, where="f")
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_what_is_right_passes() -> None:
    tree = check(Tree, {"name": "x", "stage": [{"kind": "second", "leaves": [{"size": 2}]}]}, where="f")
    assert tree.stage[0].leaves[0].size == 2
