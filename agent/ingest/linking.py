"""Which scan a report belongs to: by its keys, else by patient and date; never by a guess.

All reports are linked anew from what the private store knows, so that the result does not depend
on the order in which scans and reports came. What is not certain is an outcome with a reason.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Any

from agent.ingest.facts import modality
from agent.ingest.report_keys import Outcome, PartRules, ReportKeys
from agent.ingest.report_store import ReportStore, outcome_row

_REPORT = (
    "report_id, source, part, row, patients, day, clock, modality, series_uid, accession, "
    "study_uid, names, files, content"
)
_SHOWN = 20  # candidates named


@dataclass(frozen=True)
class _Scan:
    case_id: str
    source: str
    patient: str
    is_told: bool
    study: str
    day: str
    modality: str


def link_all(store: ReportStore, usable: Iterable[str] | None = None) -> None:
    """Link every report of the store anew.

    Args:
        store: scans, reports and rules.
        usable: cases that may be linked to; None: all.
    """
    with store.transaction():
        _Linker(store, None if usable is None else frozenset(usable)).run()


class _Linker:
    def __init__(self, store: ReportStore, usable: frozenset[str] | None) -> None:
        self._db = store.connection
        self._usable = usable
        self._parts = {
            (row[0], row[1]): PartRules(
                row[0], row[1], tuple(json.loads(row[2])), row[3], tuple(json.loads(row[4]))
            )
            for row in self._db.execute("SELECT * FROM part")
        }
        self._has_scans = self._db.execute("SELECT 1 FROM scan LIMIT 1").fetchone() is not None
        self._scan = lru_cache(maxsize=10_000)(self._read_scan)

    def run(self) -> None:
        """Copies first: they neither link nor compete; then keys; then dates."""
        for table in ("outcome", "temp.taken", "temp.copies", "temp.pending"):
            self._db.execute(f"DELETE FROM {table}")
        self._find_copies()
        cursor = self._db.execute(
            f"SELECT {_REPORT} FROM report WHERE report_id NOT IN "
            "(SELECT report_id FROM temp.copies)"
        )
        for row in cursor:
            self._by_keys(_keys_of(row))
        rows = self._db.execute("SELECT patient, report_id FROM temp.pending ORDER BY patient")
        for patient, group in groupby(rows, key=lambda row: str(row[0])):
            self._by_date(patient, [str(row[1]) for row in group])
        self._set_places()

    def _find_copies(self) -> None:
        groups = self._db.execute(
            "SELECT content FROM report WHERE content != '' GROUP BY content HAVING COUNT(*) > 1"
        ).fetchall()
        for (content,) in groups:
            rows = self._db.execute(
                "SELECT report_id, is_kept FROM report WHERE content = ? "
                "ORDER BY is_kept DESC, rowid",
                (content,),
            ).fetchall()
            first = str(rows[0][0])
            for report_id, is_kept in rows[1:]:
                if not is_kept:
                    self._put(Outcome(report_id, same_as=first))
                    self._db.execute("INSERT INTO temp.copies VALUES (?)", (report_id,))

    def _by_keys(self, report: ReportKeys) -> None:
        part = self._parts[(report.source, report.part)]
        outcome = self._certain(report, part)
        if outcome is None:
            patients = self._patients(report, part)
            if len(patients) == 1 and report.day and "patient_date" in part.rules:
                self._db.execute(
                    "INSERT INTO temp.pending VALUES (?, ?)", (patients[0], report.report_id)
                )
                return
            outcome = self._unlinked(report, self._why_none(report, part, patients))
        self._put(outcome)
        for case_id in outcome.cases:
            self._db.execute("INSERT OR IGNORE INTO temp.taken VALUES (?)", (case_id,))

    def _certain(self, report: ReportKeys, part: PartRules) -> Outcome | None:
        """The outcome of the first rule that finds scans; None if no key does."""
        if not self._has_scans:
            return None
        here = [scan for c in report.files if (scan := self._scan(c)) and self._is_usable(scan)]
        if here:
            return self._linked_if_one(report, "file", here)
        for rule in part.rules:
            found = self._find(rule, report, part)
            if not found:
                continue
            agreeing = [scan for scan in found if not self._contradicts(report, scan)]
            if not agreeing:
                return self._unlinked(report, "contradiction", found)
            return self._linked_if_one(report, rule, agreeing)
        return None

    def _linked_if_one(self, report: ReportKeys, rule: str, scans: Sequence[_Scan]) -> Outcome:
        """Linked to scans of one patient; a name means something in its own source only."""
        if len({(s.patient, s.source if rule == "case" else "") for s in scans}) > 1:
            return self._unlinked(report, "ambiguous_scans", scans)
        return self._linked(report, rule, scans)

    def _find(self, rule: str, report: ReportKeys, part: PartRules) -> list[_Scan]:
        if rule == "case":
            return next((own for n in report.names if (own := self._with("case", n, part))), [])
        if rule == "patient_date":
            return []
        values = getattr(report, rule).split("\\")  # several series may be meant
        found = {s.case_id: s for value in values if value for s in self._with(rule, value, part)}
        return [found[case_id] for case_id in sorted(found)]

    def _with(self, kind: str, value: str, part: PartRules) -> list[_Scan]:
        rows = self._db.execute(
            "SELECT case_id FROM scan_key WHERE kind = ? AND value = ? ORDER BY case_id",
            (kind, value),
        ).fetchall()
        scans = (self._scan(case_id) for (case_id,) in rows)
        return [scan for scan in scans if scan is not None and self._may_be(scan, part)]

    def _contradicts(self, report: ReportKeys, scan: _Scan) -> bool:
        """Whether another key of the report names another scan, exam or patient."""
        if scan.is_told and report.patients and scan.patient not in report.patients:
            return True
        for kind in ("series_uid", "study_uid", "accession"):
            own = set(getattr(report, kind).split("\\")) - {""}
            rows = self._db.execute(
                "SELECT value FROM scan_key WHERE case_id = ? AND kind = ?", (scan.case_id, kind)
            )
            others = {str(row[0]) for row in rows}
            if own and others and not own & others:
                return kind != "series_uid" or len(own) == 1
        return False

    def _patients(self, report: ReportKeys, part: PartRules) -> list[str]:
        """Those of a report's possible patients who have scans."""
        found = []
        for patient in report.patients if self._has_scans else ():
            if any(self._may_be(scan, part) for scan in self._scans_of(patient)):
                found.append(patient)
        return found

    def _scans_of(self, patient: str) -> list[_Scan]:
        rows = self._db.execute("SELECT * FROM scan WHERE patient = ? ORDER BY case_id", (patient,))
        return [_Scan(*row) for row in rows]

    def _by_date(self, patient: str, report_ids: Sequence[str]) -> None:
        """Link a patient's reports to the nearest exam, where both are each other's nearest."""
        scans = [scan for scan in self._scans_of(patient) if scan.day]
        choices: dict[str, list[tuple[int, ReportKeys, list[_Scan]]]] = defaultdict(list)
        for report_id in report_ids:
            report = self._read_report(report_id)
            part = self._parts[(report.source, report.part)]
            exams = _exams(scan for scan in scans if self._fits(scan, report, part))
            near = [(_gap(report.day, exam[0].day), name) for name, exam in exams.items()]
            least = min((gap for gap, _ in near), default=None)
            nearest = [name for gap, name in near if gap == least and gap <= part.window]
            found = [scan for name in nearest for scan in exams[name]]
            if len(nearest) == 1 and not any(self._is_taken(scan) for scan in found):
                choices[nearest[0]].append((least or 0, report, found))
                continue
            many = "ambiguous_scans" if len(nearest) > 1 else "scan_has_report"
            reason = many if nearest else "no_scan_near"
            self._put(replace(self._unlinked(report, reason, found), gap=least))
        for wanting in choices.values():
            self._put_nearest(wanting)

    def _put_nearest(self, wanting: Sequence[tuple[int, ReportKeys, list[_Scan]]]) -> None:
        """Of the reports whose nearest exam is the same, only a single nearest one is linked."""
        least = min(gap for gap, _, _ in wanting)
        n_nearest = sum(gap == least for gap, _, _ in wanting)
        for gap, report, scans in wanting:
            if gap == least and n_nearest == 1:
                outcome = self._linked(report, "patient_date", scans)
            else:
                reason = "ambiguous_reports" if gap == least else "nearer_report"
                outcome = self._unlinked(report, reason, scans)
            self._put(replace(outcome, gap=gap))

    def _fits(self, scan: _Scan, report: ReportKeys, part: PartRules) -> bool:
        """Whether the report may be about the scan, dates aside: an X-ray's is about no CT."""
        kind = modality(scan.modality)
        other = report.modality and kind and report.modality != kind
        return self._may_be(scan, part) and (not other or (report.modality, kind) == ("PT", "CT"))

    def _read_report(self, report_id: str) -> ReportKeys:
        query = f"SELECT {_REPORT} FROM report WHERE report_id = ?"
        return _keys_of(self._db.execute(query, (report_id,)).fetchone())

    def _is_taken(self, scan: _Scan) -> bool:
        query = "SELECT 1 FROM temp.taken WHERE case_id = ?"
        return self._db.execute(query, (scan.case_id,)).fetchone() is not None

    def _linked(self, report: ReportKeys, rule: str, scans: Sequence[_Scan]) -> Outcome:
        first = scans[0]
        return Outcome(
            report.report_id,
            link=rule,
            case_id=first.case_id,
            cases=tuple(scan.case_id for scan in scans),
            patient=first.patient,
            study=first.study or report.study_uid or report.accession,
        )

    def _unlinked(self, report: ReportKeys, reason: str, scans: Sequence[_Scan] = ()) -> Outcome:
        known = (p for p in report.patients if self._has_scans and self._scans_of(p))
        return Outcome(
            report.report_id,
            patient=next(known, next(iter(report.patients), "")),
            study=report.study_uid or report.accession,
            reason=reason,
            candidates=tuple(scan.case_id for scan in scans[:_SHOWN]),
        )

    def _why_none(self, report: ReportKeys, part: PartRules, patients: Sequence[str]) -> str:
        """Why no rule found a scan."""
        if patients and "patient_date" in part.rules:
            return "ambiguous_scans" if len(patients) > 1 else "no_date"
        values = {**vars(report), "case": report.names, "patient_date": report.patients}
        return "no_scan" if any(values[rule] for rule in part.rules) else "no_key"

    def _read_scan(self, case_id: str) -> _Scan | None:
        row = self._db.execute("SELECT * FROM scan WHERE case_id = ?", (case_id,)).fetchone()
        return _Scan(*row) if row else None

    def _may_be(self, scan: _Scan, part: PartRules) -> bool:
        return self._is_usable(scan) and (not part.scope or scan.source in part.scope)

    def _is_usable(self, scan: _Scan) -> bool:
        return self._usable is None or scan.case_id in self._usable

    def _put(self, outcome: Outcome) -> None:
        marks = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
        self._db.execute(f"REPLACE INTO outcome VALUES ({marks})", outcome_row(outcome))

    def _set_places(self) -> None:
        """Number the reports of one exam in time, and count what each stands for."""
        self._db.execute(
            "UPDATE outcome SET place = ranked.n FROM (SELECT report_id, ROW_NUMBER() OVER ("
            "PARTITION BY CASE WHEN case_id != '' THEN case_id WHEN study != '' THEN study "
            "ELSE report_id END ORDER BY day, clock, source, part, row, report_id) AS n "
            "FROM outcome JOIN report USING (report_id) WHERE same_as = '') AS ranked "
            "WHERE outcome.report_id = ranked.report_id AND ranked.n > 1"
        )
        self._db.execute(
            "UPDATE outcome SET copies = same.n FROM (SELECT same_as, COUNT(*) AS n FROM outcome "
            "WHERE same_as != '' GROUP BY same_as) AS same WHERE outcome.report_id = same.same_as"
        )


def _keys_of(row: Sequence[Any]) -> ReportKeys:
    values = dict(zip(_REPORT.split(", "), row, strict=True))
    for name in ("patients", "names", "files"):
        values[name] = tuple(json.loads(values[name]))
    return ReportKeys(**values)


def _exams(scans: Iterable[_Scan]) -> dict[str, list[_Scan]]:
    """Scans of one study together, each other one alone."""
    found: dict[str, list[_Scan]] = defaultdict(list)
    for scan in scans:
        found[f"study {scan.study}" if scan.study else f"case {scan.case_id}"].append(scan)
    return found


def _gap(one: str, other: str) -> int:
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)
