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
from collections.abc import (
    Callable,
    Collection,
    Generator,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    ValuesView,
)
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from voxcurate.catalog import Catalog, WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.progress import progress
from voxcurate.protocols import Executor, Outcome, Task
from voxcurate.stage import StageContext

log = logging.getLogger(__name__)
CHEAP_S = 0.05  # items that take less may be recorded together
WAIT_S = 0.25  # and wait no longer than this for it
AT_ONCE = 500  # results or lines that are in memory together
PLACE = ("subject", "variant", "fingerprint")
Place = tuple[str, str, str]  # their values

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
        return item_key(self.subject, self.variant)


@dataclass(frozen=True)
class LedgerResult:
    """What `run_items` did; `results` has the recorded result of every item that is done.

    `marks` has the fingerprint of each item by its key; `revived` the keys of those that were done,
    and have become the newest of their subject again since another one of it was done.
    """

    computed: int
    reused: int
    failed: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    marks: Mapping[str, str] = field(default_factory=dict)
    revived: frozenset[str] = frozenset()


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

    An item that is done is the newest of its subject and variant in the round, even if one with
    other inputs or settings was done since: ``updated`` of its line says so.

    Returns:
        counts, failures by item key, and the results. A failed item is tried again by the next
        call.
    """
    marks, todo, rivals = _sort(context, stage, items, version, config, across_rounds)
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
    computed = len(todo) - len(books.failed)
    places = {
        item.key: (item.subject, item.variant, marks[item.key])
        for item in items
        if item.key not in books.failed
    }
    late = _revive(context, stage, {key: places[key] for key in rivals if key in places})
    return LedgerResult(
        computed=computed,
        reused=len(items) - len(todo),
        failed={item.key: books.failed[item.key] for item in items if item.key in books.failed},
        results=Recorded(context.catalog, context.round, stage, places),
        seconds=books.seconds,
        marks=marks,
        revived=frozenset(late - {item.key for item, _ in todo}),
    )


def item_key(subject: str, variant: str) -> str:
    """Name of an item in outcomes and messages."""
    return f"{subject}/{variant}" if variant else subject


def fingerprint(stage: str, item: Item, version: str, config: Any) -> str:
    """The hash that decides whether an item was done already."""
    return content_id(stage, version, item.subject, item.variant, item.inputs, config)


class Recorded(Mapping[str, Mapping[str, Any]]):
    """What the ledger keeps of items, by their keys; read when asked for, some hundred at a time.

    Args:
        catalog: to read from.
        round_number: of the ledger lines.
        stage: of the ledger lines.
        places: key to subject, variant and fingerprint, in the order of the items.
    """

    def __init__(
        self, catalog: Catalog, round_number: int, stage: str, places: Mapping[str, Place]
    ) -> None:
        self._catalog, self._places = catalog, places
        self._where = {"round": round_number, "stage": stage, "status": "done"}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> Mapping[str, Any]:
        (found,) = self._read([self._places[key]]).values()
        return found

    def items(self) -> ItemsView[str, Mapping[str, Any]]:
        """Keys and results, in the order of the items."""
        return _Items(self)

    def values(self) -> ValuesView[Mapping[str, Any]]:
        """Results, in the order of the items."""
        return _Values(self)

    def pairs(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Keys and results, one after the other."""
        waiting = iter(self._places.items())
        while part := list(islice(waiting, AT_ONCE)):
            found = self._read([place for _, place in part])
            yield from ((key, found[place]) for key, place in part)

    def _read(self, places: Sequence[Place]) -> dict[Place, Mapping[str, Any]]:
        wanted = set(places)
        subjects = {subject for subject, _, _ in wanted}
        names = ("subject", "variant", "fingerprint", "result")
        rows = self._catalog.columns(WorkItem, *names, subject=subjects, **self._where)
        return {tuple(place): result for *place, result in rows if tuple(place) in wanted}

    def __repr__(self) -> str:
        return repr(dict(self.pairs()))


class _Items(ItemsView[str, Mapping[str, Any]]):
    _mapping: Recorded

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        return self._mapping.pairs()


