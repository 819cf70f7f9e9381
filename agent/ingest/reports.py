"""Reports: linked to scans while who they are about is known, scrubbed, and only then catalogued.

The reports are gone through twice, so that no more than a batch is ever in memory. First their
keys go to the private store, where all are linked; then their texts are scrubbed in pieces of work
and enter the catalog, those only that are new or changed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from agent.ingest.config import IngestConfig
from agent.ingest.identities import Identities
from agent.ingest.patients import patient_hashes
from agent.ingest.records import Case
from agent.ingest.report_facts import report_facts
from agent.ingest.report_keys import Outcome, PartRules, ReportKeys
from agent.ingest.report_lists import Problems
from agent.ingest.report_rows import BadRow, RawReport, merged, read_reports
from agent.ingest.report_store import ReportStore
from agent.ingest.scan_keys import names_like, scope_of
from voxcurate.catalog import Report, Writer
from voxcurate.executors import SerialExecutor
from voxcurate.identifiers import Identifiers
from voxcurate.ids import content_id, keyed
from voxcurate.ledger import Item, run_items
from voxcurate.sources import SourceConfig
from voxcurate.stage import StageContext

STAGE = "ingest_reports"
VERSION = "2"
BATCH = 10_000  # reports in memory at once
FEW = 200  # reports not worth starting processes for


class Place(NamedTuple):
    """A source with its folder, its files (relative, sorted), and its cases of this call."""

    config: SourceConfig
    root: Path
    files: Sequence[str]
    cases: Sequence[Case]


@dataclass
class Imported:
    """What became of the reports of this call."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


