"""Two labellings of the same cases, class by class: DSC, NSD, volumes.

Written decisions: a class that is empty in both is not scored but counted ("both empty"); one that
is empty in one only has DSC and NSD 0. A class whose *file* is missing on one side is named and not
scored, since nobody says that it is empty; `missing_is_empty` takes it as empty. In a label map a
label that does not occur is empty.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError, GeometryError, VolumeReadError
from voxcurate.labelmaps import Overlap, overlap_of_files, same_affine
from voxcurate.metrics import dsc_of_counts, score_labels
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

DEFAULT_TOLERANCE_MM = 2.0  # of a class that the vocabulary does not know
State = Literal["scored", "both empty", "missing in A", "missing in B"]
MAX_LABELS = 255


@dataclass(frozen=True)
class Rules:
    """What to compare, and how.

    Attributes:
        classes: only these; empty: all that occur in either.
        tolerance_mm: of NSD, for every class; None: the vocabulary's. Never below one voxel
            diagonal of the scan, which is the error of drawing on its grid.
        with_nsd: False compares DSC and volumes only and holds no volume in memory.
        missing_is_empty: a mask file that is not there is an empty mask.
    """

    classes: frozenset[str] = frozenset()
    tolerance_mm: float | None = None
    with_nsd: bool = True
    missing_is_empty: bool = False


@dataclass(frozen=True)
class Agreement:
    """One class of one case; None where nothing is defined.

    `tolerance_mm` is the one that was used; `difference_ml` is B minus A.
    """

    state: State
    dsc: float | None = None
    nsd: float | None = None
    tolerance_mm: float | None = None
    a_ml: float | None = None
    b_ml: float | None = None
    difference_ml: float | None = None


@dataclass(frozen=True)
class Summary:
    """A class over cases: ``n`` scored; quartiles are (first quartile, median, third quartile)."""

    n: int
    both_empty: int
    missing_in_a: int
    missing_in_b: int
    dsc_mean: float | None = None
    nsd_mean: float | None = None
    dsc: tuple[float, float, float] | None = None
    nsd: tuple[float, float, float] | None = None
    a_ml: tuple[float, float, float] | None = None
    b_ml: tuple[float, float, float] | None = None
    difference_ml: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """What was compared, what only one side has, and what could not be compared and why."""

    cases: Mapping[str, Mapping[str, Agreement]] = field(default_factory=dict)
    only_in_a: tuple[str, ...] = ()
    only_in_b: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> dict[str, Summary]:
        """Each class over all cases."""
        names = dict.fromkeys(c for case in self.cases.values() for c in case)
        return {
            c: summarise([case[c] for case in self.cases.values() if c in case])
            for c in sorted(names)
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "cases": {k: {c: asdict(a) for c, a in v.items()} for k, v in self.cases.items()},
            "summary": {c: asdict(s) for c, s in self.summary.items()},
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "failed": dict(self.failed),
            "rules": {
                "both empty": "not scored, counted",
                "one empty": "DSC 0, NSD 0",
                "implementation": "voxcurate.metrics (NSD: surface elements of surface-distance)",
            },
        }


def compare_case(
    one: CaseFiles, two: CaseFiles, vocabulary: Vocabulary, rules: Rules
) -> dict[str, Agreement]:
    """All classes of a case.

    Raises:
        GeometryError: the two do not lie on the same grid; names the class.
        VolumeReadError: a file is broken; names the side, A or B, and the class.
    """
    both_are_maps = one.label_map is not None and two.label_map is not None
    if both_are_maps and _values_agree(one.names, two.names):
        return _two_maps(one, two, vocabulary, rules)
    maps = _Masks(one, "A"), _Masks(two, "B")
    result = {}
    for name in _wanted([*maps[0].names, *maps[1].names], rules):
        result[name] = _one_class(name, *maps, vocabulary, rules)
    return dict(sorted(result.items()))


def summarise(found: Iterable[Agreement]) -> Summary:
    """Median and quartiles of what is scored; volumes of these too."""
    rows = list(found)
    scored = [row for row in rows if row.state == "scored"]

    def values(name: str) -> list[float]:
        return [v for row in scored if (v := getattr(row, name)) is not None]

    def quartiles(name: str) -> tuple[float, float, float] | None:
        if not values(name):
            return None
        low, middle, high = np.percentile(values(name), [25, 50, 75]).tolist()
        return low, middle, high

    def mean(name: str) -> float | None:
        return float(np.mean(values(name))) if values(name) else None

    states = [row.state for row in rows]
    return Summary(
        n=len(scored),
        both_empty=states.count("both empty"),
        missing_in_a=states.count("missing in A"),
        missing_in_b=states.count("missing in B"),
        dsc_mean=mean("dsc"),
        nsd_mean=mean("nsd"),
        dsc=quartiles("dsc"),
        nsd=quartiles("nsd"),
        a_ml=quartiles("a_ml"),
        b_ml=quartiles("b_ml"),
        difference_ml=quartiles("difference_ml"),
    )


class _Masks:
    """A case's masks by class, each read when asked for; a label map is read once."""

    def __init__(self, files: CaseFiles, side: str) -> None:
        self._files, self._side = files, side
        self._map = None if files.label_map is None else _label_map(files.label_map, side)
        self._labels: dict[str, int] = {}
        if self._map is not None:
            named = files.names or {n: str(n) for n in range(1, int(self._map.array.max()) + 1)}
            self._labels = {name: n for n, name in named.items()}

    @property
    def names(self) -> Collection[str]:
        return self._labels or self._files.masks

    def read(self, name: str) -> Volume | None:
        """None if there is no file of it."""
        if self._map is not None:
            return self._map.with_array(self._map.array == self._labels.get(name, -1))
        if name not in self._files.masks:
            return None
        with _naming(f"{self._side}, mask {name}"):
            volume = read_nifti(self._files.masks[name])
        return volume.with_array(volume.array != 0)


