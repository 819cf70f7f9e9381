"""``voxcurate ask``: a question in plain words answered from the reports, with the proving
sentences."""

from dataclasses import asdict
from typing import Any

from retrieval import stage
from retrieval.config import RetrievalConfig
from retrieval.search.ask import Asked, ask
from voxcurate.catalog import FindingRow, Report
from voxcurate.stage import StageContext


def answer(context: StageContext, question: str) -> dict[str, Any]:
    """Scans that answer a question, in the order asked for.

    Reports that no round has read yet are read first, by the rules.

    Returns:
        ``understood`` (the query as plain data), ``not_understood`` (words), and ``matches``, each
        with
        ``case_id`` and ``proof`` (lines).
    """
    if context.catalog.count(Report) and not context.catalog.count(FindingRow):
        stage.read_reports(context, RetrievalConfig())
    sources = sorted({scan.source for scan in context.scans()})
    asked = ask(question, sources=sources)
    return {
        "question": question,
        "understood": _understood(asked),
        "not_understood": list(asked.not_understood),
        "matches": [
            {"case_id": match.case_id, "proof": [asdict(proof) for proof in match.proofs]}
            for match in stage.cohort(context, asked.query)
        ],
    }


def _understood(asked: Asked) -> dict[str, Any]:
    return asked.query.model_dump(mode="json", exclude_defaults=True)
