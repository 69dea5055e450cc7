"""`RewardSpec`: which components a reward has, and how much each weighs.

Wherever a spec is taken, these work: `"accuracy"`; `{"accuracy": 1.0, "format": 0.5}`; the full mapping; a
`RewardSpec`; the path of a TOML file. They all mean what the Rust core says they mean: it reads and checks every one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, cast

from assay import _native
from assay.errors import InvalidInputError, InvalidSpecError


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """1 if the answer equals the reference, else 0."""

    kind: ClassVar[str] = "accuracy"
    name: str = "accuracy"
    weight: float = 1.0
    profile: str = "r1"
    """Where the answer stands in the completion."""
    think_in_prompt: bool = False
    """The prompt already ended in `<think>`, so that a completion without `</think>` has no answer."""
    answer: Literal["auto", "number", "math", "choice", "text"] = "auto"
    """What sort of answer the reference is."""
    tolerance: Literal["last_place", "exact"] | Mapping[str, float] = "last_place"
    """When a decimal may stand for an exact value; a mapping has `absolute` and `relative`."""
    units: Literal["ignore", "require", "convert"] = "ignore"
    """How units are treated."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """1 if the completion is one think block and then one answer block, else 0."""

    kind: ClassVar[str] = "format"
    name: str = "format"
    weight: float = 1.0
    think_in_prompt: bool = False
    """The prompt already ended in `<think>`."""


@dataclass(frozen=True, kw_only=True)
class Tags:
    """A quarter for each think or answer tag that occurs exactly once."""

    kind: ClassVar[str] = "tags"
    name: str = "tags"
    weight: float = 1.0
    think_in_prompt: bool = False
    """The prompt already ended in `<think>`, which then counts as present."""


@dataclass(frozen=True, kw_only=True)
class Length:
    """A reward for, or a penalty on, the length. Options that belong to the other mode stay None."""

    kind: ClassVar[str] = "length"
    name: str = "length"
    weight: float = 1.0
    mode: Literal["cosine", "soft_overlong"]
    """`cosine` as in open-r1, `soft_overlong` as in DAPO."""
    max_length: int
    """Where the curve ends."""
    unit: Literal["tokens", "characters", "words"] = "tokens"
    """What is counted."""
    min_correct: float | None = None
    """`cosine`: a right answer at `max_length`; 0.5."""
    max_correct: float | None = None
    """`cosine`: a right answer of length 0; 1.0."""
    min_wrong: float | None = None
    """`cosine`: a wrong answer of length 0; -1.0."""
    max_wrong: float | None = None
    """`cosine`: a wrong answer at `max_length`; -0.5."""
    buffer: int | None = None
    """`soft_overlong`: the length of the falling stretch; required there."""


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """A penalty on repeated n-grams."""

    kind: ClassVar[str] = "repetition"
    name: str = "repetition"
    weight: float = 1.0
    unit: Literal["words", "tokens"] = "words"
    """What an n-gram is made of."""
    ngram: int = 3
    """Items per n-gram."""
    max_penalty: float = -1.0
    """The value when everything repeats."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """The share of the chain of thought that is in the target language, from 0 to 1 (DeepSeek-R1).

    Words count; code, formulas, numbers and names do not. A text without words gets 1.
    """

    kind: ClassVar[str] = "language"
    name: str = "language"
    weight: float = 1.0
    target: str
    """The ISO 639-1 code of one of 62 languages: `en`, `zh`, `de` ..."""
    part: Literal["thoughts", "completion"] = "thoughts"
    """What is looked at: the chain of thought (all of a completion without think tags), or everything."""
    think_in_prompt: bool = False
    """The prompt already ended in `<think>`, so that the completion starts with thoughts."""


@dataclass(frozen=True, kw_only=True)
class Readability:
    """1 less the shares of loops, endless lines and (tenfold) garbled characters, at least 0."""

    kind: ClassVar[str] = "readability"
    name: str = "readability"
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RewardModel:
    """The output of a reward model, or the grade of a judge, behind an endpoint that the scorer or its server knows by name.

    What the endpoint cannot say is the status `unavailable` with a reason, and never a number.
    """

    kind: ClassVar[str] = "reward_model"
    name: str = "reward_model"
    weight: float = 1.0
    endpoint: str
    """The name of the endpoint: a key of `Scorer(reward_models=...)`, or `[reward_model.NAME]` of the server."""
    mode: Literal["classify", "judge"] = "classify"
    """`classify`: the output of a sequence classifier as it is; `judge`: the number in a chat model's reply, in [0, 1]."""
    input: Literal["response", "summary", "answer"] = "response"
    """What it sees: everything, what follows the thoughts, or the body of the answer block."""
    think_in_prompt: bool = False
    """The prompt already ended in `<think>`, so that the completion starts with thoughts."""
    template: str | None = None
    """What is sent; `{prompt}`, `{completion}`, `{reference}`, `{low}` and `{high}` are filled in."""
    system: str | None = None
    """`judge`: the system message."""
    class_: int | None = None
    """`classify`: which output counts, where the model has several. Written `class` in TOML and JSON."""
    low: float = 1.0
    """`judge`: the worst grade, worth 0."""
    high: float = 10.0
    """`judge`: the best grade, worth 1."""
    max_tokens: int = 512
    """`judge`: most tokens of its reply."""
    missing: float | None = None
    """The value of a completion in which `input` is empty; None asks the model about the empty text."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """The value that a user's function gives; see docs/components.md."""

    kind: ClassVar[str] = "plugin"
    name: str = "plugin"
    weight: float = 1.0
    function: str
    """The name of the function: a key of `Scorer(plugins=...)`, or `[plugin.NAME]` of the server."""


