"""What is really wrong with the labels of a synthetic cohort, noted for the round report."""

from pathlib import Path

from agent.score.truth import Scoring
from labeling.errors.known import FILE, RIGHT, Key, write_known
from voxcurate.catalog import Catalog
from voxcurate.workspace import Workspace


def known_errors(scoring: Scoring) -> dict[Key, str]:
    """Case and class of the labels that came with undamaged scans to the planted error."""
    cases = set(scoring.good_cases())
    found = {}
    for case, name in scoring.originals:
        label = scoring.entries[case]["labels"].get(name) if case in cases else None
        if label is not None:
            found[case, name] = str(label["error"]) or RIGHT
    return found


def note_known_errors(workspace: Path, truth: Path) -> int:
    """Write the workspace's ``known_errors.csv``, which nothing but reports and ``voxcurate
    errors`` read; how many labels it tells of.

    Raises:
        WorkspaceError: there is no truth, or it is that of another cohort.
    """
    opened = Workspace(workspace)
    catalog = Catalog(opened.catalog_url)
    try:
        known = known_errors(Scoring.open(opened, catalog, truth))
    finally:
        catalog.close()
    write_known(workspace / FILE, known)
    return len(known)
