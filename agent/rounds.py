"""Running rounds: start or go on, wait for people, finish; every path leads through the same
graph."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agent.config import RoundConfig, resolve
from agent.stages import round_stages
from voxcurate.catalog import Catalog, Measure, Round, Scan
from voxcurate.catalog.catalog import now
from voxcurate.classes import Vocabulary, load_vocabulary
from voxcurate.config import build, dump_yaml, merge
from voxcurate.errors import ConfigError, CurationError
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace, write_text

log = logging.getLogger(__name__)
SHOWN = 20  # failures of a stage told at once; `voxcurate status` lists all
PACKAGES = ("voxcurate", "torch", "monai", "SimpleITK", "numpy", "langgraph", "faiss-cpu", "numba")


@dataclass(frozen=True)
class RoundOutcome:
    """How a call of `run_round` ended: ``done``, ``waiting`` (for people), and what failed on the
    way."""

    number: int
    status: str
    counts: dict[str, Any] = field(default_factory=dict)
    failed: int = 0
    stop: bool = False
    stop_reason: str = ""


def vocabulary_of(workspace: Workspace) -> Vocabulary:
    """The shipped vocabulary plus the workspace's own ``classes.yaml``."""
    own = workspace.root / "classes.yaml"
    return load_vocabulary(*([own] if own.is_file() else []))


def run_round(
    workspace: Workspace,
    catalog: Catalog,
    *,
    file: Path | None = None,
    overrides: dict[str, Any] | None = None,
    no_review: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = lambda _: None,
    series: tuple[int, int] | None = None,
) -> RoundOutcome:
    """Go on with the round that is under way, or start the next one.

    Args:
        file: the round's YAML (what ``voxcurate plan`` wrote).
        overrides: settings on top of all layers.
        no_review: do not wait for people.
        say: told what happens, one line at a time.
        series: which round of how many this is for the caller (`run_series`); kept with the round.

    Returns:
        How it ended. A round that waits for people goes on with the next call.

    Raises:
        ConfigError: settings were given for a round that is under way with others. Where the work
            is done (`executor`) may change at any time: no result depends on it.
        CurationError: a stage cannot run at all; mend it and call again.
    """
    if not catalog.count(Scan):
        raise ConfigError(
            "the workspace has no scans yet; bring some in with 'voxcurate ingest PATH'"
        )
    current = under_way(catalog)
    if current is None:
        current = _start(workspace, catalog, resolve(workspace, file=file, overrides=overrides))
    elif file is not None or overrides:
        current = _going_on(catalog, current, asked_of(workspace, current, file, overrides or {}))
    begun = {"series": list(series), "told": False} if series else {}
    _note(catalog, current.number, begun, status="running")
    config = build(RoundConfig, current.config)
    if no_review:
        config = config.model_copy(update={"wait_for_review": False})

    def context() -> StageContext:  # made anew for each stage: retrieval sets the cohort
        row = catalog.one(Round, number=current.number) or current
        return make_context(workspace, catalog, config, row, quiet=quiet)

    return _drive(context, config, current, say)


def run_series(
    workspace: Workspace,
    catalog: Catalog,
    *,
    rounds: int,
    finished: Callable[[RoundOutcome], None] = lambda _: None,
    **options: Any,
) -> list[RoundOutcome]:
    """Run up to `rounds` rounds, until one waits for people or the stop rule holds.

    The same call after a crash, an error or a review goes on with the series where it was, and ends
    with as many rounds as an undisturbed one; once a series is complete, it starts the next.

    Args:
        finished: called after each round (its report); called again if it was cut off.
        options: of `run_round`.
    """
    outcomes = []
    last = _last(catalog)
    if last is not None and last.status == "done" and last.facts.get("told") is False:
        outcomes.append(_outcome(last))
        finished(outcomes[-1])
        _note(catalog, last.number, {"told": True})
        if last.facts.get("series") == [rounds, rounds] or outcomes[-1].stop:
            return outcomes
    for position in range(_position(last, rounds), rounds + 1):
        outcome = run_round(workspace, catalog, series=(position, rounds), **options)
        outcomes.append(outcome)
        finished(outcome)
        if outcome.status == "done":
            _note(catalog, outcome.number, {"told": True})
        if outcome.status == "waiting" or outcome.stop:
            break
    return outcomes


