"""A radiologist's report on a phantom scan, full of identifiers, and what it says by question."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from agent.cohort import phrases
from agent.cohort.manners import manner
from agent.cohort.person import Identity, Person

Answers = dict[str, str | float]
_SMALL_MM = 11.0  # below this a radiologist may doubt
_DATE_STYLES = ("%Y-%m-%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y")
_LABELS = (
    {"indication": "INDICATION", "comparison": "COMPARISON", "technique": "TECHNIQUE",
     "findings": "FINDINGS", "impression": "IMPRESSION"},
    {"indication": "Clinical history", "comparison": "Comparison", "technique": "Technique",
     "findings": "Findings", "impression": "Impression"},
    {"indication": "Reason for exam", "comparison": "Compared with", "technique": "Protocol",
     "findings": "Findings", "impression": "Conclusion"},
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """What the radiologist knows of one scan.

    `tumor_mm` is 0 without a tumour in view; `seen` names the classes in the field of view.
    """

    day: date
    phase: str
    accession: str
    tumor_mm: float
    prior: date | None
    prior_mm: float
    seen: frozenset[str]


@dataclass(frozen=True)
class Report:
    """A report's text and its true answers; a question it leaves open has none."""

    text: str
    answers: Answers


class _Writer:
    """Chooses phrases and notes what they say."""

    def __init__(self, person: Person, visit: Visit, rng: np.random.Generator) -> None:
        self.person, self.visit, self.rng = person, visit, rng
        self.answers: Answers = {}
        self.style = str(rng.choice(_DATE_STYLES))

    def date(self, day: date) -> str:
        return day.strftime(self.style)

    def pick(self, options: tuple[str, ...], **values: object) -> str:
        phrase = options[int(self.rng.integers(len(options)))].format(**values)
        text, _, effects = phrase.partition(" || ")
        for effect in effects.split():
            question, _, value = effect.partition("=")
            self.answers[question] = float(value) if question.endswith("_size") else value
        return text

    def mm(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))


def write_report(person: Person, visit: Visit, rng: np.random.Generator) -> Report:
    """One report in one of many styles.

    Returns:
        The text, with name, number, birth date and physicians in its header and signature, and the
        answers: ``yes``, ``no``, ``uncertain``, a choice, or a size in mm.
    """
    writer = _Writer(person, visit, rng)
    labels = _LABELS[int(rng.integers(len(_LABELS)))]
    findings = _findings(writer)
    body = "\n".join(findings) if rng.random() < 0.5 else " ".join(findings)
    tell = manner(rng)
    parts = [
        _header(writer),
        f"{labels['indication']}: {_indication(writer)}",
        f"{labels['comparison']}: {_comparison(writer)}",
        f"{labels['technique']}: {_technique(writer)}",
        f"{labels['findings']}:\n{tell(body, rng)}",
        f"{labels['impression']}:\n{tell(_impression(writer), rng)}",
        _signature(writer),
    ]
    return Report("\n\n".join(parts) + "\n", writer.answers)


def _header(writer: _Writer) -> str:
    who, visit = writer.person.identity, writer.visit
    full = f"{who.last.upper()}, {who.first.upper()}"
    styles = (
        f"{who.hospital}\nPatient: {full}   MRN: {who.mrn}   DOB: {writer.date(who.birth)}\n"
        f"Accession: {visit.accession}   Date of exam: {writer.date(visit.day)}\n"
        f"Ordering physician: Dr. {who.physician}",
        f"PATIENT NAME: {who.first} {who.last}\nMEDICAL RECORD NUMBER: {who.mrn}\n"
        f"EXAM DATE: {writer.date(visit.day)}\nACCESSION #: {visit.accession}\n"
        f"REFERRING: {who.physician}, MD\nTel. {who.phone}",
        f"Name: {full} | ID {who.mrn} | born {writer.date(who.birth)}\n"
        f"Address: {who.street}\nRequested by Dr {who.physician}, {who.hospital}",
    )
    return str(styles[int(writer.rng.integers(len(styles)))])


def _indication(writer: _Writer) -> str:
    person = writer.person
    has = writer.visit.tumor_mm > 0 and writer.rng.random() < 0.6
    options = phrases.INDICATION_TUMOR if has else phrases.INDICATION_OTHER
    word = {"F": "woman", "M": "man"}[person.sex]
    text = writer.pick(options, age=person.age, person=word)
    who = person.identity
    if writer.rng.random() < 0.25:
        title = "Mrs." if person.sex == "F" else "Mr."
        text = f"{title} {who.last} presents for imaging. {text}"
    return text


def _comparison(writer: _Writer) -> str:
    visit = writer.visit
    if visit.prior is not None:
        return writer.pick(phrases.COMPARISON_FOLLOW_UP, prior=writer.date(visit.prior))
    prior = date(visit.day.year - 1, visit.day.month, min(28, visit.day.day))
    return writer.pick(
        phrases.COMPARISON, prior=writer.date(prior), hospital=writer.person.identity.hospital
    )


def _technique(writer: _Writer) -> str:
    region = "abdomen and pelvis" if "bladder" in writer.visit.seen else "abdomen"
    return writer.pick(phrases.TECHNIQUE[writer.visit.phase], region=region)


