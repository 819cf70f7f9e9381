"""The retrieval stage: reports are read into findings, and the round's cohort is chosen by them."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from retrieval import store
from retrieval.config import RetrievalConfig
from retrieval.questions import Question, load_questions
from retrieval.reading import as_plain
from retrieval.rules.reader import RuleReader
from retrieval.search.ask import ask
from retrieval.search.embedding import Embedder, MiniLM
from retrieval.search.query import CohortMatch, CohortQuery
from retrieval.search.saved import load_cohort
from retrieval.search.session import cohort as search
from retrieval.store import STAGE, Shard
from voxcurate.catalog import Writer
from voxcurate.chat.retry import GIVEN_UP
from voxcurate.errors import ConfigError
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.protocols import Executor
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import write_text

log = logging.getLogger(__name__)

WORKER = "retrieval.reading:read_shard"
SHARD_LIMIT_S = 300.0  # a shard takes a second or two: one that takes so long holds a bad report
REPORT_LIMIT_S = 60.0


def run(context: StageContext, config: RetrievalConfig) -> StageResult:
    """Read the reports that were not read yet, and select the cohort.

    The cohort with its proofs is written to ``rounds/<n>/cohort.json``.

    Returns:
        counts: those of `read_reports` and ``cohort``, the case ids; failures by report id.

    Raises:
        ConfigError: the reader or a question is wrong, `ask` holds words that are not understood,
            or the query fits no scan.
    """
    questions = _questions(context, config)
    query = _query(context, config, questions)
    result = _read(context, config, questions)
    embedder = MiniLM() if config.dense and query.text.strip() else None
    matches = cohort(context, query, questions, embedder=embedder)
    if config.cohort:
        saved = set(load_cohort(context.workspace, config.cohort).cases)
        matches = [match for match in matches if match.case_id in saved]
    if not matches:
        raise ConfigError("the cohort query fits no scan; loosen it, or ingest scans that do")
    write_text(context.workspace.round_path(context.round, "cohort.json"), _as_json(query, matches))
    counts = {**result.counts, "cohort": [match.case_id for match in matches]}
    return StageResult(counts, result.failed)


def read_reports(context: StageContext, config: RetrievalConfig) -> StageResult:
    """Read the reports that were not read yet; no cohort is chosen.

    The reports are read in shards, each recorded with its ledger line in one transaction. What a
    killed run has recorded is not read again; nor is a report whose text, scan and reader are those
    of an earlier round. Findings of changed reports are replaced, those of reports that are gone
    forgotten. The memory that this takes does not grow with the reports, but for their ids.

    Returns:
        counts: ``reports``, ``read`` (this time), ``findings`` (in the catalog), of a language
        model ``requests`` and its other costs, ``disagreements`` where rules check its answers,
        ``not_asked`` where its server was given up; failures by report id.

    Raises:
        ConfigError: the reader or a question is wrong.
    """
    return _read(context, config, _questions(context, config))


def cohort(
    context: StageContext,
    query: CohortQuery,
    questions: Sequence[Question] | None = None,
    *,
    embedder: Embedder | None = None,
) -> list[CohortMatch]:
    """The scans in the catalog that fit the query, those that cleaning took out left out.

    They are found in the workspace's search index, which is brought up to date first. In a round
    that has a cohort already, only scans of that cohort are told.
    """
    known = load_questions() if questions is None else questions
    found = search(
        context.workspace, context.catalog, query, known, quiet=context.quiet, embedder=embedder
    )
    return [match for match in found if not context.cohort or match.case_id in context.cohort]


def _named(query: Any) -> Iterator[str]:
    """Ids of questions wherever they stand in a query as plain data."""
    if isinstance(query, dict):
        yield from [query["question"]] if "question" in query else []
        query = list(query.values())
    for part in query if isinstance(query, (list, tuple)) else ():
        yield from _named(part)


@dataclass(frozen=True)
class _Job:
    """One reading of the catalog: the reader's mark, and what goes to every worker."""

    context: StageContext
    common: Mapping[str, Any]
    version: str
    most: int
    executor: Executor | None = None

    @property
    def mark(self) -> str:
        return str(self.common["mark"])

    def items(self, shards: Sequence[Shard]) -> list[Item]:
        return [
            Item(
                shard.name,
                inputs={"reports": shard.n_reports, "digest": f"{shard.digest:032x}"},
                payload=lambda shard=shard: self.payload(shard.todo),
                again=bool(shard.names),
            )
            for shard in shards
        ]

    def payload(self, names: Sequence[str]) -> dict[str, Any]:
        return {**self.common, "reports": store.texts(self.context.catalog, names)}

    def run(self, items: Sequence[Item], limit_s: float, title: str) -> LedgerResult:
        number = self.context.round

        def record(writer: Writer, item: Item, value: Mapping[str, Any]) -> Mapping[str, Any]:
            return store.record(writer, item, value, number)

        limit_s = min(limit_s, self.context.executor_config.time_limit_s)
        executor = self.executor or self.context.executor(time_limit_s=limit_s)
        return run_items(
            self.context, STAGE, items, WORKER, record, version=self.version, config=self.mark,
            executor=executor, across_rounds=True, title=title,
        )  # fmt: skip


