"""How suspicious each label is: the witnesses of all cases weighed together.

Four of them: test-on-training (`tot`), the probabilities behind it (`support`, `doubts`), the
written anatomy (`labeling.rules`) and what is usual for the class (`shape`, `layout`).
"""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.config import LabelingConfig
from labeling.expert.calibration import calibrated
from labeling.expert.doubts import UsualDoubt, usual_doubts
from labeling.expert.features import FEATURES
from labeling.expert.layout import Layout, learn_layout
from labeling.expert.shape import ShapeProfile, learn_profile, oddity
from labeling.expert.tot import ClassStatistics, Floats, class_statistics, combine
from labeling.expert.witnesses import TRUSTED, Rows, first_witnesses, is_trusted
from voxcurate.catalog import Label, Measure
from voxcurate.classes import Vocabulary
from voxcurate.stage import StageContext

Results = Mapping[str, Mapping[str, Any]]
First = Callable[[Rows], Mapping[str, Mapping[str, float]]]
TELLING = ("tot_swapped", "tot_wrong_class", "tot_missing", "tot_no_overlap")
MISSING_RATE = 0.02  # of structures in view, before anything is seen
MEANT = 0.3  # chance from which a telling witness names the kind of error


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual among trusted labels of the train split.

    Attributes:
        profiles: of shape, by class.
        layout: where the classes lie to each other.
        steps: class to by how much the models' probability falls across a border
            (`labeling.expert.support.Support.step`), the median.
        blank: class to the features that could not be learned, for want of scans.
        agreement: class to how far predictions agree with its labels.
        doubts: class to how much of its labels models doubt.
    """

    profiles: Mapping[str, ShapeProfile]
    layout: Layout
    steps: Mapping[str, float] = field(default_factory=dict)
    blank: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    agreement: Mapping[str, ClassStatistics] = field(default_factory=dict)
    doubts: Mapping[str, UsualDoubt] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """What a judge needs of it as plain data, for workers; `of_plain` reads it back."""
        return {
            "profiles": {c: p.plain() for c, p in sorted(self.profiles.items())},
            "layout": self.layout.plain(),
            "steps": dict(sorted(self.steps.items())),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Usual":
        """From `plain`."""
        profiles = {c: ShapeProfile.of_plain(p) for c, p in plain["profiles"].items()}
        return cls(profiles, Layout.of_plain(plain["layout"]), plain["steps"])

    def oddity(self, row: Mapping[str, Any], centroids: Mapping[str, Any]) -> float | None:
        """How odd a label is (see `shape.oddity`); None if empty or nothing is known."""
        if row["features"] is None:
            return None
        shape = self.shape_distance(row)
        place = self.layout.distance(row["class_id"], np.array(row["centroid"]), centroids)
        return oddity(shape, place)

    def shape_distance(self, row: Mapping[str, Any]) -> float | None:
        """The distance in shape over the features that are known of both; None without any."""
        profile = self.profiles.get(row["class_id"])
        if profile is None:
            return None
        vector, known = self._vector(row)
        if not known.any():
            return None
        return profile.distance(vector) * float(np.sqrt(known.size / known.sum()))

    def oddities(self, row: Mapping[str, Any]) -> dict[str, float]:
        """The features that deviate most, with their z; empty if nothing is known."""
        profile = self.profiles.get(row["class_id"])
        if profile is None or row["features"] is None:
            return {}
        return profile.oddities(self._vector(row)[0])

    def dsc(self, class_id: str) -> float | None:
        """The DSC that is usual between predictions of a class and its labels; None: unknown."""
        known = self.agreement.get(class_id)
        return None if known is None or not known.n else known.middle

    def _vector(
        self, row: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """A label's features, usual where they are unknown; and which are known."""
        profile = self.profiles[row["class_id"]]
        vector = numbers_of(row["features"])
        known = np.isfinite(vector)
        if row["class_id"] in self.blank:
            known &= ~self.blank[row["class_id"]]
        return np.where(known, vector, profile.centre), known


