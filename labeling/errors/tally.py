"""Label errors counted: by kind, class, source and round; which come back; whether rates fall.

Errors are added one after the other and not kept: what grows is the number of different cells, not
that of errors.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from labeling.errors.kinds import KINDS
from labeling.errors.rates import Rate, Trend, rate, trend
from labeling.errors.record import ERRORS, LabelError, Scope

Group = tuple[int, str, str, str]  # round, scope, dimension, value
PEOPLE, MACHINES = "people", "machines"  # values of the dimension "origin"
KEPT = 200  # of the errors that came back, the worst


class Cell(NamedTuple):
    """Errors that agree in all of this. `round` is one in which they were seen, `is_new`: found."""

    round: int
    is_new: bool
    scope: Scope
    kind: str
    class_id: str
    source: str
    drawn_by: str
    found: str
    standing: str
    mended: str


@dataclass
class Sum:
    """How many errors, and what they cost."""

    n: int = 0
    seconds: float = 0.0
    minutes: float = 0.0


@dataclass(frozen=True)
class Looked:
    """Labels that could have been found wrong.

    Attributes:
        labels: group to how many; of dimension "" all of the round.
        patients: group to of how many patients.
    """

    labels: Mapping[Group, int] = field(default_factory=dict)
    patients: Mapping[Group, int] = field(default_factory=dict)

    @property
    def rounds(self) -> list[int]:
        """Rounds in which any label was looked at."""
        return sorted({key[0] for key in self.labels})


@dataclass(frozen=True)
class Recurrence:
    """One kind of error of a class and source, found in more rounds than one though it was mended.

    Attributes:
        by_round: round to new errors.
        relapses: of them, on structures where it had been mended.
    """

    scope: Scope
    kind: str
    class_id: str
    source: str
    by_round: Mapping[int, int]
    relapses: int


@dataclass(frozen=True)
class ClassTrend:
    """The rate of a class in each round, and whether it falls from the first to the last."""

    class_id: str
    by_round: Mapping[int, Rate]
    trend: Trend


class Tally:
    """Counts of label errors; `add` them one by one."""

    def __init__(self) -> None:
        self.cells: dict[Cell, Sum] = {}
        self.returned: Counter[tuple[Scope, str, str, str]] = Counter()
        self.n_again = 0
        self.again_in: Counter[tuple[int, Scope]] = Counter()  # round and scope
        self._clusters: dict[Group, Counter[str]] = defaultdict(Counter)
        self._back: list[tuple[Any, LabelError]] = []
        self._case = ""
        self._known: set[tuple[Any, ...]] = set()  # of this scan: a label is counted once

    def add(self, error: LabelError, patient: str) -> None:
        """Count an error of a patient. The errors of one scan follow each other."""
        found = error.found_by[0] if error.found_by else "judge"
        for number in error.seen or (error.round,):
            is_new = number == error.round
            cell = Cell(
                number, is_new, error.scope, error.kind, error.class_id, error.source,
                error.drawn_by, found, error.standing, error.mended,
            )  # fmt: skip
            total = self.cells.setdefault(cell, Sum())
            total.n += 1
            if is_new:
                total.seconds += error.seconds
                total.minutes += error.minutes
            if error.is_error:
                self._count_label(number, error, patient)
        if error.again:
            self.n_again += 1
            self.again_in.update((number, error.scope) for number in error.seen)
            self.returned[error.scope, error.kind, error.class_id, error.source] += 1
            self._keep(error)

    def _count_label(self, number: int, error: LabelError, patient: str) -> None:
        """Count the label, once for each group, however many errors it has."""
        if error.case_id != self._case:
            self._case, self._known = error.case_id, set()
        by = origin_of(error)
        for group in (
            ("", ""), ("class", error.class_id), ("source", error.source), ("origin", by),
            ("class origin", f"{error.class_id} {by}"), ("kind", error.kind),
        ):  # fmt: skip
            key = (number, error.scope, *group)
            if (key, error.class_id) not in self._known:
                self._known.add((key, error.class_id))
                self._clusters[key][patient] += 1

    def _keep(self, error: LabelError) -> None:
        worst = -error.rank[0]
        entry = ((worst, error.case_id, error.class_id, error.round, self.n_again), error)
        if len(self._back) < KEPT:
            heapq.heappush(self._back, entry)
        else:
            heapq.heappushpop(self._back, entry)

    @property
    def back(self) -> list[LabelError]:
        """Errors that came back after they had been mended, the worst first, `KEPT` at most."""
        return sorted((error for _, error in self._back), key=lambda e: e.rank)

    @property
    def rounds(self) -> list[int]:
        """Rounds in which something was seen."""
        return sorted({cell.round for cell in self.cells})

    def count(self, *by: str, new: bool = False, errors: bool = True, **only: Any) -> Counter[Any]:
        """Errors by some fields of `Cell`: a key is one value, or a tuple of several.

        Args:
            by: fields of `Cell`.
            new: only in the round in which they were found.
            errors: only what counts as an error (`labeling.errors.record.ERRORS`).
            only: field to the value that it must have.
        """
        pick = itemgetter(*(Cell._fields.index(name) for name in by)) if by else (lambda _: "")
        found: Counter[Any] = Counter()
        for cell, total in self.cells.items():
            is_meant = (cell.is_new or not new) and (not errors or cell.standing in ERRORS)
            if is_meant and all(getattr(cell, k) == value for k, value in only.items()):
                found[pick(cell)] += total.n
        return found

    def costs(self, by: str, **only: Any) -> dict[str, Sum]:
        """Errors, processor seconds and people's minutes by a field of `Cell`."""
        found: dict[str, Sum] = {}
        for cell, total in self.cells.items():
            if cell.is_new and all(getattr(cell, k) == v for k, v in only.items()):
                own = found.setdefault(str(getattr(cell, by)), Sum())
                own.n += total.n
                own.seconds += total.seconds
                own.minutes += total.minutes
        return found

    def rate(
        self, looked: Looked, round_number: int, dimension: str = "", value: str = "",
        scope: Scope = "label",
    ) -> Rate:  # fmt: skip
        """Labels with errors per 1,000 that were looked at in a round.

        Args:
            looked: how many were.
            dimension: ``class``, ``source``, ``origin`` (`PEOPLE` or `MACHINES`), ``class origin``
                (both, with a space between), ``kind`` (per all labels) or nothing.
            value: of it.
            scope: labels that counted, or what machines drew in the round.
        """
        clusters = self._clusters.get((round_number, scope, dimension, value), Counter())
        place = ("", "") if dimension == "kind" else (dimension, value)
        n = looked.labels.get((round_number, scope, *place), 0)
        people = looked.patients.get((round_number, scope, *place), 0)
        return rate(sum(clusters.values()), n, clusters.values(), people)

    def trends(self, looked: Looked, scope: Scope = "label") -> list[ClassTrend]:
        """Each class that has an error in any round; what does not fall first, then by its last
        rate."""
        classes = {c.class_id for c in self.cells if c.scope == scope and c.standing in ERRORS}
        rounds = sorted({key[0] for key in looked.labels if key[1] == scope})
        found = []
        for class_id in sorted(classes):
            rates = {n: self.rate(looked, n, "class", class_id, scope) for n in rounds}
            known = {n: r for n, r in rates.items() if r.value is not None}
            ends = list(known.values())
            how: Trend = trend(ends[0], ends[-1]) if len(ends) > 1 else "unknown"
            found.append(ClassTrend(class_id, known, how))
        return sorted(found, key=_unfallen)

    def recurrences(self) -> list[Recurrence]:
        """What is found anew in a later round though it was mended in an earlier one; what is most
        frequent in the last round first."""
        new = self.count("scope", "kind", "class_id", "source", "round", new=True)
        mended: dict[tuple[Any, ...], int] = {}
        for cell in self.cells:
            if cell.mended and cell.is_new and cell.standing in ERRORS:
                key = (cell.scope, cell.kind, cell.class_id, cell.source)
                mended[key] = min(cell.round, mended.get(key, cell.round))
        groups: dict[tuple[Any, ...], dict[int, int]] = defaultdict(dict)
        for (scope, kind, class_id, source, number), n in new.items():
            groups[scope, kind, class_id, source][number] = n
        found = []
        for key, own in groups.items():
            if key in mended and max(own) > mended[key]:
                scope, kind, class_id, source = key
                rounds = dict(sorted(own.items()))
                found.append(Recurrence(scope, kind, class_id, source, rounds, self.returned[key]))
        last = max(self.rounds, default=0)
        return sorted(
            found,
            key=lambda r: (
                r.scope != "label", -r.by_round.get(last, 0), -sum(r.by_round.values()),
                list(KINDS).index(r.kind), r.class_id, r.source,
            ),
        )  # fmt: skip


def _unfallen(entry: ClassTrend) -> tuple[int, float, str]:
    order = ("rises", "no clear change", "unknown", "falls")
    last = next(reversed(list(entry.by_round.values())), None)
    value = last.value if last is not None and last.value is not None else 0.0
    return order.index(entry.trend), -value, entry.class_id


def origin_of(error: LabelError) -> str:
    """Whether a person or a machine drew the label."""
    return PEOPLE if error.drawn_by in ("source", "person") else MACHINES


def tallied(errors: Iterable[tuple[LabelError, str]]) -> Tally:
    """The counts of errors, each with its patient."""
    found = Tally()
    for error, patient in errors:
        found.add(error, patient)
    return found
