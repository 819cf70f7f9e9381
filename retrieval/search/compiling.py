"""A query made into SQL: every filter is one, nothing is looped over in Python."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retrieval.search.query import CohortQuery, Condition, Event, Group
from retrieval.search.schema import (
    CHANGES,
    FIRST_CHOICE,
    NO,
    NUMBER,
    REPORT,
    SCAN,
    SIDES,
    VALUES,
    YES,
)
from retrieval.search.timeline import changed_reports, new_reports
from retrieval.search.tree import Tree

_BOUNDS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and the values of its placeholders, in order."""

    text: str
    values: tuple[Any, ...] = ()

    def __and__(self, other: "Sql") -> "Sql":
        return Sql(f"({self.text} AND {other.text})", self.values + other.values)

    def __or__(self, other: "Sql") -> "Sql":
        return Sql(f"({self.text} OR {other.text})", self.values + other.values)

    def __invert__(self) -> "Sql":
        return Sql(f"NOT {self.text}", self.values)


TRUE, FALSE = Sql("1"), Sql("0")


@dataclass(frozen=True)
class Compiler:
    """Makes conditions on a unit ``u`` of a kind.

    Attributes:
        terms: ids of the words that the index knows.
        tree: which question is broader than which.
        kind: SCAN or REPORT.
        unsupported: whether answers without proof count.
    """

    terms: Mapping[str, int]
    tree: Tree = field(default_factory=Tree)
    kind: int = SCAN
    unsupported: bool = False

    @property
    def key(self) -> str:
        """The column of an answer that names the unit."""
        return "scan" if self.kind == SCAN else "report"

    def query(self, query: CohortQuery) -> Sql:
        """The whole query on a unit, `text`, order and limit aside."""
        made = Sql("(u.kind = ? AND u.live = 1)", (self.kind,)) & self.group(query)
        for part in (*self._metadata(query), *map(self.phrase, query.phrases)):
            made = made & part
        if query.before:
            made = made & self._around(query.before, is_before=True)
        if query.after:
            made = made & self._around(query.after, is_before=False)
        return made

    def group(self, group: Group) -> Sql:
        """Conditions joined."""
        made = TRUE
        for one in group.all_of:
            made = made & self.condition(one)
        for nested in group.groups:
            made = made & self.group(nested)
        for one in group.none_of:
            made = made & ~self.condition(one)
        for some in (
            [self.condition(one) for one in group.any_of],
            [self.group(nested) for nested in group.either],
        ):
            if some:
                made = made & any_of(some)
        return made

    def condition(self, condition: Condition) -> Sql:
        """One condition."""
        if condition.question not in self.terms:  # nobody answered it; a broader "no" may
            asked = self._presence(condition) if self._is_denial(condition) else FALSE
        elif condition.is_number or self.tree.is_size(condition.question):
            asked = self._numbers(condition)
        elif condition.choice:
            asked = self._choices(condition)
        else:
            asked = self._presence(condition)
        if condition.question == "contrast_phase" and condition.choice:
            asked = asked | self._phase(condition)
        if condition.or_unmentioned:
            asked = asked | ~self._has(condition.question)
        return asked

    def phrase(self, words: str) -> Sql:
        """Units with a report in which the words stand, one after the other."""
        return self.with_reports(
            Sql(
                "SELECT report FROM occurrence WHERE sentence IN"
                " (SELECT rowid FROM lexical WHERE lexical MATCH ?)",
                (quoted(words),),
            )
        )

    def with_reports(self, reports: Sql) -> Sql:
        """Units that are, or have, one of some reports."""
        if self.kind == REPORT:
            return Sql(f"u.id IN ({reports.text})", reports.values)
        return Sql(f"u.id IN (SELECT scan FROM unit WHERE id IN ({reports.text}))", reports.values)

    def _presence(self, condition: Condition) -> Sql:
        wanted = [VALUES[condition.value]]
        if condition.or_uncertain:
            wanted.append(VALUES["uncertain"])
        if self._is_denial(condition):
            return self._denied(condition.question, wanted)
        said = self._answered(condition, wanted)
        if condition.change:
            said = said | self._compared(condition, wanted)
        return said

    def _is_denial(self, condition: Condition) -> bool:
        is_more = condition.is_number or condition.choice or condition.side or condition.change
        is_size = self.tree.is_size(condition.question)
        return condition.value == "no" and not is_more and not is_size

    def _denied(self, question: str, wanted: Sequence[int]) -> Sql:
        """A no, of this question or of every broader one, that no other report contradicts."""
        denied = self._having(question, wanted)
        broader = [self._denied(name, [NO]) for name in self.tree.broader.get(question, ())]
        if broader:
            every = broader[0]
            for one in broader[1:]:
                every = every & one
            denied = denied | (every & ~self._having(question, [YES, VALUES["uncertain"]]))
        return denied & ~self._having(question, [YES])

    def _numbers(self, condition: Condition) -> Sql:
        bounds = {n: getattr(condition, n) for n in _BOUNDS if getattr(condition, n) is not None}
        extra = Sql(
            "".join(f" AND number {_BOUNDS[name]} ?" for name in bounds), tuple(bounds.values())
        )
        said = self._answered(condition.model_copy(update={"change": ()}), [NUMBER], extra)
        if condition.change:
            said = said & (
                self._answered(condition, [NUMBER]) | self._compared(condition, [NUMBER])
            )
        return said

    def _choices(self, condition: Condition) -> Sql:
        named = [self.terms[name] for name in condition.choice if name in self.terms]
        return self._answered(condition, [FIRST_CHOICE + term for term in named])

    def _phase(self, condition: Condition) -> Sql:
        """The scan's own phase, where no report tells one."""
        named = [self.terms[name] for name in condition.choice if name in self.terms]
        own = Sql(f"u.phase IN ({marks(named)})", tuple(named))
        return own & ~self._has("contrast_phase")

    def _answered(self, condition: Condition, wanted: Sequence[int], extra: Sql = Sql("")) -> Sql:
        if condition.side:
            sides = {SIDES[condition.side], SIDES["both"]}
            extra = Sql(f"{extra.text} AND side IN ({marks(sides)})", (*extra.values, *sides))
        if condition.change:
            changes = [CHANGES[name] for name in condition.change]
            extra = Sql(f"{extra.text} AND change IN ({marks(changes)})", (*extra.values, *changes))
        return self._having(condition.question, wanted, extra)

    def _having(self, question: str, wanted: Sequence[int], extra: Sql = Sql("")) -> Sql:
        """Units with an answer of one of some values."""
        if question not in self.terms:
            return FALSE
        return Sql(
            f"u.id IN (SELECT {self.key} FROM answer WHERE question = ?"
            f" AND value IN ({marks(wanted)}){self._proven()}{extra.text})",
            (self.terms[question], *wanted, *extra.values),
        )

    def _has(self, question: str) -> Sql:
        """Units with any answer to a question."""
        if question not in self.terms:
            return FALSE
        return Sql(
            f"u.id IN (SELECT {self.key} FROM answer WHERE question = ?{self._proven()})",
            (self.terms[question],),
        )

    def _compared(self, condition: Condition, wanted: Sequence[int]) -> Sql:
        """Units whose answers, beside those of the patient's earlier reports, show the change."""
        here = self._answered(condition.model_copy(update={"change": ()}), wanted)
        question = self.terms[condition.question]
        proven = self._proven()
        made = [new_reports(question, proven)] if "new" in condition.change else []
        size = self.tree.size_of(condition.question)
        if size in self.terms:
            made += [
                changed_reports(self.terms[size], name, condition, proven)
                for name in ("larger", "smaller")
                if name in condition.change
            ]
        return here & any_of([self.with_reports(Sql(*one)) for one in made])

    def _around(self, event: Event, *, is_before: bool) -> Sql:
        """Units before, or after, the first day on which a report of the patient fits."""
        of_reports = Compiler(self.terms, self.tree, REPORT, self.unsupported).group(event)
        low, high = ("x.day", "e.day") if is_before else ("e.day", "x.day")
        near = "" if event.within_days is None else f" AND {high} - {low} <= ?"
        values = () if event.within_days is None else (event.within_days,)
        return Sql(
            f"u.id IN (SELECT x.id FROM ({first_days(of_reports.text)}) e"
            f" JOIN unit x ON x.patient = e.patient WHERE {low} < {high}{near})",
            (*of_reports.values, *values),
        )

    def _metadata(self, query: CohortQuery) -> Iterable[Sql]:
        for column in ("age", "slice_mm", "day", "year"):
            for name, sign in (("at_least", ">="), ("at_most", "<=")):
                bound = getattr(query, f"{column}_{name}")
                if bound is not None:
                    yield Sql(f"u.{column} {sign} ?", (bound,))
        if query.sex:
            yield self._word("sex", [query.sex])
        for column in ("modality", "source", "split"):
            if getattr(query, column):
                yield self._word(column, getattr(query, column))
        if query.scanner:
            parts = [part.casefold() for part in query.scanner]
            yield self._word(
                "scanner", [w for w in self.terms if any(p in w.casefold() for p in parts)]
            )

    def _word(self, column: str, words: Iterable[str]) -> Sql:
        ids = [self.terms[word] for word in words if word in self.terms]
        return Sql(f"u.{column} IN ({marks(ids)})", tuple(ids))

    def _proven(self) -> str:
        return "" if self.unsupported else " AND supported = 1"


def first_days(fits: str) -> str:
    """SQL: each patient's first day with a report ``u`` that fits."""
    return (
        f"SELECT u.patient, MIN(u.day) AS day FROM unit u WHERE u.kind = {REPORT}"
        f" AND u.patient > 0 AND u.day IS NOT NULL AND {fits} GROUP BY u.patient"
    )


def any_of(parts: Sequence[Sql]) -> Sql:
    """At least one; of none: false."""
    made = FALSE
    for part in parts:
        made = made | part
    return made


def marks(values: Iterable[Any]) -> str:
    """Placeholders for values."""
    return ", ".join("?" for _ in values)


def quoted(words: str) -> str:
    """Words as a phrase of FTS5."""
    return '"' + words.replace('"', " ") + '"'


def terms_of(connection: sqlite3.Connection) -> dict[str, int]:
    """Ids of the words that the index knows: questions, choices, sources, scanners."""
    return {text: key for key, text in connection.execute("SELECT id, text FROM term")}
