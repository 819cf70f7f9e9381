"""The work ledger: a stage's work is a set of items; an item that is done is never done again.

An item is (round, stage, subject, variant, fingerprint). The fingerprint hashes the inputs, the
stage's own
config and the stage's code version, so that changed inputs make a new item. The driver records an
item's
results and its ledger line in one transaction; files were moved into place just before, under
names that come
from their content. ``kill -9`` at any point therefore leaves the item either done or to be done.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from voxcurate.catalog import WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.ids import content_id
from voxcurate.progress import progress
from voxcurate.protocols import Executor, Outcome, Task
from voxcurate.stage import StageContext

log = logging.getLogger(__name__)

Record = Callable[[Writer, "Item", Any], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Item:
    """A unit of work: `subject` a case, pair, report or shard; `variant` a class, model or empty.

    `inputs` is hashed into the fingerprint; `payload` goes to the worker.
    """

    subject: str
    variant: str = ""
    inputs: Any = None
    payload: Any = None

    @property
    def key(self) -> str:
        """Name of the item in outcomes and messages."""
        return f"{self.subject}/{self.variant}" if self.variant else self.subject


@dataclass(frozen=True)
class LedgerResult:
    """What `run_items` did; `results` holds the recorded result of every item that is done."""

    computed: int
    reused: int
    failed: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0


def run_items(
    context: StageContext,
    stage: str,
    items: Sequence[Item],
    worker: str,
    record: Record,
    *,
    version: str,
    config: Any = None,
    executor: Executor | None = None,
    across_rounds: bool = False,
    title: str = "",
) -> LedgerResult:
    """Do what is not yet done of a stage's items and record each as it finishes.

    Args:
        worker: ``"package.module:function"``, pure: payload in, plain value out; files it makes
        lie in the
            workspace's scratch folder until `record` adopts them.
        record: called in the item's own transaction with the worker's value; moves files into
        place, writes
            rows, and returns the plain result that the ledger keeps.
        version: of the stage's code; a new one makes new items.
        config: the part of the configuration that the result depends on.
        across_rounds: a result of an earlier round with the same fingerprint counts, and is copied.

    Returns:
        counts, failures by item key, and the results. A failed item is tried again by the next
        call.
    """
    done, todo = _sort(context, stage, items, version, config, across_rounds)
    failed: dict[str, str] = {}
    seconds = 0.0
    by_key = {item.key: (item, mark) for item, mark in todo}
    tasks = [Task(item.key, item.payload) for item, _ in todo]
    with progress(title or stage, len(tasks), quiet=context.quiet) as bar:
        for outcome in _run(executor or context.executor(), worker, tasks):
            item, mark = by_key[outcome.key]
            seconds += outcome.seconds
            line = _line(context, stage, item, mark, outcome)
            if outcome.ok:
                done[item.key] = _commit(context, line, item, outcome.value, record)
            else:
                failed[item.key] = outcome.error
                log.warning(
                    "item failed", extra={"stage": stage, "item": item.key, "why": outcome.error}
                )
                with context.catalog.write() as writer:
                    writer.put(replace(line, attempts=line.attempts + _tries(writer, line)))
            bar.advance()
    return LedgerResult(len(tasks) - len(failed), len(items) - len(tasks), failed, done, seconds)


def fingerprint(stage: str, item: Item, version: str, config: Any) -> str:
    """The hash that decides whether an item was done already."""
    return content_id(stage, version, item.subject, item.variant, item.inputs, config)


def _run(executor: Executor, worker: str, tasks: list[Task]) -> Iterator[Outcome]:
    return executor.run(worker, tasks) if tasks else iter(())


def _sort(
    context: StageContext,
    stage: str,
    items: Sequence[Item],
    version: str,
    config: Any,
    across_rounds: bool,
) -> tuple[dict[str, Mapping[str, Any]], list[tuple[Item, str]]]:
    where = {} if across_rounds else {"round": context.round}
    lines = context.catalog.rows(WorkItem, stage=stage, status="done", **where)
    known = {(w.subject, w.variant, w.fingerprint): w for w in lines}
    done: dict[str, Mapping[str, Any]] = {}
    todo: list[tuple[Item, str]] = []
    seen: set[str] = set()
    copies: list[WorkItem] = []
    for item in items:
        if item.key in seen:
            raise ValueError(f"two items called {item.key}")
        seen.add(item.key)
        mark = fingerprint(stage, item, version, config)
        line = known.get((item.subject, item.variant, mark))
        if line is None:
            todo.append((item, mark))
            continue
        done[item.key] = line.result
        if line.round != context.round:
            copies.append(replace(line, round=context.round, seconds=0.0, updated=now()))
    if copies:
        with context.catalog.write() as writer:
            for line in copies:
                writer.put(line)
    return done, todo


def _line(context: StageContext, stage: str, item: Item, mark: str, outcome: Outcome) -> WorkItem:
    return WorkItem(
        round=context.round,
        stage=stage,
        subject=item.subject,
        variant=item.variant,
        fingerprint=mark,
        status="done" if outcome.ok else "failed",
        attempts=outcome.attempts,
        error=outcome.error,
        seconds=round(outcome.seconds, 4),
        peak_mb=round(outcome.peak_mb, 1),
        updated=now(),
    )


def _commit(
    context: StageContext, line: WorkItem, item: Item, value: Any, record: Record
) -> Mapping[str, Any]:
    with context.catalog.write() as writer:
        result = dict(record(writer, item, value) or {})
        for old in writer.rows(
            WorkItem, round=line.round, stage=line.stage, subject=line.subject, variant=line.variant
        ):
            if old.status != "done" and old.fingerprint != line.fingerprint:
                writer.put(replace(old, status="quarantined"))
        writer.put(replace(line, result=result))
    return result


def _tries(writer: Writer, line: WorkItem) -> int:
    old = writer.rows(
        WorkItem,
        round=line.round,
        stage=line.stage,
        subject=line.subject,
        variant=line.variant,
        fingerprint=line.fingerprint,
    )
    return old[0].attempts if old else 0