def _position(last: Round | None, rounds: int) -> int:
    """Which round of a series of so many comes next, given the last one in the catalog."""
    if last is None:
        return 1
    position, of = last.facts.get("series", (1, 1))
    if of != rounds:
        return 1
    if last.status != "done":
        return int(position)
    return 1 if position >= of or _outcome(last).stop else int(position) + 1


def make_context(
    workspace: Workspace, catalog: Catalog, config: RoundConfig, current: Round, *, quiet: bool
) -> StageContext:
    """The stages' context for a round."""
    return StageContext(
        workspace=workspace,
        catalog=catalog,
        vocabulary=vocabulary_of(workspace),
        round=current.number,
        seed=current.seed,
        classes=tuple(current.facts.get("classes", ())),
        cohort=frozenset(current.facts.get("cohort", ())),
        executor_config=config.executor,
        quiet=quiet,
    )


def config_of(catalog: Catalog, number: int) -> RoundConfig:
    """The stored configuration of a round.

    Raises:
        ConfigError: there is no such round.
    """
    row = catalog.one(Round, number=number)
    if row is None:
        raise ConfigError(f"there is no round {number}")
    return build(RoundConfig, row.config)


def context_of(
    workspace: Workspace, catalog: Catalog, number: int, *, quiet: bool = False
) -> StageContext:
    """The context of a round that exists, for looking at it afterwards."""
    config = config_of(catalog, number)
    row = catalog.rows(Round, number=number)[0]
    return make_context(workspace, catalog, config, row, quiet=quiet)


def _last(catalog: Catalog) -> Round | None:
    return next(reversed(catalog.rows(Round)), None)


def under_way(catalog: Catalog) -> Round | None:
    """The round that runs or waits for people; None: the next one is still to be begun."""
    last = _last(catalog)
    return last if last is not None and last.status in {"running", "waiting"} else None


def asked_of(
    workspace: Workspace, current: Round, file: Path | None, overrides: dict[str, Any]
) -> RoundConfig:
    """What is asked of a round that is under way: without a file and other settings than the
    executor's, its own.

    Raises:
        ConfigError: it is under way with others.
    """
    if file is None and set(overrides) <= {"executor"}:
        return build(RoundConfig, merge(current.config, overrides))
    asked = resolve(workspace, file=file, overrides=overrides)
    own = build(RoundConfig, current.config)
    if asked.model_copy(update={"executor": own.executor}) != own:
        raise ConfigError(
            f"round {current.number} is under way with other settings; finish it first"
        )
    return asked


def _going_on(catalog: Catalog, current: Round, asked: RoundConfig) -> Round:
    """The round with the executor that is asked for now."""
    config = {**current.config, "executor": asked.model_dump(mode="json")["executor"]}
    _note(catalog, current.number, {}, config=config)
    return replace(current, config=config)


def _note(catalog: Catalog, number: int, facts: dict[str, Any], **changes: Any) -> None:
    """Change a round's row where it differs."""
    with catalog.write() as writer:
        row = writer.rows(Round, number=number)[0]
        new = replace(row, facts={**row.facts, **facts}, **changes)
        if new != row:
            writer.put(new)


def _start(workspace: Workspace, catalog: Catalog, config: RoundConfig) -> Round:
    vocabulary = vocabulary_of(workspace)
    classes = list(first_classes(catalog, config))
    if not classes:
        raise ConfigError("no class is annotated yet: name the target classes in the round's YAML")
    for class_id in classes:
        vocabulary[class_id]  # an unknown one is a ConfigError
    started = Round(
        number=len(catalog.rows(Round)) + 1,
        status="running",
        config=config.model_dump(mode="json"),
        versions=versions(),
        seed=config.seed,
        started=now(),
        facts={"classes": classes},
    )
    text = f"# round {started.number}, as resolved; seed {started.seed}\n" + dump_yaml(config)
    write_text(workspace.round_path(started.number, "config.yaml"), text)
    with catalog.write() as writer:
        writer.put(started)
    return started


