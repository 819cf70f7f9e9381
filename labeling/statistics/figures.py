"""What a labelled data set looks like: volumes per source, and who agrees with whom.

The figures are those of AbdomenAtlas-8K (arXiv:2305.09666): volumes as median and quartiles per
data set (its figure 9), DSC between networks and people (figure 8). All functions are pure;
`labeling.statistics.agreement` measures, `labeling.statistics.label_bias` judges.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from labeling.structures import common_parts
from voxcurate.volume import Box

Kind = Literal["model", "machine", "human"]
Pair = tuple[str, str]
EVERY = ""  # as class: the mean over the classes


@dataclass(frozen=True)
class LabelVolume:
    """The volume of one label that counts.

    `trust` says why it counts (original, human, pseudo, ...); `is_partial`: it speaks about a part
    of its scan only, so its volume is not the organ's.
    """

    class_id: str
    source: str
    trust: str
    ml: float
    is_partial: bool = False


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles in mL of the `n` labels that have voxels and speak of their whole scan;
    None without any. `absent` labels say that the structure is not there, `partial` ones are left
    out."""

    n: int
    absent: int
    partial: int
    low: float | None = None
    median: float | None = None
    high: float | None = None


def volume_quartiles(labels: Iterable[LabelVolume], *by: str) -> dict[tuple[str, ...], Quartiles]:
    """Quartiles of volumes, grouped by fields of `LabelVolume`.

    Linear interpolation between the two values next to a quartile, numpy's default.

    Args:
        by: ``class_id``, ``source``, ``trust``, in the order of the keys; none: all in one group.

    Returns:
        By the values of these fields, in their order; no group without labels.
    """
    groups: dict[tuple[str, ...], list[LabelVolume]] = defaultdict(list)
    for label in labels:
        groups[tuple(getattr(label, name) for name in by)].append(label)
    return {key: _quartiles(found) for key, found in sorted(groups.items())}


def _quartiles(labels: Sequence[LabelVolume]) -> Quartiles:
    partial = sum(label.is_partial for label in labels)
    whole = [label.ml for label in labels if not label.is_partial]
    values = [ml for ml in whole if ml > 0]
    absent = len(whole) - len(values)
    if not values:
        return Quartiles(0, absent, partial)
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return Quartiles(len(values), absent, partial, low, median, high)


@dataclass(frozen=True, eq=False)
class Part:
    """A mask inside a box of its volume; False outside."""

    box: Box
    mask: npt.NDArray[np.bool_]


def dice_table(
    parts: Sequence[Part | None], known: Mapping[int, Part] | None = None
) -> npt.NDArray[np.float64]:
    """DSC of every two masks of one class and scan.

    The masks are packed to bits in their common box, so that 20 of them cost little more than one.

    Args:
        parts: masks in the same volume and order of axes; None: that rater says nothing of it.
        known: by index, where a mask speaks; two are compared where both do.

    Returns:
        ``(n, n)``, symmetric, NaN where one says nothing or both are empty (nothing to agree
        about; decided as in `voxcurate.metrics`), 1 on the diagonal of masks with voxels.
    """
    n = len(parts)
    table = np.full((n, n), np.nan)
    there = [part for part in parts if part is not None and part.mask.size]
    if not there:
        return table
    box = _around([part.box for part in there])
    bits = [None if part is None else _bits(part, box) for part in parts]
    limits = {i: _bits(part, box) for i, part in (known or {}).items()}
    for a in range(n):
        for b in range(a, n):
            one, two = bits[a], bits[b]
            if one is None or two is None:
                continue
            for i in {a, b} & limits.keys():
                one, two = one & limits[i], two & limits[i]
            total = _count(one) + _count(two)
            if total:
                table[a, b] = table[b, a] = 2.0 * _count(one & two) / total
    return table


def _around(boxes: Sequence[Box]) -> Box:
    i, j, k = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return i, j, k


def _bits(part: Part, box: Box) -> npt.NDArray[np.uint64]:
    """A mask in another box, 64 voxels a word."""
    sides = [side.stop - side.start for side in box]
    whole = np.zeros(-(-int(np.prod(sides)) // 64) * 64, np.bool_)
    inside = whole[: int(np.prod(sides))].reshape(sides)
    mine, theirs = common_parts(part.box, box)
    inside[theirs] = part.mask[mine]
    return np.packbits(whole).view(np.uint64)


def _count(bits: npt.NDArray[np.uint64]) -> int:
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


@dataclass(frozen=True)
class Rater:
    """Who gives a mask: a network, a label that machines made, or a person.

    Attributes:
        rater_id: the model's id, or the name of a kind of label.
        name: for people.
        kind: ``model``, ``machine`` (labels made from models) or ``human``.
        architecture: of a model; those of one architecture count as one where bias is measured.
    """

    rater_id: str
    name: str
    kind: Kind
    architecture: str = ""


@dataclass(frozen=True)
class CaseAgreement:
    """One case: class -> (rater, rater) -> DSC, each pair once, and which raters are made of models
    that were trained on the case."""

    case_id: str
    dsc: Mapping[str, Mapping[Pair, float]]
    seen: frozenset[str] = frozenset()

    def between(self, class_id: str, a: str, b: str) -> float | None:
        """The DSC of two raters, in either order."""
        found = self.dsc.get(class_id, {})
        return found.get((a, b), found.get((b, a)))


@dataclass(frozen=True)
class Cell:
    """Mean DSC of a pair over `n` cases; `seen`: a model of it was trained on these cases."""

    mean: float
    n: int
    seen: bool = False


def dice_matrix(
    cases: Sequence[CaseAgreement], raters: Sequence[Rater]
) -> dict[str, dict[Pair, Cell]]:
    """Mean DSC per class of every two raters, each pair once in the raters' order.

    A pair with a person in it counts the cases alone that the other one was not trained on, for
    a network repeats the labels that it has learnt. Two machines count these cases too; where there
    is none, all cases, and the cell says so.

    Returns:
        Class -> pair -> cell; class "" is the mean over the classes' means, of `n` cases. Pairs
        without a case are left out.
    """
    matrix: dict[str, dict[Pair, Cell]] = {EVERY: {}}
    for one, two in combinations(raters, 2):
        pair = (one.rater_id, two.rater_id)
        fresh = [case for case in cases if not case.seen & set(pair)]
        values = _values(fresh, pair)
        is_seen = not values and "human" not in (one.kind, two.kind)
        if is_seen:
            values = _values(cases, pair)
        if not values:
            continue
        means = {c: float(np.mean(list(table.values()))) for c, table in values.items()}
        for class_id, mean in means.items():
            matrix.setdefault(class_id, {})[pair] = Cell(mean, len(values[class_id]), is_seen)
        n = len({case for table in values.values() for case in table})
        matrix[EVERY][pair] = Cell(float(np.mean(list(means.values()))), n, is_seen)
    return matrix


def _values(cases: Iterable[CaseAgreement], pair: Pair) -> dict[str, dict[str, float]]:
    """Class -> case -> DSC of a pair."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for case in cases:
        for class_id in case.dsc:
            value = case.between(class_id, *pair)
            if value is not None:
                values[class_id][case.case_id] = value
    return dict(sorted(values.items()))
