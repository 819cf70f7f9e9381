"""``voxcurate demo``: the main job on a synthetic cohort, from nothing to scores."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.cli.console import SOME_FAILED, say, show_result, show_rounds, show_scores
from agent.commands import ingest_folder, init_workspace, run_rounds, score, write_cohort
from agent.score.known import note_known_errors
from voxcurate.config import dump_yaml, merge, read_yaml
from voxcurate.progress import duration
from voxcurate.workspace import write_text

ROUNDS = 2


def run_demo(path: Path, *, patients: int, seed: int, say: Callable[[str], None] = say) -> int:
    """Cohort, workspace, ingest, two rounds without waiting for people, reports, scores.

    Calling it again goes on where it was interrupted, or shows the scores again.

    Returns:
        Exit status 0: the cohort's broken files are planted, and reported as they should be.
    """
    start = time.perf_counter()
    cohort, root = path / "cohort", path / "workspace"
    if not (cohort / "truth").is_dir():
        say(f"making a synthetic cohort of {patients} patients, with planted faults ...")
        write_cohort(cohort, patients, seed)
    workspace = init_workspace(root, preset="demo")
    config = read_yaml(root / "config.yaml")
    write_text(root / "config.yaml", dump_yaml(merge(config, {"round": {"seed": seed}})))
    say("ingesting it ...")
    ingested = ingest_folder(workspace.root, cohort / "cohort")
    show_result("ingest", ingested, as_json=False)
    note_known_errors(workspace.root, cohort / "truth")  # reports tell what was found of them
    if _rounds_done(root) < ROUNDS:
        outcomes = run_rounds(root, rounds=ROUNDS, no_review=True)
        code = show_rounds(outcomes, as_json=False)
        if code == SOME_FAILED:
            say("some items failed: see above")
    show_scores(score(root, cohort / "truth"), as_json=False)
    say(f"took {duration(time.perf_counter() - start)}")
    say(f"reports: {root}/rounds/1/report.html, {root}/rounds/2/report.html")
    return 0


def _rounds_done(root: Path) -> int:
    from agent.commands import opened
    from voxcurate.catalog import Round

    with opened(root) as (_, catalog):
        return catalog.count(Round, status="done")
