"""Search among rows given here, by an index in memory: the same query, the same answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from retrieval.questions import load_questions
from retrieval.search.evidence import proofs_of
from retrieval.search.find import find
from retrieval.search.query import CohortMatch, CohortQuery
from retrieval.search.rows import ReportRows
from retrieval.search.schema import connect
from retrieval.search.tree import Tree
from retrieval.search.writing import IndexWriter

Row = Mapping[str, Any]


def select(
    query: CohortQuery, scans: Iterable[Row], findings: Iterable[Row], reports: Iterable[Row] = ()
) -> list[CohortMatch]:
    """As `retrieval.search.query.select`."""
    connection = connect(None)
    try:
        by_report: dict[str, list[Row]] = {}
        for row in findings:
            by_report.setdefault(str(row["report_id"]), []).append(row)
        by_case = {str(row["case_id"]): row for row in scans}
        told = {str(row["report_id"]): row for row in reports}
        for key, rows in by_report.items():
            told.setdefault(key, {"report_id": key, "case_id": rows[0]["case_id"]})
        writer = IndexWriter(connection)
        writer.put_scans([(row, 1) for row in by_case.values()])
        writer.put_reports(
            [
                ReportRows(row, by_case.get(str(row["case_id"])), by_report.get(key, ()))
                for key, row in sorted(told.items())
            ]
        )
        tree = Tree.of(load_questions())
        hits = find(connection, query, tree).hits

        def rows_of(names: Iterable[str], questions: Iterable[str]) -> list[Row]:
            wanted = set(questions)
            return [r for n in names for r in by_report.get(n, ()) if r["question"] in wanted]

        proofs = proofs_of(connection, query, hits, tree, rows_of)
        return [
            CohortMatch(hit.case_id, proof, hit.report_id)
            for hit, proof in zip(hits, proofs, strict=True)
        ]
    finally:
        connection.close()