Component: TypeAlias = Accuracy | Format | Tags | Length | Repetition | Language | Readability | RewardModel | Plugin

_KINDS: dict[str, type[Component]] = {
    "accuracy": Accuracy,
    "format": Format,
    "tags": Tags,
    "length": Length,
    "repetition": Repetition,
    "language": Language,
    "readability": Readability,
    "reward_model": RewardModel,
    "plugin": Plugin,
}

# Options whose name is a word of Python.
_FIELD_OF = {"class": "class_"}
_KEY_OF = {field: key for key, field in _FIELD_OF.items()}


@dataclass(frozen=True)
class RewardSpec:
    """A reward: the weighted sum of its components.

    >>> spec = RewardSpec([Accuracy(), Format(weight=0.5)])
    >>> spec == RewardSpec.of({"accuracy": 1.0, "format": 0.5})
    True
    >>> RewardSpec.of("acuracy")
    Traceback (most recent call last):
    assay.errors.InvalidSpecError: component 1: unknown kind `acuracy`; did you mean `accuracy`?
    """

    components: Sequence[Component]
    """At least one, names unique, in the order of the sum."""
    on_undecided: Literal["none", "zero"] = "none"
    """What an answer that could be neither confirmed nor refuted is worth: no number, or accuracy 0."""

    def __post_init__(self) -> None:
        """Checks everything, in Rust, and fills in every option.

        Raises:
            InvalidSpecError: naming the component and the option.
        """
        table = json.loads(_native.parse_spec(self.to_json()))
        object.__setattr__(self, "components", tuple(_component(component) for component in table["component"]))

    @classmethod
    def of(cls, spec: SpecLike) -> RewardSpec:
        """Any spelling of a spec as a `RewardSpec` with every option filled in.

        Raises:
            InvalidSpecError: naming the component and the option, with the nearest valid name for an unknown one.
            InvalidInputError: the TOML file cannot be read.
        """
        if isinstance(spec, RewardSpec):
            return spec
        table = json.loads(canonical_json(spec))
        components = [_component(component) for component in table["component"]]
        return cls(components, table["on_undecided"])

    def to_dict(self) -> dict[str, Any]:
        """The full mapping, as TOML and JSON hold it."""
        return {
            "on_undecided": self.on_undecided,
            "component": [_table(component) for component in self.components],
        }

    def to_json(self) -> str:
        """The full mapping as JSON."""
        return _dump(self.to_dict())

    def to_toml(self) -> str:
        """The full mapping as TOML."""
        lines = [f"on_undecided = {json.dumps(self.on_undecided)}"]
        for component in self.components:
            lines += ["", "[[component]]"]
            lines += [f"{key} = {_toml(value)}" for key, value in _table(component).items()]
        return "\n".join(lines) + "\n"


def asks_outside(spec_json: str) -> bool:
    """Whether a canonical spec has a component that the core cannot compute, and that may look at prompts."""
    return any(component["kind"] in {RewardModel.kind, Plugin.kind} for component in json.loads(spec_json)["component"])


SpecLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | RewardSpec
"""What every function that takes a spec accepts."""


def canonical_json(spec: SpecLike) -> str:
    """Any spelling of a spec as checked JSON with every option written out: what the core and the wire take.

    Raises:
        InvalidSpecError: naming the component and the option.
        InvalidInputError: the TOML file cannot be read.
    """
    if isinstance(spec, RewardSpec):
        return _native.parse_spec(spec.to_json())
    if isinstance(spec, os.PathLike) or (isinstance(spec, str) and _is_path(spec)):
        return _from_file(Path(spec))
    if isinstance(spec, str):
        return _native.parse_spec(spec if spec.lstrip().startswith("{") else json.dumps(spec))
    if isinstance(spec, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users are not type-checked
        return _native.parse_spec(_dump(spec))
    raise InvalidSpecError(
        f"a reward spec is a kind, a mapping, a RewardSpec or the path of a TOML file, not {type(spec).__name__}"
    )


def _is_path(spec: str) -> bool:
    return not spec.lstrip().startswith("{") and (spec.endswith(".toml") or "/" in spec or os.sep in spec)


def _from_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidInputError(f"{path}: cannot read the reward spec: {why}") from error
    try:
        return _native.parse_spec(text, toml=True)
    except InvalidSpecError as error:
        raise InvalidSpecError(f"{path}: {error}") from None


def _component(table: dict[str, Any]) -> Component:
    kind = _KINDS[table.pop("kind")]
    return kind(**{_FIELD_OF.get(key, key): value for key, value in table.items()})


def _table(component: Component) -> dict[str, Any]:
    if not isinstance(component, tuple(_KINDS.values())):
        raise InvalidSpecError(f"a component is one of {', '.join(_KINDS)}, not {type(component).__name__}")
    options = {field.name: getattr(component, field.name) for field in fields(component)}
    given = {_KEY_OF.get(name, name): value for name, value in options.items() if value is not None}
    return {"kind": component.kind} | given


def _dump(value: object) -> str:
    try:
        return json.dumps(_plain(value))
    except TypeError as error:
        raise InvalidSpecError(f"reward spec: {error}") from None


def _plain(value: object) -> object:
    """JSON has no NaN or infinity; null in their place lets the core name the option."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {str(key): _plain(item) for key, item in mapping.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in items) + " }"
    return json.dumps(value)
