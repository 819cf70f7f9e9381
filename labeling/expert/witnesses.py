"""The witnesses that look at a label by itself: predictions, their probabilities, the rules.

What is usual of a class (`labeling.expert.suspicion.Usual`) is learned from the labels that these
leave in peace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from labeling.config import DetectConfig
from labeling.expert.doubts import UsualDoubt
from labeling.expert.tot import ClassStatistics, Comparison, chances, combine
from labeling.rules import Violation, combined_weight
from voxcurate.classes import Vocabulary

Rows = Sequence[Mapping[str, Any]]  # of one case, one for each label
TRUSTED = ("original", "revised")


def first_witnesses(
    vocabulary: Vocabulary,
    config: DetectConfig,
    statistics: Mapping[str, ClassStatistics],
    doubts: Mapping[str, UsualDoubt],
    rows: Rows,
) -> dict[str, dict[str, float]]:
    """Class to the chances from test-on-training, probabilities and rules, of one case's labels."""
    made = {r["class_id"] for r in rows if not is_trusted(r)}  # cannot speak against a person's
    witnesses = {
        row["class_id"]: chances(
            row["class_id"],
            Comparison(**row["comparison"]),
            statistics,
            config,
            pair=vocabulary[row["class_id"]].pair if row["class_id"] in vocabulary else "",
        )
        for row in rows
    }
    for row in rows:
        usual = doubts.get(row["class_id"])
        if usual is not None and row["doubt"] is not None:
            witnesses[row["class_id"]]["doubt"] = doubt_chance(usual, row["doubt"], config)
    broken = {
        r["class_id"]: [
            Violation(**v) for v in r["violations"] if not (is_trusted(r) and v["other"] in made)
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


def is_trusted(row: Mapping[str, Any]) -> bool:
    """Whether a person drew or confirmed the label."""
    return bool(row["origin"] in TRUSTED or row["gold"] or row["confirmed"])
