"""How much of people's time curation takes, and what drawing everything by hand would take.

AbdomenAtlas-8K (arXiv:2305.09666), section 3.3. By hand: minutes per structure x structures per
scan x scans, in working hours; 60 x 8 x 8000 minutes are 1600 weeks, 30.8 years. With the machine:
minutes per scan x scans that a person looks at; 400 x 15 minutes are 12.5 days; per scan the factor
is 60 x 8 / 15 = 32. The paper adds 8.5 days of computing to reach its three weeks (and so a factor
of 533); computing time is told beside people's time here, never added to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from labeling.config import AnnotationTimeConfig, LabelingConfig
from voxcurate.catalog import Decision, Label, Measure
from voxcurate.catalog.records import NO_ROUND
from voxcurate.errors import CurationError
from voxcurate.stage import StageContext

LOOKED_AT = ("confirm", "accept", "revised", "retire")  # what people answer


@dataclass(frozen=True)
class Work:
    """What there is to annotate, and what people were asked or answered.

    Attributes:
        scans: of the cohort.
        classes: the target classes.
        labelled: structures of these that came with a label, by class.
        to_look_at: scans that the priority list picks; None: there is no list.
        looked_at: scans about which a person has decided something.
        computing_hours: wall time of the rounds' stages so far.
    """

    scans: int
    classes: Sequence[str]
    labelled: Mapping[str, int] = field(default_factory=dict)
    to_look_at: int | None = None
    looked_at: int = 0
    computing_hours: float = 0.0


@dataclass(frozen=True)
class Line:
    """One way of working: its formula with the numbers in it, and people's minutes."""

    name: str
    formula: str
    minutes: float


@dataclass(frozen=True)
class TimeEstimate:
    """The ways of working, by hand and with the machine.

    Attributes:
        by_hand: first as the paper reckons, then with other rates or only what had no label.
        with_machine: the scans of the priority list (if there is one), then those looked at.
        factor: the paper's: minutes by hand of a scan over minutes of a revised scan.
        saved: the first line by hand over the first with the machine; None without any work there.
        assumptions: each in words.
        computing_hours: of the machine, not in any line.
    """

    by_hand: tuple[Line, ...]
    with_machine: tuple[Line, ...]
    factor: float
    saved: float | None
    assumptions: tuple[str, ...]
    computing_hours: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def estimate(work: Work, config: AnnotationTimeConfig) -> TimeEstimate:
    """The paper's formula on this work, other rates beside it."""
    n, k = work.scans, len(work.classes)
    by_class = config.minutes_by_class
    usual = float(np.mean(list(by_class.values()))) if by_class else config.minutes_per_structure
    measured = sum(by_class.get(c, usual) for c in work.classes)
    unlabelled = sum(max(0, n - work.labelled.get(c, 0)) for c in work.classes)
    rate, low = config.minutes_per_structure, config.minutes_per_structure_low
    revised = config.minutes_per_revised_scan
    by_hand = (
        Line(
            "everything by hand, as published",
            f"{rate:g} min x {k} classes x {n:,} scans",
            rate * k * n,
        ),
        Line(
            "the same at the lower published rate",
            f"{low:g} min x {k} classes x {n:,} scans",
            low * k * n,
        ),
        Line(
            "the same at the times measured per organ",
            f"{measured:.4g} min for the {k} classes x {n:,} scans",
            measured * n,
        ),
        Line(
            "by hand only what came without a label",
            f"{rate:g} min x {unlabelled:,} structures",
            rate * unlabelled,
        ),
    )
    with_machine = [
        Line(name, f"{revised:g} min x {count:,} scans", revised * count)
        for name, count in (
            ("the scans that the priority list picks", work.to_look_at),
            ("the scans that people have decided on so far", work.looked_at),
        )
        if count is not None
    ]
    asked = with_machine[0].minutes if work.to_look_at else 0.0
    return TimeEstimate(
        by_hand,
        tuple(with_machine),
        factor=rate * k / revised,
        saved=by_hand[0].minutes / asked if asked else None,
        assumptions=_assumptions(work, config, usual),
        computing_hours=work.computing_hours,
    )


