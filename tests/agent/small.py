"""A small workspace and settings with which a whole round takes seconds."""

from pathlib import Path

from agent.cohort import generate_cohort
from agent.commands import ingest_folder, init_workspace

SETTINGS = (
    "zoo.training.steps=4",
    "flagship.training.steps=6",
    "zoo.training.checkpoint_every=2",
    "flagship.training.checkpoint_every=2",
    "zoo.training.patch=[32, 32, 32]",
    "flagship.training.patch=[32, 32, 32]",
    "zoo.training.grid.spacing_mm=[9, 9, 9]",
    "flagship.training.grid.spacing_mm=[9, 9, 9]",
    "evaluate.bootstrap=50",
)
SMALL = tuple(part for setting in SETTINGS for part in ("--set", setting))
PATIENTS = 10


def make_workspace(folder: Path, *, patients: int = PATIENTS, seed: int = 3) -> Path:
    """A cohort and a workspace that has ingested it; gives the workspace's folder."""
    cohort, root = folder / "cohort", folder / "calm"
    generate_cohort(cohort, patients=patients, seed=seed)
    init_workspace(root, preset="demo")
    ingest_folder(root, cohort / "cohort")
    return root
