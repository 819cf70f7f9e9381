"""What the catalog keeps of a report besides its text: enough to search and to follow a patient."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from agent.ingest.report_keys import Outcome
from agent.ingest.report_rows import RawReport
from voxcurate.ids import keyed
from voxcurate.scrub import NOTHING_KNOWN


def study_pseudonym(study: str, key: bytes) -> str:
    """The keyed name of a study, the same for its scans and reports; empty for none."""
    return keyed(f"study:{study}", key) if study else ""


def report_facts(
    raw: RawReport, outcome: Outcome, day: date | None, anchor: date | None, key: bytes
) -> dict[str, Any]:
    """De-identified facts of a report.

    Args:
        raw: as it was read.
        outcome: how it was linked.
        day: of the report, else of its scan.
        anchor: the patient's day 0.
        key: the workspace's.

    Returns:
        whatever is known of ``age``, ``sex``, ``modality``, ``phase``; ``day`` (days since the
        patient's day 0), ``study`` (pseudonym), ``cases`` (all scans of the exam, if several),
        ``order`` (among several reports of the exam, from 2), ``copies``, ``days_apart``.
    """
    facts: dict[str, Any] = dict(raw.facts)
    told = {
        "day": (day - anchor).days if day and anchor else None,
        "study": study_pseudonym(outcome.study, key),
        "cases": list(outcome.cases) if len(outcome.cases) > 1 else None,
        "order": outcome.place if outcome.place > 1 else None,
        "copies": outcome.copies or None,
        "days_apart": outcome.gap if outcome.link and outcome.gap else None,
    }
    return facts | {name: value for name, value in told.items() if value not in (None, "")}


def relinked_facts(
    facts: Mapping[str, Any], outcome: Outcome, day: date | None, anchor: date | None, key: bytes
) -> dict[str, Any]:
    """The facts of a report in the catalog whose scan came later."""
    kept = {
        name: value
        for name, value in facts.items()
        if name not in ("day", "study", "cases", "order", "copies", "days_apart")
    }
    blank = RawReport("", 0, 0, "", "", NOTHING_KNOWN, facts=kept)
    return report_facts(blank, outcome, day, anchor, key)