def first_classes(catalog: Catalog, config: RoundConfig) -> tuple[str, ...]:
    """The classes that a round begins with: those asked for, else all that are annotated."""
    return config.classes or tuple(sorted({class_id for _, class_id in catalog.current()}))


def versions() -> dict[str, str]:
    """Versions of what a result may depend on."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _drive(
    context: Callable[[], StageContext],
    config: RoundConfig,
    current: Round,
    say: Callable[[str], None],
) -> RoundOutcome:
    from langsmith import tracing_context

    from agent.graph import build_graph, checkpoints

    stages = {
        name: _timed(context(), name, stage, say)
        for name, stage in round_stages(context, config).items()
    }
    place = context().workspace.root / "rounds" / "checkpoints.sqlite"
    with tracing_context(enabled=False), checkpoints(place) as saver:  # nothing leaves, ever
        graph = build_graph(stages).compile(checkpointer=saver)
        thread: Any = {
            "configurable": {"thread_id": f"round-{current.number} {current.started}"},
            "recursion_limit": 100,
        }
        before = graph.get_state(thread)
        start: Any = None  # go on: the node that was cut off, or that waits for people, runs again
        if not before.values and not before.next:
            start = {"round": current.number, "counts": {}, "failed": {}}
        if before.next or not before.values:
            graph.invoke(start, thread, durability="sync")
        after = graph.get_state(thread)
    return _finish(context(), current, after)


def _finish(context: StageContext, current: Round, after: Any) -> RoundOutcome:
    counts = after.values.get("counts", {})
    failed = sum(after.values.get("failed", {}).values())
    waiting = bool(after.next)
    with context.catalog.write() as writer:
        row = writer.rows(Round, number=current.number)[0]
        row = replace(
            row,
            status="waiting" if waiting else "done",
            finished="" if waiting else (row.finished or now()),
            stop_reason=str(counts.get("stop", {}).get("reason", "")),
            facts={**row.facts, "counts": counts, "failed": failed},
        )
        writer.put(row)
    return _outcome(row)


def _outcome(row: Round) -> RoundOutcome:
    counts = row.facts.get("counts", {})
    stop = bool(counts.get("stop", {}).get("stop", False))
    failed = row.facts.get("failed", 0)
    return RoundOutcome(row.number, row.status, counts, failed, stop, row.stop_reason)


def _timed(
    context: StageContext, name: str, stage: Callable[[], StageResult], say: Callable[[str], None]
) -> Callable[[], StageResult]:
    """The stage with its wall time added up in the catalog (over interruptions too)."""

    def run() -> StageResult:
        say(f"round {context.round}: {name}")
        log.info("stage starts", extra={"round": context.round, "stage": name})
        start = time.perf_counter()
        try:
            result = stage()
        except CurationError as error:
            log.warning(
                "stage stops", extra={"stage": name, "why": str(error), "case": error.case_id}
            )
            raise
        finally:
            _add_seconds(context, name, time.perf_counter() - start)
        for key, why in sorted(result.failed.items())[:SHOWN]:
            say(f"  failed: {key}: {why}")
        if len(result.failed) > SHOWN:
            say(f"  ... and {len(result.failed) - SHOWN} more")
        return result

    return run


def _add_seconds(context: StageContext, stage: str, seconds: float) -> None:
    key = {"round": context.round, "stage": stage, "case_id": "", "class_id": "", "model_id": ""}
    with context.catalog.write() as writer:
        old = writer.rows(Measure, name="wall_s", **key)
        before = (old[0].value or 0.0) if old else 0.0
        writer.put(Measure(**key, name="wall_s", value=round(before + seconds, 3)))  # type: ignore[arg-type]
