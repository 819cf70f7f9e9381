"""Data of `benchmarks.continual`: classes that arrive in tasks, each task with cases of its own.

A case of a task is labelled with the task's classes alone, whatever else was drawn on it; test
cases keep all their labels. Dealing goes by the hash of the case's name, not by its content.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxcurate.catalog import Assembly, Catalog, Label, Scan
from voxcurate.classes import load_vocabulary
from voxcurate.errors import ConfigError
from voxcurate.executors import ExecutorConfig
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

Tasks = Sequence[Sequence[str]]
OPENKBP_TASKS: Tasks = (
    ("mandible", "spinal_cord"),
    ("brainstem", "parotid_left", "parotid_right"),
    ("esophagus", "larynx"),
)
OPENKBP_NUMBERS = {
    "brainstem": 1, "spinal_cord": 2, "parotid_right": 3, "parotid_left": 4, "esophagus": 5,
    "larynx": 6, "mandible": 7,
}  # fmt: skip
SOURCE = "continual"


@dataclass(frozen=True, eq=False)
class Subject:
    """A patient with one scan and what was drawn on it."""

    case_id: str
    volume: Volume
    masks: Mapping[str, npt.NDArray[np.bool_]]


def openkbp(folder: Path) -> Iterator[Subject]:
    """The head-and-neck CTs; an organ without a voxel was not drawn.

    Raises:
        ConfigError: they are not there.
    """
    cases = sorted(folder.glob("pt_*/ct.nii.gz"))
    if not cases:
        raise ConfigError("want openkbp_ct with pt_*/ct.nii.gz (VOXCURATE_DATA), found none")
    for path in cases:
        organs = read_nifti(path.with_name("organs.nii.gz")).array
        masks = {name: organs == n for name, n in OPENKBP_NUMBERS.items() if (organs == n).any()}
        yield Subject(path.parent.name, read_nifti(path), masks)


def deal(
    drawn: Mapping[str, Iterable[str]], tasks: Tasks, n_test: int
) -> tuple[list[list[str]], list[str]]:
    """Training cases of each task, and test cases.

    Test cases are the first by hash; each other case goes to the task with the fewest cases of
    those that it has a class of.

    Args:
        drawn: case to the classes that are drawn on it.
        tasks: the classes of each.
        n_test: how many cases to test on.
    """
    order = sorted(drawn, key=lambda case: content_id("continual", case))
    dealt: list[list[str]] = [[] for _ in tasks]
    for case in order[n_test:]:
        able = [n for n, classes in enumerate(tasks) if set(classes) & set(drawn[case])]
        if able:
            dealt[min(able, key=lambda n: (len(dealt[n]), n))].append(case)
    return dealt, order[:n_test]


def open_world(
    folder: Path, subjects: Iterable[Subject], tasks: Tasks, n_test: int
) -> tuple[StageContext, list[list[str]], list[str]]:
    """A workspace with the subjects, made on first use; tasks' cases and test cases.

    Raises:
        ConfigError: a task has no case.
    """
    workspace = Workspace.create(folder / "workspace", key_file=str(folder / "key"))
    ctx = context(folder)
    if not (folder / "complete").exists():
        everything = list(subjects)
        dealt, tested = deal({s.case_id: s.masks for s in everything}, tasks, n_test)
        if not all(dealt):
            raise ConfigError(f"want cases of each task, found {[len(d) for d in dealt]}")
        for subject in everything:
            of = next((n for n, cases in enumerate(dealt) if subject.case_id in cases), None)
            if of is not None:
                _adopt(ctx, workspace, subject, "train", tasks[of])
            elif subject.case_id in tested:
                _adopt(ctx, workspace, subject, "test", [c for task in tasks for c in task])
        (folder / "complete").touch()
    return ctx, *_dealt(ctx, tasks)


def context(folder: Path, number: int = 1, cases: Iterable[str] = ()) -> StageContext:
    """The context of a round in ``folder/workspace``."""
    workspace = Workspace(folder / "workspace")
    return StageContext(
        workspace, Catalog(workspace.catalog_url), load_vocabulary(), number,
        cohort=frozenset(cases), quiet=True, executor_config=ExecutorConfig(kind="serial"),
    )  # fmt: skip


def _dealt(ctx: StageContext, tasks: Tasks) -> tuple[list[list[str]], list[str]]:
    own: dict[str, set[str]] = {}
    for case, class_id in ctx.catalog.columns(Label, "case_id", "class_id"):
        own.setdefault(case, set()).add(class_id)
    train = sorted(ctx.cases("train"))
    dealt = [[case for case in train if own[case] & set(classes)] for classes in tasks]
    return dealt, sorted(ctx.cases("test"))


def _adopt(
    ctx: StageContext, workspace: Workspace, subject: Subject, split: str, classes: Iterable[str]
) -> None:
    case, volume = subject.case_id, subject.volume
    write_nifti(workspace.scan_path(case), volume)
    path = workspace.relative(workspace.scan_path(case))
    scan = Scan(
        case, SOURCE, case, case, split, "CT", path, content_id("scan", case),  # type: ignore[arg-type]
        list(volume.shape), list(volume.spacing), volume.affine.tolist(), licence="MIT",
    )  # fmt: skip
    files = {
        c: write_mask(workspace.scratch, f"{case}_{c}", subject.masks[c], volume.affine)
        for c in classes
        if c in subject.masks
    }
    with ctx.catalog.write() as writer:
        writer.put(scan)
        for class_id, file in files.items():
            label = adopt_mask(
                writer, workspace, file, case_id=case, class_id=class_id, origin="original",
                round_number=0,
            )  # fmt: skip
            writer.point(Assembly(0, case, class_id, label.label_id, "original"))
