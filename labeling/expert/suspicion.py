"""How suspicious each label is: the witnesses of all cases weighed together.

Four of them: test-on-training (`tot`), the probabilities behind it (`support`, `doubts`), the
written anatomy (`labeling.rules`) and what is usual for the class (`shape`, `layout`).
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from labeling.config import DetectConfig, LabelingConfig
from labeling.expert.doubts import UsualDoubt, usual_doubts
from labeling.expert.features import FEATURES
from labeling.expert.layout import Layout, learn_layout
from labeling.expert.shape import ShapeProfile, learn_profile, oddity
from labeling.expert.tot import (
    ClassStatistics,
    Comparison,
    Floats,
    chances,
    class_statistics,
    combine,
)
from labeling.rules import Violation, combined_weight
from voxcurate.catalog import Label, Measure
from voxcurate.classes import Vocabulary
from voxcurate.stage import StageContext

Rows = Sequence[Mapping[str, Any]]  # of one case, one for each label
Results = Mapping[str, Mapping[str, Any]]
First = Callable[[Rows], Mapping[str, Mapping[str, float]]]
TRUSTED = ("original", "revised")
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
            (`labeling.support.Support.step`), the median.
    """

    profiles: Mapping[str, ShapeProfile]
    layout: Layout
    steps: Mapping[str, float] = field(default_factory=dict)

    def oddity(self, row: Mapping[str, Any], centroids: Mapping[str, Any]) -> float | None:
        """How odd a label is (see `labeling.shape.oddity`); None if empty or nothing is known."""
        if row["features"] is None:
            return None
        class_id = row["class_id"]
        profile = self.profiles.get(class_id)
        shape = profile.distance(np.array(row["features"])) if profile else None
        place = self.layout.distance(class_id, np.array(row["centroid"]), centroids)
        return oddity(shape, place)


@dataclass(frozen=True, eq=False)
class Suspicion:
    """One current label: its chance of being wrong, from which witnesses."""

    case_id: str
    row: Mapping[str, Any]
    parts: Mapping[str, float]
    oddities: Mapping[str, float] = field(default_factory=dict)

    @property
    def probability(self) -> float:
        """Noisy-or of the witnesses."""
        return combine(self.parts)

    @property
    def kind(self) -> str:
        """What kind of error it would be: the most telling witness that means it, else the
        strongest one."""
        for kind in TELLING:
            if self.parts.get(kind, 0.0) >= MEANT:
                return kind
        return max(sorted(self.parts), key=lambda k: self.parts[k], default="")


Found = Iterator[Suspicion]


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
    """The suspicion of every label, in case and class order, and what is usual.

    The results are gone through three times: how far predictions of a class agree with its labels,
    what is usual among labels that this leaves in peace, and then label by label as the caller
    asks for them. Kept in between are numbers: 17 for each label.

    Args:
        results: of the detect items, by case and in case order.
    """
    statistics = class_statistics(telling_numbers(results, mended_numbers(ctx)), config.detect)
    doubts = usual_doubts(_doubted(results), minimum_n=config.detect.minimum_n)
    first = partial(first_witnesses, ctx.vocabulary, config.detect, statistics, doubts)
    usual = learn_usual(ctx, config, results, first)
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
            centroids = places[_is_trusted(row)]
            if row["centroid"] is None and is_in_view(class_id, result, centroids, usual.layout):
                own["absent"] = MISSING_RATE / (MISSING_RATE + empty.get(class_id, 1.0))
            odd = usual.oddity(row, centroids)
            oddities: dict[str, float] = {}
            if odd is not None:
                x = config.detect.shape_slope * (odd - config.detect.shape_z)
                own["shape"] = float(1 / (1 + np.exp(-np.clip(x, -50, 50))))
                profile = usual.profiles.get(class_id)
                oddities = profile.oddities(np.array(row["features"])) if profile else {}
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
    trusted = [r for r in sound if _is_trusted(r)]
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
        for row in (r for r in rows if r["class_id"] in asked and _is_trusted(r)):
            if is_in_view(row["class_id"], result, centroids, usual.layout):
                own = counts.setdefault(row["class_id"], [0, 0])
                own[0] += row["centroid"] is None
                own[1] += 1
    # the label in question is one of the empty ones; half a label more, so that none is 0
    return {c: (max(n - 1, 0) + 0.5) / total for c, (n, total) in counts.items()}


