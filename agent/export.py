"""A release of the dataset: the current label versions in the AbdomenAtlas layout, with tables.

``<case_id>/ct.nii.gz``, ``<case_id>/segmentations/<class>.nii.gz`` (binary uint8; an all-zero file
says the structure is absent, no file says that nobody knows), and the tables of
`agent.export_tables`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.export_tables import Released, write_tables
from voxcurate.catalog import Assembly, Decision, Label, Scan
from voxcurate.classes import Vocabulary
from voxcurate.errors import CatalogError, ConfigError, CurationError
from voxcurate.protocols import Task
from voxcurate.stage import StageContext, StageResult

SPLITS = ("train", "validation", "test")
LEAK = "the leak scan found identifying data: not exported"


def export(
    ctx: StageContext,
    out: Path,
    *,
    classes: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    link: bool = False,
    combined: bool = False,
) -> StageResult:
    """Write the dataset as of the current pointers to a new folder, whole or not at all.

    Every file is checked against the catalog's hash on its way out. A case that failed the leak
    scan, or whose files differ from the catalog, is left out and named in the result.

    Args:
        out: a folder that does not exist yet or is empty.
        classes: class ids; default the context's classes, else all that have a label.
        splits: of train, validation, test; default all.
        link: hard links instead of copies, where the file system allows it.
        combined: also write ``combined_labels.nii.gz``, an integer map; an inner class is drawn
            over the one that contains it. It cannot tell "unknown" from background.

    Returns:
        counts of cases and labels; the cases left out with the reason.

    Raises:
        CurationError: `out` holds files, or no case is left to export.
        ConfigError: an unknown class or split.
    """
    _check_folder(out)
    wanted = _check_splits(splits)
    chosen = _check_classes(ctx, classes)
    cases = ctx.cases(*wanted)
    leaks = ctx.catalog.columns(Decision, "case_id", stage="clean", verdict="leak")
    refused = {case: LEAK for (case,) in sorted(leaks) if case in cases}
    ours = Released(ctx, [case for case in cases if case not in refused], chosen, combined)
    temporary = out.absolute().with_name(f".{out.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        failed = _copy_cases(ours, temporary, link=link)
        kept = [case for case in ours.cases if case not in failed]
        if not kept:
            raise CurationError(f"nothing to export: {len(cases)} cases, {len(refused)} refused")
        n_labels = write_tables(replace(ours, cases=kept), {**refused, **failed}, temporary)
        if out.is_dir():
            out.rmdir()
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    counts = {"cases": len(kept), "labels": n_labels, "refused": len(refused)}
    return StageResult(counts, {**refused, **failed})


@dataclass(frozen=True)
class CaseFiles:
    """What the worker copies for one case; paths are absolute, empty for an empty mask."""

    scan: Scan
    labels: Mapping[str, Label]
    values: Mapping[str, int]
    root: str
    target: str
    link: bool


def copy_case(job: CaseFiles) -> int:
    """Worker: copy one case's files, each checked against the catalog; returns how many.

    Raises:
        CatalogError: a file is gone or is not what the catalog says.
    """
    root, folder = Path(job.root), Path(job.target)
    (folder / "segmentations").mkdir(parents=True)
    scan = job.scan
    _place(root / scan.path, folder / "ct.nii.gz", job.link)
    if not is_scan_file(root / scan.path, scan):
        raise CatalogError("the ct differs from its hash in the catalog", case_id=scan.case_id)
    merged = np.zeros(tuple(scan.shape), np.uint8 if len(job.values) < 256 else np.uint16)
    for class_id in job.values or sorted(job.labels):
        if class_id in job.labels:
            merged[_copy_mask(job, job.labels[class_id], folder)] = job.values.get(class_id, 0)
    if job.values:
        _write(folder / "combined_labels.nii.gz", merged, scan)
    return 1 + len(job.labels)


def is_scan_file(path: Path, scan: Scan) -> bool:
    """Whether a file is the scan that the catalog knows, by its bytes."""
    from voxcurate.ids import file_sha256

    return file_sha256(path) == scan.sha256


def drawing_order(vocabulary: Vocabulary, classes: Sequence[str]) -> list[str]:
    """Classes so that each comes after those that contain it; else in the given order."""
    return sorted(classes, key=lambda c: len(vocabulary.containers(c)) if c in vocabulary else 0)


def _copy_mask(job: CaseFiles, label: Label, folder: Path) -> npt.NDArray[np.bool_]:
    from voxcurate.labels import mask_sha256, read_mask

    root, target = Path(job.root), folder / "segmentations" / f"{label.class_id}.nii.gz"
    mask = read_mask(root, label.path, tuple(job.scan.shape))
    if mask_sha256(mask) != label.sha256:
        raise CatalogError(
            f"mask {label.class_id} differs from its hash in the catalog", case_id=label.case_id
        )
    if label.path:
        _place(root / label.path, target, job.link)
    else:
        _write(target, mask.view(np.uint8), job.scan)
    if label.known_path:
        (folder / "known").mkdir(exist_ok=True)
        _place(root / label.known_path, folder / "known" / target.name, job.link)
    return mask


def _place(source: Path, target: Path, link: bool) -> None:
    if not source.is_file():
        raise CatalogError(f"the file for {target.name} is gone from the workspace")
    if link:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)
    else:
        shutil.copyfile(source, target)


def _write(path: Path, array: npt.NDArray[Any], scan: Scan) -> None:
    from voxcurate.nifti import write_nifti
    from voxcurate.volume import Volume

    write_nifti(path, Volume(array, np.asarray(scan.affine, dtype=np.float64)))


def _copy_cases(ours: Released, folder: Path, *, link: bool) -> dict[str, str]:
    ctx, values = ours.ctx, dict[str, int]()
    if ours.combined:
        number = {class_id: i for i, class_id in enumerate(ours.classes, 1)}
        values = {c: number[c] for c in drawing_order(ctx.vocabulary, ours.classes)}
    root = str(ctx.workspace.root)
    tasks = (
        Task(
            case,
            CaseFiles(batch.scans[case], labels, values, root, str(folder / case), link),
        )
        for batch in ours.batches()
        for case, labels in batch.labels.items()
    )
    failed: dict[str, str] = {}
    if ours.cases:
        for outcome in ctx.executor().run("agent.export:copy_case", tasks):
            if not outcome.ok:
                failed[outcome.key] = outcome.error
                shutil.rmtree(folder / outcome.key, ignore_errors=True)
    return failed


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CurationError("want a new or empty folder for the export, found other files in it")


def _check_splits(splits: Sequence[str] | None) -> tuple[str, ...]:
    wrong = sorted(set(splits or ()) - set(SPLITS))
    if wrong:
        raise ConfigError(f"want splits of {', '.join(SPLITS)}; found {', '.join(wrong)}")
    return tuple(splits or ())


def _check_classes(ctx: StageContext, classes: Sequence[str] | None) -> tuple[str, ...]:
    chosen = list(dict.fromkeys(classes if classes is not None else ctx.classes))
    for class_id in chosen:
        _ = ctx.vocabulary[class_id]  # an unknown class is an error here
    if not chosen:
        labelled = {class_id for (class_id,) in ctx.catalog.columns(Assembly, "class_id")}
        order = {class_id: i for i, class_id in enumerate(ctx.vocabulary.ids())}
        chosen = sorted(labelled, key=lambda c: (order.get(c, len(order)), c))
    return tuple(chosen)
