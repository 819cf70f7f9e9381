"""The typed query: which scans or reports, by what reports say, by metadata and by time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from voxcurate.config import Config

Change = Literal["new", "larger", "smaller", "same"]


class Condition(Config):
    """One thing a report must say.

    Without bounds and choices: the value of a presence question. `at_least`, `at_most`, `above` and
    `below` bound a number (sizes in mm); `choice` lists the choices, or items of a list, that fit.
    A "no" to a broader question answers a narrower one too (``asked_when`` of the questionnaire).
    """

    question: str
    value: Literal["yes", "no", "uncertain"] = "yes"
    or_uncertain: bool = Field(False, description="an uncertain answer fits too")
    or_unmentioned: bool = Field(
        False, description="silence fits too (a report names what it sees)"
    )
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    choice: tuple[str, ...] = ()
    side: Literal["", "left", "right", "both"] = Field(
        "", description="left and right fit a finding on both sides too"
    )
    change: tuple[Change, ...] = Field(
        (),
        description="against earlier reports: as the report says, or by comparing their answers",
    )
    by_mm: float = Field(2.0, ge=0, description="larger, smaller: differs by at least so much")
    by_percent: float = Field(20.0, ge=0, description="and by at least so much of the earlier size")

    @property
    def is_number(self) -> bool:
        """Whether it bounds a number."""
        return any(b is not None for b in (self.at_least, self.at_most, self.above, self.below))


class Group(Config):
    """Conditions joined: every one of `all_of`, one of `any_of` where there are some, none of
    `none_of`; every one of `groups`, and one of `either` where there are some."""

    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    none_of: tuple[Condition, ...] = ()
    groups: tuple["Group", ...] = ()
    either: tuple["Group", ...] = ()

    def conditions(self) -> Iterator[Condition]:
        """Its conditions, the nested ones too; those of `none_of` are not among them."""
        yield from (*self.all_of, *self.any_of)
        for group in (*self.groups, *self.either):
            yield from group.conditions()

    def questions(self) -> set[str]:
        """Ids of all questions that it names, those of `none_of` too."""
        named = {c.question for c in (*self.all_of, *self.any_of, *self.none_of)}
        return named.union(*(group.questions() for group in (*self.groups, *self.either)))


class Event(Group):
    """A point in a patient's time: the first day on which a report fits the conditions."""

    within_days: float | None = Field(None, ge=0, description="no further from it than so")

    @model_validator(mode="after")
    def _says_something(self) -> "Event":
        if not self.questions():
            raise ValueError("an event wants conditions")
        return self


class CohortQuery(Group):
    """Which scans, or which reports: the conditions, the metadata, the words and the times.

    Whose age, sex or day is unknown does not fit a query that asks for it. `before` an event is
    strictly before the patient's first report that shows it, so that "before a tumour" finds
    pre-diagnostic scans: those whose own reports do not yet tell of it. `after` and `before`
    together are between two events.
    """

    of: Literal["scans", "reports"] = Field(
        "scans", description="reports: those without a scan are found too"
    )
    phrases: tuple[str, ...] = Field((), description="each must stand in a report, word by word")
    text: str = Field("", description="hybrid search in sentences; ranks, the best first")
    age_at_least: float | None = Field(None, description="years")
    age_at_most: float | None = Field(None, description="years")
    sex: Literal["F", "M", ""] = ""
    modality: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    split: tuple[Literal["train", "validation", "test"], ...] = ()
    scanner: tuple[str, ...] = Field((), description="part of manufacturer or model, any of them")
    slice_mm_at_least: float | None = Field(None, ge=0)
    slice_mm_at_most: float | None = Field(None, ge=0)
    day_at_least: float | None = Field(None, description="days since the patient's first scan")
    day_at_most: float | None = Field(None, description="days since the patient's first scan")
    year_at_least: int | None = Field(None, description="where the source tells the year")
    year_at_most: int | None = None
    before: Event | None = None
    after: Event | None = None
    per_patient: Literal["first", "last", ""] = Field(
        "", description="only the first or last of each patient that fits"
    )
    unsupported: bool = Field(
        False, description="take answers too whose proof is not in the report"
    )
    order: Literal["case", "earliest", "latest", "largest", "smallest"] = Field(
        "case", description="case: by id, or by relevance where `text` is given"
    )
    limit: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> "CohortQuery":
        for name, unit in (("age", "years"), ("slice_mm", "mm"), ("day", "days"), ("year", "")):
            low = getattr(self, f"{name}_at_least")
            high = getattr(self, f"{name}_at_most")
            if low is not None and high is not None and low > high:
                raise ValueError(f"{name} from {low:g} to {high:g} {unit} holds nobody")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing: every scan fits."""
        return self == CohortQuery(order=self.order)

    def questions(self) -> set[str]:
        """Ids of all questions that it names, those of its events too."""
        events = (event.questions() for event in (self.before, self.after) if event)
        return super().questions().union(*events)


@dataclass(frozen=True)
class Proof:
    """Why a condition holds: the report's answer and its sentence ("" where silence was enough).

    `start` and `stop` place the sentence in the report; `role` says what it proves: ``fits`` the
    query itself, ``before`` or ``after`` an event, ``earlier`` what a change is measured from.
    """

    question: str
    answer: str
    sentence: str
    report_id: str
    start: int = 0
    stop: int = 0
    role: Literal["fits", "before", "after", "earlier", "text"] = "fits"
    day: float | None = None


@dataclass(frozen=True)
class CohortMatch:
    """A case of the cohort and its proofs, one per condition that was met.

    `case_id` is empty for a report without a scan; `report_id` where scans were asked for.
    """

    case_id: str
    proofs: tuple[Proof, ...] = ()
    report_id: str = ""


def select(
    query: CohortQuery,
    scans: Iterable[Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
    reports: Iterable[Mapping[str, Any]] = (),
) -> list[CohortMatch]:
    """The scans that fit among some given here, by an index in memory, with proofs.

    Args:
        query: what is wanted.
        scans: rows with ``case_id``, ``source``, ``modality`` and ``facts`` (sex, age, phase, day).
        findings: rows with the fields of a finding, ``report_id`` and ``case_id``. A case may have
            several reports: one that says yes outweighs another that says no.
        reports: rows with ``report_id``, ``case_id``, ``text`` and ``patient``, for `phrases`,
            `text` and reports without a scan; findings name the others.

    Returns:
        Matches in the query's order; ties and scans without a day come by case id, those last.
    """
    from retrieval.search.memory import select as in_memory  # which needs the classes above

    return in_memory(query, scans, findings, reports)
