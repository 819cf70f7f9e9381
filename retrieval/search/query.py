"""The cohort: a query over findings and metadata, each match with the sentences that prove it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from voxcurate.config import Config


class Condition(Config):
    """One thing a case's reports must say.

    Without bounds and choices: the value of a presence question. `at_least`, `at_most`, `above` and
    `below` bound a number (sizes in mm); `choice` lists the choices that fit.
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

    @property
    def is_number(self) -> bool:
        """Whether it bounds a number."""
        return any(b is not None for b in (self.at_least, self.at_most, self.above, self.below))


class CohortQuery(Config):
    """Which cases: every condition of `all_of` and, when there are some, one of `any_of`.

    A scan whose age or sex is unknown does not fit a query that asks for it.
    """

    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    age_at_least: float | None = Field(None, description="years")
    age_at_most: float | None = Field(None, description="years")
    sex: Literal["F", "M", ""] = ""
    modality: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    order: Literal["case", "earliest", "latest"] = "case"
    limit: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> "CohortQuery":
        low, high = self.age_at_least, self.age_at_most
        if low is not None and high is not None and low > high:
            raise ValueError(f"ages from {low:g} to {high:g} hold nobody")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing: every scan fits."""
        return self == CohortQuery(order=self.order)


@dataclass(frozen=True)
class Proof:
    """Why a condition holds: the report's answer and its sentence ("" where silence was enough)."""

    question: str
    answer: str
    sentence: str
    report_id: str


@dataclass(frozen=True)
class CohortMatch:
    """A case of the cohort and its proofs, one per condition that was met."""

    case_id: str
    proofs: tuple[Proof, ...] = ()


def select(
    query: CohortQuery,
    scans: Iterable[Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
) -> list[CohortMatch]:
    """The scans that fit, with proofs.

    Args:
        query: what is wanted.
        scans: rows with ``case_id``, ``source``, ``modality`` and ``facts`` (sex, age, phase, day).
        findings: rows with the fields of a finding, ``report_id`` and ``case_id``. A case may have
            several reports: one that says yes outweighs another that says no.

    Returns:
        Matches in the query's order; ties and scans without a day come by case id, those last.
    """
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for row in findings:
        by_case.setdefault(row["case_id"], []).append(row)
    matches = []
    for scan in _ordered(scans, query.order):
        answers = by_case.get(scan["case_id"], [])
        proofs = _proofs(query, scan, answers) if _fits(query, scan) else None
        if proofs is not None:
            matches.append(CohortMatch(scan["case_id"], proofs))
    return matches[: query.limit]


def _ordered(scans: Iterable[Mapping[str, Any]], order: str) -> list[Mapping[str, Any]]:
    found = sorted(scans, key=lambda scan: str(scan["case_id"]))
    if order == "case":
        return found
    sign = 1.0 if order == "earliest" else -1.0
    days = {str(scan["case_id"]): _number(scan.get("facts", {}).get("day")) for scan in found}

    def when(scan: Mapping[str, Any]) -> tuple[bool, float]:
        day = days[str(scan["case_id"])]
        return (day is None, sign * (day or 0.0))

    return sorted(found, key=when)


def _fits(query: CohortQuery, scan: Mapping[str, Any]) -> bool:
    facts = scan.get("facts") or {}
    age = _number(facts.get("age"))
    low, high = query.age_at_least, query.age_at_most
    if (low is not None or high is not None) and age is None:
        return False
    if age is not None and not (low or 0.0) <= age <= (high if high is not None else age):
        return False
    if query.sex and str(facts.get("sex", ""))[:1].upper() != query.sex:
        return False
    if query.modality and scan.get("modality") not in query.modality:
        return False
    return not query.source or scan.get("source") in query.source


def _number(value: Any) -> float | None:
    """A number, or the digits of a DICOM age ("064Y"; months and weeks as years); else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = str(value or "").strip().upper().removesuffix("+")
    unit = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}.get(text[-1:], 0.0)
    digits = text[:-1] if unit else text
    try:
        return float(digits) * (unit or 1.0)
    except ValueError:
        return None


def _proofs(
    query: CohortQuery, scan: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]
) -> tuple[Proof, ...] | None:
    found = []
    for condition in query.all_of:
        proof = _proof(condition, scan, answers)
        if proof is None:
            return None
        found.append(proof)
    if query.any_of:
        some = [p for p in (_proof(c, scan, answers) for c in query.any_of) if p is not None]
        if not some:
            return None
        found.extend(some)
    return tuple(found)


def _proof(
    condition: Condition, scan: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]
) -> Proof | None:
    asked = [row for row in answers if row["question"] == condition.question]
    if not asked:
        return _without_answer(condition, scan)
    if condition.value == "no" and not condition.is_number and not condition.choice:
        asked = [] if any(row["value"] == "yes" for row in asked) else asked
    best = max(
        (row for row in asked if _holds(condition, row)),
        key=lambda row: float(row.get("confidence", 1.0)),
        default=None,
    )
    if best is None:
        return None
    return Proof(condition.question, _words(best), str(best["sentence"]), str(best["report_id"]))


def _without_answer(condition: Condition, scan: Mapping[str, Any]) -> Proof | None:
    phase = str((scan.get("facts") or {}).get("phase", ""))
    if condition.choice and phase in condition.choice and condition.question == "contrast_phase":
        return Proof(condition.question, phase, "", "")
    if condition.or_unmentioned:
        return Proof(condition.question, "not mentioned", "", "")
    return None


def _holds(condition: Condition, row: Mapping[str, Any]) -> bool:
    if condition.choice:
        return row.get("choice") in condition.choice
    if condition.is_number:
        number = row.get("number")
        return number is not None and _within(condition, float(number))
    return row["value"] == condition.value or (
        condition.or_uncertain and row["value"] == "uncertain"
    )


def _within(condition: Condition, number: float) -> bool:
    return (
        (condition.at_least is None or number >= condition.at_least)
        and (condition.at_most is None or number <= condition.at_most)
        and (condition.above is None or number > condition.above)
        and (condition.below is None or number < condition.below)
    )


def _words(row: Mapping[str, Any]) -> str:
    if row["value"] == "number":
        return f"{row['number']:g} {row.get('unit', '')}".strip()
    return str(row.get("choice") or row["value"])
