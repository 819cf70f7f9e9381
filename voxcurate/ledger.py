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
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from voxcurate.catalog import WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.progress import progress
from voxcurate.protocols import Executor, Outcome, Task
from voxcurate.stage import StageContext

log = logging.getLogger(__name__)
CHEAP_S = 0.05  # items that take less may be recorded together
WAIT_S = 0.25  # and wait no longer than this for it

Record = Callable[[Writer, "Item", Any], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Item:
    """A unit of work: `subject` a case, pair, report or shard; `variant` a class, model or empty.

    `inputs` is hashed into the fingerprint; `payload` goes to the worker: the plain data itself, or
    a function that makes it when the executor takes the task, so that few payloads are in memory.
    `again`: what it made is no longer there; it is done even if the ledger calls it done.
    """

    subject: str
    variant: str = ""
    inputs: Any = None
    payload: Any = None
    again: bool = False

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
        record: called in a transaction with the worker's value; moves files into place, writes
            rows, and returns the plain result that the ledger keeps. A `CurationError` of it makes
            a failed item and undoes its rows; any other error stops the stage.
        version: of the stage's code; a new one makes new items.
        config: the part of the configuration that the result depends on.
        across_rounds: a result of an earlier round with the same fingerprint counts, and is copied.

    Returns:
        counts, failures by item key, and the results. A failed item is tried again by the next
        call.
    """
    done, todo = _sort(context, stage, items, version, config, across_rounds)
    by_key = {item.key: (item, mark) for item, mark in todo}
    tasks = (Task(item.key, _payload(item)) for item, _ in todo)
    books = _Books(context, stage, record)
    with (
        progress(title or stage, len(todo), quiet=context.quiet) as bar,
        closing(_run(executor or context.executor(), worker, tasks, len(todo))) as outcomes,
        books,
    ):
        for outcome in outcomes:
            books.enter(*by_key.pop(outcome.key), outcome)
            bar.advance()
    if by_key:
        raise RuntimeError(f"the executor forgot {len(by_key)} of {len(todo)} tasks")
    known = {**done, **books.results}
    return LedgerResult(
        computed=len(books.results),
        reused=len(done),
        failed={item.key: books.failed[item.key] for item in items if item.key in books.failed},
        results={item.key: known[item.key] for item in items if item.key in known},
        seconds=books.seconds,
    )


def fingerprint(stage: str, item: Item, version: str, config: Any) -> str:
    """The hash that decides whether an item was done already."""
    return content_id(stage, version, item.subject, item.variant, item.inputs, config)


class _Books:
    """Records outcomes; on leaving, even by an error, what was entered is in the catalog.

    A commit waits for the disk, longer than a cheap item takes. Outcomes of cheap items are
    therefore collected, for `WAIT_S` at most, and recorded in one transaction. No transaction is
    open while the executor works; ``kill -9`` loses at most those cheap items: they are to be done.
    """

    def __init__(self, context: StageContext, stage: str, record: Record) -> None:
        self.results: dict[str, Mapping[str, Any]] = {}
        self.failed: dict[str, str] = {}
        self.seconds = 0.0
        self._context, self._stage, self._record = context, stage, record
        self._waiting: list[tuple[Item, str, Outcome]] = []
        self._since = 0.0

    def enter(self, item: Item, mark: str, outcome: Outcome) -> None:
        """Take an outcome in."""
        self.seconds += outcome.seconds
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((item, mark, outcome))
        cheap = outcome.ok and outcome.seconds < CHEAP_S
        if not cheap or time.monotonic() - self._since >= WAIT_S:
            self.close()

    def close(self) -> None:
        """Record what is waiting. An error of `record` leaves what came before it recorded."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        trouble: Exception | None = None
        with self._context.catalog.write() as writer:
            for item, mark, outcome in waiting:
                try:
                    self._enter(writer, item, mark, outcome)
                except Exception as problem:  # noqa: BLE001 - raised again below, after the commit
                    trouble = problem
                    break
        if trouble is not None:
            raise trouble

    def __enter__(self) -> "_Books":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter(self, writer: Writer, item: Item, mark: str, outcome: Outcome) -> None:
        result: Mapping[str, Any] = {}
        if outcome.ok:
            try:
                with writer.savepoint():
                    result = dict(self._record(writer, item, outcome.value) or {})
            except CurationError as problem:  # what the worker made cannot be kept: the item failed
                kind = type(problem).__name__
                outcome = replace(outcome, value=None, error=str(problem), error_kind=kind)
        line = _line(self._context, self._stage, item, mark, outcome)
        old = writer.rows(WorkItem, **_place(line))
        tries = sum(w.attempts for w in old if w.fingerprint == mark and w.status == "failed")
        passed = [w for w in old if w.fingerprint != mark and w.status == "failed"]
        writer.put_all([replace(w, status="quarantined") for w in passed])
        writer.put(replace(line, attempts=line.attempts + tries, result=dict(result)))
        if outcome.ok:
            self.results[item.key] = result
        else:
            self.failed[item.key] = outcome.error
            told = {"stage": self._stage, "item": item.key, "why": outcome.error}
            log.info("item failed", extra=told)


def _payload(item: Item) -> Any:
    return item.payload() if callable(item.payload) else item.payload


def _run(
    executor: Executor, worker: str, tasks: Iterable[Task], n: int
) -> Generator[Outcome, None, None]:
    if n:
        yield from executor.run(worker, tasks)


def _sort(
    context: StageContext,
    stage: str,
    items: Sequence[Item],
    version: str,
    config: Any,
    across_rounds: bool,
) -> tuple[dict[str, Mapping[str, Any]], list[tuple[Item, str]]]:
    """What is done, with its results, and what is to be done."""
    marks: dict[str, str] = {}
    for item in items:
        if item.key in marks:
            raise ValueError(f"two items called {item.key}")
        marks[item.key] = fingerprint(stage, item, version, config)
    lines = context.catalog.rows(WorkItem, stage=stage, status="done", round=context.round)
    known = {(w.subject, w.variant, w.fingerprint): w for w in lines}
    wanted = {(item.subject, item.variant, marks[item.key]) for item in items} - known.keys()
    if across_rounds and wanted:
        copies = _copies(context, stage, wanted)
        with context.catalog.write() as writer:
            writer.put_all(copies)
        known |= {(w.subject, w.variant, w.fingerprint): w for w in copies}
    done: dict[str, Mapping[str, Any]] = {}
    todo: list[tuple[Item, str]] = []
    for item in items:
        line = known.get((item.subject, item.variant, marks[item.key]))
        if line is None or item.again:
            todo.append((item, marks[item.key]))
        else:
            done[item.key] = line.result
    return done, todo


def _copies(context: StageContext, stage: str, wanted: set[tuple[str, str, str]]) -> list[WorkItem]:
    """Lines of this round for what the last round before it that knows them has done."""
    key = ("subject", "variant", "fingerprint")
    rows = context.catalog.columns(WorkItem, "round", *key, stage=stage, status="done")
    last: dict[tuple[str, ...], int] = {}
    for number, *place in rows:
        if tuple(place) in wanted:
            last[tuple(place)] = max(number, last.get(tuple(place), number))
    copies: list[WorkItem] = []
    for number in sorted(set(last.values())):
        subjects = {place[0] for place, own in last.items() if own == number}
        where = {"round": number, "stage": stage, "status": "done", "subject": subjects}
        copies += [
            replace(line, round=context.round, seconds=0.0, updated=now())
            for line in context.catalog.rows(WorkItem, **where)
            if last.get((line.subject, line.variant, line.fingerprint)) == number
        ]
    return copies


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


def _place(line: WorkItem) -> dict[str, Any]:
    return {name: getattr(line, name) for name in ("round", "stage", "subject", "variant")}
