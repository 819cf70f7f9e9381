"""The priority list: who needs a person's eye first (AbdomenAtlas-8K section 3.2, step 4)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.config import LabelingConfig, PriorityConfig
from labeling.suspicion import Suspicion
from voxcurate.catalog import Measure
from voxcurate.stage import StageContext
from voxcurate.workspace import write_text

COLUMNS = (
    "rank",
    "case_id",
    "split",
    "attention_mm3",
    "outlier",
    "classes",
    "class_attention_mm3",
    "suspect_classes",
    "error_probability",
)


@dataclass(frozen=True)
class Priority:
    """A case of the list: its attention and that of its classes, largest first."""

    case_id: str
    attention_mm3: float
    classes: tuple[tuple[str, float], ...]
    outlier: bool


def priority_list(
    sizes: Mapping[str, Mapping[str, float]], config: PriorityConfig
) -> list[Priority]:
    """Cases by attention size, largest first; equal ones in case order.

    Args:
        sizes: case to class to attention in mm^3; classes without attention are dropped.
        config: which cases are outliers.
    """
    totals = {case: float(sum(classes.values())) for case, classes in sizes.items()}
    order = sorted(totals, key=lambda case: (-totals[case], case))
    cut = outliers([totals[case] for case in order], config)
    return [
        Priority(
            case,
            totals[case],
            tuple(sorted(((c, v) for c, v in sizes[case].items() if v > 0), key=_falling)),
            bool(is_out),
        )
        for case, is_out in zip(order, cut, strict=True)
    ]


def outliers(values: Sequence[float], config: PriorityConfig) -> list[bool]:
    """Which attention sizes stand out.

    ``top``: the largest `fraction` of them (published: 5 %), rounded up. ``budget``: the largest
    `budget`. ``robust``: a robust z of the logarithm above `robust_z`; sizes are skewed, and 5 % of
    a clean dataset are no outliers. A size of 0 is never one.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return []
    if config.rule != "robust":
        n = int(np.ceil(config.fraction * array.size - 1e-9))
        n = config.budget if config.rule == "budget" else n
        chosen = np.argsort(-array, kind="stable")[:n]
        result = np.zeros(array.size, dtype=bool)
        result[chosen] = True
        return [bool(x) for x in result & (array > 0)]
    logs = np.log(array + 1.0)
    middle = float(np.median(logs))
    mad = 1.4826 * float(np.median(np.abs(logs - middle)))
    return [bool(x) for x in (logs - middle) > config.robust_z * max(mad, 1e-3)]


def attention_sizes(ctx: StageContext) -> dict[str, dict[str, float]]:
    """Attention per case and class of this round's train and validation cases."""
    cases = {scan.case_id for scan in ctx.scans("train", "validation")}
    sizes: dict[str, dict[str, float]] = {}
    for m in ctx.catalog.rows(Measure, round=ctx.round, stage="detect", name="attention_mm3"):
        if m.class_id and m.case_id in cases and m.value is not None:
            sizes.setdefault(m.case_id, {})[m.class_id] = m.value
    return sizes


def write_priority(
    ctx: StageContext, config: LabelingConfig, suspicions: Sequence[Suspicion]
) -> list[Priority]:
    """Write ``rounds/<r>/priority.csv``: the list with its scores and the suspect classes."""
    ranked = priority_list(attention_sizes(ctx), config.priority)
    splits = {scan.case_id: scan.split for scan in ctx.scans()}
    suspect: dict[str, list[tuple[str, float]]] = {}
    for s in suspicions:
        if s.probability >= config.detect.threshold:
            suspect.setdefault(s.case_id, []).append((str(s.row["class_id"]), s.probability))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for rank, p in enumerate(ranked, 1):
        bad = sorted(suspect.get(p.case_id, []), key=_falling)
        table.writerow(
            [
                rank,
                p.case_id,
                splits[p.case_id],
                f"{p.attention_mm3:.1f}",
                int(p.outlier),
                " ".join(c for c, _ in p.classes),
                " ".join(f"{v:.1f}" for _, v in p.classes),
                " ".join(c for c, _ in bad),
                " ".join(f"{v:.3f}" for _, v in bad),
            ]
        )
    write_text(ctx.workspace.round_path(ctx.round, "priority.csv"), stream.getvalue())
    return ranked


def _falling(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]
