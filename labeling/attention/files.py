"""Attention of ready predictions, file to file: one case, several models, no workspace."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.attention.maps import MAP_SCALE, Fusion, conflict_matrix, fuse_and_attend, stored_map
from labeling.attention.scores import ClassScore, Region, class_scores
from labeling.config import AttentionConfig
from labeling.output_folder import FILES, claim, read_case_file
from voxcurate.atomic import write_atomic
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError, SourceError
from voxcurate.labelmaps import box_parts
from voxcurate.predictions import Prediction, axes_reversed
from voxcurate.ready_predictions import Grid, read_prediction
from voxcurate.volume import Affine, Box, orientation_of

THREADS = 4
CASE_FILE, MAP = "attention.json", "attention.nii.gz"


@dataclass(frozen=True)
class Wanted:
    """What to compute and to write of each case.

    Attributes:
        attention: the equations' options.
        threshold: of the mean probability, for the fused masks.
        classes: only these; empty: all.
        masks: write the fused masks.
        class_maps: write each class's attention map beside the sum.
    """

    attention: AttentionConfig = field(default_factory=AttentionConfig)
    threshold: float = 0.5
    classes: frozenset[str] = frozenset()
    masks: bool = True
    class_maps: bool = False


@dataclass(frozen=True, eq=False)
class Attended:
    """A case: its fusion with the files' order of axes ``(K, J, I)``, its scores, its grid."""

    fusion: Fusion
    scores: Mapping[str, ClassScore]
    shape: tuple[int, int, int]
    affine: Affine


def attend_case(
    models: Mapping[str, CaseFiles],
    vocabulary: Vocabulary,
    wanted: Wanted | None = None,
    *,
    folder: Path | None = None,
) -> Attended:
    """Fuse and attend a case, and write its files.

    ``attention.nii.gz`` is uint8 with a scale, so that viewers show attention in its own unit;
    ``segmentations/<class>.nii.gz`` are the fused masks, ``attention/<class>.nii.gz`` the class
    maps.

    Args:
        models: model name to its files of this case.
        vocabulary: tells which classes may share voxels (a lesion and its organ).
        wanted: the defaults if not given.
        folder: of the case; None writes nothing.

    Raises:
        GeometryError: two models do not share a grid but for the order and direction of axes; names
            them.
        VolumeReadError: a file is broken; names class and model.
        ConfigError: a file of the folder was made by something else.
        SourceError: no model has a wanted class.
    """
    wanted = wanted or Wanted()
    with ThreadPoolExecutor(min(THREADS, len(os.sched_getaffinity(0)))) as pool:
        predictions = _read_all(models, wanted.classes, pool)
        names = list(dict.fromkeys(c for p in predictions for c in p.classes))
        names = [c for c in names if not wanted.classes or c in wanted.classes]
        if not names:
            raise SourceError("no model has a wanted class")
        shape = predictions[0].shape
        affine = predictions[0].affine[:, [2, 1, 0, 3]]
        fusion = fuse_and_attend(
            predictions,
            names,
            conflict_matrix(names, _may_overlap(names, vocabulary)),
            config=wanted.attention,
            threshold=wanted.threshold,
            class_maps=True,
        )
        del predictions
        voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
        n_i, n_j, n_k = shape[::-1]
        n_slices = (n_i, n_j, n_k)[_axial_axis(affine)]
        scores = class_scores(fusion, voxel_mm3, n_slices)
        scores = {c: replace(s, region=s.region and _turned(s.region)) for c, s in scores.items()}
        found = Attended(fusion, scores, (n_i, n_j, n_k), affine)
        if folder is not None:
            jobs = _files(found, wanted)
            claim(folder, CASE_FILE, [name for name, _ in jobs], _written_before(folder))
            list(pool.map(lambda job: write_atomic(folder / job[0], job[1]()), jobs))
    return found


def _only(files: CaseFiles, classes: frozenset[str]) -> CaseFiles:
    """The wanted classes alone, where each has its file."""
    if not classes or files.label_map is not None:
        return files
    return replace(files, masks={c: p for c, p in files.masks.items() if c in classes})


def _read_all(
    models: Mapping[str, CaseFiles], classes: frozenset[str], pool: ThreadPoolExecutor
) -> list[Prediction]:
    """All models' predictions on the first one's grid, axes reversed; turned, never resampled."""
    found: list[Prediction] = []
    grid: Grid | None = None
    for name, files in models.items():
        try:
            prediction = read_prediction(_only(files, classes), name, grid=grid, each=pool.map)
        except CurationError as error:
            raise type(error)(f"model {name}: {error}") from None
        grid = grid or Grid(prediction.shape, prediction.affine, f"model {name}")
        found.append(prediction)
    return [axes_reversed(p) for p in found]


def _written_before(folder: Path) -> list[str]:
    """What a version wrote that did not list its files."""
    data = read_case_file(folder / CASE_FILE) or {}
    if FILES in data or "classes" not in data:
        return []
    places = ("segmentations", "attention")
    return [MAP, *(f"{place}/{c}.nii.gz" for place in places for c in data["classes"])]


def _may_overlap(names: Sequence[str], vocabulary: Vocabulary) -> list[tuple[str, str]]:
    known = [c for c in names if c in vocabulary]
    return [(a, b) for a in known for b in known if a < b and vocabulary.may_overlap(a, b)]


def _axial_axis(affine: Affine) -> int:
    letters = orientation_of(affine)
    return next(n for n, letter in enumerate(letters) if letter in "SI")


def _turned(region: Region) -> Region:
    k, j, i = region.box
    return replace(region, box=(i, j, k))


def _files(found: Attended, wanted: Wanted) -> list[tuple[str, Callable[[], list[bytes]]]]:
    """Relative name and a call that gives the bytes, of each file of a case."""
    fusion = found.fusion

    def parts(
        values: npt.NDArray[np.generic], box: Box | None = None, slope: float = 1.0
    ) -> list[bytes]:
        i, j, k = (slice(0, n) for n in found.shape) if box is None else box[::-1]
        return box_parts(values.T, (i, j, k), found.shape, found.affine, slope=slope)

    unit = 1.0 / MAP_SCALE
    jobs = [(MAP, lambda: parts(stored_map(fusion.total), slope=unit))]
    if wanted.masks:
        jobs += [
            (f"segmentations/{c}.nii.gz", partial(parts, mask, box))
            for c, (box, mask) in fusion.masks.items()
        ]
    if wanted.class_maps:
        jobs += [
            (f"attention/{c}.nii.gz", partial(parts, stored, box, unit))
            for c, (box, stored) in fusion.maps.items()
        ]
    return jobs