class ReportImport:
    """The import of one call's reports.

    Args:
        context: of ingest.
        config: of ingest.
        places: the sources.
        store: the private store, which knows the scans already.
        identities: the private map of scans.
        key: of the workspace.
    """

    def __init__(
        self,
        context: StageContext,
        config: IngestConfig,
        places: Sequence[Place],
        store: ReportStore,
        identities: Identities,
        key: bytes,
    ) -> None:
        self._context, self._config, self._key = context, config, key
        self._places = [place for place in places if place.config.reports]
        self._store, self._identities = store, identities
        self._sources = store.scan_sources()
        self._known = lru_cache(maxsize=4096)(self._identifiers_of)

    def survey(self) -> Problems:
        """Put the keys of all reports into the store; what cannot be read is listed.

        Raises:
            SourceError: a table cannot be read at all.
        """
        problems = Problems(self._context.workspace)
        with self._store.transaction(), problems:
            for place in self._places:
                for number, part in enumerate(place.config.reports, start=1):
                    scope = scope_of(place.config, part.scans_of, self._sources)
                    self._store.set_rules(
                        PartRules(
                            place.config.name, number, part.link, part.window_days, tuple(scope)
                        )
                    )
            self._store.add_reports(
                self._keys(report_id, raw, place) for report_id, raw, place in self._read(problems)
            )
        return problems

    def _read(self, problems: Problems | None = None) -> Iterator[tuple[str, RawReport, Place]]:
        """Every report with its id, the same in every pass."""
        self._store.start_numbering()
        for place in self._places:
            name = place.config.name
            for raw in read_reports(place.config, place.root, place.files, place.cases):
                if isinstance(raw, BadRow):
                    if problems is not None:
                        problems.add(name, raw)
                    continue
                if problems is not None:
                    problems.note(name, raw)
                base = keyed(f"report:{name}:{raw.name}", self._key, 20)
                version = self._store.number(base)
                tail = keyed(f"{base}#{version}", self._key, 12)
                yield f"{name}_r{tail}", raw, place

    def _keys(self, report_id: str, raw: RawReport, place: Place) -> ReportKeys:
        part = place.config.reports[raw.part - 1]
        scope = scope_of(place.config, part.scans_of, self._sources) or self._sources
        patient = raw.keys.get("patient_id", "")
        name = raw.keys.get("case", "")
        day = raw.day.isoformat() if raw.day else ""
        whose = [raw.keys.get(k, "") for k in ("patient_id", "accession", "study_uid", "case")]
        series = raw.keys.get("series_uid", "")
        content = content_id([raw.text, day, series, *whose], digits=64)
        return ReportKeys(
            report_id,
            raw.source,
            raw.part,
            raw.row,
            patients=patient_hashes(place.config, patient, scope, self._key),
            day=day,
            clock=raw.clock,
            modality=str(raw.facts.get("modality", "")),
            series_uid=series,
            accession=raw.keys.get("accession", ""),
            study_uid=raw.keys.get("study_uid", ""),
            names=tuple(names_like(name)),
            files=raw.files,
            content=keyed(content, self._key, 24) if any(whose) else "",
        )

    def write(self) -> Imported:
        """Scrub what is new or changed, and put it into the catalog."""
        done = Imported()
        self._identities.add_anchors(self._store.first_days())
        reports = self._read()
        while batch := list(islice(reports, BATCH)):
            self._write_batch(batch, done)
        return done

    def _write_batch(self, batch: Sequence[tuple[str, RawReport, Place]], done: Imported) -> None:
        ids = [report_id for report_id, _, _ in batch]
        outcomes = self._store.outcomes(ids)
        rows = self._context.catalog.columns(Report, "report_id", "facts", report_id=ids)
        old = {report_id: facts for report_id, facts in rows}  # noqa: C416 - typed pairs
        patients = sorted({outcome.patient for outcome in outcomes.values() if outcome.patient})
        anchors = self._identities.anchors_of(patients)
        todo: dict[str, list[dict[str, Any]]] = {}
        kept: list[str] = []
        for report_id, raw, _ in batch:
            outcome = outcomes.get(report_id)
            if outcome is None or outcome.same_as:  # None: the file changed under our eyes
                continue
            plain = self._plain(report_id, raw, outcome, anchors.get(outcome.patient))
            before = old.get(report_id)
            if before is not None and before.get("mark") == plain["facts"]["mark"]:
                done.counts["unchanged"] += 1
                kept.append(report_id)
                continue
            plain["facts"]["version"] = 1 if before is None else before.get("version", 1) + 1
            todo.setdefault(raw.source, []).append(plain)
        written = self._scrub(todo, done)
        changed = sum(report_id in old for report_id in written)
        done.counts.update(new=len(written) - changed, changed=changed)
        self._store.keep([*kept, *written])

    def _plain(
        self, report_id: str, raw: RawReport, outcome: Outcome, anchor: date | None
    ) -> dict[str, Any]:
        """What the worker gets, with the mark that tells whether anything changed."""
        known = raw.known
        days = []
        for case_id in outcome.cases:
            identifiers, day = self._known(case_id)
            known = merged(identifiers, known)
            days.append(day)
        day = raw.day or next((d for d in days if d), None)
        plain: dict[str, Any] = {
            "report_id": report_id,
            "text": raw.text,
            "exam": raw.exam,
            "known": known.model_dump(mode="json", exclude_defaults=True),
            "case_id": outcome.case_id,
            "patient": outcome.patient,
            "link": outcome.link,
            "facts": report_facts(raw, outcome, day, anchor, self._key),
        }
        settings = self._config.scrub.model_dump(mode="json")
        mark = keyed(content_id(plain, settings, VERSION, digits=64), self._key, 16)
        plain["facts"] = {**plain["facts"], "mark": mark}
        return plain

    def _identifiers_of(self, case_id: str) -> tuple[Identifiers, date | None]:
        found = self._identities.lookup(case_id)
        if found is None:
            return Identifiers(), None
        return found.identifiers, date.fromisoformat(found.day) if found.day else None

    def _scrub(self, todo: Mapping[str, list[dict[str, Any]]], done: Imported) -> list[str]:
        """Reports that were scrubbed and written, by id."""
        items = [item for source, own in todo.items() for item in self._items(source, own)]
        if not items:
            return []
        written: list[str] = []

        def record(writer: Writer, item: Item, made: Any) -> Mapping[str, Any]:
            rows = [
                _row(item.subject, raw, scrubbed)
                for raw, scrubbed in zip(item.payload["reports"], made, strict=True)
            ]
            writer.put_all(rows)
            written.extend(row.report_id for row in rows)
            return {"reports": len(rows)}

        result = run_items(
            self._context,
            STAGE,
            items,
            "agent.ingest.report_scrub:scrub_reports",
            record,
            version=VERSION,
            title="reports",
            executor=SerialExecutor() if sum(map(len, todo.values())) < FEW else None,
        )
        done.failed.update(result.failed)
        return written

    def _items(self, source: str, reports: Sequence[dict[str, Any]]) -> Iterator[Item]:
        scrub = self._config.scrub.model_dump(mode="json")
        per_item = self._config.reports_per_item
        for start in range(0, len(reports), per_item):
            part = reports[start : start + per_item]
            marks = [(r["report_id"], r["facts"]["version"], r["facts"]["mark"]) for r in part]
            yield Item(
                source,
                f"reports {start // per_item + 1}",
                inputs=marks,
                payload={
                    "reports": part,
                    "config": scrub,
                    "key": self._key.hex() if scrub.get("shift_dates") else "",
                },
            )


def _row(source: str, raw: Mapping[str, Any], done: Mapping[str, Any]) -> Report:
    facts = {**raw["facts"], "replaced": done["replaced"]}
    if done["exam"]:
        facts["exam"] = done["exam"]
    return Report(
        report_id=raw["report_id"],
        case_id=raw["case_id"],
        patient=raw["patient"],
        source=source,
        text=done["text"],
        link=raw["link"],
        facts=facts,
    )