def _read(
    context: StageContext, config: RetrievalConfig, questions: tuple[Question, ...]
) -> StageResult:
    job = _job(context, config, questions)
    plan = store.plan(context.catalog, job.mark, job.most)
    todo = {shard.name: shard for shard in plan.shards if shard.names}
    done = job.run(job.items(plan.shards), SHARD_LIMIT_S, "read reports (shards)")
    results = [result for name, result in done.results.items() if name in todo]
    if done.failed:
        results += _one_by_one(job, [todo[name] for name in done.failed])
    store.forget_gone(context.catalog)
    counts = {
        "reports": plan.n_reports,
        "read": sum(result["read"] for result in results),
        "findings": plan.n_findings + sum(result["findings"] for result in results),
        **_costs(results),
    }
    if config.cross_check and config.reader == "llm":
        counts["disagreements"] = _tell_disagreements(context)
    failed = store.failures(context.catalog)
    if not_asked := sum(error.startswith(GIVEN_UP) for error in failed.values()):
        counts["not_asked"] = not_asked
        log.warning("%s: %d reports not asked", GIVEN_UP, not_asked)
    return StageResult(counts, failed)


def _one_by_one(job: _Job, shards: Sequence[Shard]) -> list[Mapping[str, Any]]:
    """The reports of shards that took their workers down, or too long: the bad ones alone fail."""
    names = [name for shard in shards for name in shard.todo]
    items = [
        Item(name, payload=lambda name=name: job.payload([name]), again=True) for name in names
    ]
    done = job.run(items, REPORT_LIMIT_S, "read reports one by one")
    if done.failed:
        bad = store.texts(job.context.catalog, list(done.failed))
        with job.context.catalog.write() as writer:
            for report in bad:
                store.give_up(writer, report, job.mark, done.failed[report[0]], job.context.round)
    settled = [replace(item, payload={**job.common, "reports": []}) for item in job.items(shards)]
    job.run(settled, SHARD_LIMIT_S, "")
    return list(done.results.values())


def _job(context: StageContext, config: RetrievalConfig, questions: tuple[Question, ...]) -> _Job:
    rules = RuleReader(questions).version
    common = {"questions": as_plain(questions), "version": rules, "round": context.round}
    if config.reader == "rules":
        reader = f"rules {rules}"
        return _Job(context, {**common, "reader": reader, "mark": reader}, rules, config.shard)
    if config.reader != "llm":
        raise ConfigError(f"no reader {config.reader!r}: want rules or llm")
    from retrieval.llm_executor import ModelExecutor

    executor = ModelExecutor.of(config, questions, context.workspace.root)
    reader = f"llm {executor.version}"
    mark = f"{reader} against rules {rules}" if config.cross_check else reader
    told = {**common, "questions": [], "reader": reader, "mark": mark}
    return _Job(context, told, executor.version, config.batch, executor)


def _costs(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for result in results:
        for name, value in result.get("cost", {}).items():
            total[name] = total.get(name, 0) + value
    return total


def _tell_disagreements(context: StageContext) -> int:
    """Write where rules and model disagree for people to look at; how many answers that are."""
    from retrieval.llm.crosscheck import Disagreement, write_disagreements

    found = [
        Disagreement(**{**item, "report_id": report_id})
        for report_id, items in store.facts_of(context.catalog, "disagreements")
        for item in items
    ]
    write_disagreements(context.workspace.round_path(context.round), found)
    return len(found)


def _questions(context: StageContext, config: RetrievalConfig) -> tuple[Question, ...]:
    return load_questions(*(context.workspace.root / path for path in config.questions))


def _query(
    context: StageContext, config: RetrievalConfig, questions: tuple[Question, ...]
) -> CohortQuery:
    known = {question.id for question in questions}
    for name in _named(config.query.model_dump()):
        if name not in known:
            raise ConfigError(f"query: no question {name!r}")
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
