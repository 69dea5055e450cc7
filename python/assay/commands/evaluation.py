"""What `assay eval` does: sample and judge, judge again, or look for the problems in training data."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assay.commands.evaluation_tables import print_evaluations, print_overlap
from assay.commands.output import emit_json, need, progress, quiet_libraries, say
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Task
    from assay.data.overlap import Overlap
    from assay.data.rows import Gold
    from assay.evaluate import Evaluation
    from assay.evaluate.folder import EvalFolder, Settings, Stored, TaskSettings
    from assay.evaluate.model import Engine, TemplateCodec
    from assay.evaluate.tasks import Answer, TaskSet

LONGEST = 32_768
"""Tokens of a completion, as in the paper (arXiv:2501.12948, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of one `assay eval`, named as on the command line."""

    model: Path | None
    tasks: list[str]
    prompt_field: str
    reference_field: str
    gold: Gold
    answer: Answer
    template: str
    profile: str
    samples: int | None
    ks: list[int]
    max_new_tokens: int | None
    temperature: float
    top_p: float
    limit: int | None
    seed: int
    servers: list[str]
    device: str
    dtype: Literal["float32", "bfloat16"]
    out: Path | None
    resume: bool
    overwrite: bool
    contamination: Path | None
    ngram: int
    as_json: bool

    def load(self) -> list[TaskSet]:
        """The problems that `--tasks` names."""
        from assay.evaluate.tasks import FileOptions, load_tasks

        options = FileOptions(self.prompt_field, self.reference_field, self.gold, self.answer)
        return load_tasks(self.tasks, options, limit=self.limit, seed=self.seed)


@dataclass(frozen=True, slots=True)
class Job:
    """An evaluation ready to sample."""

    engine: Engine
    codec: TemplateCodec
    sets: list[TaskSet]
    asked: list[Sequence[Task]]
    settings: Settings


def measure(request: Request) -> None:
    """Samples and judges; everything finished is kept whatever happens next."""
    from assay.evaluate.folder import EvalFolder

    if request.model is None:
        raise InvalidInputError("eval needs a MODEL (or --rescore RUN, or --contamination TRAIN without one)")
    if request.resume and request.overwrite:
        raise InvalidInputError("--resume goes on with the evaluation that --overwrite removes; give one of them")
    sets = request.load()
    _check_counts(request, sets)
    need("torch", "transformers", extra="eval")
    quiet_libraries()
    overlaps = _overlaps(request, sets)
    path = request.out or Path("evals") / request.model.resolve().name
    job = _prepare(request, request.model, sets)
    if request.overwrite:
        _remove(path)
    with closing(job.engine.generator), closing(EvalFolder(path, job.settings, resume=request.resume)) as folder:
        try:
            _sample(job, folder)
        except KeyboardInterrupt:
            sys.stderr.write(f"assay: {path} keeps every finished sample; go on with --resume\n")
            raise
        evaluations = _finish(path, job.settings, overlaps, folder)
    _tell(request, path, job.settings, evaluations)


def judge_again(path: Path, request: Request) -> None:
    """Judges the samples of a folder again, and stores the verdicts if `--overwrite` says so."""
    from assay.evaluate import judge
    from assay.evaluate.folder import Stored, read_samples, read_settings, write_samples
    from assay.rewards import Scorer

    if request.model is not None or request.tasks:
        raise InvalidInputError("--rescore RUN takes model and tasks from the folder; leave MODEL and --tasks out")
    settings = read_settings(path)
    old = read_samples(path)
    new: dict[str, list[Stored]] = {}
    changed: list[dict[str, Any]] = []
    for task in settings.tasks:
        stored = old.get(task.name, [])
        samples = judge(
            [one.sample for one in stored], [one.task.reference for one in stored], Scorer(settings.spec(task))
        )
        new[task.name] = [Stored(sample, one.task) for sample, one in zip(samples, stored, strict=True)]
        changed += [
            {
                "task": task.name,
                "id": one.task.id,
                "index": sample.index,
                "was": one.sample.correct,
                "is": sample.correct,
            }
            for sample, one in zip(samples, stored, strict=True)
            if sample.correct != one.sample.correct
        ]
    evaluations = _summaries(settings, new, {})
    if request.overwrite:
        write_samples(path, new)
        _write_results(path, settings, evaluations)
    if request.as_json:
        emit_json({"run": str(path), "changed": changed, **_results(evaluations)})
        return
    print_evaluations(settings.model, evaluations)
    total = sum(len(members) for members in new.values())
    say(f"{len(changed)} of {total} verdicts differ from the stored ones")
    for entry in changed[:10]:
        say(f"  {entry['task']} {entry['id']} sample {entry['index']}: {entry['was']} -> {entry['is']}")


def check_contamination(request: Request) -> int:
    """Looks for the problems in training data; 1 if some are there, else 0."""
    sets = request.load()
    overlaps = _overlaps(request, sets)
    if request.as_json:
        emit_json(
            {
                made.name: {
                    "problems": len(made.bare),
                    "found": [
                        {"id": made.bare[o.problem].id, "share": o.share, "where": o.where} for o in overlaps[made.name]
                    ],
                }
                for made in sets
            }
        )
    else:
        print_overlap([(made.name, made.bare, overlaps[made.name]) for made in sets], request.ngram)
    return int(any(overlaps.values()))


def _check_counts(request: Request, sets: Sequence[TaskSet]) -> None:
    """Refuses options that contradict each other before a model is loaded."""
    from assay.evaluate import Plan
    from assay.rewards import Scorer
    from assay.rollout.types import SamplingParams

    Scorer({"component": [{"kind": "accuracy", "profile": request.profile}]})
    sampling = SamplingParams(request.max_new_tokens or LONGEST, request.temperature, request.top_p)
    for made in sets:
        Plan(sampling, samples=request.samples or made.samples, ks=tuple(request.ks))


def _prepare(request: Request, model: Path, sets: list[TaskSet]) -> Job:
    from assay.evaluate.folder import Settings, TaskSettings
    from assay.evaluate.model import THINK, TemplateCodec, choose_template, local_engine, server_engine

    if request.servers:
        engine = server_engine(model, request.servers)
    else:
        engine = local_engine(model, device=request.device, dtype=request.dtype)
    template = choose_template(request.template, engine.tokenizer)
    codec = TemplateCodec(engine.tokenizer, template, engine.stops)
    # The template of the paper says itself how to answer.
    asked = [made.asked(instruct=template.kind != "r1") for made in sets]
    settings = Settings(
        model=str(model),
        servers=request.servers,
        tasks=[
            TaskSettings(
                name=made.name,
                source=made.source,
                problems=len(made.bare),
                samples=request.samples or made.samples,
                fingerprint=made.fingerprint(),
                answer=made.answer,
            )
            for made in sets
        ],
        template=template.kind,
        prefill=template.prefill,
        profile=request.profile,
        think_in_prompt=codec.text(asked[0][0]).rstrip().endswith(THINK),
        max_new_tokens=_room(engine, codec, asked, request.max_new_tokens),
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        ks=sorted(set(request.ks)),
    )
    return Job(engine, codec, sets, asked, settings)


def _room(engine: Engine, codec: TemplateCodec, asked: Sequence[Sequence[Task]], wanted: int | None) -> int:
    """The longest completion: as wanted, else the paper's or what the positions leave after the longest prompt."""
    if engine.positions is None:
        return wanted or LONGEST
    room = engine.positions - max(len(codec.encode(task)) for tasks in asked for task in tasks)
    if room < (wanted or 1):
        raise InvalidInputError(
            f"the model has {engine.positions} positions and the longest prompt takes {engine.positions - room}: "
            "lower --max-new-tokens, leave the task out or use another model"
        )
    return wanted or min(LONGEST, room)


def _sample(job: Job, folder: EvalFolder) -> None:
    from assay.evaluate import Plan
    from assay.evaluate.folder import read_samples
    from assay.evaluate.sampling import sample
    from assay.rewards import Scorer
    from assay.rollout.types import SamplingParams

    settings = job.settings
    sampling = SamplingParams(
        settings.max_new_tokens, settings.temperature, settings.top_p, stop_token_ids=job.engine.stops
    )
    before = read_samples(folder.path)
    for task, asked in zip(settings.tasks, job.asked, strict=True):
        plan = Plan(sampling, samples=task.samples, seed=settings.seed, together=job.engine.together)
        done = {(one.sample.problem, one.sample.index) for one in before.get(task.name, [])}
        scorer = Scorer(settings.spec(task))
        count = len(done)
        with progress(task.name, task.problems * task.samples) as tick:
            for finished in sample(job.engine.generator, asked, job.codec, scorer, plan, done=done):
                folder.add(task.name, finished, asked)
                count += len(finished)
                tick(count)


def _finish(
    path: Path, settings: Settings, overlaps: dict[str, list[Overlap]], folder: EvalFolder
) -> list[tuple[TaskSettings, Evaluation]]:
    """The estimates, from the samples as they stand in the file: what is told is what can be recomputed."""
    from assay.evaluate.folder import read_samples

    evaluations = _summaries(settings, read_samples(path), overlaps)
    folder.finish(*_result_files(settings, evaluations))
    return evaluations


def _summaries(
    settings: Settings, stored: dict[str, list[Stored]], overlaps: dict[str, list[Overlap]]
) -> list[tuple[TaskSettings, Evaluation]]:
    from assay.evaluate import summarise

    made: list[tuple[TaskSettings, Evaluation]] = []
    for task in settings.tasks:
        found = overlaps.get(task.name)
        # The paper gives cons@64 for AIME; whatever was asked for comes beside it.
        ks = {*settings.ks, *([task.samples] if task.samples > 1 else [])}
        samples = [one.sample for one in stored.get(task.name, [])]
        evaluation = summarise(
            samples,
            problems=task.problems,
            ks=sorted(ks),
            kind=task.answer,
            contaminated=None if found is None else frozenset(overlap.problem for overlap in found),
        )
        made.append((task, evaluation))
    return made


def _result_files(
    settings: Settings, evaluations: Sequence[tuple[TaskSettings, Evaluation]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = [{"stage": task.name, "kind": "eval", "step": 0, **evaluation.metrics()} for task, evaluation in evaluations]
    return rows, {"name": Path(settings.model).name, "complete": True, **_results(evaluations)}


def _write_results(path: Path, settings: Settings, evaluations: Sequence[tuple[TaskSettings, Evaluation]]) -> None:
    from assay.evaluate.folder import write_results

    write_results(path, *_result_files(settings, evaluations))


def _results(evaluations: Sequence[tuple[TaskSettings, Evaluation]]) -> dict[str, Any]:
    return {"tasks": {task.name: evaluation.metrics() for task, evaluation in evaluations}}


def _tell(
    request: Request, path: Path, settings: Settings, evaluations: Sequence[tuple[TaskSettings, Evaluation]]
) -> None:
    if request.as_json:
        emit_json({"run": str(path), **_results(evaluations)})
        return
    print_evaluations(settings.model, evaluations)
    say(f"samples: {path / 'samples.jsonl'} (assay report {path})")


def _overlaps(request: Request, sets: Sequence[TaskSet]) -> dict[str, list[Overlap]]:
    """Which problems stand in the training data, by task; empty if that was not asked."""
    from assay.data import read_jsonl
    from assay.data.columnar import read_parquet
    from assay.data.overlap import find_overlap, texts_of

    train = request.contamination
    if train is None:
        return {}
    read = read_parquet if train.suffix == ".parquet" else read_jsonl
    return {
        made.name: find_overlap(
            made.bare,
            ((f"{train}:{number}", "\n".join(texts_of(row))) for number, row in read(train)),
            ngram=request.ngram,
        )
        for made in sets
    }


def _remove(path: Path) -> None:
    """Removes an evaluation from a folder that holds one; whatever else is in it stays."""
    from assay.errors import UnavailableError
    from assay.evaluate.folder import FILES

    if not (path / "eval.json").is_file():
        return
    try:
        # eval.json goes last: until then the folder still counts as an evaluation that can be removed.
        for name in reversed(FILES):
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"{error.filename}: the earlier evaluation cannot be removed: {error.strerror}"
        ) from error
