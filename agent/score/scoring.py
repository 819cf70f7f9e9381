"""One call that scores a workspace against its cohort's truth."""

from collections.abc import Iterator
from pathlib import Path

from agent.score.cleaning import score_cleaning
from agent.score.detection import score_attention, score_detection
from agent.score.mending import score_mending, score_pseudo
from agent.score.models import score_models
from agent.score.privacy import score_privacy
from agent.score.reading import score_reading
from agent.score.table import ScoreRow, ScoreTable, gather
from agent.score.truth import Scoring
from voxcurate.catalog import Catalog
from voxcurate.workspace import Workspace


def score_demo(workspace: Path, truth: Path) -> ScoreTable:
    """Compare what the stages made of a synthetic cohort with its truth.

    A stage that did not run has rows without a value. Nothing in the workspace is changed.

    Args:
        workspace: the workspace's folder.
        truth: the cohort's ``truth`` folder; the input is looked for beside it.

    Raises:
        WorkspaceError: no workspace, no truth, or the truth of another cohort.
    """
    opened = Workspace(workspace)
    catalog = Catalog(opened.catalog_url)
    try:
        scoring = Scoring.open(opened, catalog, truth)
        return gather(
            _ingested(scoring),
            score_reading(scoring),
            score_privacy(scoring),
            score_cleaning(scoring),
            score_pseudo(scoring),
            score_attention(scoring),
            score_detection(scoring),
            score_mending(scoring),
            score_models(scoring),
        )
    finally:
        catalog.close()


def _ingested(scoring: Scoring) -> Iterator[ScoreRow]:
    """Undamaged scans that reached the catalog, and labels of theirs that did.

    An empty mask of a source that is not complete states nothing and is not counted.
    """
    good = {case for case, entry in scoring.entries.items() if not entry["corruption"]}
    taken = good & set(scoring.scans)
    yield ScoreRow("ingest", "undamaged scans taken in", len(taken) / len(good), n=len(good))
    pairs = {
        (case, name)
        for case in taken
        for name, label in scoring.entries[case]["labels"].items()
        if label["is_stated"]
    }
    if pairs:
        share = len(pairs & set(scoring.originals)) / len(pairs)
        yield ScoreRow("ingest", "labels taken in", share, n=len(pairs))
