"""The rules on files alone: the masks or the label map of a case, with its scan if there is one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labeling.body import body_frame
from labeling.expert.features import hu_median
from labeling.rules.case import CaseFacts
from labeling.rules.engine import Anatomy
from labeling.rules.outcome import Outcome
from labeling.structures import NOWHERE, Structure
from voxcurate.case_files import SUFFIXES, CaseFiles
from voxcurate.errors import CurationError, GeometryError, SourceError, VolumeReadError
from voxcurate.labelmaps import same_affine
from voxcurate.layouts import SCAN_NAMES, stem
from voxcurate.masks import label_boxes
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

CHANNEL = "_0000"  # nnU-Net's first channel


@dataclass(frozen=True)
class Checked:
    """What the rules said of each case, and what could not be read and why.

    Attributes:
        cases: case to outcomes, the broken ones first.
        counts: case to how many structures are there, and how many outcomes are broken, of these
            hard, hold and are unknown; kept or not.
        failed: case to why.
    """

    cases: dict[str, list[Outcome]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def total(self, what: str) -> int:
        """The sum of one of the counts."""
        return sum(counts[what] for counts in self.counts.values())


def count(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many are broken, hold and are unknown, and how many of the broken ones are hard."""
    states = {s: sum(v.state == s for v in outcomes) for s in ("broken", "holds", "unknown")}
    return {**states, "hard": sum(v.hard and v.state == "broken" for v in outcomes)}


def check_cases(
    cases: Mapping[str, CaseFiles],
    anatomy: Anatomy,
    *,
    scans: Mapping[str, Path] | None = None,
    sexes: Mapping[str, str] | None = None,
    missing_is_empty: bool = False,
    wanted: Callable[[Outcome], bool] | None = None,
    every: bool = False,
    done: Callable[[str], None] | None = None,
) -> Checked:
    """Check cases one after the other; one that cannot be read is named, the others go on.

    Args:
        cases: as `find_cases` finds them.
        anatomy: the rules.
        scans: case to its CT, for HU and the body; a case without one is checked without.
        sexes: case to ``male`` or ``female``.
        missing_is_empty: a class that other cases have and this one has not is absent here; else
            nobody knows about it.
        wanted: which outcomes matter; default: all.
        every: keep what holds and what is unknown, too; of many cases that is much.
        done: told the name of each case.
    """
    found = Checked()
    classes = sorted({c for case in cases.values() for c in (*case.masks, *case.names.values())})
    for name, files in cases.items():
        try:
            structures = read_case(files)
            scan = read_scan(structures, (scans or {}).get(name))
            if missing_is_empty and structures:
                like = next(iter(structures.values()))
                structures = {**{c: nothing_like(c, like) for c in classes}, **structures}
            facts = facts_of(
                structures, scan, sex=(sexes or {}).get(name, ""),
                disjoint=files.label_map is not None,
            )  # fmt: skip
            outcomes = anatomy.outcomes(structures, facts)
        except CurationError as error:
            found.failed[name] = str(error)
        else:
            n = sum(not s.is_empty for s in structures.values())
            outcomes = [v for v in outcomes if wanted is None or wanted(v)]
            found.counts[name] = {"structures": n, **count(outcomes)}
            kept = [v for v in outcomes if every or v.state == "broken"]
            found.cases[name] = sorted(kept, key=_rank)
        if done:
            done(name)
    return found


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
    if files.label_map is not None:
        volume = read_nifti(files.label_map)
        labels = _labels(volume.array)
        return {
            name: Structure(
                name, np.ascontiguousarray(labels[box] == n), box, volume.shape, volume.affine
            )
            for n, box in label_boxes(labels).items()
            if (name := files.names.get(n, "" if files.names else str(n)))
        }
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
    return found


def _check_mask(class_id: str, volume: Volume) -> None:
    """Whether a file is a mask, of 0 and one other value.

    Raises:
        VolumeReadError: it holds several, as label maps do.
    """
    array = volume.array
    if array.dtype.kind in "iu":
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        several = low < 0 or (high > 1 and bool(((array != 0) & (array != high)).any()))
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
    if array.dtype.kind in "bui":
        return array
    labels = array.astype(np.int32)
    if not np.array_equal(labels, array):
        raise VolumeReadError("want whole numbers in a label map")
    return labels


def nothing_like(class_id: str, like: Structure) -> Structure:
    """An empty structure of a class in the volume of another one."""
    return Structure(class_id, np.zeros((0, 0, 0), bool), NOWHERE, like.shape, like.affine)


def _rank(v: Outcome) -> tuple[bool, bool, float, str, str, str]:
    return v.state != "broken", not v.hard, -v.weight, v.class_id, v.rule, v.other
