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
from voxcurate.costs import placed
from voxcurate.errors import CurationError
from voxcurate.progress import progress
from voxcurate.protocols import Executor, Outcome, Task
from voxcurate.stage import StageContext
from voxcurate.worklist import (
    Flags,
    Item,
    LazyItems,
    Marks,
    Place,
    Places,
    Worklist,
    fingerprint,
    flags,
    item_key,
)

__all__ = [
    "Item",
    "LazyItems",
    "LedgerResult",
    "Place",
    "Recorded",
    "fingerprint",
    "item_key",
    "run_items",
]

log = logging.getLogger(__name__)
CHEAP_S = 0.05  # items that take less may be recorded together
WAIT_S = 0.25  # and wait no longer than this for it
AT_ONCE = 500  # results or lines that are in memory together
PLACE = ("subject", "variant", "fingerprint")

Record = Callable[[Writer, Item, Any], Mapping[str, Any] | None]
Former = tuple[str, int]  # fingerprint and attempts of a failed line


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
    work = Worklist(items, lambda item: fingerprint(stage, item, version, config))
    todo, rivals, former = _sort(context, stage, work, across_rounds)
    executor, cost = placed(context, stage, executor or context.executor(), (version, config))
    n_todo, taken = int(todo.sum()), dict[str, int]()

    def tasks() -> Iterator[Task]:
        for number in map(int, todo.nonzero()[0]):
            item = work.items[number]
            taken[item.key] = number
            yield Task(item.key, _payload(item), cost(item), item.single)

    books = _Books(context, stage, record, former)
    with (
        progress(title or stage, n_todo, quiet=context.quiet) as bar,
        closing(_run(executor, worker, tasks(), n_todo)) as outcomes,
        books,
    ):
        for outcome in outcomes:
            number = taken.pop(outcome.key)
            books.enter(work.items[number], work.mark(number), outcome)
            bar.advance()
    if bar.done < n_todo:
        raise RuntimeError(f"the executor forgot {n_todo - bar.done} of {n_todo} tasks")
    context.catalog.learn(WorkItem, n_todo)
    failed = {n: key for key in books.failed if (n := work.number(key)) is not None}
    late = _revive(context, stage, work, sorted(rivals - failed.keys()))
    return LedgerResult(
        computed=n_todo - len(failed),
        reused=len(work) - n_todo,
        failed={failed[number]: books.failed[failed[number]] for number in sorted(failed)},
        results=Recorded(context.catalog, context.round, stage, Places(work, frozenset(failed))),
        seconds=books.seconds,
        marks=Marks(work),
        revived=frozenset(work.items[number].key for number in late if not todo[number]),
    )


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
        self._where = {"round": round_number, "stage": stage}

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
        where = self._where | _of(wanted)
        names = ("status", *PLACE, "result")
        rows = self._catalog.columns(WorkItem, *names, **where)
        return {
            tuple(place): result
            for status, *place, result in rows
            if status == "done" and tuple(place) in wanted
        }

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

    def __init__(
        self,
        context: StageContext,
        stage: str,
        record: Record,
        former: Mapping[str, Sequence[Former]],
    ) -> None:
        self.failed: dict[str, str] = {}
        self.seconds = 0.0
        self._context, self._stage, self._record = context, stage, record
        self._former = former
        self._waiting: list[tuple[Item, str, Outcome]] = []
        self._since = 0.0

    def enter(self, item: Item, mark: str, outcome: Outcome) -> None:
        """Take an outcome in."""
        self.seconds += outcome.seconds
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((item, mark, outcome))
        took = outcome.seconds if outcome.ok or outcome.seconds else CHEAP_S  # a crash tells none
        cheap = took < CHEAP_S
        if not cheap or time.monotonic() - self._since >= WAIT_S:
            self.close()

    def close(self) -> None:
        """Record what is waiting. An error of `record` leaves what came before it recorded."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        trouble: Exception | None = None
        lines: list[WorkItem] = []
        with self._context.catalog.write() as writer:
            for item, mark, outcome in waiting:
                try:
                    lines.append(self._enter(writer, item, mark, outcome))
                except Exception as problem:  # noqa: BLE001 - raised again below, after the commit
                    trouble = problem
                    break
            writer.put_all(lines)
        if trouble is not None:
            raise trouble

    def __enter__(self) -> "_Books":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter(self, writer: Writer, item: Item, mark: str, outcome: Outcome) -> WorkItem:
        """Record what an item made; its line, to be written with those of the others."""
        result: Mapping[str, Any] = {}
        if outcome.ok:
            try:
                with writer.savepoint():
                    result = dict(self._record(writer, item, outcome.value) or {})
            except CurationError as problem:  # what the worker made cannot be kept: the item failed
                kind = type(problem).__name__
                outcome = replace(outcome, value=None, error=str(problem), error_kind=kind)
        tries = outcome.attempts
        if former := self._former.get(item.key):
            tries += sum(attempts for other, attempts in former if other == mark)
            if any(other != mark for other, _ in former):
                self._lay_aside(writer, item, mark)
        if not outcome.ok:
            self.failed[item.key] = outcome.error
            told = {"stage": self._stage, "item": item.key, "why": outcome.error}
            log.info("item failed", extra=told)
        return _line(self._context, self._stage, item, mark, outcome, tries, result)

    def _lay_aside(self, writer: Writer, item: Item, mark: str) -> None:
        """Failures of an item with other inputs are of no interest any more."""
        where = {"round": self._context.round, "stage": self._stage}
        lines = writer.rows(WorkItem, subject=item.subject, variant=item.variant, **where)
        passed = [x for x in lines if x.fingerprint != mark and x.status == "failed"]
        writer.put_all([replace(line, status="quarantined") for line in passed])


def _payload(item: Item) -> Any:
    return item.payload() if callable(item.payload) else item.payload


def _run(
    executor: Executor, worker: str, tasks: Iterable[Task], n: int
) -> Generator[Outcome, None, None]:
    if n:
        yield from executor.run(worker, tasks)


def _sort(
    context: StageContext, stage: str, work: Worklist, across_rounds: bool
) -> tuple[Flags, set[int], dict[str, list[Former]]]:
    """What is to be done, the items that the round has done with another fingerprint, and what
    failed before, by key."""
    context.catalog.learn(WorkItem, len(work))
    todo = flags(len(work))
    rivals: set[int] = set()
    former: dict[str, list[Former]] = {}
    for part in work.parts(AT_ONCE):
        places = {place: number for number in part for place in [work.place(number)]}
        numbers = {place[:2]: number for place, number in places.items()}
        known: set[int] = set()
        where = _of(places) | {"stage": stage, "round": context.round}
        names = ("status", "attempts", *PLACE)
        for status, attempts, *place in context.catalog.columns(WorkItem, *names, **where):
            number = numbers.get((place[0], place[1]))
            if number is None:
                continue
            if status == "done" and tuple(place) in places:
                known.add(number)
            elif status == "done":
                rivals.add(number)
            elif status == "failed":
                former.setdefault(item_key(place[0], place[1]), []).append((place[2], attempts))
        for number in part:
            todo[number] = number not in known or work.items[number].again
    # not as they are sorted: the lines copied so far would be searched again and again by a
    # database whose statistics know of none
    for part in work.parts(AT_ONCE) if across_rounds else ():
        missing = [number for number in part if todo[number] and not work.items[number].again]
        for number in _copy(context, stage, {work.place(number): number for number in missing}):
            todo[number] = False
    return todo, rivals, former


def _copy(context: StageContext, stage: str, places: Mapping[Place, int]) -> set[int]:
    """Copy what other rounds have done, their newest results, to this one; the items' numbers."""
    newest: dict[Place, int] = {}
    where = _of(places) | {"stage": stage}
    for number, status, *place in context.catalog.columns(
        WorkItem, "round", "status", *PLACE, **where
    ):
        if status == "done" and (found := tuple(place)) in places:
            newest[found] = max(number, newest.get(found, number))
    for number in sorted(set(newest.values())):
        wanted = {place for place, last in newest.items() if last == number}
        copies = [
            replace(line, round=context.round, seconds=0.0, updated=now())
            for line in context.catalog.rows(WorkItem, round=number, stage=stage, **_of(wanted))
            if line.status == "done" and _where(line) in wanted
        ]
        with context.catalog.write() as writer:
            writer.put_all(copies)
    return {places[place] for place in newest}