def _assumptions(work: Work, config: AnnotationTimeConfig, usual: float) -> tuple[str, ...]:
    others = [c for c in work.classes if c not in config.minutes_by_class]
    measured = (
        f"Measured times are those of the paper's table 4 (two annotators, "
        f"{len(config.minutes_by_class)} organs)"
    )
    if others:
        measured += f"; {len(others)} of {len(work.classes)} classes are not in it and get its mean"
        measured += f", {usual:.1f} min"
    return (
        f"A trained annotator draws one structure of one scan in {config.minutes_per_structure:g} "
        f"min, at best {config.minutes_per_structure_low:g} min (Park et al. 2020, as cited by "
        "AbdomenAtlas-8K, arXiv:2305.09666, section 3.3 and footnote 3); tumours and small vessels "
        "may differ.",
        f"{measured}.",
        "Everything by hand counts every class in every scan, as the paper does, also where a "
        "public label exists or the structure is not in the scan.",
        f"A person confirms or revises all labels of one scan in "
        f"{config.minutes_per_revised_scan:g} min (section 3.2), whatever the number of classes.",
        "Scans that the priority list does not pick take no time. The paper had all of them looked "
        "through once before release (55 of 8,448 were mended) and does not count that.",
        f"A working day has {config.hours_per_day:g} h, a week {config.days_per_week:g} days, a "
        f"year {config.weeks_per_year:g} weeks.",
        "The computer's time is not people's time and in no line; the paper gives 8.5 days for "
        "its own.",
    )


def in_words(minutes: float, config: AnnotationTimeConfig) -> str:
    """Working time for people: ``45 min``, ``6.0 h``, ``12.5 working days``, ``30.8 years``."""
    hours = minutes / 60
    days = hours / config.hours_per_day
    weeks = days / config.days_per_week
    years = weeks / config.weeks_per_year
    if minutes < 60:
        return f"{minutes:.0f} min"
    if days < 2:
        return f"{hours:.1f} h"
    if years < 1:
        return f"{days:,.1f} working days"
    return f"{years:,.1f} years of work"


def work_of(ctx: StageContext, config: LabelingConfig, round_number: int | None = None) -> Work:
    """What the catalog says of the work as of a round (default: the context's)."""
    from labeling.attention.priority import ranked_cases

    number = ctx.round if round_number is None else round_number
    scans = {scan.case_id for scan in ctx.scans()}
    classes = ctx.classes or tuple(sorted({class_id for _, class_id in ctx.catalog.current()}))
    answers = ctx.catalog.columns(Decision, "round", "case_id", stage="review", verdict=LOOKED_AT)
    seconds = ctx.catalog.columns(Measure, "round", "value", name="wall_s", case_id="")
    try:
        listed = ranked_cases(ctx, config.priority) if number == ctx.round else []
    except CurationError:  # attention of an older version, without this score
        listed = []
    return Work(
        len(scans),
        classes,
        _labelled(ctx, scans, classes),
        sum(case.chosen for case in listed) if listed else None,
        len({case for at, case in answers if at <= number and case in scans}),
        sum(value or 0.0 for at, value in seconds if at <= number) / 3600,
    )


def _labelled(ctx: StageContext, scans: set[str], classes: Sequence[str]) -> dict[str, int]:
    """In how many of the scans each class came with a label."""
    found: dict[str, set[str]] = {c: set() for c in classes}
    where: dict[str, Any] = {"origin": "original", "round": NO_ROUND, "class_id": list(classes)}
    for batch in ctx.catalog.stream(Label, "case_id", "class_id", **where):
        for case_id, class_id in batch:
            if case_id in scans:
                found[class_id].add(case_id)
    return {class_id: len(cases) for class_id, cases in found.items()}
