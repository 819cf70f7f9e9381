"""The job of a training on files: what was asked, the plan with a measured step, the worker's
payload."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.training_cases import ReadCase
from agent.training_split import unseen_only
from training.config import PlanningConfig, TrainingConfig, network_config
from training.planning import CaseFacts, Machine, Plan, fingerprint, make_plan, steps_within
from voxcurate.atomic import write_text
from voxcurate.classes import Vocabulary
from voxcurate.config import build, merge, shipped
from voxcurate.errors import ConfigError, CurationError, TrainingError
from voxcurate.executors import LocalExecutor, cores
from voxcurate.ids import content_id
from voxcurate.protocols import Task

log = logging.getLogger(__name__)
VERSION = "1"
PROBE = 8  # steps by which a step is measured; the first ones warm up
WARM_UP = 3
PROBE_NAME = "probe"
TIME_LIMIT_S = 20 * 86400.0  # poll() takes no more than 24 days
PLAN, ASKED = "plan.json", "asked.json"
CHECKPOINTS = "checkpoint*.pt"
BY_HAND, GRID = "set by hand", ["spacing_mm"]


@dataclass(frozen=True)
class How:
    """What a user asks of a training.

    Attributes:
        steps: 0: as many as fit into `minutes`.
        minutes: 0: the machine's usual budget; reading and validation included.
        hold_out: share of the patients that the model never sees and is scored on.
        folds: train so many models, each without one fold of the patients; 0: one model.
        gold: file with the names of cases, one a line, whose labels end the training (annealing).
        settings: ``key=value`` of `TrainingConfig`, or ``planning.key=value``.
        threads: 0: all cores.
    """

    out: Path
    source: str = ""
    name: str = "model"
    network: str = ""
    steps: int = 0
    minutes: float = 0.0
    hold_out: float = 0.2
    folds: int = 0
    warm: Path | None = None
    gold: Path | None = None
    raw: Path | None = None
    raw_source: str = ""
    own_classes: Path | None = None
    seed: int = 0
    settings: Sequence[str] = ()
    threads: int = 0


@dataclass(frozen=True)
class Job:
    """What all folds share."""

    how: How
    vocabulary: Vocabulary
    cases: Sequence[ReadCase]
    raw: Sequence[ReadCase]
    gold: frozenset[str]
    training: TrainingConfig
    plan: Plan
    work: Path
    mark: str


def check_begun(work: Path, asked: Mapping[str, str]) -> None:
    """Whether a training that was interrupted here was the same one; keeps what is asked now.

    Args:
        work: its folder.
        asked: what a person would know it by, each part hashed.

    Raises:
        ConfigError: it was another one, and its checkpoints would be lost.
    """
    path = work / ASKED
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = {}
    other = [what for what, part in asked.items() if known.get(what, part) != part]
    if other and any((work / "runs").glob(f"*/{CHECKPOINTS}")):
        raise ConfigError(
            f"an interrupted training of this bundle had other {', '.join(other)}: with those it "
            f"goes on; to begin anew, remove {work.name} beside the bundle, or want another --out"
        )
    write_text(path, json.dumps(asked))


def make_job(
    how: How,
    layers: Mapping[str, Any],
    vocabulary: Vocabulary,
    cases: Sequence[ReadCase],
    raw: Sequence[ReadCase],
    gold: frozenset[str],
    held: frozenset[str],
    work: Path,
    mark: str,
    tell: Callable[[str], None] = lambda line: None,
) -> Job:
    """The plan, made once: a call that goes on keeps it, though the machine be slower now."""
    own = dict(layers)
    config = build(PlanningConfig, own.pop("planning", {}))
    learnt = [case for case in cases if case.case_id not in held]
    job = Job(how, vocabulary, cases, raw, gold, TrainingConfig(), _first_plan(
        how, config, learnt, own.get("device", "auto"), 1.0), work, mark)  # fmt: skip
    job = _with_plan(job, own, job.plan)
    path = work / PLAN
    kept = json.loads(path.read_text()) if path.is_file() else {}
    if kept.get("mark") == mark:
        return _with_plan(job, own, _plan_of(kept["plan"]))
    if not how.steps:
        tell("measuring the time of a step")
        job = _measured(job, own, config, learnt, held)
    write_text(path, json.dumps({"mark": mark, "plan": job.plan.to_json()}))
    return job


def _plan_of(values: Mapping[str, Any]) -> Plan:
    """A plan from plain data: lists become tuples."""

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    return Plan(**{name: frozen(value) for name, value in values.items()})


def _first_plan(
    how: How, config: PlanningConfig, cases: Sequence[ReadCase], device: str, shrink: float
) -> Plan:
    import numpy as np

    from training.data.grid import full_grid

    facts = []
    for case in cases:
        grid = full_grid(case.shape, np.asarray(case.affine), (1.0, 1.0, 1.0))
        i, j, k = (case.shape[axis] for axis in grid.axes)
        source = grid.source_spacing
        facts.append(CaseFacts(case.modality, source, (i, j, k), case.ml))
    network = ancestor_network(how) if how.warm is not None else how.network
    plan = make_plan(
        fingerprint(facts), _machine(how, device), config, shrink=shrink, network=network
    )
    if how.warm is not None:
        plan = _as_ancestor(plan, how)
    if not how.steps:
        return plan
    return replace(plan, steps=how.steps, reasons=(*plan.reasons, f"{how.steps} steps: asked for"))


def ancestor_network(how: How) -> str:
    """The shipped network that a bundle has: weights fit no other.

    Raises:
        ConfigError: it has none of them, or another one is asked for.
    """
    from training.bundle.folder import read_facts

    assert how.warm is not None
    try:
        own = read_facts(how.warm).network
    except CurationError as error:
        raise ConfigError(f"--warm: {error}") from None
    names = sorted(path.stem for path in shipped("networks").glob("*.yaml"))
    plain = own.model_copy(update={"text": ""})
    fitting = [
        name for name in names
        if network_config(name).model_copy(update={"text": ""}) == plain
    ]  # fmt: skip
    if not fitting:
        raise ConfigError("--warm: the bundle's network is none of configs/networks")
    if how.network and how.network not in fitting:
        raise ConfigError(f"--warm: the bundle's network is {fitting[0]}, not {how.network}")
    return fitting[0]


def _ancestor_text(how: How) -> str:
    """How the ancestor reads its classes' texts: its heads are made from them."""
    from training.bundle.folder import read_facts

    return read_facts(how.warm).network.text if how.warm is not None else ""


