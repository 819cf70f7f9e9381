"""People's time: what annotation takes this way, and what it would take by hand."""

from agent.report.blocks import Block, Listing, Section, Table, Text
from agent.report.view import RoundView
from labeling.config import AnnotationTimeConfig, LabelingConfig
from labeling.statistics.annotation_time import TimeEstimate, estimate, in_words, work_of
from voxcurate.config import build

TITLE = "Annotation time"


def effort(view: RoundView) -> Section:
    """The paper's estimate on this round's scans, with all that it assumes."""
    config = build(LabelingConfig, view.config.get("labeling", {}))
    work = work_of(view.ctx, config, view.number)
    if not work.scans or not work.classes:
        why = "There are no scans in use or no classes, so there is nothing to annotate."
        return Section("effort", TITLE, empty=why)
    found = estimate(work, config.statistics.time)
    head = ("way of working", "formula", "people's time")
    blocks: list[Block] = [
        Text(factor_words(found, config.statistics.time), "strong"),
        Table(head, time_rows(found, config.statistics.time), "", frozenset({2})),
        Text(computing_words(found)),
        Text("What this assumes:"),
        Listing(found.assumptions),
    ]
    about = (
        "AbdomenAtlas-8K's estimate (arXiv:2305.09666, section 3.3) with the numbers of this "
        "workspace. It is an estimate: nobody's time was taken."
    )
    return Section("effort", TITLE, blocks, about=about)


def time_rows(found: TimeEstimate, config: AnnotationTimeConfig) -> list[list[str]]:
    """One line a way of working."""
    return [
        [line.name, line.formula, in_words(line.minutes, config)]
        for line in (*found.by_hand, *found.with_machine)
    ]


def factor_words(found: TimeEstimate, config: AnnotationTimeConfig) -> str:
    """The factors in one sentence."""
    one = f"To revise a scan is {found.factor:.3g} times faster than to draw it by hand"
    if found.saved is None or not found.with_machine:
        return f"{one}; no priority list says how many scans that is."
    by_hand = in_words(found.by_hand[0].minutes, config)
    asked = in_words(found.with_machine[0].minutes, config)
    return f"{one}; with the scans of the priority list alone, {asked} stand for {by_hand}."


def computing_words(found: TimeEstimate) -> str:
    """The computer's time so far."""
    hours = found.computing_hours
    if not hours:
        return "Computing time was not recorded."
    spent = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"
    return f"The computer has worked for {spent} in all rounds so far, beside people's time."
