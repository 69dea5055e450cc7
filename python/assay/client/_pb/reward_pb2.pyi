from . import spec_pb2 as _spec_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CODE_UNSPECIFIED: _ClassVar[ErrorCode]
    ERROR_CODE_UNDECIDED: _ClassVar[ErrorCode]
    ERROR_CODE_LIMIT: _ClassVar[ErrorCode]
    ERROR_CODE_INVALID_REFERENCE: _ClassVar[ErrorCode]
    ERROR_CODE_UNAVAILABLE: _ClassVar[ErrorCode]
    ERROR_CODE_INVALID_ITEM: _ClassVar[ErrorCode]
    ERROR_CODE_DEADLINE: _ClassVar[ErrorCode]
    ERROR_CODE_UNKNOWN_REFERENCE: _ClassVar[ErrorCode]
ERROR_CODE_UNSPECIFIED: ErrorCode
ERROR_CODE_UNDECIDED: ErrorCode
ERROR_CODE_LIMIT: ErrorCode
ERROR_CODE_INVALID_REFERENCE: ErrorCode
ERROR_CODE_UNAVAILABLE: ErrorCode
ERROR_CODE_INVALID_ITEM: ErrorCode
ERROR_CODE_DEADLINE: ErrorCode
ERROR_CODE_UNKNOWN_REFERENCE: ErrorCode

class ScoreRequest(_message.Message):
    __slots__ = ("request_id", "spec", "spec_sha256", "tokenizer_sha256", "items")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SPEC_SHA256_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_SHA256_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: _spec_pb2.RewardSpec
    spec_sha256: str
    tokenizer_sha256: str
    items: _containers.RepeatedCompositeFieldContainer[Item]
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[_spec_pb2.RewardSpec, _Mapping]] = ..., spec_sha256: _Optional[str] = ..., tokenizer_sha256: _Optional[str] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("id", "text", "token_ids", "reference", "prompt", "reference_sha256")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SHA256_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    token_ids: bytes
    reference: str
    prompt: str
    reference_sha256: str
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., token_ids: _Optional[bytes] = ..., reference: _Optional[str] = ..., prompt: _Optional[str] = ..., reference_sha256: _Optional[str] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("request_id", "components", "results", "references_found")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FOUND_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    components: _containers.RepeatedScalarFieldContainer[str]
    results: _containers.RepeatedCompositeFieldContainer[ItemResult]
    references_found: int
    def __init__(self, request_id: _Optional[str] = ..., components: _Optional[_Iterable[str]] = ..., results: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ..., references_found: _Optional[int] = ...) -> None: ...

class ScoreStreamRequest(_message.Message):
    __slots__ = ("open", "items")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    open: StreamOpen
    items: StreamItems
    def __init__(self, open: _Optional[_Union[StreamOpen, _Mapping]] = ..., items: _Optional[_Union[StreamItems, _Mapping]] = ...) -> None: ...

class StreamOpen(_message.Message):
    __slots__ = ("request_id", "spec", "spec_sha256", "tokenizer_sha256")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SPEC_SHA256_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_SHA256_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: _spec_pb2.RewardSpec
    spec_sha256: str
    tokenizer_sha256: str
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[_spec_pb2.RewardSpec, _Mapping]] = ..., spec_sha256: _Optional[str] = ..., tokenizer_sha256: _Optional[str] = ...) -> None: ...

class StreamItems(_message.Message):
    __slots__ = ("items", "timeout_ms")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    timeout_ms: int
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class ScoreStreamResponse(_message.Message):
    __slots__ = ("opened", "results")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    results: StreamResults
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., results: _Optional[_Union[StreamResults, _Mapping]] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ("request_id", "components", "window")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    components: _containers.RepeatedScalarFieldContainer[str]
    window: int
    def __init__(self, request_id: _Optional[str] = ..., components: _Optional[_Iterable[str]] = ..., window: _Optional[int] = ...) -> None: ...

class StreamResults(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ItemResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ...) -> None: ...

class ItemResult(_message.Message):
    __slots__ = ("id", "scored", "error", "components", "answer")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    id: str
    scored: Scored
    error: ItemError
    components: _containers.RepeatedCompositeFieldContainer[ComponentValue]
    answer: str
    def __init__(self, id: _Optional[str] = ..., scored: _Optional[_Union[Scored, _Mapping]] = ..., error: _Optional[_Union[ItemError, _Mapping]] = ..., components: _Optional[_Iterable[_Union[ComponentValue, _Mapping]]] = ..., answer: _Optional[str] = ...) -> None: ...

class Scored(_message.Message):
    __slots__ = ("total", "reason")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    total: float
    reason: str
    def __init__(self, total: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class ItemError(_message.Message):
    __slots__ = ("code", "retryable", "reason")
    CODE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    retryable: bool
    reason: str
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., retryable: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class ComponentValue(_message.Message):
    __slots__ = ("component", "value")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    component: int
    value: float
    def __init__(self, component: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...

class RegisterTokenizerRequest(_message.Message):
    __slots__ = ("tokenizer_json",)
    TOKENIZER_JSON_FIELD_NUMBER: _ClassVar[int]
    tokenizer_json: bytes
    def __init__(self, tokenizer_json: _Optional[bytes] = ...) -> None: ...

class RegisterTokenizerResponse(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class RegisterSpecRequest(_message.Message):
    __slots__ = ("spec",)
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: _spec_pb2.RewardSpec
    def __init__(self, spec: _Optional[_Union[_spec_pb2.RewardSpec, _Mapping]] = ...) -> None: ...

class RegisterSpecResponse(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class PutTestsRequest(_message.Message):
    __slots__ = ("tests",)
    TESTS_FIELD_NUMBER: _ClassVar[int]
    tests: str
    def __init__(self, tests: _Optional[str] = ...) -> None: ...

class PutTestsResponse(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "component_kinds", "limits", "tokenizers", "threads", "spec_schema_sha256", "sandbox", "reward_models", "plugins")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_KINDS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZERS_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    SPEC_SCHEMA_SHA256_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    REWARD_MODELS_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    version: str
    component_kinds: _containers.RepeatedScalarFieldContainer[str]
    limits: Limits
    tokenizers: _containers.RepeatedCompositeFieldContainer[TokenizerInfo]
    threads: int
    spec_schema_sha256: str
    sandbox: str
    reward_models: _containers.RepeatedScalarFieldContainer[str]
    plugins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., component_kinds: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., tokenizers: _Optional[_Iterable[_Union[TokenizerInfo, _Mapping]]] = ..., threads: _Optional[int] = ..., spec_schema_sha256: _Optional[str] = ..., sandbox: _Optional[str] = ..., reward_models: _Optional[_Iterable[str]] = ..., plugins: _Optional[_Iterable[str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_message_bytes", "max_items", "max_tests_bytes")
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_TESTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_message_bytes: int
    max_items: int
    max_tests_bytes: int
    def __init__(self, max_message_bytes: _Optional[int] = ..., max_items: _Optional[int] = ..., max_tests_bytes: _Optional[int] = ...) -> None: ...

class TokenizerInfo(_message.Message):
    __slots__ = ("sha256", "name")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    name: str
    def __init__(self, sha256: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
