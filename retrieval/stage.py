"""The retrieval stage: reports are read into findings, and the round's cohort is chosen by them."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from retrieval.config import RetrievalConfig
from retrieval.questions import Question, load_questions
from retrieval.rules.reader import RuleReader
from retrieval.search.ask import ask
from retrieval.search.query import CohortMatch, CohortQuery, select
from voxcurate.catalog import FindingRow, Report, Writer
from voxcurate.chat import make_engine
from voxcurate.errors import ConfigError, ModelReplyError, SourceError
from voxcurate.ledger import Item, run_items
from voxcurate.protocols import Finding, Outcome, Task
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import write_text

STAGE = "retrieve"
WORKER = "retrieval.stage:read_report"


def run(context: StageContext, config: RetrievalConfig) -> StageResult:
    """Read the reports that were not read yet, and select the cohort.

    The cohort with its proofs is written to ``rounds/<n>/cohort.json``.

    Returns:
        counts: ``reports``, ``read`` (this time), ``findings``, and ``cohort``, the case ids.

    Raises:
        ConfigError: the reader or a question is wrong, `ask` holds words that are not understood,
            or the query fits no scan.
    """
    questions = _questions(context, config)
    query = _query(context, config, questions)
    result = read_reports(context, config)
    matches = cohort(context, query)
    if not matches:
        raise ConfigError("the cohort query fits no scan; loosen it, or ingest scans that do")
    write_text(context.workspace.round_path(context.round, "cohort.json"), _as_json(query, matches))
    counts = {**result.counts, "cohort": [match.case_id for match in matches]}
    return StageResult(counts, result.failed)


def read_reports(context: StageContext, config: RetrievalConfig) -> StageResult:
    """Read the reports that were not read yet; no cohort is chosen.

    Returns:
        counts: ``reports``, ``read`` (this time) and ``findings``.

    Raises:
        ConfigError: the reader or a question is wrong.
    """
    return _read(context, config, _questions(context, config))


def cohort(context: StageContext, query: CohortQuery) -> list[CohortMatch]:
    """The scans in the catalog that fit the query, those that cleaning took out left out."""
    scans = {scan.case_id: asdict(scan) for scan in context.scans()}
    answers = context.catalog.rows(FindingRow) if not query.is_empty else []
    linked = (asdict(row) for row in answers if row.case_id in scans)
    return select(query, scans.values(), linked)


def read_report(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pure worker: report text and question files in, findings as plain data out.

    Raises:
        SourceError: the report is empty.
    """
    if not str(payload["text"]).strip():
        raise SourceError("the report is empty: want its text")
    return _plain(_rules(tuple(payload["questions"]), payload["version"]).read(payload["text"]))


def _read(
    context: StageContext, config: RetrievalConfig, questions: tuple[Question, ...]
) -> StageResult:
    executor, name, version = None, "rules", RuleReader(questions).version
    if config.reader == "llm":
        executor = _ModelExecutor(context, config, questions)
        name, version = "llm", executor.version
    elif config.reader != "rules":
        raise ConfigError(f"no reader {config.reader!r}: want rules or llm")
    reports = context.catalog.rows(Report)
    files = [str(context.workspace.root / path) for path in config.questions]
    items = [
        Item(
            r.report_id,
            "",
            {"text": r.text},
            {"text": r.text, "questions": files, "version": version},
        )
        for r in reports
    ]
    by_id = {report.report_id: report for report in reports}
    reader = f"{name} {version}"

    def record(writer: Writer, item: Item, value: list[dict[str, Any]]) -> Mapping[str, Any]:
        _store(writer, by_id[item.subject], value, reader, context.round)
        return {"findings": value}

    done = run_items(
        context, STAGE, items, WORKER, record, version=version, executor=executor,
        across_rounds=True, title="read reports",
    )  # fmt: skip
    _restore(context, by_id, done.results, reader)
    n_findings = sum(len(result["findings"]) for result in done.results.values())
    counts = {"reports": len(items), "read": done.computed, "findings": n_findings}
    return StageResult(counts, done.failed)