def _as_ancestor(plan: Plan, how: How) -> Plan:
    """Grid, windows and patch of the model that training starts from: its weights know no other."""
    from training.bundle.folder import read_facts

    assert how.warm is not None
    facts = read_facts(how.warm)
    reason = f"grid, windows, patch and network of {facts.name}, whose weights it starts from"
    own = ("spacing ", "patch ", "network ", "one input window")  # the plan's, which do not count
    return replace(
        plan,
        spacing_mm=facts.spacing,
        patch=facts.training.patch,
        windows=facts.training.grid.windows,
        reasons=(*(said for said in plan.reasons if not said.startswith(own)), reason),
    )


def _machine(how: How, device: str) -> Machine:
    from training.predict import gpus

    memory = 0.0
    if device != "cpu" and gpus():
        import torch

        if torch.cuda.is_available():
            memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return Machine(how.threads or cores(), round(memory, 1))


def _with_plan(job: Job, own: Mapping[str, Any], plan: Plan) -> Job:
    training = build(TrainingConfig, merge(plan.settings(), own))
    grid = training.grid.spacing_mm or plan.spacing_mm
    kept = replace(
        plan, spacing_mm=grid, patch=training.patch, batch=training.batch, steps=training.steps
    )
    kept = replace(kept, reasons=_with_own(plan.reasons, own, training))
    return replace(job, training=training, plan=kept)


def _with_own(
    reasons: Sequence[str], own: Mapping[str, Any], training: TrainingConfig
) -> tuple[str, ...]:
    """A plan's reasons; what a person has set stands in the place of what was planned."""
    told = {"patch": f"patch {_sides(training.patch)}", "batch": f"batch {training.batch}"}
    told = {name: text for name, text in told.items() if name in own}
    if training.grid.spacing_mm and "spacing_mm" in own.get("grid", {}):
        told["spacing"] = f"spacing {_sides(training.grid.spacing_mm)} mm"
    lines = [f"{told[first]}: {BY_HAND}" if (first := line.split(" ")[0]) in told else line
             for line in reasons]  # fmt: skip
    further = sorted(set(own) - set(told) - ({"grid"} if [*own.get("grid", ())] == GRID else set()))
    others = f"{BY_HAND}: {', '.join(further)}"
    return tuple(lines) if not further or others in lines else (*lines, others)


def _sides(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)


