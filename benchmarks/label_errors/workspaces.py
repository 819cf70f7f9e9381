"""Workspaces of the benchmark: one with predictions, and copies of it with wrong labels.

A copy shares all files by hard links (what a workspace holds is written once) and has a catalog of
its own, in which wrong labels stand as the originals. Ledger lines of cases that were left alone
still fit, so that a copy's detection computes the changed cases only.
"""

import os
import shutil
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.attention_quality_cohort import train_and_predict
from benchmarks.label_errors.planting import Mask, Planted
from labeling.config import LabelingConfig
from labeling.expert import detect
from labeling.fusion import fuse
from voxcurate.catalog import Assembly, Catalog, Decision, Label, Measure, Model, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CurationError
from voxcurate.executors import ExecutorConfig
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace

OLD = "2000-01-01T00:00:00+00:00"  # of copied lines: what is done anew is newer
LEARNED = ("predictions", "attention", "models", "rounds")  # what predictions were made with
INGESTED = ("ingest", "inspect")  # stages whose lines stay when networks are trained anew


def context(
    folder: Path, round_number: int = 1, *, cases: frozenset[str] = frozenset()
) -> StageContext:
    """The context of a round in ``folder/workspace``, with all classes that its labels name."""
    workspace = Workspace(folder / "workspace")
    catalog = Catalog(workspace.catalog_url)
    classes = tuple(sorted({c for (c,) in catalog.columns(Label, "class_id", origin="original")}))
    return StageContext(
        workspace, catalog, load_vocabulary(), round_number, classes=classes, cohort=cases,
        quiet=True,         executor_config=ExecutorConfig(kind="serial"),
    )  # fmt: skip


def base(folder: Path, predicted: Path, config: LabelingConfig) -> StageContext:
    """A copy of a workspace with predictions, fused and looked over; made once.

    Args:
        folder: of the copy.
        predicted: as `benchmarks.attention_quality` leaves it.
        config: of fusion and detection.
    """
    if not (folder / "workspace" / "config.yaml").is_file():
        copy(predicted, folder)
    ctx = context(folder)
    check(fuse.run(ctx, config))
    check(detect.run(ctx, config))
    return ctx


def copy(source: Path, target: Path, *, learned: bool = True) -> None:
    """A folder (``key``, ``workspace``) with linked files and its own databases.

    Args:
        source: is left as it is.
        target: what was there is removed.
        learned: with models and predictions; else as after ingest, to train on.
    """
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copy2(source / "key", target / "key")
    root = source / "workspace"
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        if inner.parts[0] == "tmp" or (learned and inner.parts[0] == "cache"):
            continue
        if not learned and inner.parts[0] in LEARNED:
            continue
        place = target / "workspace" / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif path.suffix == ".sqlite":
            _copy_database(path, place)
        elif path.name == "config.yaml":
            shutil.copy2(path, place)
        elif not path.name.endswith(("-wal", "-shm")):
            os.link(path, place)
    (target / "workspace" / "private").chmod(0o700)
    if not learned:
        _unlearn(context(target))


def _copy_database(source: Path, target: Path) -> None:
    """With what its log holds, while others read it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _unlearn(ctx: StageContext) -> None:
    work, label = TABLES[WorkItem], TABLES[Label]
    with ctx.catalog.engine.begin() as connection:
        connection.execute(work.delete().where(work.c.stage.not_in(INGESTED)))
        connection.execute(label.delete().where(label.c.origin != "original"))
        for kind in (Model, Measure, Decision):
            connection.execute(TABLES[kind].delete())


def plant(ctx: StageContext, errors: Sequence[tuple[Planted, Mask]]) -> None:
    """Put wrong labels in the place of the originals; the true ones leave the catalog."""
    label = TABLES[Label]
    affine_of = {scan.case_id: scan.affine for scan in ctx.scans()}
    for error, mask in errors:
        case_id, class_id = error.case_id, error.class_id
        affine = np.asarray(affine_of[case_id], np.float64)
        file = write_mask(ctx.workspace.scratch, f"{case_id}_{class_id}_planted", mask, affine)
        old = ctx.catalog.rows(
            Label, case_id=case_id, class_id=class_id, origin="original", round=0
        )
        with ctx.catalog.write() as writer:
            made = adopt_mask(
                writer, ctx.workspace, file, case_id=case_id, class_id=class_id,
                origin="original", round_number=0, facts={"planted": error.kind},
            )  # fmt: skip
            writer.point(Assembly(0, case_id, class_id, made.label_id, "original"))
        gone = [x.label_id for x in old if x.label_id != made.label_id]
        with ctx.catalog.engine.begin() as connection:
            connection.execute(label.delete().where(label.c.label_id.in_(gone)))


def next_round(ctx: StageContext) -> StageContext:
    """The round after, with the same predictions (nothing is trained anew).

    The newest detection of each case comes along: it is done anew only where a label changed.
    """
    lines = ctx.catalog.rows(WorkItem, stage=["predict", "detect"], round=ctx.round, status="done")
    newest: dict[tuple[str, str, str], WorkItem] = {}
    for line in sorted(lines, key=lambda x: (x.updated, x.fingerprint)):
        newest[line.stage, line.subject, line.variant] = line
    with ctx.catalog.write() as writer:
        writer.put_all([replace(x, round=ctx.round + 1, updated=OLD) for x in newest.values()])
    return replace(ctx, round=ctx.round + 1)


def retrain(ctx: StageContext, effort: float, only: Collection[str]) -> None:
    """Networks of `benchmarks.attention_quality`, trained on the labels as they are here."""
    train_and_predict(ctx, effort, only)


def check(result: StageResult) -> StageResult:
    """The result of a stage.

    Raises:
        CurationError: something in it failed.
    """
    if result.failed:
        raise CurationError(f"{len(result.failed)} items failed: {dict(result.failed)}")
    return result