def _one_class(
    name: str, one: _Masks, two: _Masks, vocabulary: Vocabulary, rules: Rules
) -> Agreement:
    a, b = one.read(name), two.read(name)
    if a is None or b is None:
        there = a or b
        if not rules.missing_is_empty or there is None:
            return Agreement("missing in A" if a is None else "missing in B")
        empty = there.with_array(np.zeros(there.shape, np.bool_))
        a, b = a or empty, b or empty
    _check_grid(name, a, b)
    return _scores(a.array, b.array, {1: name}, a, vocabulary, rules)[name]


def _two_maps(
    one: CaseFiles, two: CaseFiles, vocabulary: Vocabulary, rules: Rules
) -> dict[str, Agreement]:
    assert one.label_map is not None
    assert two.label_map is not None
    names = {**one.names, **two.names}
    if not rules.with_nsd:
        overlap = _overlap(one.label_map, two.label_map)
        there = np.flatnonzero(overlap.counts.any(axis=0) | overlap.counts.any(axis=1))
        wanted = _labels_wanted(there.tolist(), names, rules)
        ml = abs(float(np.linalg.det(overlap.affine[:3, :3]))) / 1000.0
        sizes = overlap.counts.sum(axis=1) * ml, overlap.counts.sum(axis=0) * ml
        return {
            name: _agreement(dsc_of_counts(overlap.counts, n), float("nan"), None, a, b)
            for n, name in wanted.items()
            for a, b in [tuple(float(s[n]) if n < len(s) else 0.0 for s in sizes)]
        }
    a, b = _label_map(one.label_map, "A"), _label_map(two.label_map, "B")
    _check_grid("", a, b)
    found = _labels_present(a.array) | _labels_present(b.array)
    return _scores(
        a.array, b.array, _labels_wanted(sorted(found), names, rules), a, vocabulary, rules
    )


