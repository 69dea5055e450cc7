"""The examples in docstrings run, those of the extension too."""

import doctest
import importlib

import numpy as np
import pytest

from assay import _native

MODULES = [
    "assay",
    "assay.batch",
    "assay.integrations.trl",
    "assay.integrations.verl",
    "assay.rewards.scorer",
    "assay.scores",
    "assay.spec",
]
NATIVE = [_native.verify, _native.extract, _native.SamplingBatcher]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("documented", NATIVE, ids=lambda value: value.__name__)
def test_examples_of_the_extension(documented: object) -> None:
    text = documented.__doc__
    assert text is not None
    name = documented.__name__  # type: ignore[attr-defined]
    test = doctest.DocTestParser().get_doctest(text, {"np": np}, name, None, None)
    assert test.examples, f"{name} has no example"
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0
