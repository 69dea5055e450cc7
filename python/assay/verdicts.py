"""The closed vocabularies of a comparison: each member is also its plain string."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What a comparison found."""

    EQUAL = "equal"
    """The same answer."""
    DIFFERENT = "different"
    """Not the same answer."""
    UNDECIDED = "undecided"
    """Not read, or not settled within the fuel. Never a synonym for wrong."""


class Stage(StrEnum):
    """The step that settled a comparison, cheapest first."""

    TEXT = "text"
    """The two texts are the same after normalisation."""
    EXACT = "exact"
    """Exact arithmetic."""
    MODULAR = "modular"
    """Rational functions modulo primes; probabilistic for `equal`."""
    NUMERIC = "numeric"
    """Ball arithmetic."""
    STRUCTURE = "structure"
    """Sets, intervals, relations, choices: part by part."""
    TOLERANCE = "tolerance"
    """A decimal tolerance."""
    PARSE = "parse"
    """Nothing could be parsed."""
    FUEL = "fuel"
    """The fuel ran out."""


class Source(StrEnum):
    """How an answer was found in a completion."""

    ANSWER_TAG = "answer_tag"
    """Inside `<answer>`."""
    BOXED = "boxed"
    """Inside the last balanced `\\boxed{}`."""
    HASHES = "hashes"
    """After `####`."""
    ANCHOR = "anchor"
    """After words such as "the answer is"."""
    CHOICE = "choice"
    """An option letter."""
    FORMULA = "formula"
    """The last formula."""
    NUMBER = "number"
    """The last number."""
    WHOLE = "whole"
    """The whole text."""
