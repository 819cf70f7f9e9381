"""The rules on files alone: the masks or the label map of a case, with its scan if there is one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labeling.body import body_frame
from labeling.expert.features import hu_median
from labeling.rules.case import CaseFacts
from labeling.structures import NOWHERE, Structure
from voxcurate.case_files import SUFFIXES, CaseFiles
from voxcurate.errors import GeometryError, SourceError, VolumeReadError
from voxcurate.labelmaps import same_affine
from voxcurate.layouts import SCAN_NAMES, stem
from voxcurate.masks import label_boxes
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

CHANNEL = "_0000"  # nnU-Net's first channel
NEGATIVE_SHOWN = 5


def facts_of(
    structures: Mapping[str, Structure],
    scan: Volume | None,
    *,
    sex: str = "",
    disjoint: bool = False,
) -> CaseFacts:
    """What a CT says besides the masks; without one only the sex is known."""
    if scan is None:
        return CaseFacts(sex=sex, disjoint=disjoint)
    frame = body_frame(scan.array, scan.affine)
    hu = {c: hu_median(s, scan.array) for c, s in structures.items() if not s.is_empty}
    return CaseFacts(hu, frame.middle, sex, frame, disjoint)


def read_case(files: CaseFiles) -> dict[str, Structure]:
    """The structures of a case. A mask file without a voxel is an empty structure; a label of a
    label map that does not occur is no structure: nobody says whether the class was looked for.

    Raises:
        VolumeReadError: a file is broken; names the class.
        GeometryError: two masks lie on different grids; names the class.
    """
    return read_labels(files)[0]


def read_labels(files: CaseFiles) -> tuple[dict[str, Structure], dict[int, int]]:
    """As `read_case`; and the values of a label map that have no name, with their voxels: nothing
    is known of them."""
    if files.label_map is not None:
        return _read_map(files.label_map, files.names)
    found: dict[str, Structure] = {}
    first: Structure | None = None
    for class_id, path in files.masks.items():
        try:
            volume = read_nifti(path)
        except VolumeReadError as error:
            raise VolumeReadError(f"mask {class_id}: {error}") from None
        _check_mask(class_id, volume)
        s = Structure.of(class_id, volume.array != 0, volume.affine)
        first = first or s
        if s.shape != first.shape or not same_affine(s.affine, first.affine):
            raise GeometryError(f"mask {class_id} lies on another grid than {first.class_id}")
        found[class_id] = s
    return found, {}


def _read_map(path: Path, names: Mapping[int, str]) -> tuple[dict[str, Structure], dict[int, int]]:
    volume = read_nifti(path)
    labels = _labels(volume.array)
    found: dict[str, Structure] = {}
    unnamed: dict[int, int] = {}
    for n, box in label_boxes(labels).items():
        mask = np.ascontiguousarray(labels[box] == n)
        name = names.get(n, "" if names else str(n))
        if not name:
            unnamed[n] = int(np.count_nonzero(mask))
        else:
            found[name] = Structure(name, mask, box, volume.shape, volume.affine)
    return found, unnamed


def _check_mask(class_id: str, volume: Volume) -> None:
    """Whether a file is a mask, of 0 and one other value.

    Raises:
        VolumeReadError: it holds several, as label maps do.
    """
    array = volume.array
    if array.dtype.kind in "iu":
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        if low < 0:
            raise VolumeReadError(f"mask {class_id}: want values of 0 and more{_negative(array)}")
        several = high > 1 and bool(((array != 0) & (array != high)).any())
        if several:
            raise VolumeReadError(
                f"mask {class_id}: want 0 and one other value, found {low} to {high}: is it a "
                "label map? Those are <case>.nii.gz or <case>/labels.nii.gz, their names --labels"
            )


def find_scans(root: Path, cases: Mapping[str, Any]) -> dict[str, Path]:
    """Case to its scan: ``<case>.nii.gz``, ``<case>_0000.nii.gz`` or ``<case>/ct.nii.gz``; of a
    single case a single file.

    Raises:
        SourceError: no scan of any case.
    """
    if root.is_file() and len(cases) == 1:
        return dict.fromkeys(cases, root)
    found: dict[str, Path] = {}
    for path in _volumes(root):
        name = stem(path.name)
        name = name.removesuffix(CHANNEL)
        if name.lower() in SCAN_NAMES:
            name = path.parent.name
            if path.parent == root and len(cases) == 1:
                name = next(iter(cases))
        if name in cases:
            found.setdefault(name, path)
    if not found:
        raise SourceError(
            "want <case>.nii.gz, <case>_0000.nii.gz or <case>/ct.nii.gz among the scans: "
            "no scan is called like a case"
        )
    return found


def _volumes(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if path.is_dir():
            yield from (p for p in sorted(path.iterdir()) if p.name.lower().endswith(SUFFIXES))
        elif path.name.lower().endswith(SUFFIXES):
            yield path


def read_scan(structures: Mapping[str, Structure], path: Path | None) -> Volume | None:
    """The scan of some structures; None without a path or without structures.

    Raises:
        VolumeReadError: it cannot be read.
        GeometryError: it lies on another grid.
    """
    if path is None or not structures:
        return None
    try:
        scan = read_nifti(path)
    except VolumeReadError as error:
        raise VolumeReadError(f"ct: {error}") from None
    first = next(iter(structures.values()))
    if scan.shape != first.shape or not same_affine(scan.affine, first.affine):
        raise GeometryError(
            f"ct: the scan lies on another grid than the masks: {scan.shape} and {first.shape}"
        )
    return scan


def _labels(array: Any) -> Any:
    """The labels of a map, whole numbers of 0 and more.

    Raises:
        VolumeReadError: there are others; tells which.
    """
    labels = array
    if array.dtype.kind not in "bui":
        labels = array.astype(np.int32)
        if not np.array_equal(labels, array):
            raise VolumeReadError("want whole numbers in a label map")
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise VolumeReadError(f"want values of 0 and more in a label map{_negative(labels)}")
    return labels


def _negative(array: Any) -> str:
    """The negative values, in words."""
    found = np.unique(array[array < 0]).astype(int).tolist()
    shown = ", ".join(str(n) for n in found[:NEGATIVE_SHOWN])
    more = f" and {len(found) - NEGATIVE_SHOWN} more" if len(found) > NEGATIVE_SHOWN else ""
    n = int(np.count_nonzero(array < 0))
    wrapped = "; an unsigned label above 127 was saved as int8?" if array.dtype == np.int8 else ""
    return f", found {shown}{more} in {n} voxels{wrapped}"


def nothing_like(class_id: str, like: Structure) -> Structure:
    """An empty structure of a class in the volume of another one."""
    return Structure(class_id, np.zeros((0, 0, 0), bool), NOWHERE, like.shape, like.affine)
