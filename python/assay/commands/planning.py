"""From a recipe to its plan."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from assay.commands.output import emit_json, plain, say
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.plan import Assumptions, Hardware, Layout, ModelShape, Simulated, StagePlan, Workload
    from assay.recipe.schema import ModelConfig, PipelineConfig, Recipe

PROMPT_TOKENS = 200.0
MEAN_SHARE = 0.4
FALLBACK_TOKENS = 4096
FALLBACK_PROBLEMS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of one `assay plan`, named as on the command line."""

    recipe: Path | None
    hardware: str | None
    scale: str | None
    overrides: list[str]
    model: str | None
    prompt_length: float | None
    response_length: float | None
    spread: float
    schedule: Literal["sync", "async"] | None
    generate_share: float
    tensor_parallel: int | None
    offload: bool
    price: float | None
    assume: list[str]
    simulate: bool
    staleness: int | None
    seed: int
    output: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it is made of."""

    recipe: Recipe
    shape: ModelShape
    hardware: Hardware
    assumptions: Assumptions
    layouts: list[Layout]
    stages: list[StagePlan]
    simulated: dict[str, dict[str, Simulated]]
    measured: dict[str, dict[str, Any]]

    @property
    def fits(self) -> bool:
        """Whether every stage can run as planned."""
        return not any(stage.problems for stage in self.stages)

    @property
    def schedule(self) -> str:
        """How the devices are shared: in all RL stages, or that it differs."""
        found = {
            layout.schedule for layout, stage in zip(self.layouts, self.stages, strict=True) if stage.work.kind == "rl"
        }
        return " or ".join(sorted(found, reverse=True)) or "sync"


def run(request: Request) -> bool:
    """Plans, prints and stores; whether everything fits."""
    planned = make(request)
    value = to_json(planned)
    target = request.output
    if target is None and request.recipe is not None and request.recipe.is_dir():
        target = request.recipe / "plan.json"
    if target is not None:
        from assay._files import write_atomic

        write_atomic(target, json.dumps(plain(value), indent=2) + "\n")
    if request.as_json:
        emit_json(value)
    else:
        from assay.commands.planning_tables import print_plan

        print_plan(planned)
        if target is not None:
            say(f"plan: {target}")
    return planned.fits


def make(request: Request) -> Planned:
    """The plan of every stage that computes.

    Raises:
        InvalidInputError: no recipe, hardware or model to plan for; the message says which option gives it.
    """
    from assay.plan import parse_hardware, plan_stage
    from assay.plan.rehearse import rehearse
    from assay.recipe import load_recipe

    if request.recipe is None or request.hardware is None:
        raise InvalidInputError("plan needs a RECIPE and --hardware NAME:COUNT, as in --hardware h800:512 (or --check)")
    path, measured = request.recipe, {}
    if path.is_dir():
        measured = _measured(path)
        path = path / "recipe.toml"
    recipe = load_recipe(path, tuple(request.overrides), scale=request.scale)
    hardware = parse_hardware(request.hardware)
    if request.price is not None:
        hardware = replace(hardware, price=request.price)
    assumptions = _assumptions(recipe, request.assume)
    jobs = _jobs(recipe, request)
    stages = [plan_stage(job.shape, hardware, assumptions, job.work, job.layout) for job in jobs]
    simulated: dict[str, dict[str, Simulated]] = {}
    if request.simulate:
        simulated = {
            job.work.name: {
                str(name): outcome
                for name, outcome in rehearse(
                    job.shape, hardware, assumptions, job.work, job.layout, staleness=job.staleness, seed=request.seed
                ).items()
            }
            for job in jobs
            if job.work.kind == "rl"
        }
    layouts = [job.layout for job in jobs]
    return Planned(recipe, jobs[0].shape, hardware, assumptions, layouts, stages, simulated, measured)


def to_json(planned: Planned) -> dict[str, Any]:
    """The plan as `plan.json` holds it and `--json` prints it."""
    return {
        "recipe": planned.recipe.name,
        "model": {
            "name": planned.shape.name,
            "params": planned.shape.params,
            "active_params": planned.shape.active_params,
        },
        "hardware": {
            "name": planned.hardware.name,
            "count": planned.hardware.count,
            "price": planned.hardware.price,
            "source": planned.hardware.source,
        },
        "assumptions": asdict(planned.assumptions),
        "fits": planned.fits,
        "stages": [
            {**_stage_json(stage), "layout": asdict(layout)}
            for stage, layout in zip(planned.stages, planned.layouts, strict=True)
        ],
        "total": total(planned.stages),
        "simulated": {
            name: {schedule: _simulated_json(outcome) for schedule, outcome in by.items()}
            for name, by in planned.simulated.items()
        },
        "measured": planned.measured,
    }


def _stage_json(stage: StagePlan) -> dict[str, Any]:
    return {
        "name": stage.work.name,
        "kind": stage.work.kind,
        "steps": stage.work.steps,
        "sequences": stage.work.sequences,
        "response_mean": stage.work.lengths.moments()[0],
        "phases": stage.phases,
        "step_seconds": stage.step_seconds,
        "seconds": stage.seconds,
        "gpu_hours": stage.gpu_hours,
        "tokens": stage.tokens,
        "energy_kwh": stage.energy_kwh,
        "dollars": stage.dollars,
        "bottleneck": stage.bottleneck,
        "memory": None if stage.training is None else {**asdict(stage.training), "total": stage.training.total},
        "engine": None if stage.engine is None else asdict(stage.engine),
        "problems": stage.problems,
    }


def _simulated_json(outcome: Simulated) -> dict[str, Any]:
    return {**asdict(outcome), "staleness_mean": outcome.staleness_mean}


def total(stages: Sequence[StagePlan]) -> dict[str, float | None]:
    """Sums over the stages; no dollars where one stage has none."""
    dollars = [stage.dollars for stage in stages]
    return {
        "seconds": sum(stage.seconds for stage in stages),
        "gpu_hours": sum(stage.gpu_hours for stage in stages),
        "tokens": sum(stage.tokens for stage in stages),
        "energy_kwh": sum(stage.energy_kwh for stage in stages),
        "dollars": None if None in dollars else sum(value for value in dollars if value is not None),
    }


def _shape(model: ModelConfig) -> ModelShape:
    from assay.plan import ModelShape, find_shape
    from assay.recipe.schema import FolderModel, TinyModel

    if isinstance(model, TinyModel):
        return ModelShape(
            name="tiny",
            hidden=model.hidden_size,
            layers=model.layers,
            heads=model.heads,
            key_value_heads=model.key_value_heads,
            head_dim=model.hidden_size // model.heads,
            vocabulary=len(model.alphabet or "0123456789+-*/=,;.: abcdefghijklmnopqrstuvwxyz") + len(model.words) + 8,
            feed_forward=model.feed_forward_size,
            tied=True,
        )
    if isinstance(model, FolderModel):
        return find_shape(model.path)
    return find_shape(model.package or (model.path or "").removesuffix(".gguf"))


def _assumptions(recipe: Recipe, changes: Sequence[str]) -> Assumptions:
    from assay.data.strict import suggestion
    from assay.plan import Assumptions

    # What assay's own learner keeps: float32 weights, gradients and moments, and copies if it computes in bfloat16.
    narrow = recipe.model.compute_dtype == "bfloat16"
    budgets = [int(getattr(stage, "token_budget", 0)) for stage in recipe.stage]
    assumed = Assumptions(
        micro_tokens=max([*budgets, 1]),
        state_bytes=18.0 if narrow else 16.0,
        weight_bytes=2.0 if narrow else 4.0,
        checkpointing=recipe.model.gradient_checkpointing,
        offload_activations=recipe.model.offload_activations,
    )
    known = {entry.name: type(getattr(assumed, entry.name)) for entry in fields(assumed)}
    for change in changes:
        name, equals, text = change.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise InvalidInputError(f"--assume {change}: no assumption {name!r}{suggestion(name, list(known))}")
        try:
            value = text.strip().lower() == "true" if known[name] is bool else known[name](text)
        except ValueError:
            raise InvalidInputError(f"--assume {change}: {text!r} is not a number") from None
        assumed = replace(assumed, **{name: value})
    return assumed


@dataclass(frozen=True, slots=True)
class _Job:
    """A stage that computes: its work, the model that does it, and how it shares the devices."""

    work: Workload
    shape: ModelShape
    layout: Layout
    staleness: int


def _jobs(recipe: Recipe, request: Request) -> list[_Job]:
    """Every stage that computes, with the model that does: the recipe's, a teacher of its own, or a student from there on."""
    from assay.plan import find_shape

    stages: list[Any] = list(recipe.stage)
    samplings = [stage.sampling for stage in stages if hasattr(stage, "sampling")]
    longest = max((int(sampling.max_new_tokens) for sampling in samplings), default=FALLBACK_TOKENS)
    found: list[_Job] = []
    shape = find_shape(request.model) if request.model is not None else _shape(recipe.model)
    for stage in stages:
        if (student := getattr(stage, "student", None)) is not None:
            shape = _shape(student)
        teacher = getattr(stage, "model", None)
        work = _workload(recipe, stage, request, longest)
        if work is not None:
            layout, staleness = _layout(getattr(stage, "pipeline", None), request)
            found.append(_Job(work, shape if teacher is None else _shape(teacher), layout, staleness))
    if not found:
        raise InvalidInputError(f"recipe {recipe.name!r}: no stage computes anything; there is nothing to plan")
    return found


