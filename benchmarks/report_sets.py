"""Reports with true answers, for `benchmarks.retrieval`."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BLIND = Path(__file__).parent / "blind"
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


@dataclass(frozen=True)
class Labelled:
    """A report and its truth: question to ``yes``, ``no``, ``uncertain``, a choice or a number.

    `asked`: the questions that were labelled; one of them without an answer is not spoken of.
    """

    text: str
    truth: Mapping[str, Any]
    asked: frozenset[str]
    tags: Mapping[str, tuple[str, ...]]


def synthetic(patients: int, seed: int) -> list[Labelled]:
    """Reports of the synthetic cohort, without making its scans.

    The cohort notes what its sentences answer and no more, so that only those are scored.
    """
    from agent.cohort import phrases
    from agent.cohort.person import draw_people
    from agent.cohort.reports import Visit, write_report

    phases = sorted(phrases.TECHNIQUE)
    found = []
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
        found.append(Labelled(report.text, report.answers, frozenset(report.answers), {}))
    return found


def blind(name: str, half: str = "") -> list[Labelled]:
    """A set of ``benchmarks/blind``; every presence question of its README was labelled.

    Args:
        half: ``first`` or ``second``: every other report, from the first or the second on, so that
            what one half taught can be measured on the other; empty: all.
    """
    with (BLIND / f"{name}.jsonl").open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream][half == "second" :: 2 if half else 1]
    asked = frozenset(json.loads((BLIND / "questions.json").read_text(encoding="utf-8")))
    return [
        Labelled(
            row["text"],
            {q: _plain(a) for q, a in row["answers"].items()},
            asked | set(row["answers"]),
            {q: tuple(a.get("tags", ())) for q, a in row["answers"].items()},
        )
        for row in rows
    ]


def chexpert(folder: Path) -> list[Labelled]:
    """CheXpert's labelled sample reports; only the findings that we have a question for."""
    with (folder / "labeled_reports.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    asked = frozenset(_CHEXPERT.values())
    return [
        Labelled(
            row["Reports"],
            {q: _CHEXPERT_VALUES[row[name]] for name, q in _CHEXPERT.items() if row[name]},
            asked,
            {},
        )
        for row in rows
    ]


def _plain(answer: Mapping[str, Any]) -> Any:
    kind = answer["value"]
    if kind == "number":
        return float(answer["number"])
    if kind == "list":
        return tuple(sorted(answer["items"]))
    return answer["choice"] if kind == "choice" else kind