def _restore(
    context: StageContext,
    reports: Mapping[str, Report],
    results: Mapping[str, Mapping[str, Any]],
    reader: str,
) -> None:
    """Findings of reports that another reader has read since, brought back from the ledger."""
    stored: dict[str, str] = {}
    for row in context.catalog.rows(FindingRow):
        stored[row.report_id] = row.reader
    stale = [key for key, result in results.items() if stored.get(key, reader) != reader]
    missing = [key for key, result in results.items() if result["findings"] and key not in stored]
    for key in (*stale, *missing):
        with context.catalog.write() as writer:
            _store(writer, reports[key], results[key]["findings"], reader, context.round)


def _store(
    writer: Writer, report: Report, findings: Iterable[Mapping[str, Any]], reader: str, number: int
) -> None:
    writer.forget(FindingRow, report_id=report.report_id)
    for found in findings:
        kept = {k: v for k, v in found.items() if k != "span"}
        row = FindingRow(
            report_id=report.report_id,
            case_id=report.case_id,
            reader=reader,
            round=number,
            start=found["span"][0],
            stop=found["span"][1],
            **kept,
        )
        writer.put(row)


def _questions(context: StageContext, config: RetrievalConfig) -> tuple[Question, ...]:
    return load_questions(*(context.workspace.root / path for path in config.questions))


def _query(
    context: StageContext, config: RetrievalConfig, questions: tuple[Question, ...]
) -> CohortQuery:
    known = {question.id for question in questions}
    for condition in (*config.query.all_of, *config.query.any_of):
        if condition.question not in known:
            raise ConfigError(f"query: no question {condition.question!r}")
    if not config.ask:
        return config.query
    sources = sorted({scan.source for scan in context.scans()})
    asked = ask(config.ask, questions, sources)
    if asked.not_understood:
        raise ConfigError(f"ask: not understood: {', '.join(asked.not_understood)}")
    given = config.query.model_dump(exclude_defaults=True)
    both = (*config.query.all_of, *asked.query.all_of)
    return asked.query.model_copy(
        update={**{k: getattr(config.query, k) for k in given}, "all_of": both}
    )


def _as_json(query: CohortQuery, matches: list[CohortMatch]) -> str:
    data = {"query": query.model_dump(mode="json"), "cases": [asdict(match) for match in matches]}
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _plain(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [{**asdict(found), "span": list(found.span)} for found in findings]


@lru_cache(maxsize=4)
def _rules(paths: tuple[str, ...], version: str) -> RuleReader:
    """Kept per version: a file of questions may change while this process lives."""
    return RuleReader(load_questions(*map(Path, paths)))


@dataclass
class _ModelExecutor:
    """Runs the model reader in the driver, in batches: the server does the work, not our cores."""

    context: StageContext
    config: RetrievalConfig
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        from retrieval.llm.reader import LLMReader

        engine = make_engine(self.config.engine, root=self.context.workspace.root)
        if engine is None:
            raise ConfigError("reader llm wants retrieval.engine")
        self._reader = LLMReader(engine, self.questions)
        self.version = f"{self._reader.version}-{self.config.engine.model}"

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes batch by batch; `worker` is the rule reader's and is not used."""
        queue = iter(tasks)
        while batch := list(islice(queue, self.config.batch)):
            start = time.perf_counter()
            results = self._reader.read_batch([task.payload["text"] for task in batch])
            seconds = (time.perf_counter() - start) / len(batch)
            for task, result in zip(batch, results, strict=True):
                if isinstance(result, ModelReplyError):
                    yield Outcome(task.key, None, str(result), "ModelReplyError", seconds)
                else:
                    yield Outcome(task.key, _plain(result), seconds=seconds)