def _measured(
    job: Job,
    own: Mapping[str, Any],
    config: PlanningConfig,
    cases: Sequence[ReadCase],
    held: frozenset[str],
) -> Job:
    """Steps that fit into the minutes, by a short run; smaller patches where they are too few."""
    if "steps" in own:
        return job
    is_gpu = _machine(job.how, job.training.device).gpu_gb > 0
    minutes = job.how.minutes or (config.gpu_minutes if is_gpu else config.cpu_minutes)
    minutes /= max(1, job.how.folds)
    for shrink in (1.0, 0.5, 0.25):
        plan = _first_plan(job.how, config, cases, job.training.device, shrink)
        tried = _with_plan(job, own, plan)
        pace = _pace(tried, held)
        n_steps = steps_within(minutes, pace)
        if n_steps >= config.least_steps or job.how.warm is not None or "patch" in own:
            break
    reason = f"{n_steps} steps: {minutes:g} minutes at {pace:.2f} s a step, measured"
    plan = replace(
        tried.plan, steps=n_steps, seconds_per_step=round(pace, 4),
        reasons=(*tried.plan.reasons, reason),
    )  # fmt: skip
    if n_steps < config.least_steps:
        few = f"only {n_steps} steps fit into {minutes:g} minutes: the model will be poor"
        plan = replace(plan, warnings=(*plan.warnings, few))
    training = tried.training.model_copy(update={"steps": n_steps})
    return replace(tried, training=training, plan=plan)


def _pace(job: Job, held: frozenset[str]) -> float:
    """Seconds of a step, by a short run of the same worker; cases are cached on the way."""
    short = job.training.model_copy(update={"log_every": 1, "checkpoint_every": PROBE + 1})
    probe = replace(job, training=short, plan=replace(job.plan, steps=PROBE))
    payload = payload_for(probe, held, fold=None, name=PROBE_NAME)
    log.info("measuring the time of a step")
    value = run_worker(payload)
    shutil.rmtree(Path(value["bundle"]), ignore_errors=True)
    shutil.rmtree(payload["run"], ignore_errors=True)
    path = Path(payload["log"])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    times = [line["seconds"] for line in lines if "seconds" in line]
    path.unlink()
    counted = times[WARM_UP:]
    return max(1e-3, float(counted[-1] - times[WARM_UP - 1]) / len(counted))


def payload_for(job: Job, held: frozenset[str], *, fold: int | None, name: str) -> dict[str, Any]:
    from training.replay.earlier import continued
    from training.rounds.payload import Run, payload_of

    learnt = [case for case in job.cases if case.case_id not in held]
    unlabelled = unseen_only(job.raw, job.cases, held)
    raw = [case.spec(labelled=False) for case in unlabelled]
    classes = tuple(sorted({c for case in learnt for c in case.labels}))
    going_on = continued(job.how.warm, [case.spec() for case in learnt], classes)
    wants_gold = bool(job.gold) and job.training.anneal.on != "none"
    run = Run(
        name=name,
        role="alone",
        network=job.plan.network,
        classes=going_on.classes,
        training=job.training,
        steps=job.plan.steps,
        cases=going_on.cases,
        memory=going_on.memory,
        kept=going_on.kept,
        aside=going_on.aside,
        raw=raw,
        anneal=[c.spec() for c in learnt if c.case_id in job.gold] if wants_gold else (),
        fold=fold,
        text=_ancestor_text(job.how),
    )
    values = payload_of(
        run,
        job.vocabulary,
        spacing=job.plan.spacing_mm,
        seed=job.how.seed,
        round_number=0,
        patients=[case.patient for case in (*learnt, *unlabelled)],
        licences=[case.licence for case in (*learnt, *unlabelled)],
        warm=job.how.warm.resolve() if job.how.warm else None,
    )
    run_id = content_id(VERSION, job.mark, name, fold, job.plan.steps)
    return {
        **values,
        "run_id": run_id,
        "run": str(job.work / "runs" / run_id),
        "cache": str(job.work / "cache"),
        "log": str(job.work / "logs" / f"{run_id}.jsonl"),
        "scratch": str(job.work / "bundles"),
        "threads": job.how.threads,
        "quiet": name == PROBE_NAME,
    }


def run_worker(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The worker in a process of its own."""
    Path(payload["scratch"]).mkdir(parents=True, exist_ok=True)
    threads = int(payload["threads"]) or cores()
    executor = LocalExecutor(workers=1, threads=threads, time_limit_s=TIME_LIMIT_S, retries=0)
    task = Task(str(payload["name"]), dict(payload))
    for outcome in executor.run("training.trainer.work:train_model", [task]):
        if not outcome.ok:
            raise TrainingError(outcome.error)
        value: dict[str, Any] = outcome.value
    return value
