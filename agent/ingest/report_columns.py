"""Columns of a report table: well-known names, and which columns identify somebody."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agent.ingest.tables import Row
from voxcurate.identifiers import Identifiers
from voxcurate.sources import TODO, ReportSource

# What a column may be, by the letters and digits of its name alone.
KEYS = {
    "report_id": "reportid reportnumber reportno documentid noteid reportuid radreportid",
    "case": "case caseid casename scan scanid scanname image imageid imagename volume volumename "
    "file filename niftifile imagefile bdmapid",
    "series_uid": "seriesuid seriesinstanceuid",
    "study_uid": "studyuid studyinstanceuid",
    "accession": "accession accessionnumber accessionno accessionid accnumber",
    "patient_id": "patientid patient mrn patientmrn medicalrecordnumber subjectid pid patid",
    "date": "studydate examdate date reportdate proceduredate scandate acquisitiondate charttime "
    "studydatetime examdatetime",
    "time": "studytime examtime time reporttime",
}
FACTS = {
    "age": "age patientage ageatstudy ageatexam",
    "sex": "sex gender patientsex patientgender",
    "birth_date": "dob birthdate dateofbirth patientbirthdate",
    "modality": "modality",
    "exam": "exam examdescription studydescription examname procedure proceduredescription "
    "proceduretype examtype protocol bodypart",
}
_TEXTS = "report reporttext text radiologyreport fulltext body narrative note"
_SECTIONS = (
    "indication clinicalindication clinicalinformation clinicalinformationen history "
    "clinicalhistory technique techniqueen comparison findings findingsen impression "
    "impressions impressionsen conclusion opinion summary addendum"
)
TEXTS = frozenset(_TEXTS.split())
SECTIONS = tuple(_SECTIONS.split())  # joined in this order
# Columns that hold identifiers whatever else the description says.
IDENTIFYING = {
    "names": "patientname name lastname firstname surname givenname familyname",
    "physicians": "physician referringphysician radiologist referrer dictatedby signedby author "
    "orderingprovider attending resident",
    "ids": "mrn patientid patientmrn subjectid pid patid studyid medicalrecordnumber ssn "
    "studyuid studyinstanceuid seriesuid seriesinstanceuid",
    "accessions": "accession accessionnumber accessionno accessionid accnumber",
    "dates": "dob birthdate dateofbirth patientbirthdate studydate examdate reportdate "
    "proceduredate scandate date",
    "institutions": "institution hospital institutionname site",
    "others": "address phone telephone email",
}
_NUMBER = re.compile(r" \(\d+\)$")  # of a heading that stands there several times
_KINDS = {word: kind for kind, words in IDENTIFYING.items() for word in words.split()}
_IDS = ("report_id", "case", "accession", "study_uid", "series_uid")  # the surest first
_OF_KEY = {
    "patient_id": "ids",
    "study_uid": "ids",
    "series_uid": "ids",
    "report_id": "ids",
    "accession": "accessions",
}


@dataclass
class Guess:
    """What a table's columns look like: parts of a `ReportSource`; `TODO` where names collide."""

    data: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_text(self) -> bool:
        """Whether a column of text was found: the table holds reports."""
        return self.data.get("text") != TODO or any(n.startswith("text:") for n in self.notes)


def guess_columns(path: str, names: Sequence[str]) -> Guess:
    """Roles of columns by their names.

    Two columns that could both be the patient, or the date, are never chosen between: the role is
    left as ``TODO`` and a note lists them. Findings and impression are both taken as text. A plain
    ``id`` is the report's where no other column is.
    """
    found = Guess({"path": path})
    text = [n for n in names if letters(n) in TEXTS]
    sections = sorted(
        (n for n in names if letters(n) in SECTIONS), key=lambda n: SECTIONS.index(letters(n))
    )
    if len(text) > 1:
        found.notes.append(f"text: one or several of {', '.join(text)}")
    if len(text) == 1:
        found.data["text"] = text[0]
    elif sections and not text:
        found.data["text"] = sections[0] if len(sections) == 1 else sections
    else:
        found.data["text"] = TODO
    for part, known in (("keys", KEYS), ("facts", FACTS)):
        chosen = _roles(names, known, found.notes, collide=part == "keys")
        if chosen:
            found.data[part] = chosen
    plain = [n for n in names if letters(n) == "id"]
    if len(plain) == 1 and "report_id" not in found.data.get("keys", {}):
        found.data["keys"] = {"report_id": plain[0], **found.data.get("keys", {})}
    return found


def id_column(names: Sequence[str]) -> str:
    """The column that names a row best: the report's own id, else the exam's; empty for none."""
    keys = guess_columns("", names).data.get("keys", {})
    return next((keys[key] for key in _IDS if keys.get(key) in names), "")


def _roles(
    names: Sequence[str], known: Mapping[str, str], notes: list[str], *, collide: bool
) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for role, words in known.items():
        fitting = [n for n in names if letters(n) in words.split()]
        if len(fitting) > 1 and collide:
            notes.append(f"{role}: one of {', '.join(fitting)}")
            chosen[role] = TODO
        elif fitting:
            chosen[role] = fitting[0]
    return chosen


def letters(column: str) -> str:
    """A column's name without case, spaces and signs, and without the number of a double."""
    return "".join(char for char in _NUMBER.sub("", column.lower()) if char.isalnum())


class Told:
    """What the rows of one table tell about people, for the scrubber.

    Args:
        part: the description; its keys and `known` columns count besides the well-known names.
        columns: names of all columns.
    """

    def __init__(self, part: ReportSource, columns: Sequence[str]) -> None:
        kinds: dict[str, list[str]] = defaultdict(list)
        self._texts = part.texts
        self._seen = set(columns)
        for told, named in part.known.items():
            kinds[told] += [named] if isinstance(named, str) else named
        for key, column in part.keys.items():
            if key in _OF_KEY:
                kinds[_OF_KEY[key]].append(column)
        for name in columns:
            if kind := self._kind(name):
                kinds[kind].append(name)
        kinds["dates"] += [c for c in (part.keys.get("date"), part.facts.get("birth_date")) if c]
        self._columns = {kind: tuple(dict.fromkeys(own)) for kind, own in kinds.items()}

    def _kind(self, name: str) -> str | None:
        return None if name in self._texts else _KINDS.get(letters(name))

    def notice(self, row: Row) -> None:
        """Take in columns that came only now: the objects of a JSON table may differ."""
        for name in row.keys() - self._seen:
            self._seen.add(name)
            if kind := self._kind(name):
                self._columns[kind] = (*self._columns.get(kind, ()), name)

    def __call__(self, row: Row, dates: Sequence[date]) -> Identifiers:
        """The identifiers of a row; `dates` are all days that its date columns may mean."""
        told = {
            kind: tuple(dict.fromkeys(v for c in own if (v := row.get(c, ""))))
            for kind, own in self._columns.items()
            if kind != "dates"
        }
        return Identifiers(**told, dates=tuple(dict.fromkeys(dates)))

    @property
    def date_columns(self) -> tuple[str, ...]:
        """Columns that hold dates."""
        return self._columns.get("dates", ())
