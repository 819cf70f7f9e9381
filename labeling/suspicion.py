"""How suspicious each label is: the witnesses of all cases weighed together.

Three of them: test-on-training (`labeling.tot`), the written anatomy (`labeling.rules`) and what is
usual for the class (`labeling.shape`, `labeling.layout`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from labeling.config import LabelingConfig
from labeling.layout import Layout, learn_layout
from labeling.rules import Violation, combined_weight
from labeling.shape import ShapeProfile, learn_profile, oddity
from labeling.tot import Comparison, chances, class_statistics, combine
from voxcurate.stage import StageContext

TRUSTED = ("original", "revised")
TELLING = ("tot_swapped", "tot_wrong_class", "tot_missing", "tot_no_overlap")
MEANT = 0.3  # chance from which a telling witness names the kind of error


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual among trusted labels of the train split."""

    profiles: Mapping[str, ShapeProfile]
    layout: Layout

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


def weigh(
    ctx: StageContext, config: LabelingConfig, results: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Suspicion], Usual]:
    """The suspicion of every label, in case and class order, and what is usual.

    Args:
        results: of the detect items, by case.
    """
    statistics = class_statistics(telling_comparisons(results), config.detect)
    first: dict[tuple[str, str], dict[str, float]] = {}
    for case_id, rows in case_rows(results):
        witnesses = {
            row["class_id"]: chances(
                row["class_id"],
                Comparison(**row["comparison"]),
                statistics,
                config.detect,
                pair=ctx.vocabulary[row["class_id"]].pair,
            )
            for row in rows
        }
        broken = {r["class_id"]: [Violation(**v) for v in r["violations"]] for r in rows}
        for class_id, weight in explained(broken, witnesses).items():
            first[case_id, class_id] = {
                **witnesses[class_id],
                **({"rules": weight} if weight else {}),
            }
    clean = {key for key, parts in first.items() if combine(parts) < config.detect.threshold}
    usual = learn_usual(ctx, config, results, clean)
    suspicions = []
    for case_id, rows in case_rows(results):
        centroids = centroids_of(rows)
        for row in rows:
            own = dict(first[case_id, row["class_id"]])
            odd = usual.oddity(row, centroids)
            oddities: dict[str, float] = {}
            if odd is not None:
                x = config.detect.shape_slope * (odd - config.detect.shape_z)
                own["shape"] = float(1 / (1 + np.exp(-np.clip(x, -50, 50))))
                profile = usual.profiles.get(row["class_id"])
                oddities = profile.oddities(np.array(row["features"])) if profile else {}
            suspicions.append(Suspicion(case_id, row, own, oddities))
    return suspicions, usual


def telling_comparisons(
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[Comparison]]:
    """Class to the comparisons of its trusted labels; of all where it has no trusted one.

    From the second round on there are pseudo labels, made by the very models that they are compared
    with: their agreement says nothing about the models, and beside it originals would look odd.
    """
    every: dict[str, list[tuple[bool, Comparison]]] = {}
    for _, row in label_rows(results):
        found = (_is_trusted(row), Comparison(**row["comparison"]))
        every.setdefault(row["class_id"], []).append(found)
    return {
        class_id: [c for trusted, c in rows if trusted] or [c for _, c in rows]
        for class_id, rows in every.items()
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


def learn_usual(
    ctx: StageContext,
    config: LabelingConfig,
    results: Mapping[str, Mapping[str, Any]],
    clean: set[tuple[str, str]],
) -> Usual:
    """Profiles and layout from trusted labels: train split, drawn by people, not in doubt.

    Args:
        clean: the (case, class) whose labels rules and test-on-training leave in peace.
    """
    train = {scan.case_id for scan in ctx.scans("train")}
    vectors: dict[str, list[Any]] = {}
    places = []
    for case_id, rows in case_rows(results):
        trusted = [
            row
            for row in rows
            if case_id in train
            and row["features"] is not None
            and (case_id, row["class_id"]) in clean
            and _is_trusted(row)
        ]
        for row in trusted:
            vectors.setdefault(row["class_id"], []).append(np.array(row["features"]))
        places.append(centroids_of(trusted))
    profiles = {
        c: learn_profile(c, rows, minimum_n=config.judge.minimum_n) for c, rows in vectors.items()
    }
    return Usual(
        {c: p for c, p in profiles.items() if p is not None},
        learn_layout(places, minimum_n=config.judge.minimum_n),
    )


def label_rows(results: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(case_id, row) for case_id, rows in case_rows(results) for row in rows]


def case_rows(
    results: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    return sorted(((case_id, result["rows"]) for case_id, result in results.items()), key=_case)


def _case(rows: tuple[str, Any]) -> str:
    return rows[0]


def _is_trusted(row: Mapping[str, Any]) -> bool:
    return bool(row["origin"] in TRUSTED or row["gold"] or row["confirmed"])


def centroids_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {r["class_id"]: np.array(r["centroid"]) for r in rows if r["centroid"] is not None}