def first_witnesses(
    vocabulary: Vocabulary,
    config: DetectConfig,
    statistics: Mapping[str, ClassStatistics],
    doubts: Mapping[str, UsualDoubt],
    rows: Rows,
) -> dict[str, dict[str, float]]:
    """Class to the chances from test-on-training, probabilities and rules, of one case's labels."""
    made = {r["class_id"] for r in rows if not _is_trusted(r)}  # cannot speak against a person's
    witnesses = {
        row["class_id"]: chances(
            row["class_id"],
            Comparison(**row["comparison"]),
            statistics,
            config,
            pair=vocabulary[row["class_id"]].pair,
        )
        for row in rows
    }
    for row in rows:
        usual = doubts.get(row["class_id"])
        if usual is not None and row["doubt"] is not None:
            witnesses[row["class_id"]]["doubt"] = doubt_chance(usual, row["doubt"], config)
    broken = {
        r["class_id"]: [
            Violation(**v) for v in r["violations"] if not (_is_trusted(r) and v["other"] in made)
        ]
        for r in rows
    }
    return {
        class_id: {**witnesses[class_id], **({"rules": weight} if weight else {})}
        for class_id, weight in explained(broken, witnesses).items()
    }


def doubt_chance(usual: UsualDoubt, doubt: Sequence[float], config: DetectConfig) -> float:
    """Chance of an error from how much more than usual the models doubt a label."""
    x = config.doubt_slope * (max(usual.z(doubt)) - config.doubt_z)
    return float(1 / (1 + np.exp(-np.clip(x, -50, 50))))


def _doubted(results: Results) -> Iterator[tuple[str, float, Sequence[float] | None]]:
    for result in results.values():
        for row in result["rows"]:
            if _is_trusted(row):
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
    found: dict[str, tuple[int, float]] = {}
    for number, value, facts in ctx.catalog.columns(Measure, "round", "value", "facts", **where):
        label_id = facts.get("label_id", "")
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
            own = every.setdefault(row["class_id"], {}).setdefault(_is_trusted(row), array("d"))
            own.extend((np.nan if dsc is None else dsc, label_ml))
    for class_id, rows in (mended or {}).items():
        every.setdefault(class_id, {}).setdefault(True, array("d")).extend(rows.ravel())
    return {
        class_id: np.array(found.get(True, found.get(False))).reshape(-1, 2)
        for class_id, found in every.items()
    }


def explained(
    broken: Mapping[str, Sequence[Violation]], parts: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """The combined rule weight of each class of a case, shared violations explained away.

    A rule that two structures break together speaks against one of them the less, the surer we
    are by independent evidence that the other one is wrong.

    Args:
        broken: class to its violations.
        parts: class to its chances from other witnesses.
    """
    apart = {
        c: combine(
            {**parts[c], "rules": combined_weight([v for v in found if v.other not in broken])}
        )
        for c, found in broken.items()
    }
    return {
        c: combined_weight(
            [replace(v, weight=v.weight * (1.0 - apart.get(v.other, 0.0))) for v in found]
        )
        for c, found in broken.items()
    }


def learn_usual(ctx: StageContext, config: LabelingConfig, results: Results, first: First) -> Usual:
    """Profiles and layout from trusted labels: train split, drawn by people, not in doubt.

    Args:
        first: the chances from rules and test-on-training, which must leave a label in peace.
    """
    train = set(ctx.cases("train"))
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
                and _is_trusted(row)
                and combine(parts[row["class_id"]]) < config.detect.threshold
            ]
            for row in trusted:
                numbers = (np.nan if x is None else x for x in row["features"])
                vectors.setdefault(row["class_id"], array("d")).extend(numbers)
                if row["step"] is not None:
                    steps.setdefault(row["class_id"], array("d")).append(row["step"])
            yield centroids_of(trusted)

    layout = learn_layout(places(), minimum_n=config.judge.minimum_n)
    profiles = {
        c: learn_profile(
            c, np.frombuffer(v).reshape(-1, len(FEATURES)), minimum_n=config.judge.minimum_n
        )
        for c, v in vectors.items()
    }
    middle = {c: float(np.median(v)) for c, v in steps.items() if len(v) >= config.judge.minimum_n}
    return Usual({c: p for c, p in profiles.items() if p is not None}, layout, middle)


def centroids_of(rows: Rows) -> dict[str, Any]:
    """Class to the centroid of its label, of the labels of a case that are not empty."""
    return {
        r["class_id"]: np.array(r["centroid"], dtype=np.float64)
        for r in rows
        if r["centroid"] is not None
    }


def _is_trusted(row: Mapping[str, Any]) -> bool:
    return bool(row["origin"] in TRUSTED or row["gold"] or row["confirmed"])
