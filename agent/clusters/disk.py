"""How much disk a round will fill, with the arithmetic shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from agent.config import RoundConfig
from voxcurate.catalog import Catalog, Round, Scan
from voxcurate.stage import IN_COHORT
from voxcurate.workspace import Workspace

SAMPLE = 200  # files that a mean is taken of
# bytes per voxel of 60 CTs of 128 a side with 7 structures each, where a workspace has none yet
PREDICTION_PER_CLASS, LABEL = 4.4e-3, 1.6e-3
ATTENTION = 2e-2
MODEL_MB = 100.0
SPARE = 1.5


@dataclass(frozen=True)
class Written:
    """Files of one kind that a round will write; `each_mb` of one of them."""

    what: str
    n: int
    each_mb: float
    how: str

    @property
    def gb(self) -> float:
        """Of all of them."""
        return self.n * self.each_mb / 1e3

    def told(self) -> str:
        """The arithmetic."""
        return f"{self.what}: {self.how} = {self.n:,} x {self.each_mb:.3g} MB = {self.gb:.3g} GB"


def to_be_written(
    workspace: Workspace, catalog: Catalog, config: RoundConfig, n_classes: int
) -> list[Written]:
    """What the next round writes at most, by the size of such files here so far; without any, by
    the voxels of the scans."""
    scans = catalog.columns(Scan, "split", "shape", status=IN_COHORT)
    voxels = fmean([s[0] * s[1] * s[2] for _, s in scans] or [0.0])
    seen = sum(split != "test" for split, _ in scans)
    n_models = len(config.zoo.networks) + len(config.predict.models) + bool(catalog.count(Round))
    prediction = _mean_mb(workspace.root.glob("predictions/*/*/*.vxp"))
    label = _mean_mb(workspace.root.glob("labels/*/*/*.nii.gz"))
    attention = _mean_mb(workspace.root.glob("attention/*/*/attention.nii.gz"))
    n, c = len(scans), n_classes
    return [
        Written(
            "predictions", n * n_models, prediction or voxels * PREDICTION_PER_CLASS * c / 1e6,
            f"{n} scans x {n_models} models",
        ),
        Written("labels", n * c, label or voxels * LABEL / 1e6, f"{n} scans x {c} classes"),
        Written("attention", seen, attention or voxels * ATTENTION / 1e6, f"{seen} scans"),
        Written("models", len(config.zoo.networks) + 1, MODEL_MB, "zoo and flagship"),
    ]  # fmt: skip


def _mean_mb(files: Iterable[Path]) -> float:
    """Mean size of the first files; 0.0 without any."""
    sizes = [path.stat().st_size for path in islice(files, SAMPLE)]
    return fmean(sizes) / 1e6 if sizes else 0.0
