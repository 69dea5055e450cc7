from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnUndecided(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_UNDECIDED_UNSPECIFIED: _ClassVar[OnUndecided]
    ON_UNDECIDED_NONE: _ClassVar[OnUndecided]
    ON_UNDECIDED_ZERO: _ClassVar[OnUndecided]

class Profile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROFILE_UNSPECIFIED: _ClassVar[Profile]
    PROFILE_R1: _ClassVar[Profile]
    PROFILE_MATH_VERIFY: _ClassVar[Profile]
    PROFILE_DAPO: _ClassVar[Profile]
    PROFILE_PRIME_MATH: _ClassVar[Profile]
    PROFILE_GSM8K_STRICT: _ClassVar[Profile]
    PROFILE_GSM8K_FLEXIBLE: _ClassVar[Profile]
    PROFILE_HENDRYCKS: _ClassVar[Profile]
    PROFILE_MATH_RUBRIC: _ClassVar[Profile]
    PROFILE_TRL: _ClassVar[Profile]
    PROFILE_OPEN_R1: _ClassVar[Profile]

class Answer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_UNSPECIFIED: _ClassVar[Answer]
    ANSWER_AUTO: _ClassVar[Answer]
    ANSWER_NUMBER: _ClassVar[Answer]
    ANSWER_MATH: _ClassVar[Answer]
    ANSWER_CHOICE: _ClassVar[Answer]
    ANSWER_TEXT: _ClassVar[Answer]

class ToleranceRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOLERANCE_RULE_UNSPECIFIED: _ClassVar[ToleranceRule]
    TOLERANCE_RULE_LAST_PLACE: _ClassVar[ToleranceRule]
    TOLERANCE_RULE_EXACT: _ClassVar[ToleranceRule]
    TOLERANCE_RULE_WITHIN: _ClassVar[ToleranceRule]

class Units(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNITS_UNSPECIFIED: _ClassVar[Units]
    UNITS_IGNORE: _ClassVar[Units]
    UNITS_REQUIRE: _ClassVar[Units]
    UNITS_CONVERT: _ClassVar[Units]

class LengthMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LENGTH_MODE_UNSPECIFIED: _ClassVar[LengthMode]
    LENGTH_MODE_COSINE: _ClassVar[LengthMode]
    LENGTH_MODE_SOFT_OVERLONG: _ClassVar[LengthMode]

class LengthUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LENGTH_UNIT_UNSPECIFIED: _ClassVar[LengthUnit]
    LENGTH_UNIT_TOKENS: _ClassVar[LengthUnit]
    LENGTH_UNIT_CHARACTERS: _ClassVar[LengthUnit]
    LENGTH_UNIT_WORDS: _ClassVar[LengthUnit]

class RepetitionUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPETITION_UNIT_UNSPECIFIED: _ClassVar[RepetitionUnit]
    REPETITION_UNIT_WORDS: _ClassVar[RepetitionUnit]
    REPETITION_UNIT_TOKENS: _ClassVar[RepetitionUnit]

class Part(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PART_UNSPECIFIED: _ClassVar[Part]
    PART_THOUGHTS: _ClassVar[Part]
    PART_COMPLETION: _ClassVar[Part]

class RewardModelMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REWARD_MODEL_MODE_UNSPECIFIED: _ClassVar[RewardModelMode]
    REWARD_MODEL_MODE_CLASSIFY: _ClassVar[RewardModelMode]
    REWARD_MODEL_MODE_JUDGE: _ClassVar[RewardModelMode]

class Input(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INPUT_UNSPECIFIED: _ClassVar[Input]
    INPUT_RESPONSE: _ClassVar[Input]
    INPUT_SUMMARY: _ClassVar[Input]
    INPUT_ANSWER: _ClassVar[Input]
ON_UNDECIDED_UNSPECIFIED: OnUndecided
ON_UNDECIDED_NONE: OnUndecided
ON_UNDECIDED_ZERO: OnUndecided
PROFILE_UNSPECIFIED: Profile
PROFILE_R1: Profile
PROFILE_MATH_VERIFY: Profile
PROFILE_DAPO: Profile
PROFILE_PRIME_MATH: Profile
PROFILE_GSM8K_STRICT: Profile
PROFILE_GSM8K_FLEXIBLE: Profile
PROFILE_HENDRYCKS: Profile
PROFILE_MATH_RUBRIC: Profile
PROFILE_TRL: Profile
PROFILE_OPEN_R1: Profile
ANSWER_UNSPECIFIED: Answer
ANSWER_AUTO: Answer
ANSWER_NUMBER: Answer
ANSWER_MATH: Answer
ANSWER_CHOICE: Answer
ANSWER_TEXT: Answer
TOLERANCE_RULE_UNSPECIFIED: ToleranceRule
TOLERANCE_RULE_LAST_PLACE: ToleranceRule
TOLERANCE_RULE_EXACT: ToleranceRule
TOLERANCE_RULE_WITHIN: ToleranceRule
UNITS_UNSPECIFIED: Units
UNITS_IGNORE: Units
UNITS_REQUIRE: Units
UNITS_CONVERT: Units
LENGTH_MODE_UNSPECIFIED: LengthMode
LENGTH_MODE_COSINE: LengthMode
LENGTH_MODE_SOFT_OVERLONG: LengthMode
LENGTH_UNIT_UNSPECIFIED: LengthUnit
LENGTH_UNIT_TOKENS: LengthUnit
LENGTH_UNIT_CHARACTERS: LengthUnit
LENGTH_UNIT_WORDS: LengthUnit
REPETITION_UNIT_UNSPECIFIED: RepetitionUnit
REPETITION_UNIT_WORDS: RepetitionUnit
REPETITION_UNIT_TOKENS: RepetitionUnit
PART_UNSPECIFIED: Part
PART_THOUGHTS: Part
PART_COMPLETION: Part
REWARD_MODEL_MODE_UNSPECIFIED: RewardModelMode
REWARD_MODEL_MODE_CLASSIFY: RewardModelMode
REWARD_MODEL_MODE_JUDGE: RewardModelMode
INPUT_UNSPECIFIED: Input
INPUT_RESPONSE: Input
INPUT_SUMMARY: Input
INPUT_ANSWER: Input

class RewardSpec(_message.Message):
    __slots__ = ("on_undecided", "components", "revision")
    ON_UNDECIDED_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    on_undecided: OnUndecided
    components: _containers.RepeatedCompositeFieldContainer[Component]
    revision: int
    def __init__(self, on_undecided: _Optional[_Union[OnUndecided, str]] = ..., components: _Optional[_Iterable[_Union[Component, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class Component(_message.Message):
    __slots__ = ("name", "weight", "accuracy", "format", "tags", "length", "repetition", "language", "readability", "reward_model", "plugin")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    REPETITION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    READABILITY_FIELD_NUMBER: _ClassVar[int]
    REWARD_MODEL_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    accuracy: Accuracy
    format: Format
    tags: Tags
    length: Length
    repetition: Repetition
    language: Language
    readability: Readability
    reward_model: RewardModel
    plugin: Plugin
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ..., accuracy: _Optional[_Union[Accuracy, _Mapping]] = ..., format: _Optional[_Union[Format, _Mapping]] = ..., tags: _Optional[_Union[Tags, _Mapping]] = ..., length: _Optional[_Union[Length, _Mapping]] = ..., repetition: _Optional[_Union[Repetition, _Mapping]] = ..., language: _Optional[_Union[Language, _Mapping]] = ..., readability: _Optional[_Union[Readability, _Mapping]] = ..., reward_model: _Optional[_Union[RewardModel, _Mapping]] = ..., plugin: _Optional[_Union[Plugin, _Mapping]] = ...) -> None: ...

class Accuracy(_message.Message):
    __slots__ = ("profile", "answer", "tolerance", "units", "think_in_prompt")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    THINK_IN_PROMPT_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    answer: Answer
    tolerance: Tolerance
    units: Units
    think_in_prompt: bool
    def __init__(self, profile: _Optional[_Union[Profile, str]] = ..., answer: _Optional[_Union[Answer, str]] = ..., tolerance: _Optional[_Union[Tolerance, _Mapping]] = ..., units: _Optional[_Union[Units, str]] = ..., think_in_prompt: _Optional[bool] = ...) -> None: ...

class Tolerance(_message.Message):
    __slots__ = ("rule", "absolute", "relative")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ABSOLUTE_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    rule: ToleranceRule
    absolute: float
    relative: float
    def __init__(self, rule: _Optional[_Union[ToleranceRule, str]] = ..., absolute: _Optional[float] = ..., relative: _Optional[float] = ...) -> None: ...

class Format(_message.Message):
    __slots__ = ("think_in_prompt",)
    THINK_IN_PROMPT_FIELD_NUMBER: _ClassVar[int]
    think_in_prompt: bool
    def __init__(self, think_in_prompt: _Optional[bool] = ...) -> None: ...

class Tags(_message.Message):
    __slots__ = ("think_in_prompt",)
    THINK_IN_PROMPT_FIELD_NUMBER: _ClassVar[int]
    think_in_prompt: bool
    def __init__(self, think_in_prompt: _Optional[bool] = ...) -> None: ...

class Length(_message.Message):
    __slots__ = ("mode", "unit", "max_length", "buffer", "min_correct", "max_correct", "min_wrong", "max_wrong")
    MODE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    MIN_CORRECT_FIELD_NUMBER: _ClassVar[int]
    MAX_CORRECT_FIELD_NUMBER: _ClassVar[int]
    MIN_WRONG_FIELD_NUMBER: _ClassVar[int]
    MAX_WRONG_FIELD_NUMBER: _ClassVar[int]
    mode: LengthMode
    unit: LengthUnit
    max_length: int
    buffer: int
    min_correct: float
    max_correct: float
    min_wrong: float
    max_wrong: float
    def __init__(self, mode: _Optional[_Union[LengthMode, str]] = ..., unit: _Optional[_Union[LengthUnit, str]] = ..., max_length: _Optional[int] = ..., buffer: _Optional[int] = ..., min_correct: _Optional[float] = ..., max_correct: _Optional[float] = ..., min_wrong: _Optional[float] = ..., max_wrong: _Optional[float] = ...) -> None: ...

class Repetition(_message.Message):
    __slots__ = ("unit", "ngram", "max_penalty")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NGRAM_FIELD_NUMBER: _ClassVar[int]
    MAX_PENALTY_FIELD_NUMBER: _ClassVar[int]
    unit: RepetitionUnit
    ngram: int
    max_penalty: float
    def __init__(self, unit: _Optional[_Union[RepetitionUnit, str]] = ..., ngram: _Optional[int] = ..., max_penalty: _Optional[float] = ...) -> None: ...

class Language(_message.Message):
    __slots__ = ("target", "part", "think_in_prompt")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    THINK_IN_PROMPT_FIELD_NUMBER: _ClassVar[int]
    target: str
    part: Part
    think_in_prompt: bool
    def __init__(self, target: _Optional[str] = ..., part: _Optional[_Union[Part, str]] = ..., think_in_prompt: _Optional[bool] = ...) -> None: ...

class Readability(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RewardModel(_message.Message):
    __slots__ = ("endpoint", "mode", "input", "think_in_prompt", "template", "system", "low", "high", "max_tokens", "missing")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    THINK_IN_PROMPT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    mode: RewardModelMode
    input: Input
    think_in_prompt: bool
    template: str
    system: str
    low: float
    high: float
    max_tokens: int
    missing: float
    def __init__(self, endpoint: _Optional[str] = ..., mode: _Optional[_Union[RewardModelMode, str]] = ..., input: _Optional[_Union[Input, str]] = ..., think_in_prompt: _Optional[bool] = ..., template: _Optional[str] = ..., system: _Optional[str] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., max_tokens: _Optional[int] = ..., missing: _Optional[float] = ..., **kwargs) -> None: ...

class Plugin(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...
