"""In which cases tumours may be grown: only where it is known that there are none.

Proof is a label that says so (drawn or declared by people, not a model's empty prediction), or a
report. Nothing is grown where any label or report speaks of a lesion of the same organ, where a
report hedges, or where a report could not be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training.synthetic.config import SyntheticConfig
from voxcurate.catalog import Catalog, FindingRow, Label, Reading, Report
from voxcurate.classes import Vocabulary

AT_ONCE = 500  # cases
PEOPLE = ("original", "revised")  # origins whose empty label proves health
Proof = Literal["label", "report", "unknown", "none"]
State = Literal["there", "absent", ""]


@dataclass(frozen=True)
class Asked:
    """The questions about a lesion class: whose yes says that there is one, whose no that not."""

    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is known of the lesions of a case, by lesion class.

    Attributes:
        labels: there is one, or people say that there is none.
        reports: ``yes``, ``uncertain`` or ``no``; a class without an entry is not spoken of.
        is_unread: the case has a report that nobody has read, or could.
    """

    labels: Mapping[str, State]
    reports: Mapping[str, str]
    is_unread: bool = False


def hosts(lesion: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The organs that lesions of a class lie in: the innermost container that is no lesion, else
    the organs that it overlaps."""
    for outer in vocabulary.containers(lesion):
        if not vocabulary[outer].lesion:
            return (outer,)
    near = vocabulary[lesion].overlaps
    return tuple(c for c in near if c in vocabulary and not vocabulary[c].lesion)


def kin(lesion: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The lesion classes that speak against a healthy organ: of the same organs, or of any."""
    own = set(hosts(lesion, vocabulary))
    found = []
    for info in vocabulary:
        if info.lesion:
            theirs = hosts(info.id, vocabulary)
            if not theirs or own & set(theirs):
                found.append(info.id)
    return tuple(found)


def lesion_sites(
    classes: Sequence[str], vocabulary: Vocabulary, config: SyntheticConfig
) -> dict[str, dict[str, list[str]]]:
    """Plain `training.synthetic.samples.Site` of each lesion class with an organ among the
    classes."""
    lesions = [c for c in classes if c in vocabulary and vocabulary[c].lesion]
    found = {}
    for lesion in lesions:
        organs = [c for c in hosts(lesion, vocabulary) if c in classes]
        if not organs:
            continue
        broader = [c for c in vocabulary.containers(lesion) if c in lesions]
        found[lesion] = {
            "hosts": organs,
            "vessels": [c for c in config.vessels if c in classes and c not in organs],
            "also": broader,
            "unsure": [
                c
                for c in lesions
                if c != lesion and c not in broader and vocabulary.may_overlap(lesion, c)
            ],
            "kin": [c for c in kin(lesion, vocabulary) if c in classes],
        }
    return found


def proof(lesion: str, evidence: Evidence, vocabulary: Vocabulary) -> Proof:
    """What proves that a case is without lesions of a class; ``none``: it may well have some."""
    if evidence.is_unread:
        return "none"
    for other in kin(lesion, vocabulary):
        if evidence.labels.get(other) == "there":
            return "none"
        if evidence.reports.get(other) in ("yes", "uncertain"):
            return "none"
    for one in (lesion, *vocabulary.containers(lesion)):
        if evidence.labels.get(one) == "absent":
            return "label"
    return "report" if evidence.reports.get(lesion) == "no" else "unknown"


def healthy(
    catalog: Catalog,
    vocabulary: Vocabulary,
    lesions: Sequence[str],
    labels: Mapping[str, Mapping[str, Label]],
    asked: Mapping[str, Asked],
    config: SyntheticConfig,
) -> dict[str, dict[str, Proof]]:
    """Case to the lesion classes that may be grown there, with the proof.

    Args:
        lesions: classes that are asked about.
        labels: case to class to the label that counts; its cases are asked about.
        asked: lesion class of the vocabulary to the questions about it. A case with a report and a
            lesion class without questions is not used: the report may speak of it.
    """
    spoken = sorted({c for lesion in lesions for c in kin(lesion, vocabulary)})
    questions = {c: asked[c] for c in spoken if c in asked}
    silent = {c for c in lesions if not asked.get(c, Asked()).yes}
    found: dict[str, dict[str, Proof]] = {}
    names = sorted(labels)
    for first in range(0, len(names), AT_ONCE):
        part = names[first : first + AT_ONCE]
        reported, unread = _reports(catalog, part)
        said = _said(catalog, part, questions, config.confidence)
        for case in part:
            evidence = Evidence(
                {c: _state(label) for c, label in labels[case].items()},
                said.get(case, {}),
                case in unread,
            )
            usable = [c for c in lesions if not (case in reported and c in silent)]
            own = {c: proof(c, evidence, vocabulary) for c in usable}
            kept = {c: p for c, p in own.items() if _allowed(p, config)}
            if kept:
                found[case] = kept
    return found


def _allowed(found: Proof, config: SyntheticConfig) -> bool:
    return found in ("label", "report") or (found == "unknown" and config.unlabelled)


def _state(label: Label) -> State:
    if label.path and label.voxels:
        return "there"
    is_human = label.origin in PEOPLE or label.gold or label.confirmed
    return "absent" if is_human else ""


def _reports(catalog: Catalog, cases: Sequence[str]) -> tuple[set[str], set[str]]:
    """Cases with a report, and those with one that has not been read."""
    rows = list(catalog.columns(Report, "report_id", "case_id", case_id=list(cases)))
    ids = [report for report, _ in rows]
    done = {
        report
        for report, status in catalog.columns(Reading, "report_id", "status", report_id=ids)
        if status == "read"
    }
    return {case for _, case in rows}, {case for report, case in rows if report not in done}


def _said(
    catalog: Catalog, cases: Sequence[str], questions: Mapping[str, Asked], confidence: float
) -> dict[str, dict[str, str]]:
    """What the reports of each case say of each class: of several findings yes counts most, then
    uncertain."""
    wanted = sorted({q for one in questions.values() for q in (*one.yes, *one.no)})
    ranks = ("", "no", "uncertain", "yes")
    found: dict[str, dict[str, str]] = {}
    if not wanted:
        return found
    for row in catalog.rows(FindingRow, case_id=list(cases), question=wanted):
        own = found.setdefault(row.case_id, {})
        for class_id, one in questions.items():
            value = _value(row, one, confidence)
            if ranks.index(value) > ranks.index(own.get(class_id, "")):
                own[class_id] = value
    return found


def _value(row: FindingRow, asked: Asked, confidence: float) -> str:
    """A yes counts even where its sentence was not found again in the report: better one healthy
    organ too few."""
    if row.question in asked.yes and row.value in ("yes", "uncertain"):
        return row.value
    if row.question in asked.no and row.value == "no" and row.supported:
        return "no" if row.confidence >= confidence else "uncertain"
    return ""


def counted(proofs: Iterable[Mapping[str, Proof]]) -> dict[str, int]:
    """Lesion class to the number of cases it may be grown in."""
    found: dict[str, int] = {}
    for own in proofs:
        for lesion in own:
            found[lesion] = found.get(lesion, 0) + 1
    return dict(sorted(found.items()))