@dataclass(frozen=True, eq=False)
class Suspicion:
    """One current label: its chance of being wrong, from which witnesses."""

    case_id: str
    row: Mapping[str, Any]
    parts: Mapping[str, float]
    oddities: Mapping[str, float] = field(default_factory=dict)

    @property
    def probability(self) -> float:
        """Noisy-or of the witnesses, which the thresholds are held against."""
        return combine(self.parts)

    @property
    def chance(self) -> float:
        """The probability that the label is wrong: the noisy-or, recalibrated."""
        return calibrated(self.probability)

    @property
    def kind(self) -> str:
        """What kind of error it would be: the most telling witness that means it, else the
        strongest one."""
        for kind in TELLING:
            if self.parts.get(kind, 0.0) >= MEANT:
                return kind
        return max(sorted(self.parts), key=lambda k: self.parts[k], default="")


Found = Iterator[Suspicion]


def evidence_of(s: Suspicion, usual: Usual) -> dict[str, Any]:
    """All that speaks of a label, as plain data: what a decision keeps, and what kinds of errors
    are told from (`labeling.errors.kinds.clues_of`).

    ``error_probability`` is the calibrated chance, which people see; ``score`` the noisy-or, which
    thresholds are held against.
    """
    usual_dsc = usual.dsc(s.row["class_id"])
    return {
        "error_probability": round(s.chance, 4),
        "score": round(s.probability, 4),
        "kind": s.kind,
        "parts": {k: round(v, 4) for k, v in sorted(s.parts.items())},
        "comparison": s.row["comparison"],
        "difference": s.row.get("difference"),
        "usual_dsc": None if usual_dsc is None else round(usual_dsc, 4),
        "violations": s.row["violations"],
        "oddities": dict(s.oddities),
    }


def sure_witnesses(parts: Mapping[str, float], sure: float) -> set[str]:
    """Which kinds of evidence are sure that a label is wrong: models, rules, shape."""
    models = {k: p for k, p in parts.items() if k not in ("rules", "shape")}
    apart = {
        "models": combine(models),
        "rules": parts.get("rules", 0.0),
        "shape": parts.get("shape", 0.0),
    }
    return {kind for kind, chance in apart.items() if chance >= sure}


def weigh(ctx: StageContext, config: LabelingConfig, results: Results) -> tuple[Found, Usual]:
    """The suspicion of every label of a round, in case and class order, and what is usual; see
    `weigh_results`.

    Args:
        results: of the detect items, by case and in case order.
    """
    train = frozenset(ctx.cases("train"))
    return weigh_results(results, config, ctx.vocabulary, train, mended=mended_numbers(ctx))


def weigh_results(
    results: Results,
    config: LabelingConfig,
    vocabulary: Vocabulary,
    train: Collection[str],
    *,
    mended: Mapping[str, Floats] | None = None,
) -> tuple[Found, Usual]:
    """The suspicion of every label, in the order of the results, and what is usual.

    The results are gone through three times: how far predictions of a class agree with its labels,
    what is usual among labels that this leaves in peace, and then label by label as the caller
    asks for them. Kept in between are numbers: 17 for each label.

    Args:
        results: of `labeling.expert.examine.examine`, by case; read again for each pass.
        config: thresholds.
        vocabulary: which classes are pairs.
        train: the cases that what is usual is learned from.
        mended: of labels that are not among the results any more (`mended_numbers`).
    """
    statistics = class_statistics(telling_numbers(results, mended), config.detect)
    doubts = usual_doubts(_doubted(results), minimum_n=config.detect.minimum_n)
    first = partial(first_witnesses, vocabulary, config.detect, statistics, doubts)
    usual = learn_usual(train, config, results, first)
    usual = replace(usual, agreement=statistics, doubts=doubts)
    return _suspicions(config, results, first, usual), usual


