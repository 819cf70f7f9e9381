"""Volumes and agreement of label folders, each the labels of one source, model or person."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agent.asked_classes import asked_classes, classes_there
from agent.prediction_folders import cases_of, name_folders
from labeling.statistics.agreement import Agreement
from labeling.statistics.figures import (
    CaseAgreement,
    LabelVolume,
    Pair,
    Part,
    Rater,
    dice_matrix,
    dice_table,
)
from labeling.statistics.label_bias import FUSED, ORIGINAL, Bias, label_bias
from voxcurate.case_files import CaseFiles, Kind
from voxcurate.errors import ConfigError, CurationError, GeometryError, VolumeReadError
from voxcurate.labelmaps import Sparse, read_sparse, same_affine
from voxcurate.masks import label_boxes
from voxcurate.predictions import EMPTY_BOX
from voxcurate.progress import progress
from voxcurate.volume import ML_PER_MM3, Affine, Box

if TYPE_CHECKING:
    from voxcurate.classes import Vocabulary

THREADS = 4  # one case each; its masks lie in memory, cropped
EMPTY = Part(EMPTY_BOX, np.zeros((0, 0, 0), np.bool_))
Masks = dict[str, Part]  # class -> mask, axes (K, J, I)


@dataclass(frozen=True)
class FolderStatistics:
    """What folders say.

    Attributes:
        cases: folder to the number of its cases that could be read.
        volumes: of every class, folder and case that could be read.
        agreement: between the folders.
        failed: case to what is wrong with it.
    """

    cases: Mapping[str, int]
    volumes: tuple[LabelVolume, ...]
    agreement: Agreement
    failed: Mapping[str, str]


@dataclass(frozen=True)
class FolderOptions:
    """How folders are read.

    Attributes:
        classes: only these, by any of their names; empty: all.
        labels: file with the names of label maps' values.
        layout: what files directly in a folder are.
        people: names of the folders that people drew.
        machine: name of the folder whose labels are asked for a bias; empty: none.
    """

    classes: tuple[str, ...] = ()
    labels: Path | None = None
    layout: Kind = "auto"
    people: tuple[str, ...] = ()
    machine: str = ""


def folder_statistics(
    folders: Sequence[Path], vocabulary: "Vocabulary", options: FolderOptions
) -> FolderStatistics:
    """Volumes per class and folder, and the DSC of every two folders on the cases of both.

    Cases are matched by name, classes by name whatever tool wrote them. A class whose file is
    missing is unknown there, and not compared; in a label map a class that does not occur is empty.

    Raises:
        SourceError: a folder holds no labels.
        ConfigError: a folder is given twice, one is named in the options and is none of these, or
            no folder has a class that is asked for.
    """
    names = name_folders(folders)
    raters = _raters(names, options)
    found = {
        name: cases_of(folder, vocabulary, options.labels, options.layout)
        for name, folder in zip(names, folders, strict=True)
    }
    there = classes_there(case for own in found.values() for case in own.values())
    wanted = frozenset(asked_classes(options.classes, vocabulary, there))
    cases = sorted({case for files in found.values() for case in files})

    def work(case: str) -> "_Case | str":
        try:
            files = {name: own[case] for name, own in found.items() if case in own}
            return _read_case(case, files, wanted)
        except CurationError as error:
            return str(error)

    read: list[_Case] = []
    failed: dict[str, str] = {}
    threads = max(1, min(THREADS, len(os.sched_getaffinity(0)), len(cases)))
    with ThreadPoolExecutor(threads) as pool, progress("statistics", len(cases)) as bar:
        for case, result in zip(cases, pool.map(work, cases), strict=True):
            if isinstance(result, str):
                failed[case] = result
            else:
                read.append(result)
                failed |= {f"{case} in {name}": why for name, why in result.broken.items()}
            bar.advance()
    compared = [case.agreement for case in read if case.agreement.dsc]
    agreement = Agreement(
        tuple(raters),
        dice_matrix(compared, raters),
        tuple(_bias(compared, raters, options)),
        len(compared),
        len(cases),
        len(compared),
    )
    return FolderStatistics(
        {name: sum(name in case.folders for case in read) for name in names},
        tuple(volume for case in read for volume in case.volumes),
        agreement,
        failed,
    )


def _raters(names: Sequence[str], options: FolderOptions) -> list[Rater]:
    for name in (*options.people, *filter(None, [options.machine])):
        if name not in names:
            raise ConfigError(f"want one of the folders {', '.join(names)}, found {name!r}")
    if options.machine in options.people:
        raise ConfigError(f"{options.machine}: either people drew it or a machine")
    kinds = {**dict.fromkeys(options.people, "human"), options.machine: "machine"}
    return [Rater(name, name, kinds.get(name, "model"), name) for name in names]  # type: ignore[arg-type]


def _bias(
    cases: Sequence[CaseAgreement], raters: Sequence[Rater], options: FolderOptions
) -> list[Bias]:
    """Of the machine's folder; the first of people's folders that has a structure stands for them.

    Nothing if one of the two is not named.
    """
    if not options.machine or not options.people:
        return []
    roles = [(options.machine, FUSED), *((name, ORIGINAL) for name in reversed(options.people))]
    renamed = []
    for case in cases:
        classes: dict[str, dict[Pair, float]] = {}
        for class_id in case.dsc:
            pairs = classes[class_id] = {}
            for rater in raters:
                for name, role in roles:
                    value = case.between(class_id, rater.rater_id, name)
                    if value is not None:
                        pairs[rater.rater_id, role] = value
        renamed.append(CaseAgreement(case.case_id, classes))
    return label_bias(renamed, raters, {})


@dataclass(frozen=True)
class _Case:
    folders: frozenset[str]
    volumes: tuple[LabelVolume, ...]
    agreement: CaseAgreement
    broken: Mapping[str, str] = field(default_factory=dict)


def _read_case(case: str, files: Mapping[str, CaseFiles], classes: frozenset[str]) -> _Case:
    """All folders' masks of a case; a folder whose file is broken is left out and named.

    Raises:
        GeometryError: they do not lie on the same grid.
    """
    grid = _Grid()
    masks: dict[str, Masks] = {}
    broken: dict[str, str] = {}
    for name, place in files.items():
        try:
            masks[name] = _masks(name, place, classes, grid)
        except VolumeReadError as error:  # the other folders' files are none the worse
            broken[name] = str(error)
    numbered = {c for name in masks if _is_unnamed(files[name]) for c in masks[name]}
    for name, own in masks.items():
        if _is_unnamed(files[name]):  # a label that another map has is empty in this one
            for class_id in numbered:
                own.setdefault(class_id, EMPTY)
    names = list(masks)
    wanted = sorted({c for own in masks.values() for c in own})
    dsc: dict[str, dict[Pair, float]] = {}
    for class_id in wanted:
        table = dice_table([own.get(class_id) for own in masks.values()])
        pairs = {
            (one, two): float(table[i, j])
            for i, one in enumerate(names)
            for j, two in enumerate(names[i + 1 :], i + 1)
            if np.isfinite(table[i, j])
        }
        if pairs:
            dsc[class_id] = pairs
    volumes = tuple(
        LabelVolume(c, name, "", int(np.count_nonzero(part.mask)) * grid.voxel_ml)
        for name, own in masks.items()
        for c, part in sorted(own.items())
    )
    return _Case(frozenset(names), volumes, CaseAgreement(case, dsc), broken)


class _Grid:
    """The grid of a case, taken from the first file; the others must lie on it."""

    def __init__(self) -> None:
        self._first: tuple[str, tuple[int, int, int], Affine] | None = None

    def check(self, where: str, found: Sparse) -> None:
        if self._first is None:
            self._first = (where, found.shape, found.affine)
            return
        first, shape, affine = self._first
        if found.shape != shape:
            raise GeometryError(f"the shapes differ: {shape} in {first}, {found.shape} in {where}")
        if not same_affine(found.affine, affine):
            raise GeometryError(f"the affines of {first} and {where} differ")

    @property
    def voxel_ml(self) -> float:
        if self._first is None:
            return 0.0
        return abs(float(np.linalg.det(self._first[2][:3, :3]))) * ML_PER_MM3


def _masks(name: str, files: CaseFiles, classes: frozenset[str], grid: _Grid) -> Masks:
    """Class to mask; of all its masks, or what its label map names."""
    if files.label_map is None:
        found = {}
        for class_id, path in files.masks.items():
            if classes and class_id not in classes:
                continue
            read = read_sparse(path)
            grid.check(f"{name} ({class_id})", read)
            found[class_id] = Part(read.box, read.array != 0)
        return found
    read = read_sparse(files.label_map)
    grid.check(name, read)
    array = _whole_numbers(name, read)
    boxes = label_boxes(array)
    names = files.names or {n: str(n) for n in boxes}
    return {
        class_id: _part(read.box, boxes.get(n), array, n)
        for n, class_id in names.items()
        if not classes or class_id in classes
    }


def _is_unnamed(files: CaseFiles) -> bool:
    return files.label_map is not None and not files.names


def _whole_numbers(name: str, read: Sparse) -> npt.NDArray[np.integer[Any]]:
    labels = read.array.astype(np.int32, copy=False) if read.array.dtype != np.uint8 else read.array
    if not np.array_equal(labels, read.array) or (labels.size and labels.min() < 0):
        raise VolumeReadError(f"{name}: want whole numbers of 0 and more in a label map")
    return labels


def _part(around: Box, box: Box | None, array: npt.NDArray[np.integer[Any]], label: int) -> Part:
    if box is None:
        return EMPTY
    i, j, k = (
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(around, box, strict=True)
    )
    return Part((i, j, k), array[box] == label)
