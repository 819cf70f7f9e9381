"""What each command does: opens the workspace, calls the stages, gives plain results back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.console import say
from voxcurate.catalog import Catalog
from voxcurate.errors import ConfigError
from voxcurate.logs import set_up
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace

if TYPE_CHECKING:
    from agent.answers import AskOptions, AskResult
    from agent.rounds import RoundOutcome


@contextmanager
def opened(given: Path | None, *, write: bool = False) -> Iterator[tuple[Workspace, Catalog]]:
    """The workspace and its catalog; `write` holds the lock against a second writer. Who may only
    read the folder sees a copy of the catalog, and what happens is not logged.

    Raises:
        WorkspaceError: `write`, and it can only be read, or another command writes.
    """
    from agent.clusters.reading import check_writable, is_writable, looking

    workspace = Workspace.find(given)
    if write:
        check_writable(workspace)
    elif not is_writable(workspace):
        with looking(workspace.root) as seen:
            yield seen
        return
    set_up(workspace.root / "logs")
    catalog = Catalog(workspace.catalog_url)
    try:
        if write:
            with workspace.lock():
                workspace.clear_scratch()
                yield workspace, catalog
        else:
            yield workspace, catalog
    finally:
        catalog.close()


def init_workspace(path: Path, *, preset: str, key_file: str = "") -> Workspace:
    """A new workspace with an empty catalog."""
    from agent.config import presets

    if preset not in presets():
        raise ConfigError(f"no preset {preset!r}; there are: {', '.join(presets())}")
    workspace = Workspace.create(path, preset=preset, key_file=key_file)
    Catalog(workspace.catalog_url).close()
    return workspace


def ingest_folder(given: Path | None, path: Path, source: str = "") -> StageResult:
    """Bring a folder into the workspace."""
    from agent.ingest import ingest
    from agent.rounds import vocabulary_of

    with opened(given, write=True) as (workspace, catalog):
        context = StageContext(workspace, catalog, vocabulary_of(workspace), round=0)
        return ingest(context, path, source=source or None)


def clean_workspace(
    given: Path | None, only: Sequence[str], settings: Sequence[str]
) -> StageResult:
    """Clean all scans of the workspace, outside a round."""
    from agent.config import resolve
    from agent.ingest.identities import Identities
    from agent.rounds import vocabulary_of
    from cleaning import stage
    from voxcurate.config import parse_overrides

    with opened(given, write=True) as (workspace, catalog):
        config = resolve(workspace, overrides=parse_overrides(settings))
        context = StageContext(
            workspace,
            catalog,
            vocabulary_of(workspace),
            round=0,
            executor_config=config.executor,
        )
        with Identities(workspace) as identities:
            known = identities.known()
            return stage.run(context, config.cleaning, known=known, only=only)


def make_plan(given: Path | None, need: str) -> tuple[str, list[str]]:
    """A round's YAML for a clinical need, and the words that were not understood.

    The workspace's language model plans where one is configured (`retrieval.engine`), else the
    vocabulary does.
    """
    from agent.config import resolve
    from agent.plan import plan_from_need, plan_yaml
    from agent.rounds import vocabulary_of
    from voxcurate.chat import make_engine
    from voxcurate.classes import load_vocabulary
    from voxcurate.errors import WorkspaceError

    engine = None
    try:
        workspace = Workspace.find(given)
    except WorkspaceError:
        if given is not None:
            raise
        vocabulary = load_vocabulary()
    else:
        vocabulary = vocabulary_of(workspace)
        engine = make_engine(resolve(workspace).retrieval.engine, root=workspace.root)
    plan = plan_from_need(need, vocabulary, engine)
    return plan_yaml(plan), list(plan.not_understood)


def run_rounds(
    given: Path | None,
    *,
    file: Path | None = None,
    settings: Sequence[str] = (),
    rounds: int = 1,
    no_review: bool = False,
) -> "list[RoundOutcome]":
    """Run rounds until one waits for people, the stop rule holds, or `rounds` are done."""
    from agent.report import write_report
    from agent.rounds import context_of, run_series
    from voxcurate.config import parse_overrides

    with opened(given, write=True) as (workspace, catalog):

        def report(outcome: "RoundOutcome") -> None:
            write_report(context_of(workspace, catalog, outcome.number), outcome.number)

        return run_series(
            workspace,
            catalog,
            rounds=rounds,
            finished=report,
            file=file,
            overrides=parse_overrides(settings),
            no_review=no_review,
            say=say,
        )


def status_of(given: Path | None, *, private: str = "") -> dict[str, Any]:
    """The workspace at a glance, or where one case came from."""
    with opened(given) as (workspace, catalog):
        if private:
            from agent.ingest.identities import Identities

            with Identities(workspace) as identities:
                return {"origin": identities.describe(private)}
        from agent.status import status

        return status(workspace, catalog)


def answer(given: Path | None, question: str, options: "AskOptions") -> "AskResult":
    """Scans or reports that answer a question; reports that nobody has read are read first."""
    from agent import answers
    from agent.config import resolve
    from agent.rounds import vocabulary_of
    from retrieval.stage import read_reports
    from voxcurate.chat import make_engine

    with opened(given) as (workspace, catalog):
        config = resolve(workspace).retrieval
        if answers.needs_reading(catalog):
            with workspace.lock():
                say("no report has been read yet: reading them")
                context = StageContext(workspace, catalog, vocabulary_of(workspace), round=0)
                read_reports(context, config)
        engine = make_engine(config.engine, root=workspace.root) if question.strip() else None
        return answers.answer(workspace, catalog, question, options, config.questions, engine)


def check_cases(catalog: Catalog, cases: Sequence[str]) -> None:
    """Whether a workspace has scans of these ids.

    Raises:
        ConfigError: it lacks one.
    """
    from voxcurate.catalog import Scan

    known = {case for (case,) in catalog.columns(Scan, "case_id", case_id=list(cases))}
    if missing := sorted(set(cases) - known):
        raise ConfigError(
            f"no scan {', '.join(missing)} in this workspace; 'voxcurate labels list' and "
            "'voxcurate checks list --status all' show ids"
        )


def evaluation_of(given: Path | None, number: int = 0) -> dict[str, Any]:
    """A round's evaluation as a table."""
    from agent.by_hand import by_hand
    from agent.evaluation import round_table

    with by_hand(given, write=False, needs_round=True) as (context, _):
        return round_table(context.workspace, number or context.round)


def export_dataset(given: Path | None, out: Path, splits: Sequence[str]) -> StageResult:
    """Write the dataset as it stands."""
    from agent.export import export
    from agent.rounds import vocabulary_of

    with opened(given) as (workspace, catalog):
        context = StageContext(workspace, catalog, vocabulary_of(workspace), round=0)
        return export(context, out, splits=tuple(splits) or None)


def write_cohort(out: Path, patients: int, seed: int) -> dict[str, Any]:
    """A synthetic cohort with its truth."""
    from agent.cohort import generate_cohort

    return asdict(generate_cohort(out, patients=patients, seed=seed))


def score(given: Path | None, truth: Path) -> Any:
    """Each stage's result against the cohort's truth."""
    from agent.score import score_demo

    return score_demo(Workspace.find(given).root, truth)