def _revive(context: StageContext, stage: str, work: Worklist, numbers: Sequence[int]) -> set[int]:
    """Make the lines of some items the newest of their subject and variant; those that were not."""
    late: set[int] = set()
    waiting = iter(numbers)
    while part := list(islice(waiting, AT_ONCE)):
        lines: dict[tuple[str, str], list[WorkItem]] = {}
        where = _of(map(work.place, part)) | {"round": context.round, "stage": stage}
        for line in context.catalog.rows(WorkItem, **where):
            if line.status == "done":
                lines.setdefault((line.subject, line.variant), []).append(line)
        changed = []
        for number in part:
            *name, mark = work.place(number)
            rows = lines[name[0], name[1]]
            newest = max(line.updated for line in rows if line.fingerprint != mark)
            (own,) = [line for line in rows if line.fingerprint == mark]
            if own.updated <= newest:
                late.add(number)
                exact = datetime.now(UTC).isoformat(timespec="microseconds")  # sorts behind `now`
                changed.append(replace(own, updated=exact))
        if changed:
            with context.catalog.write() as writer:
                writer.put_all(changed)
    return late


def _of(places: Iterable[Place]) -> dict[str, Any]:
    """The condition that finds the lines of some items, and others at most.

    Not by their status too: a database that keeps no statistics would then look through all lines
    of the stage that have it, for every few hundred items again.
    """
    names = [place[:2] for place in places]
    return {"subject": {s for s, _ in names}, "variant": {v for _, v in names}}


def _where(line: WorkItem) -> Place:
    return line.subject, line.variant, line.fingerprint


def _line(
    context: StageContext,
    stage: str,
    item: Item,
    mark: str,
    outcome: Outcome,
    attempts: int,
    result: Mapping[str, Any],
) -> WorkItem:
    return WorkItem(
        round=context.round,
        stage=stage,
        subject=item.subject,
        variant=item.variant,
        fingerprint=mark,
        status="done" if outcome.ok else "failed",
        attempts=attempts,
        error=outcome.error,
        seconds=round(outcome.seconds, 4),
        peak_mb=round(outcome.peak_mb, 1),
        result=dict(result),
        updated=now(),
        cores=outcome.cores,
        gpus=outcome.gpus,
    )
