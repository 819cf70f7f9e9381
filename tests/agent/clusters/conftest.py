"""A workspace with rows but no scans on disk, and a launcher that only writes down."""

from dataclasses import dataclass, field

import pytest

from voxcurate.catalog import Catalog, Round, Scan
from voxcurate.catalog.records import Split
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.workspace import Workspace


def scan(n: int, split: Split = "train") -> Scan:
    affine = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1.0]]
    return Scan(
        case_id=f"s_{n:03d}", source="s", patient=f"p{n}", duplicate_group="", split=split,
        modality="CT", path=f"scans/s_{n:03d}/ct.nii.gz", sha256=f"{n:064d}", shape=[100, 90, 80],
        spacing=[1.0, 1.0, 2.0], affine=affine,
    )  # fmt: skip


def a_round(number, status="running", **more):
    from agent.config import RoundConfig

    config = RoundConfig().model_dump(mode="json")
    return Round(number, status, config, {}, 0, "2026-01-01T00:00:00+00:00", **more)


@dataclass
class Notebook:
    """A launcher that starts nothing."""

    launched: list[JobSpec] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    state: JobState = JobState.WAITING

    def launch(self, jobs):
        self.launched += jobs
        return [str(100 + n) for n in range(len(jobs))]

    def states(self, ids):
        return dict.fromkeys(ids, self.state)

    def cancel(self, ids):
        self.cancelled += ids


@pytest.fixture
def notebook():
    return Notebook()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def catalog(workspace):
    """Eight scans to train on, two to test, none cleaned yet."""
    opened = Catalog(workspace.catalog_url)
    with opened.write() as writer:
        for n in range(10):
            writer.add(scan(n, "test" if n > 7 else "train"))
    yield opened
    opened.close()
