"""How far the round's predictions of a class can be trusted, measured before their labels count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from labeling.config import AssembleConfig
from voxcurate.catalog import Label, Measure
from voxcurate.stage import StageContext

TRUSTED = ("original", "revised")
MACHINE_MADE = ("pseudo", "judged")


@dataclass(frozen=True)
class Standing:
    """How far machines' labels of a class can be trusted.

    Attributes:
        withheld: classes whose machine-drawn labels do not count yet, with their quality.
        measured: classes whose quality is known.
    """

    withheld: Mapping[str, float] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()


def class_quality(ctx: StageContext) -> dict[str, tuple[float, int]]:
    """Median out-of-fold DSC between prediction and trusted label per class, and how many labels.

    Counted are non-empty original and human labels of train and validation that the predicting
    models have not seen. One out-of-fold model speaks for the ensemble, so this errs low. Planted
    or real label errors lower it little, as it is a median.
    """
    about = ("label_id", "voxels", "retired")
    labels = {
        label_id
        for label_id, voxels, retired in ctx.catalog.columns(Label, *about, origin=TRUSTED)
        if voxels and not retired
    }
    values: dict[str, list[float]] = {}
    where: dict[str, Any] = {"round": ctx.round, "stage": "detect", "name": "tot_dsc"}
    for batch in ctx.catalog.stream(Measure, "class_id", "value", "facts", **where):
        for class_id, value, facts in batch:
            if facts.get("label_id") in labels and facts.get("out_of_fold"):
                values.setdefault(class_id, []).append(value or 0.0)
    return {class_id: (median(found), len(found)) for class_id, found in sorted(values.items())}


def standing(ctx: StageContext, config: AssembleConfig) -> Standing:
    """Which classes' machine-drawn labels wait, and which are measured at all.

    An undertrained network predicts nothing, and an empty pseudo label taken for the truth teaches
    the next network to predict nothing. So the machine's labels of a class wait until its quality,
    measured on at least `minimum_labels`, reaches `minimum_dsc`. A class without trusted labels to
    measure it on is not held back; but that a structure is absent, nobody can say of it.
    """
    quality = {
        class_id: round(dsc, 4)
        for class_id, (dsc, n) in class_quality(ctx).items()
        if n >= config.minimum_labels
    }
    withheld = {class_id: dsc for class_id, dsc in quality.items() if dsc < config.minimum_dsc}
    return Standing(withheld, frozenset(quality))
