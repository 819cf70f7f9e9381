"""Where the rules and a language model read the same report differently: items for a person."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from retrieval.questions import Question, ancestors
from voxcurate.atomic import write_text
from voxcurate.protocols import Finding

FILE = "report_disagreements.jsonl"
Kind = Literal["opposite", "one_silent", "number", "choice", "items", "degree"]
_ORDER: tuple[Kind, ...] = ("opposite", "one_silent", "number", "choice", "items", "degree")
_CLOSE_MM = 1.0
_CLOSE = 0.1  # of the larger number


@dataclass(frozen=True)
class Disagreement:
    """One question that two readers answer differently, with the proof of each.

    `kind`: one says yes and the other no (``opposite``); one affirms or doubts what the other
    does not find (``one_silent``); yes against uncertain and the like (``degree``); other
    numbers, choices or items. `rules` and `model` hold answer, sentence, span, supported, rule;
    they are empty where a reader found no answer.
    """

    report_id: str
    question: str
    kind: Kind
    rules: Mapping[str, Any]
    model: Mapping[str, Any]


def disagreements(
    questions: Iterable[Question],
    rule_findings: Iterable[Finding],
    model_findings: Iterable[Finding],
    *,
    report_id: str = "",
) -> list[Disagreement]:
    """Questions that the two readers of one report answer differently, the gravest first.

    Silence and "no" are the same, and so are numbers that differ by 1 mm or a tenth. Below a
    question that they answer differently in kind (``opposite``, ``one_silent``) narrower
    questions are left out: they differ for the same reason.
    """
    asked = tuple(questions)
    by_rules = {item.question: item for item in rule_findings}
    by_model = {item.question: item for item in model_findings}
    found: dict[str, Disagreement] = {}
    for item in asked:
        first, second = by_rules.get(item.id), by_model.get(item.id)
        kind = _difference(first, second)
        if kind is not None:
            found[item.id] = Disagreement(report_id, item.id, kind, _proof(first), _proof(second))
    broader = ancestors(asked)
    grave = {name for name, d in found.items() if d.kind in ("opposite", "one_silent")}
    kept = [d for name, d in found.items() if not broader[name] & grave]
    return sorted(kept, key=lambda d: _ORDER.index(d.kind))


def write_disagreements(folder: Path, found: Sequence[Disagreement]) -> Path:
    """Write one JSON object a line, the gravest first; the file is replaced as a whole."""
    ordered = sorted(found, key=lambda d: (_ORDER.index(d.kind), d.report_id, d.question))
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(json.dumps(asdict(d), ensure_ascii=False) + "\n" for d in ordered))
    return path


def _difference(first: Finding | None, second: Finding | None) -> Kind | None:
    said = {"" if f is None or f.value == "no" else f.value for f in (first, second)}
    if len(said) == 2:
        if "" not in said:
            return "degree"
        is_denied = all(f is not None and f.value in ("yes", "no") for f in (first, second))
        return "opposite" if is_denied else "one_silent"
    if first is None or second is None:
        return None
    if first.value == "number":
        return None if _close(first.number, second.number) else "number"
    if first.value == "choice":
        return None if first.choice == second.choice else "choice"
    return None if set(first.items) == set(second.items) else "items"


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first == second
    return abs(first - second) <= max(_CLOSE_MM, _CLOSE * max(first, second))


def _proof(finding: Finding | None) -> dict[str, Any]:
    if finding is None:
        return {}
    answer: Any = {
        "number": finding.number,
        "choice": finding.choice,
        "list": list(finding.items),
    }.get(finding.value, finding.value)
    return {
        "answer": answer,
        "sentence": finding.sentence,
        "span": list(finding.span),
        "supported": finding.supported,
        "rule": finding.rule,
    }