class _Values(ValuesView[Mapping[str, Any]]):
    _mapping: Recorded

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (result for _, result in self._mapping.pairs())


class _Books:
    """Records outcomes; on leaving, even by an error, what was entered is in the catalog.

    A commit waits for the disk, longer than a cheap item takes. Outcomes of cheap items are
    therefore collected, for `WAIT_S` at most, and recorded in one transaction. No transaction is
    open while the executor works; ``kill -9`` loses at most those cheap items: they are to be done.
    """

    def __init__(self, context: StageContext, stage: str, record: Record) -> None:
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
        if not outcome.ok:
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
) -> tuple[dict[str, str], list[tuple[Item, str]], set[str]]:
    """The fingerprint of each item by its key, what is to be done, and the keys of which the round
    has one with another fingerprint."""
    marks: dict[str, str] = {}
    for item in items:
        if item.key in marks:
            raise ValueError(f"two items called {item.key}")
        marks[item.key] = fingerprint(stage, item, version, config)
    known: set[str] = set()
    rivals: set[str] = set()
    subjects = sorted({item.subject for item in items})
    for start in range(0, len(subjects), AT_ONCE):
        part = subjects[start : start + AT_ONCE]
        here = _done(context, stage, marks, part, rivals, round=context.round)
        known |= here.keys()
        if across_rounds:
            known |= _copy(context, stage, marks, part, here.keys())
    todo = [(item, marks[item.key]) for item in items if item.key not in known or item.again]
    return marks, todo, rivals


def _done(
    context: StageContext,
    stage: str,
    marks: Mapping[str, str],
    subjects: list[str],
    rivals: set[str],
    **where: Any,
) -> dict[str, int]:
    """Keys of the items of some subjects that are done, with the last round that did them; those
    that are done with another fingerprint join the `rivals`."""
    found: dict[str, int] = {}
    where |= {"stage": stage, "status": "done", "subject": subjects}
    for number, *place in context.catalog.columns(WorkItem, "round", *PLACE, **where):
        key = item_key(place[0], place[1])
        if marks.get(key) == place[2]:
            found[key] = max(number, found.get(key, number))
        elif key in marks:
            rivals.add(key)
    return found


def _copy(
    context: StageContext,
    stage: str,
    marks: Mapping[str, str],
    subjects: list[str],
    here: Collection[str],
) -> set[str]:
    """Copy what other rounds have done of some subjects to this one; the keys of these items."""
    there = _done(context, stage, marks, subjects, set())
    wanted = {key: number for key, number in there.items() if key not in here}
    where = {"stage": stage, "status": "done", "subject": subjects}
    for number in sorted(set(wanted.values())):
        copies = [
            replace(line, round=context.round, seconds=0.0, updated=now())
            for line in context.catalog.rows(WorkItem, round=number, **where)
            if wanted.get(key := item_key(line.subject, line.variant)) == number
            and marks[key] == line.fingerprint
        ]
        with context.catalog.write() as writer:
            writer.put_all(copies)
    return set(wanted)


def _revive(context: StageContext, stage: str, places: Mapping[str, Place]) -> set[str]:
    """Make the lines of some keys the newest of their subject and variant; the keys of those that
    were not."""
    late: set[str] = set()
    waiting = iter(places.items())
    while part := dict(islice(waiting, AT_ONCE)):
        lines: dict[tuple[str, str], list[WorkItem]] = {}
        for line in context.catalog.rows(
            WorkItem,
            round=context.round,
            stage=stage,
            status="done",
            subject={subject for subject, _, _ in part.values()},
        ):
            lines.setdefault((line.subject, line.variant), []).append(line)
        changed = []
        for key, (*place, mark) in part.items():
            rows = lines[place[0], place[1]]
            newest = max(line.updated for line in rows if line.fingerprint != mark)
            (own,) = [line for line in rows if line.fingerprint == mark]
            if own.updated <= newest:
                late.add(key)
                exact = datetime.now(UTC).isoformat(timespec="microseconds")  # sorts behind `now`
                changed.append(replace(own, updated=exact))
        if changed:
            with context.catalog.write() as writer:
                writer.put_all(changed)
    return late


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
