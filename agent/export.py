"""A release of the dataset: the current label versions in the AbdomenAtlas layout, with tables.

``<case_id>/ct.nii.gz``, ``<case_id>/segmentations/<class>.nii.gz`` (binary uint8; an all-zero file
says the structure is absent, no file says that nobody knows), and the tables of
`agent.export_tables`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.export_tables import Released, write_tables
from voxcurate.catalog import Decision, Label, Scan
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
    pointers = ctx.catalog.current()
    chosen = _check_classes(ctx, classes, {class_id for _, class_id in pointers})
    scans = {scan.case_id: scan for scan in ctx.scans(*wanted)}
    refused = {
        d.case_id: LEAK
        for d in ctx.catalog.rows(Decision, stage="clean", verdict="leak")
        if d.case_id in scans
    }
    labels = _labels(ctx, pointers, chosen, set(scans) - set(refused))
    temporary = out.absolute().with_name(f".{out.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        failed = _copy_cases(ctx, scans, labels, chosen, temporary, refused, link, combined)
        kept = [scan for case, scan in scans.items() if case not in refused and case not in failed]
        if not kept:
            raise CurationError(f"nothing to export: {len(scans)} cases, {len(refused)} refused")
        released = Released(kept, {s.case_id: labels[s.case_id] for s in kept}, chosen, combined)
        write_tables(ctx, released, {**refused, **failed}, temporary)
        if out.is_dir():
            out.rmdir()
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    n_labels = sum(len(labels[scan.case_id]) for scan in kept)
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


def _copy_cases(
    ctx: StageContext,
    scans: Mapping[str, Scan],
    labels: Mapping[str, Mapping[str, Label]],
    classes: Sequence[str],
    folder: Path,
    refused: Mapping[str, str],
    link: bool,
    combined: bool,
) -> dict[str, str]:
    values: dict[str, int] = {}
    if combined:
        number = {class_id: i for i, class_id in enumerate(classes, 1)}
        values = {c: number[c] for c in drawing_order(ctx.vocabulary, classes)}
    root = str(ctx.workspace.root)
    tasks = [
        Task(case, CaseFiles(scan, labels[case], values, root, str(folder / case), link))
        for case, scan in scans.items()
        if case not in refused
    ]
    failed: dict[str, str] = {}
    if tasks:
        for outcome in ctx.executor().run("agent.export:copy_case", tasks):
            if not outcome.ok:
                failed[outcome.key] = outcome.error
                shutil.rmtree(folder / outcome.key, ignore_errors=True)
    return failed


def _labels(
    ctx: StageContext,
    pointers: Mapping[tuple[str, str], Any],
    classes: Sequence[str],
    cases: set[str],
) -> dict[str, dict[str, Label]]:
    ids = {p.label_id for (case, c), p in pointers.items() if case in cases and c in classes}
    found: dict[str, dict[str, Label]] = {case: {} for case in cases}
    for label in ctx.catalog.rows(Label, label_id=ids):
        if not label.retired:  # wrong, and nothing better is there: unknown
            found[label.case_id][label.class_id] = label
    return found


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CurationError("want a new or empty folder for the export, found other files in it")


def _check_splits(splits: Sequence[str] | None) -> tuple[str, ...]:
    wrong = sorted(set(splits or ()) - set(SPLITS))
    if wrong:
        raise ConfigError(f"want splits of {', '.join(SPLITS)}; found {', '.join(wrong)}")
    return tuple(splits or ())


def _check_classes(
    ctx: StageContext, classes: Sequence[str] | None, labelled: set[str]
) -> tuple[str, ...]:
    chosen = list(dict.fromkeys(classes if classes is not None else ctx.classes))
    for class_id in chosen:
        _ = ctx.vocabulary[class_id]  # an unknown class is an error here
    if not chosen:
        order = {class_id: i for i, class_id in enumerate(ctx.vocabulary.ids())}
        chosen = sorted(labelled, key=lambda c: (order.get(c, len(order)), c))
    return tuple(chosen)