def _findings(writer: _Writer) -> list[str]:
    found, absent, seen = writer.person.conditions, writer.person.absent, writer.visit.seen
    lines = [*_liver(writer)]
    if "spleen" in absent:
        lines.append(writer.pick(phrases.SPLEEN_ABSENT))
    else:
        lines.append(writer.pick(phrases.SPLEEN_NORMAL))
    lines.append(_pancreas(writer))
    if "gall_bladder" in absent:
        lines.append(writer.pick(phrases.GALL_BLADDER_ABSENT))
    elif "gallstones" in found:
        lines.append(writer.pick(phrases.GALLSTONES))
    else:
        lines.append(writer.pick(phrases.GALL_BLADDER_NORMAL))
    lines += _kidneys(writer)
    lines.append(writer.pick(phrases.ASCITES if "ascites" in found else phrases.NO_ASCITES))
    optional = [phrases.NODES, phrases.BOWEL, phrases.BONES, phrases.INCIDENTAL]
    optional.append(phrases.AORTA if "calcified_aorta" in found else phrases.AORTA_NORMAL)
    if "bladder" in seen:
        optional.append(phrases.BLADDER)
    lines += [writer.pick(options) for options in optional if writer.rng.random() < 0.6]
    if writer.person.metal:
        lines.append(phrases.METAL)
    return lines


def _liver(writer: _Writer) -> list[str]:
    found = writer.person.conditions
    lines = []
    if "steatosis" in found:
        lines.append(writer.pick(phrases.STEATOSIS))
    if "liver_metastases" in found:
        lines.append(writer.pick(phrases.LIVER_METASTASES, mm=writer.mm(11, 26)))
    if "liver_cyst" in found:
        segment = str(writer.rng.choice(["II", "IVa", "VI", "VII", "VIII"]))
        lines.append(writer.pick(phrases.LIVER_CYST, mm=writer.mm(12, 30), segment_number=segment))
    return lines or [writer.pick(phrases.LIVER_NORMAL)]


def _kidneys(writer: _Writer) -> list[str]:
    person = writer.person
    lines = []
    gone = [side for side in ("left", "right") if f"kidney_{side}" in person.absent]
    if gone:
        lines.append(writer.pick(phrases.KIDNEY_ABSENT, side=gone[0]))
    if "renal_cyst" in person.conditions:
        side = person.cyst_side
        lines.append(writer.pick(phrases.KIDNEY_CYST, mm=writer.mm(16, 42), side=side))
    return lines or [writer.pick(phrases.KIDNEY_NORMAL)]


def _pancreas(writer: _Writer) -> str:
    visit, tumor = writer.visit, writer.person.tumor
    if visit.tumor_mm == 0 or tumor is None:
        if writer.rng.random() < 0.08:
            segment = str(writer.rng.choice(["head", "body", "tail"]))
            return writer.pick(phrases.PANCREAS_UNCERTAIN, mm=writer.mm(4, 9), segment=segment)
        return writer.pick(phrases.PANCREAS_NORMAL)
    mm = round(visit.tumor_mm)
    if mm < _SMALL_MM and writer.rng.random() < 0.5:
        return writer.pick(phrases.PANCREAS_UNCERTAIN, mm=mm, segment=tumor.segment)
    text = writer.pick(
        phrases.PANCREAS_TUMOR[tumor.kind], segment=tumor.segment, mm=mm, size=_size(writer, mm)
    )
    if visit.prior_mm:
        text += " " + writer.pick(phrases.GROWN, prior_mm=round(visit.prior_mm))
    duct: tuple[str, ...] = phrases.DUCT_NORMAL
    if "duct_dilation" in writer.person.conditions:
        duct = phrases.DUCT_DILATED
    elif writer.rng.random() < 0.4:
        return text
    return text + " " + writer.pick(duct, duct=writer.mm(6, 11))


def _size(writer: _Writer, mm: int) -> str:
    second = max(3, round(mm * writer.rng.uniform(0.7, 0.95)))
    styles = (
        f"{mm} mm",
        f"{mm / 10:.1f} cm",
        f"{mm} x {second} mm",
        f"{second / 10:.1f} x {mm / 10:.1f} cm",
    )
    return str(styles[int(writer.rng.integers(len(styles)))])


def _impression(writer: _Writer) -> str:
    """Repeats what was found; it says nothing that the findings do not say."""
    answers, tumor = writer.answers, writer.person.tumor
    lines = []
    if answers.get("pancreas_lesion") == "yes" and tumor is not None:
        noun = {"pdac": "mass", "pnet": "hypervascular mass", "cyst": "cystic lesion"}[tumor.kind]
        lines.append(f"Pancreatic {tumor.segment} {noun} as described.")
    elif answers.get("pancreas_lesion") == "uncertain":
        lines.append("Indeterminate finding in the pancreas; correlate with MRI.")
    elif writer.rng.random() < 0.5:
        lines.append("No evidence of pancreatic malignancy.")
    if answers.get("liver_metastasis") == "yes":
        lines.append("Hepatic metastatic disease.")
    if answers.get("ascites") == "yes" and writer.rng.random() < 0.7:
        lines.append("Ascites.")
    if answers.get("gallstones") == "yes" and writer.rng.random() < 0.5:
        lines.append("Cholelithiasis.")
    if not lines:
        lines.append("No acute abnormality in the abdomen.")
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))


def _signature(writer: _Writer) -> str:
    who: Identity = writer.person.identity
    styles = (
        f"Electronically signed by Dr. {who.radiologist} on {writer.date(writer.visit.day)}",
        f"Dictated by: {who.radiologist}, MD\n"
        f"Findings were discussed with Dr. {who.physician} by phone.",
        f"Report approved by {who.radiologist}, {who.hospital}",
    )
    return str(styles[int(writer.rng.integers(len(styles)))])
