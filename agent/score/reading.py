"""Scores of report reading, beside a search for keywords."""

import re
from collections import Counter
from collections.abc import Iterator

from agent.score.statistics import hits, mean
from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring
from voxcurate.catalog import FindingRow, Report

STAGE = "retrieve"
_PRESENCE = ("yes", "no", "uncertain")
_NEAR_MM = 1.0
# what a plain search would look for: all groups must match somewhere in the report
_KEYWORDS = {
    "pancreas_lesion": (r"pancrea", r"mass|lesion|cyst|nodule|tumou?r|neoplasm|carcinoma"),
    "pancreas_cyst": (r"pancrea", r"cyst|ipmn"),
    "pancreatic_duct_dilated": (r"duct", r"dilat"),
    "liver_lesion": (r"liver|hepatic", r"lesion|cyst|metasta|mass"),
    "liver_cyst": (r"liver|hepatic", r"cyst"),
    "liver_metastasis": (r"liver|hepatic", r"metasta"),
    "steatosis": (r"steatosis|fatty",),
    "splenomegaly": (r"splenomegaly",),
    "splenectomy": (r"splenectomy|spleen is surgically absent",),
    "nephrectomy": (r"nephrectomy|kidney is surgically absent",),
    "cholecystectomy": (r"cholecystectomy|gallbladder is surgically absent",),
    "kidney_lesion": (r"kidney|renal", r"lesion|cyst|mass"),
    "kidney_cyst": (r"kidney|renal", r"cyst"),
    "kidney_stone": (r"kidney|renal", r"stone|calcul"),
    "hydronephrosis": (r"hydronephrosis",),
    "gallstones": (r"gallstone|cholelithiasis|stones?\b",),
    "bile_duct_dilated": (r"bil(?:e|iary)", r"dilat"),
    "ascites": (r"ascites|free (?:intraperitoneal )?fluid",),
    "pneumoperitoneum": (r"free air|pneumoperitoneum",),
    "lymphadenopathy": (r"lymphadenopathy|enlarged lymph",),
    "bowel_obstruction": (r"bowel obstruction",),
    "diverticulitis": (r"diverticulitis",),
    "aortic_aneurysm": (r"aneurysm",),
}
_MEASURE = re.compile(r"(\d+(?:\.\d+)?)\s*(mm|cm)\b", re.IGNORECASE)


def score_reading(scoring: Scoring) -> Iterator[ScoreRow]:
    """Findings against what the reports' writer meant to say."""
    reports = {r.case_id: r for r in scoring.catalog.rows(Report, case_id=set(scoring.entries))}
    planted = {
        scoring.case_of[r["source"], r["key"]]: r["answers"] for r in scoring.data["reports"]
    }
    linkable = set(planted) & set(scoring.scans)
    linked = linkable & set(reports)
    if not linkable:
        yield not_run("ingest", "reports linked to their scan")
        return
    yield ScoreRow(
        "ingest", "reports linked to their scan", len(linked) / len(linkable), n=len(linkable)
    )
    rows = scoring.catalog.rows(FindingRow, case_id=set(scoring.entries))
    findings = {(f.case_id, f.question): f for f in rows}
    if not findings:
        yield not_run(STAGE, "findings, accuracy")
        return
    texts = {case: reports[case].text for case in sorted(linked)}
    answers = {case: planted[case] for case in texts}
    yield from _presence(findings, texts, answers)
    yield from _sizes(findings, texts, answers)
    yield from _phases(findings, answers)


def _presence(
    findings: dict[tuple[str, str], FindingRow],
    texts: dict[str, str],
    answers: dict[str, dict[str, str | float]],
) -> Iterator[ScoreRow]:
    pairs = [
        (case, question, str(value))
        for case, said in answers.items()
        for question, value in said.items()
        if value in _PRESENCE
    ]
    read = {
        (case, question): findings[case, question].value
        if (case, question) in findings
        else "unsaid"
        for case, question, _ in pairs
    }
    found = {
        (case, question): "yes" if _search(question, texts[case]) else "no"
        for case, question, _ in pairs
    }
    right = [read[case, question] == value for case, question, value in pairs]
    plain = [found[case, question] == value for case, question, value in pairs]
    wrong = Counter(
        question for (case, question, _), good in zip(pairs, right, strict=True) if not good
    )
    note = ", ".join(f"{name} {count}" for name, count in wrong.most_common(3))
    yield ScoreRow(
        STAGE,
        "findings, accuracy",
        mean(right),
        "keyword search",
        mean(plain),
        len(pairs),
        f"most often wrong: {note}" if note else "",
    )
    true = {(case, question) for case, question, value in pairs if value == "yes"}
    yield ScoreRow(
        STAGE,
        "findings present, F1",
        _f1({k for k, v in read.items() if v == "yes"}, true),
        "keyword search",
        _f1({k for k, v in found.items() if v == "yes"}, true),
        len(true),
    )
    doubtful = [(c, q) for c, q, value in pairs if value == "uncertain"]
    if doubtful:
        yield ScoreRow(
            STAGE,
            "uncertain findings read as uncertain",
            mean([read[key] == "uncertain" for key in doubtful]),
            "keyword search",
            0.0,
            len(doubtful),
        )


def _sizes(
    findings: dict[tuple[str, str], FindingRow],
    texts: dict[str, str],
    answers: dict[str, dict[str, str | float]],
) -> Iterator[ScoreRow]:
    question = "pancreas_lesion_size"
    sizes = {case: float(said[question]) for case, said in answers.items() if question in said}
    if not sizes:
        return
    read, plain = [], []
    for case, size in sizes.items():
        finding = findings.get((case, question))
        number = finding.number if finding is not None else None
        read.append(number is not None and abs(number - size) <= _NEAR_MM)
        first = _MEASURE.search(texts[case])
        shown = float(first[1]) * (10 if first[2].lower() == "cm" else 1) if first else -99.0
        plain.append(abs(shown - size) <= _NEAR_MM)
    yield ScoreRow(
        STAGE,
        "tumour size within 1 mm",
        mean(read),
        "first measurement in the text",
        mean(plain),
        len(sizes),
    )


def _phases(
    findings: dict[tuple[str, str], FindingRow], answers: dict[str, dict[str, str | float]]
) -> Iterator[ScoreRow]:
    question = "contrast_phase"
    phases = {case: str(said[question]) for case, said in answers.items() if question in said}
    if not phases:
        return
    read = [
        (case, question) in findings and findings[case, question].choice == phase
        for case, phase in phases.items()
    ]
    most = Counter(phases.values()).most_common(1)[0][1]
    yield ScoreRow(
        STAGE,
        "contrast phase, accuracy",
        mean(read),
        "most common phase",
        most / len(phases),
        len(phases),
    )


def _search(question: str, text: str) -> bool:
    groups = _KEYWORDS.get(question, (question.replace("_", " "),))
    return all(re.search(group, text, re.IGNORECASE) for group in groups)


def _f1(found: set[tuple[str, str]], true: set[tuple[str, str]]) -> float:
    scored = hits(found, true)
    total = scored.n_found + scored.n_true
    return 2 * len(found & true) / total if total else float("nan")
