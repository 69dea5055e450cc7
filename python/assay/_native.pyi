from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import final

import numpy as np
from numpy.typing import NDArray

from assay.verdicts import Outcome, Source, Stage

__all__ = [
    "Call",
    "Extraction",
    "LanguageMixing",
    "PartStream",
    "RemoteScorer",
    "SamplingBatcher",
    "Scorer",
    "Scores",
    "Verdict",
    "__version__",
    "balance",
    "explain",
    "extract",
    "group_advantages",
    "language_mixing",
    "load",
    "pack",
    "parse_spec",
    "serve",
    "verify",
]

__version__: str

@final
class Verdict:
    @property
    def outcome(self) -> Outcome: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def reason(self) -> str: ...
    @property
    def probable(self) -> bool: ...
    def __bool__(self) -> bool: ...

@final
class Extraction:
    @property
    def text(self) -> str: ...
    @property
    def span(self) -> tuple[int, int]: ...
    @property
    def source(self) -> Source: ...

def verify(
    gold: str,
    answer: str,
    *,
    kind: str = "auto",
    tolerance: str | Mapping[str, float] | None = None,
    units: str = "ignore",
    profile: str | None = None,
) -> Verdict: ...
def explain(
    gold: str,
    answer: str,
    *,
    kind: str = "auto",
    tolerance: str | Mapping[str, float] | None = None,
    units: str = "ignore",
) -> tuple[
    tuple[list[str], str | None], tuple[list[str], str | None], list[tuple[int, int, str, str, str]], int, int
]: ...
def extract(completion: str, *, profile: str = "r1") -> Extraction | None: ...

@final
class LanguageMixing:
    @property
    def share(self) -> float: ...
    @property
    def target(self) -> int: ...
    @property
    def other(self) -> int: ...
    @property
    def spans(self) -> list[tuple[int, int, str | None, int]]: ...

def language_mixing(text: str, target: str = "en") -> LanguageMixing: ...
def parse_spec(text: str, *, toml: bool = False) -> str: ...

@final
class Scores:
    @property
    def total(self) -> NDArray[np.float64]: ...
    @property
    def components(self) -> dict[str, NDArray[np.float64]]: ...
    @property
    def status(self) -> bytes: ...
    @property
    def reasons(self) -> list[str | None]: ...
    @property
    def answers(self) -> list[str | None]: ...

@final
class Scorer:
    def __new__(
        cls,
        spec_json: str,
        tokenizer_json: bytes | None = None,
        threads: int | None = None,
        outside_json: str | None = None,
    ) -> Scorer: ...
    def score(
        self, completions: list[str], references: list[str | None], prompts: list[str | None] | None = None
    ) -> Scores: ...
    def score_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: list[str | None],
        prompts: list[str | None] | None = None,
    ) -> Scores: ...

@final
class Call:
    def result(self) -> Scores: ...
    def cancel(self) -> None: ...

@final
class PartStream:
    def next(self) -> tuple[int, int, Scores] | None: ...
    def start_next(self, done: Callable[[], object]) -> None: ...
    def result(self) -> tuple[int, int, Scores] | None: ...
    def close(self) -> None: ...

@final
class RemoteScorer:
    def __new__(
        cls,
        target: str,
        spec_json: str,
        tokenizer_json: bytes | None,
        timeout: float,
        options: dict[str, bytes],
    ) -> RemoteScorer: ...
    def score(
        self,
        completions: list[str],
        references: list[str | None],
        prompts: list[str | None] | None = None,
        trace: tuple[str, str] | None = None,
    ) -> Scores: ...
    def score_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: list[str | None],
        prompts: list[str | None] | None = None,
        trace: tuple[str, str] | None = None,
    ) -> Scores: ...
    def start(
        self,
        completions: list[str],
        references: list[str | None],
        done: Callable[[], object],
        prompts: list[str | None] | None = None,
        trace: tuple[str, str] | None = None,
    ) -> Call: ...
    def start_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: list[str | None],
        done: Callable[[], object],
        prompts: list[str | None] | None = None,
        trace: tuple[str, str] | None = None,
    ) -> Call: ...
    def stream(
        self,
        completions: list[str],
        references: list[str | None],
        size: int,
        window: int,
        *,
        prompts: list[str | None] | None = None,
        trace: tuple[str, str] | None = None,
    ) -> PartStream: ...
    def server_info(
        self,
    ) -> tuple[str, list[str], int, int, list[tuple[str, str]], int, list[list[str]], tuple[str, str]]: ...
    def close(self) -> None: ...

def serve(
    ready: Callable[[str], object],
    *,
    bind: str | None = None,
    config: str | PathLike[str] | None = None,
    threads: int | None = None,
    max_message_bytes: int | None = None,
    tokenizers: Sequence[str | PathLike[str]] = ...,
    metrics: str | None = None,
    otlp: str | None = None,
    plugins: Sequence[str] = ...,
    plugin_python: str | PathLike[str] | None = None,
    tls_certificate: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
    tls_client_ca: str | PathLike[str] | None = None,
    token_file: str | PathLike[str] | None = None,
    tenant_weights: Sequence[str] = ...,
    insecure_public: bool = False,
    public_metrics: bool = False,
) -> None: ...
def load(options: str, moment: Callable[[str], object]) -> tuple[bool, bool, str, str]: ...
def group_advantages(
    components: list[tuple[float, NDArray[np.float64]]],
    group_ids: NDArray[np.int64],
    *,
    kind: str = "grpo",
    epsilon: float = 1e-6,
) -> NDArray[np.float32]: ...
def pack(lengths: NDArray[np.int64], capacity: int, *, max_items: int | None = None) -> list[NDArray[np.int64]]: ...
def balance(
    lengths: NDArray[np.int64], parts: int, *, method: str = "karmarkar_karp", equal_size: bool = False
) -> list[NDArray[np.int64]]: ...

@final
class SamplingBatcher:
    def __new__(
        cls,
        prompt_lengths: NDArray[np.int64] | list[int],
        *,
        group_size: int,
        max_new_tokens: int,
        token_budget: int,
        max_sequences: int | None = None,
    ) -> SamplingBatcher: ...
    def admit(self) -> list[tuple[int, int]]: ...
    def finish(self, prompt: int, sample: int) -> None: ...
    @property
    def reserved_tokens(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def remaining(self) -> int: ...