def _suspicions(config: LabelingConfig, results: Results, first: First, usual: Usual) -> Found:
    empty = _empty_shares(results, usual)
    for case_id, result in results.items():
        rows = result["rows"]
        witnesses = first(rows)
        places = sound_places(rows, witnesses, config.detect.threshold)
        for row in rows:
            class_id = row["class_id"]
            own = dict(witnesses[class_id])
            centroids = places[is_trusted(row)]
            if row["centroid"] is None and is_in_view(class_id, result, centroids, usual.layout):
                own["absent"] = MISSING_RATE / (MISSING_RATE + empty.get(class_id, 1.0))
            odd = usual.oddity(row, centroids)
            oddities: dict[str, float] = {}
            if odd is not None:
                x = config.detect.shape_slope * (odd - config.detect.shape_z)
                own["shape"] = float(1 / (1 + np.exp(-np.clip(x, -50, 50))))
                oddities = usual.oddities(row)
            yield Suspicion(case_id, row, own, oddities)


def sound_places(
    rows: Rows, witnesses: Mapping[str, Mapping[str, float]], threshold: float
) -> dict[bool, dict[str, Any]]:
    """The centroids that can say where a label of a case should lie, not those in doubt: under True
    those of trusted labels, which speak of trusted ones, under False of all, for the others.

    Args:
        rows: of the case.
        witnesses: class to its chances without shape and place.
        threshold: chance from which a label is in doubt.
    """
    sound = [r for r in rows if combine(witnesses[r["class_id"]]) < threshold]
    trusted = [r for r in sound if is_trusted(r)]
    return {True: centroids_of(trusted), False: centroids_of(sound)}


def is_in_view(
    class_id: str, result: Mapping[str, Any], centroids: Mapping[str, Any], layout: Layout
) -> bool:
    """Whether a class's centroid is to be expected well inside the scan; False if nobody knows."""
    place = layout.expected(class_id, centroids)
    if place is None:
        return False
    low, high = np.array(result["view"])
    middle, scatter = place
    return bool(((middle > low + scatter) & (middle < high - scatter)).all())


def _empty_shares(results: Results, usual: Usual) -> dict[str, float]:
    """Class to the share of empty ones among its trusted labels where it should be in view, of
    classes that have any."""
    asked = {
        row["class_id"]
        for result in results.values()
        for row in result["rows"]
        if row["centroid"] is None
    }
    counts: dict[str, list[int]] = {}
    for result in results.values() if asked else ():
        rows = result["rows"]
        centroids = centroids_of(rows)
        for row in (r for r in rows if r["class_id"] in asked and is_trusted(r)):
            if is_in_view(row["class_id"], result, centroids, usual.layout):
                own = counts.setdefault(row["class_id"], [0, 0])
                own[0] += row["centroid"] is None
                own[1] += 1
    # the label in question is one of the empty ones; half a label more, so that none is 0
    return {c: (max(n - 1, 0) + 0.5) / total for c, (n, total) in counts.items()}


def _doubted(results: Results) -> Iterator[tuple[str, float, Sequence[float] | None]]:
    for result in results.values():
        for row in result["rows"]:
            if is_trusted(row):
                yield row["class_id"], row["comparison"]["label_ml"], row["doubt"]


def mended_numbers(ctx: StageContext) -> dict[str, Floats]:
    """Class to the numbers of `class_statistics` of people's labels that earlier rounds retired.

    Without them the spread of the labels would shrink from round to round, for the worst ones
    leave, and what was usual would become suspicious.
    """
    retired = {
        x.label_id: x
        for x in ctx.catalog.rows(Label, retired=True, origin=TRUSTED)
        if x.class_id in ctx.classes
    }
    if not retired:
        return {}
    cases = {x.case_id for x in retired.values()}
    where: dict[str, Any] = {"stage": "detect", "name": "tot_dsc", "case_id": cases}
    lines = [
        (number, value, facts.get("label_id", ""))
        for number, value, facts in ctx.catalog.columns(Measure, "round", "value", "facts", **where)
    ]
    here = {label_id for number, _, label_id in lines if number == ctx.round}
    found: dict[str, tuple[int, float]] = {}
    for number, value, label_id in lines:
        if label_id in here:  # retired in this very round: it is among the results
            continue
        if number < ctx.round and label_id in retired and value is not None:
            found[label_id] = max(found.get(label_id, (0, 0.0)), (number, value))
    numbers: dict[str, list[tuple[float, float]]] = {}
    for label_id, (_, dsc) in sorted(found.items()):
        label = retired[label_id]
        numbers.setdefault(label.class_id, []).append((dsc, label.ml))
    return {c: np.array(rows) for c, rows in numbers.items()}