def _layout(pipeline: PipelineConfig | None, request: Request) -> tuple[Layout, int]:
    """How a stage shares the devices, and its bound on versions: as asked for, else as its `pipeline` says."""
    from assay.plan import Layout

    overlaps = pipeline is not None and pipeline.kind != "synchronous"
    bound = pipeline.max_staleness if pipeline is not None and pipeline.kind == "asynchronous" else 1
    layout = Layout(
        schedule=request.schedule or ("async" if overlaps else "sync"),
        generate_share=request.generate_share,
        engine_devices=request.tensor_parallel,
        offload=request.offload,
    )
    return layout, bound if request.staleness is None else request.staleness


def _workload(recipe: Recipe, stage: Any, request: Request, longest: int) -> Workload | None:
    """One stage by what it has.

    A `group_size` is reinforcement learning, a `batch_size` supervised steps, and sampling alone generation. A stage with
    none of these (such as an export) takes no time worth planning.
    """
    from assay.plan import Lengths, Workload

    sampling = getattr(stage, "sampling", None)
    limit = sampling.max_new_tokens if sampling is not None else longest
    mean = min(request.response_length or MEAN_SHARE * limit, limit)
    lengths = Lengths(mean=mean, longest=limit, spread=request.spread)
    tiny = recipe.model.kind == "tiny"
    common: dict[str, Any] = {
        "name": stage.name,
        "lengths": lengths,
        "prompt_tokens": request.prompt_length or (10.0 if tiny else PROMPT_TOKENS),
    }
    if hasattr(stage, "group_size"):
        limits = [stage.max_new_tokens_at(step) for step in range(1, stage.steps + 1)]
        mean = min(request.response_length or MEAN_SHARE * sum(limits) / len(limits), max(limits))
        common["lengths"] = Lengths(mean=mean, longest=max(limits), spread=request.spread)
        return Workload(
            kind="rl",
            steps=stage.steps,
            prompts=stage.prompts_per_step,
            group=stage.group_size,
            reference=stage.kl_coefficient > 0,
            # A batch that is cut into mini-batches is looked at as a whole first.
            old_logprobs=stage.mini_batches > 1 or stage.top_entropy_share < 1,
            epochs=stage.inner_epochs,
            # assay's learner computes a group's prompt once, unless it recomputes activations.
            shared_prompts=not recipe.model.gradient_checkpointing,
            **common,
        )
    if hasattr(stage, "batch_size"):
        # A pair of a reward model is two sequences.
        sequences = stage.batch_size * (2 if hasattr(stage, "chosen_field") else 1)
        return Workload(kind="train", steps=stage.steps, prompts=sequences, **common)
    if sampling is not None:
        data = stage.data or recipe.data
        # An evaluation takes held-out problems, a collection training problems.
        if hasattr(stage, "prompts"):
            problems = stage.prompts or getattr(data, "limit", 0) or getattr(data, "size", 0) or FALLBACK_PROBLEMS
        else:
            problems = stage.problems or getattr(data, "held_out", 0) or FALLBACK_PROBLEMS
        return Workload(kind="generate", steps=1, prompts=problems, group=getattr(stage, "samples", 1), **common)
    return None


def _measured(folder: Path) -> dict[str, dict[str, Any]]:
    """Seconds of every stage of a run, by its name; empty if it has not finished one."""
    try:
        summary = json.loads((folder / "summary.json").read_bytes())
        return {str(stage["name"]): stage for stage in summary["stages"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{folder / 'summary.json'}: cannot be read ({error})") from None
