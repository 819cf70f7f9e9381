"""Reports of earlier ingests whose scan came only now: their rows in the catalog follow."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice

from agent.ingest.identities import Identities
from agent.ingest.report_facts import relinked_facts
from agent.ingest.report_keys import Outcome
from agent.ingest.report_scrub import scrub_text
from agent.ingest.report_store import ReportStore
from voxcurate.catalog import Report
from voxcurate.scrub import Scrubber, ScrubConfig
from voxcurate.stage import StageContext

BATCH = 10_000


def relink(
    context: StageContext,
    scrub: ScrubConfig,
    store: ReportStore,
    identities: Identities,
    key: bytes,
) -> int:
    """Give reports that this call did not read the scan that they have now.

    Their texts, scrubbed already, are scrubbed once more of what the scan's header knows, and of
    nothing else: dates that were shifted look like dates, and must neither go nor move again.

    Returns:
        how many rows changed.
    """
    n_changed = 0
    again = {"shift_dates": False, "patterns": scrub.patterns and not scrub.shift_dates}
    scrubber = Scrubber(scrub.model_copy(update=again))
    waiting = store.others()
    while batch := list(islice(waiting, BATCH)):
        n_changed += _relink(batch, context, scrubber, identities, key)
    return n_changed


def _relink(
    batch: Sequence[tuple[Outcome, str]],
    context: StageContext,
    scrubber: Scrubber,
    identities: Identities,
    key: bytes,
) -> int:
    anchors = identities.anchors_of(sorted({one.patient for one, _ in batch if one.patient}))
    days = {one.report_id: day for one, day in batch}
    outcomes = {one.report_id: one for one, _ in batch}
    changed = []
    for report in _rows(context, list(outcomes)):
        outcome = outcomes[report.report_id]
        told = days[report.report_id]
        day = date.fromisoformat(told) if told else None
        facts = relinked_facts(report.facts, outcome, day, anchors.get(outcome.patient), key)
        now = replace(
            report, case_id=outcome.case_id, patient=outcome.patient, link=outcome.link, facts=facts
        )
        if now == report:
            continue
        identity = identities.lookup(outcome.case_id) if outcome.case_id else None
        if identity is not None:
            text, _ = scrub_text(scrubber, report.text, identity.identifiers, outcome.patient)
            now = replace(now, text=text)
        changed.append(now)
    with context.catalog.write() as writer:
        writer.put_all(changed)
    return len(changed)


def _rows(context: StageContext, report_ids: Sequence[str]) -> Iterator[Report]:
    yield from context.catalog.rows(Report, report_id=report_ids)