def _scores(
    one: npt.NDArray[Any],
    two: npt.NDArray[Any],
    labels: Mapping[int, str],
    grid: Volume,
    vocabulary: Vocabulary,
    rules: Rules,
) -> dict[str, Agreement]:
    diagonal = float(np.linalg.norm(grid.spacing))
    tolerances = {n: max(_tolerance(c, vocabulary, rules), diagonal) for n, c in labels.items()}
    scores = score_labels(
        one,
        two,
        labels,
        spacing=grid.spacing,
        tolerances_mm=tolerances if rules.with_nsd else None,
    )
    return {
        name: _agreement(
            scores[n].dsc,
            scores[n].nsd,
            tolerances[n] if rules.with_nsd else None,
            *(count * grid.voxel_ml for count in scores[n].voxels),
        )
        for n, name in labels.items()
    }


def _agreement(
    dsc: float, nsd: float, tolerance_mm: float | None, a_ml: float, b_ml: float
) -> Agreement:
    if np.isnan(dsc):
        return Agreement("both empty", a_ml=0.0, b_ml=0.0, difference_ml=0.0)
    return Agreement(
        "scored", dsc, None if np.isnan(nsd) else nsd, tolerance_mm, a_ml, b_ml, b_ml - a_ml
    )


def _tolerance(name: str, vocabulary: Vocabulary, rules: Rules) -> float:
    if rules.tolerance_mm is not None:
        return rules.tolerance_mm
    return vocabulary[name].tolerance_mm if name in vocabulary else DEFAULT_TOLERANCE_MM


def _wanted(names: Iterable[str], rules: Rules) -> list[str]:
    unique = dict.fromkeys(names)
    return [name for name in unique if not rules.classes or name in rules.classes]


def _labels_wanted(found: list[int], names: Mapping[int, str], rules: Rules) -> dict[int, str]:
    every = names or {n: str(n) for n in found if n}
    return {n: name for n, name in every.items() if not rules.classes or name in rules.classes}


def _values_agree(one: Mapping[int, str], two: Mapping[int, str]) -> bool:
    if not one or not two:
        return True  # the side that has names names both
    return all(two.get(n, name) == name for n, name in one.items())


def _overlap(one: Path, two: Path) -> Overlap:
    """The overlap of two label maps; a broken one is read again, to say which of them it is."""
    try:
        return overlap_of_files(one, two)
    except VolumeReadError:
        _label_map(one, "A")
        _label_map(two, "B")
        raise


def _label_map(path: Path, side: str) -> Volume:
    """A label map as uint8.

    Raises:
        VolumeReadError: it is broken, or its values are no labels from 0 to 255; names the side.
    """
    with _naming(f"{side}, label map"):
        volume = read_nifti(path)
        array = volume.array
        if array.dtype == np.uint8:
            return volume
        labels = array.astype(np.uint8)
        if not np.array_equal(labels, array):
            raise VolumeReadError(
                f"want whole numbers from 0 to {MAX_LABELS} in a label map, "
                f"found {float(array.min()):g} to {float(array.max()):g} ({array.dtype.name})"
            )
        return volume.with_array(labels)


@contextmanager
def _naming(role: str) -> Iterator[None]:
    """Say whose file it is that is wrong."""
    try:
        yield
    except CurationError as error:
        raise type(error)(f"{role}: {error}") from None


def _labels_present(array: npt.NDArray[np.uint8]) -> set[int]:
    from voxcurate.masks import unique_labels

    return set(unique_labels(array))


def _check_grid(name: str, a: Volume, b: Volume) -> None:
    what = f"mask {name}" if name else "label maps"
    if a.shape != b.shape:
        raise GeometryError(f"{what}: the shapes differ: {a.shape} in A, {b.shape} in B")
    if not same_affine(a.affine, b.affine):
        raise GeometryError(
            f"{what}: the affines differ: {a.orientation} with origin "
            f"{_rounded(a)} in A, {b.orientation} with origin {_rounded(b)} in B"
        )


def _rounded(volume: Volume) -> str:
    return "(" + ", ".join(f"{x:.1f}" for x in volume.affine[:3, 3]) + ")"
