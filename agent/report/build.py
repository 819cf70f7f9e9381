"""Puts the page together: sections one by one, then the template, then one atomic write."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.report import (
    agreement,
    annotation,
    cleaned,
    cohort,
    conflicts,
    effort,
    evaluated,
    label_errors,
    lesions,
    quality,
    reading,
    running,
    verdicts,
    volumes,
)
from agent.report.blocks import Section, Text
from agent.report.found_errors import FoundErrors
from agent.report.pictures import TROUBLE, Album
from agent.report.summary import header, summary
from agent.report.view import RoundView, load_view
from voxcurate.executors.worker import describe
from voxcurate.stage import StageContext
from voxcurate.workspace import write_text

log = logging.getLogger(__name__)


def write_report(ctx: StageContext, round_number: int) -> Path:
    """Write ``rounds/<r>/report.html`` from the catalog and the round's folder, and beside it
    ``verdicts.csv``, all verdicts on labels.

    The page needs nothing from elsewhere: styles, charts and pictures are in it. What cannot be
    drawn is said in its place, and the rest is written all the same.

    Returns:
        Its path. Written again, the same catalog gives the same page.
    """
    view = load_view(ctx, round_number)
    found = FoundErrors(view)
    html = render(view, build_sections(view, found))
    try:
        found.write_table()
    except TROUBLE as error:
        log.exception("no table of verdicts", extra={"why": describe(error)})
    path = ctx.workspace.round_path(round_number, "report.html")
    write_text(path, html)
    return path


def build_sections(view: RoundView, errors: FoundErrors | None = None) -> list[Section]:
    """The sections in their order; one that breaks becomes a note that says so."""
    album, found = Album(view.ctx), errors or FoundErrors(view)
    parts: list[tuple[str, str, Callable[[], Section]]] = [
        ("summary", "In short", lambda: summary(view)),
        ("funnel", "From ingest to use", lambda: cohort.funnel(view)),
        ("chosen", "How the cohort was chosen", lambda: reading.chosen(view)),
        ("waiting", "Proposals waiting for review", lambda: annotation.waiting(view, album)),
        ("quality", "Quality on the test split", lambda: quality.quality(view, album)),
        ("evaluation", evaluated.TITLE, lambda: evaluated.evaluated(view)),
        ("origins", "Where the labels come from", lambda: annotation.origins(view)),
        ("conflicts", conflicts.TITLE, lambda: conflicts.conflicts(view)),
        ("errors", label_errors.TITLE, lambda: label_errors.label_errors(view, found)),
        ("verdicts", verdicts.TITLE, lambda: verdicts.verdicts(view, album, found)),
        ("changes", "Changed labels", lambda: annotation.changes(view, album)),
        ("attention", "Attention sizes", lambda: annotation.attention(view)),
        ("priority", "Top of the priority list", lambda: annotation.priority(view, album)),
        ("lesions", lesions.TITLE, lambda: lesions.lesions(view)),
        ("agreement", agreement.TITLE, lambda: agreement.agreement(view)),
        ("volumes", "Organ volumes", lambda: volumes.volumes(view)),
        ("effort", effort.TITLE, lambda: effort.effort(view)),
        ("duplicates", "Duplicate scans", lambda: cleaned.duplicates(view, album)),
        ("rejected", "Rejected and suspect scans", lambda: cleaned.rejected(view, album)),
        ("reading", "Reading the reports", lambda: reading.reading(view)),
        ("findings", "What the reports say", lambda: reading.findings(view)),
        ("training", "Training", lambda: quality.training(view)),
        ("times", "Time and memory", lambda: running.times(view)),
        ("failures", "Failures", lambda: running.failures(view, album)),
        ("provenance", "Provenance", lambda: running.provenance(view)),
    ]
    return [_safely(name, title, make) for name, title, make in parts]


def render(view: RoundView, sections: Sequence[Section]) -> str:
    """The page as HTML text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(head=header(view), sections=sections)


def _safely(name: str, title: str, make: Callable[[], Section]) -> Section:
    """A round took hours; its report must not be lost to one odd value in one section."""
    try:
        return make()
    except TROUBLE as error:
        log.exception("report section failed", extra={"section": name, "why": describe(error)})
        why = f"This section could not be made: {type(error).__name__}. The log says where."
        return Section(name, title, [Text(why, "warn")])
