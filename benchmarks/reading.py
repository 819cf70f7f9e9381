"""How well reports are read: the rule reader against plain keyword search.

Run: ``python -m benchmarks.reading --patients 200 --seed 0`` for the synthetic cohort's reports
(their phrases were written apart from the reader's rules, but in the same project: a check, not a
proof), or ``python -m benchmarks.reading --chexpert ../shared/data/text/chexpert_labeler_samples``
for four real chest reports.

A question is scored where the truth has an answer. Uncertain counts as its own answer. Keyword
search says yes where any phrase of the question stands in the report, else no.
"""

import argparse
import csv
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.questions import Question, expand, load_questions
from retrieval.rules.phrases import PhraseFinder
from retrieval.rules.reader import RuleReader

Answers = Mapping[str, Any]
_SIZE_TOLERANCE_MM = 0.5
_FULL_VIEW = (
    "liver",
    "spleen",
    "pancreas",
    "kidney_left",
    "kidney_right",
    "gall_bladder",
    "bladder",
)
_CHEXPERT = {
    "Cardiomegaly": "cardiomegaly",
    "Edema": "pulmonary_edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural_effusion",
    "Fracture": "fracture",
}
_CHEXPERT_VALUES = {"1.0": "yes", "0.0": "no", "-1.0": "uncertain"}


def synthetic(patients: int, seed: int) -> Iterator[tuple[str, Answers]]:
    """Reports of the synthetic cohort with their true answers, without making its scans."""
    from agent.cohort import phrases
    from agent.cohort.person import draw_people
    from agent.cohort.reports import Visit, write_report

    phases = sorted(phrases.TECHNIQUE)
    for person in draw_people(patients, seed):
        rng = np.random.default_rng([seed, 8, person.number])
        visit = Visit(
            day=person.first_scan,
            phase=phases[int(rng.integers(len(phases)))],
            accession="A1",
            tumor_mm=person.tumor.diameter_mm if person.tumor else 0.0,
            prior=None,
            prior_mm=0.0,
            seen=frozenset(_FULL_VIEW) - person.absent,
        )
        report = write_report(person, visit, rng)
        yield report.text, report.answers


def chexpert(folder: Path) -> Iterator[tuple[str, Answers]]:
    """CheXpert's labelled sample reports; only the findings we have a question for."""
    with (folder / "labeled_reports.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            labelled = {_CHEXPERT[name]: row[name] for name in _CHEXPERT if row[name]}
            yield row["Reports"], {q: _CHEXPERT_VALUES[v] for q, v in labelled.items()}


def by_rules(text: str, reader: RuleReader) -> dict[str, Any]:
    """The reader's answers as plain values."""
    return {
        f.question: f.number if f.value == "number" else f.choice or f.value
        for f in reader.read(text)
    }


class Keywords:
    """Plain keyword search: a question's phrases anywhere in the report."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self._asked = [q.id for q in questions if q.kind == "presence"]
        self._finder = PhraseFinder(
            (word, question.id)
            for question in questions
            if question.kind == "presence"
            for word in expand((*question.phrases, *question.terms))
        )

    def answers(self, text: str) -> dict[str, Any]:
        """Yes or no for every presence question."""
        found = {match.payload for match in self._finder.find(text)}
        return {question: "yes" if question in found else "no" for question in self._asked}


def score(pairs: list[tuple[Answers, Answers]]) -> dict[str, Any]:
    """Accuracy, F1 of "yes" pooled over questions, and accuracy per question, of (truth, said)."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for truth, said in pairs:
        for question, wanted in truth.items():
            got = said.get(question)
            total[question] += 1
            right[question] += _agrees(wanted, got)
            outcomes["tp"] += wanted == got == "yes"
            outcomes["fp"] += got == "yes" != wanted
            outcomes["fn"] += wanted == "yes" != got
    both = 2 * outcomes["tp"]
    return {
        "answers": sum(total.values()),
        "accuracy": round(sum(right.values()) / max(1, sum(total.values())), 4),
        "f1_yes": round(both / max(1, both + outcomes["fp"] + outcomes["fn"]), 4),
        "by_question": {q: [round(right[q] / n, 3), n] for q, n in sorted(total.items())},
    }


def _agrees(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, (int, float)):
        return isinstance(got, (int, float)) and abs(wanted - got) <= _SIZE_TOLERANCE_MM
    return bool(wanted == got)


def main() -> int:
    """Print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chexpert", type=Path, help="folder of the CheXpert samples")
    parser.add_argument("--show", type=int, default=0, help="show so many mistakes")
    options = parser.parse_args()
    source = (
        chexpert(options.chexpert)
        if options.chexpert
        else synthetic(options.patients, options.seed)
    )
    reports = list(source)
    questions = load_questions()
    reader, keywords = RuleReader(questions), Keywords(questions)
    known = {question.id for question in questions}
    unasked = sorted({q for _, truth in reports for q in truth} - known)
    truths = [{q: v for q, v in truth.items() if q in known} for _, truth in reports]
    start = time.perf_counter()
    said = [by_rules(text, reader) for text, _ in reports]
    seconds = time.perf_counter() - start
    presence = {q.id for q in questions if q.kind == "presence"}
    narrowed = [{q: v for q, v in truth.items() if q in presence} for truth in truths]
    searched = [keywords.answers(text) for text, _ in reports]
    result = {
        "reports": len(reports),
        "reader": f"{reader.name} {reader.version}",
        "reports_per_s": round(len(reports) / max(seconds, 1e-9), 1),
        "not_asked": unasked,
        "rules": score(list(zip(truths, said, strict=True))),
        "rules_presence_only": _short(score(list(zip(narrowed, said, strict=True)))),
        "keywords_presence_only": _short(score(list(zip(narrowed, searched, strict=True)))),
        "mistakes": _mistakes(truths, said, options.show),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def _short(scores: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in scores.items() if key != "by_question"}


def _mistakes(truths: list[dict[str, Any]], said: list[dict[str, Any]], most: int) -> Any:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for truth, got in zip(truths, said, strict=True):
        for question, wanted in truth.items():
            if not _agrees(wanted, got.get(question)):
                found[question][f"want {wanted}, got {got.get(question)}"] += 1
    return {q: counts.most_common(3) for q, counts in sorted(found.items())[:most]}


if __name__ == "__main__":
    sys.exit(main())
