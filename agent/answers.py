"""``voxcurate ask``: a question answered from the reports, with the sentences that prove it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrieval.questions import Question, load_questions
from retrieval.search.ask import Asked, ask
from retrieval.search.embedding import MiniLM
from retrieval.search.planner import Planned, plan_query
from retrieval.search.query import CohortQuery
from retrieval.search.saved import save_cohort
from retrieval.search.session import Answered, opened
from voxcurate.catalog import Catalog, FindingRow, Report, Scan
from voxcurate.config import build, read_yaml
from voxcurate.errors import ConfigError
from voxcurate.protocols import ChatEngine
from voxcurate.workspace import Workspace

SHOWN = 50  # hits, where no limit is given


@dataclass(frozen=True)
class AskOptions:
    """What the command line says besides the question."""

    query: Path | None = None
    limit: int | None = None
    reports: bool = False
    count_by: str = ""
    save: str = ""
    anyway: bool = False
    everything: bool = False  # all hits, not the first ones: for files
    dense: bool = False  # what is not understood is searched by meaning


@dataclass(frozen=True)
class AskResult:
    """A question, how it was understood, and what was found."""

    question: str
    query: CohortQuery
    not_understood: tuple[str, ...] = ()
    answered: Answered | None = None
    saved: str = ""
    used: tuple[tuple[str, str], ...] = ()
    notice: str = ""

    def as_plain(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found = self.answered
        return {
            "question": self.question,
            "understood": self.query.model_dump(mode="json", exclude_defaults=True),
            "not_understood": list(self.not_understood),
            "notice": self.notice,
            "total": found.found.total if found else 0,
            "counts": dict(found.counts) if found else {},
            "index_is_behind": bool(found and found.is_behind),
            "matches": [
                {
                    "case_id": hit.case_id, "report_id": hit.report_id, "day": hit.day,
                    "age": hit.age, "sex": hit.sex, "source": hit.source, "scanner": hit.scanner,
                    "slice_mm": hit.slice_mm, "proof": [asdict(proof) for proof in proofs],
                }
                for hit, proofs in zip(found.found.hits, found.proofs, strict=True)
            ] if found else [],
        }  # fmt: skip


def answer(
    workspace: Workspace,
    catalog: Catalog,
    question: str,
    options: AskOptions,
    paths: Sequence[str] = (),
    engine: ChatEngine | None = None,
) -> AskResult:
    """Scans, or reports, that answer a question, in the order asked for.

    Args:
        workspace: whose.
        catalog: its catalog; its reports must have been read.
        question: plain words; "" with `options.query`.
        options: what else was asked for.
        paths: the workspace's own question files.
        engine: the language model that reads the question; None: the rules do.

    Raises:
        ConfigError: nothing was asked, no report has been read, or the query does not fit.
    """
    if not question.strip() and options.query is None:
        raise ConfigError("want a question in words, or a query with --query FILE")
    _need_findings(catalog)
    questions = load_questions(*(workspace.root / path for path in paths))
    planned = _asked(catalog, question, options, questions, engine)
    asked = _by_meaning(planned.asked) if options.dense else planned.asked
    if asked.not_understood and not options.anyway:
        return AskResult(
            question, asked.query, asked.not_understood, used=asked.used, notice=planned.notice
        )
    query = asked.query
    if not (options.save or options.everything or query.limit):
        query = query.model_copy(update={"limit": SHOWN})
    embedder = MiniLM() if options.dense and query.text.strip() else None
    with opened(workspace, catalog, questions, embedder=embedder) as session:
        found = session.ask(query, count=options.count_by)
    if options.save:
        save_cohort(workspace, options.save, asked.query, found.matches(), question)
    left = asked.not_understood
    return AskResult(question, asked.query, left, found, options.save, asked.used, planned.notice)


def needs_reading(catalog: Catalog) -> bool:
    """Whether there are reports, and none has been read."""
    return not catalog.count(FindingRow) and bool(catalog.count(Report))


def _need_findings(catalog: Catalog) -> None:
    if not catalog.count(Scan) and not catalog.count(Report):
        raise ConfigError("nothing to search in: bring in scans and reports, 'voxcurate ingest'")


def _by_meaning(asked: Asked) -> Asked:
    """What was not understood becomes the free text that ranks what fits the rest."""
    left = " ".join(asked.not_understood)
    if not left:
        return asked
    text = " ".join(filter(None, (asked.query.text, left)))
    used = (*asked.used, (left, "searched by words and meaning"))
    return Asked(asked.query.model_copy(update={"text": text}), (), used)


def _asked(
    catalog: Catalog,
    question: str,
    options: AskOptions,
    questions: tuple[Question, ...],
    engine: ChatEngine | None,
) -> Planned:
    layer = read_yaml(options.query) if options.query else {}
    if question.strip():
        sources = sorted({row[0] for row in catalog.columns(Scan, "source")})
        if layer:
            raise ConfigError("want a question in words or --query FILE, found both")
        planned = (
            plan_query(question, questions, sources, engine)
            if engine
            else Planned(ask(question, questions, sources))
        )
    else:
        planned = Planned(Asked(build(CohortQuery, layer), ()))
    asked = planned.asked
    more: dict[str, Any] = {}
    if options.reports or (not catalog.count(Scan) and catalog.count(Report)):
        more["of"] = "reports"
    if options.limit:
        more["limit"] = options.limit
    asked = Asked(asked.query.model_copy(update=more), asked.not_understood, asked.used)
    return Planned(asked, planned.notice)