def telling_numbers(
    results: Results, mended: Mapping[str, Floats] | None = None
) -> dict[str, Floats]:
    """Class to the numbers of `class_statistics` of its trusted labels; of all where it has no
    trusted one.

    From the second round on there are pseudo labels, made by the very models that they are compared
    with: their agreement says nothing about the models, and beside it originals would look odd.

    Args:
        results: of this round.
        mended: of labels that are not among them any more (`mended_numbers`).
    """
    every: dict[str, dict[bool, array[float]]] = {}
    for result in results.values():
        for row in result["rows"]:
            dsc, label_ml = row["comparison"]["dsc"], row["comparison"]["label_ml"]
            own = every.setdefault(row["class_id"], {}).setdefault(is_trusted(row), array("d"))
            own.extend((np.nan if dsc is None else dsc, label_ml))
    for class_id, rows in (mended or {}).items():
        every.setdefault(class_id, {}).setdefault(True, array("d")).extend(rows.ravel())
    return {
        class_id: np.array(found.get(True, found.get(False))).reshape(-1, 2)
        for class_id, found in every.items()
    }


def learn_usual(
    train: Collection[str], config: LabelingConfig, results: Results, first: First
) -> Usual:
    """Profiles and layout from trusted labels: train split, drawn by people, not in doubt.

    Args:
        train: the cases to learn from.
        first: the chances from rules and test-on-training, which must leave a label in peace.
    """
    vectors: dict[str, array[float]] = {}
    steps: dict[str, array[float]] = {}

    def places() -> Iterator[dict[str, Any]]:
        for case_id, result in results.items():
            if case_id not in train:
                continue
            parts = first(result["rows"])
            trusted = [
                row
                for row in result["rows"]
                if row["features"] is not None
                and is_trusted(row)
                and combine(parts[row["class_id"]]) < config.detect.threshold
            ]
            for row in trusted:
                vectors.setdefault(row["class_id"], array("d")).extend(numbers_of(row["features"]))
                if row["step"] is not None:
                    steps.setdefault(row["class_id"], array("d")).append(row["step"])
            yield centroids_of(trusted)

    layout = learn_layout(places(), minimum_n=config.judge.minimum_n)
    profiles: dict[str, ShapeProfile] = {}
    blank: dict[str, npt.NDArray[np.bool_]] = {}
    for c, values in vectors.items():
        rows, unknown = _complete(np.frombuffer(values).reshape(-1, len(FEATURES)), config)
        profile = learn_profile(c, rows, minimum_n=config.judge.minimum_n)
        if profile is not None:
            profiles[c] = profile
            if unknown.any():
                blank[c] = unknown
    middle = {c: float(np.median(v)) for c, v in steps.items() if len(v) >= config.judge.minimum_n}
    return Usual(profiles, layout, middle, blank)


def numbers_of(features: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """A row's features; NaN where nobody knows, as of rows that another version has measured."""
    if len(features) != len(FEATURES):
        return np.full(len(FEATURES), np.nan)
    return np.array([np.nan if x is None else x for x in features], dtype=np.float64)


def _complete(
    rows: npt.NDArray[np.float64], config: LabelingConfig
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Rows to learn a profile from, and which features they leave out.

    Those of which all is known, if they are enough; else all, without the features that some of
    them lack (masks without scans have no density).
    """
    known = np.isfinite(rows)
    if int(known.all(axis=1).sum()) >= config.judge.minimum_n:
        return rows, np.zeros(rows.shape[1], dtype=bool)
    unknown = ~known.all(axis=0)
    return np.array(np.where(unknown, 0.0, rows), np.float64), np.array(unknown, bool)


def centroids_of(rows: Rows) -> dict[str, Any]:
    """Class to the centroid of its label, of the labels of a case that are not empty."""
    return {
        r["class_id"]: np.array(r["centroid"], dtype=np.float64)
        for r in rows
        if r["centroid"] is not None
    }
