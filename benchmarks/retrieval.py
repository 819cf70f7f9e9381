"""How well and how fast reports are read: the rules beside keyword search, negspacy and medspaCy.

Run: ``python -m benchmarks.retrieval --set synthetic`` (the synthetic cohort's reports), ``--set
abdomen``, ``chest`` or ``both`` (``benchmarks/blind``; ``--half`` of them) or ``--set chexpert
--data ../shared/data``. ``--engine FILE.yaml`` adds a language model (settings of a chat engine).
negspacy and medspaCy want ``make peers`` first and are skipped with a reason where they are absent.

Precision and recall are those of "yes" among the presence questions that were labelled; what is
truly uncertain is left out of them and shown as its own row. All readers read the same reports one
after the other on one core; each peer gets the findings' mentions for nothing.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import PYTHON, Mentions, context_peer, keywords
from benchmarks.report_scores import Score, agreement, agrees, presence
from benchmarks.report_sets import Labelled, blind, chexpert, synthetic
from retrieval.questions import Question, load_questions
from retrieval.rules.reader import RuleReader
from voxcurate.protocols import Finding

Readings = dict[str, tuple[list[dict[str, Any]], float]]


def plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings as plain answers."""
    return {f.question: _value(f) for f in findings if f.supported}


def _value(found: Finding) -> Any:
    if found.value == "number":
        return found.number
    if found.value == "list":
        return tuple(sorted(found.items))
    return found.choice or found.value


def read_all(
    reports: Sequence[Labelled], questions: tuple[Question, ...], engine: Path | None
) -> tuple[Readings, dict[str, str]]:
    """Each reader's answers and seconds; and why one was skipped."""
    texts = [report.text for report in reports]
    reader = RuleReader(questions)
    reader.read(texts[0])  # compile
    start = time.perf_counter()
    found = [plain(reader.read(text)) for text in texts]
    readings: Readings = {"rules": (found, time.perf_counter() - start)}
    finder = Mentions(questions)
    start = time.perf_counter()
    mentions = [finder.find(text) for text in texts]
    readings["keywords"] = (keywords(mentions), time.perf_counter() - start)
    skipped = {}
    for peer in ("negspacy", "medspacy"):
        if not PYTHON.exists():
            skipped[peer] = "no .venv-peers: run 'make peers'"
            continue
        try:
            readings[peer] = context_peer(peer, texts, mentions)
        except subprocess.CalledProcessError as error:
            skipped[peer] = f"it failed with exit status {error.returncode}"
    if engine is not None:
        readings["llm"] = _by_model(texts, questions, engine)
    return readings, skipped


def _by_model(
    texts: list[str], questions: tuple[Question, ...], engine: Path
) -> tuple[list[dict[str, Any]], float]:
    from retrieval.llm.config import LLMConfig
    from retrieval.llm.reader import make_reader
    from voxcurate.chat import EngineConfig
    from voxcurate.config import build, read_yaml

    with tempfile.TemporaryDirectory() as folder:
        made = make_reader(
            build(EngineConfig, read_yaml(engine)),
            questions,
            root=Path(folder),
            config=LLMConfig(cache=""),
        )
        start = time.perf_counter()
        found = made.read_all(texts)
        seconds = time.perf_counter() - start
    return [plain(reading.findings) for reading in found], seconds


def report(
    reports: Sequence[Labelled],
    questions: tuple[Question, ...],
    readings: Readings,
    *,
    each: bool,
) -> list[str]:
    """The tables as lines."""
    labelled = {q for r in reports for q in r.asked}
    kinds = {q.id: q.kind for q in questions}
    yes_or_no = [q.id for q in questions if q.kind == "presence" and q.id in labelled]
    lines = [f"{'':10}{'precision':>24}{'recall':>24}{'F1':>24}{'reports/s':>12}"]
    for name, (said, seconds) in readings.items():
        score = presence(reports, said, yes_or_no, uncertain="aside")
        lines.append(f"{name:10}{_cells(score)}{len(reports) / max(seconds, 1e-9):12.0f}")
    lines.append("the same, uncertain counted as yes on both sides")
    for name, (said, _) in readings.items():
        lines.append(f"{name:10}{_cells(presence(reports, said, yes_or_no, uncertain='yes'))}")
    lines.append("exact answers")
    for name, (said, _) in readings.items():
        lines.append(f"{name:10}" + "  ".join(_exact(reports, said, kinds)))
    if each:
        lines.append("rules, question by question")
        said, _ = readings["rules"]
        for question in yes_or_no:
            score = presence(reports, said, [question], uncertain="aside")
            if score.tp + score.fp + score.fn:
                lines.append(f"{question:28}{_cells(score)}{score.tp + score.fn:6d} true")
    return lines


def _cells(score: Score) -> str:
    parts = (
        (score.precision, score.precision_interval),
        (score.recall, score.recall_interval),
        (score.f1, score.f1_interval),
    )
    return "".join(f"{f'{value:.3f} [{low:.3f}, {high:.3f}]':>24}" for value, (low, high) in parts)


def _exact(
    reports: Sequence[Labelled], said: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]
) -> list[str]:
    cells = []
    for kind in ("size", "choice", "list", "number"):
        right, total = agreement(reports, said, [q for q, k in kinds.items() if k == kind])
        if total:
            cells.append(f"{kind} {right} of {total}")
    doubtful = [
        (truth, answers.get(question))
        for r, answers in zip(reports, said, strict=True)
        for question, truth in r.truth.items()
        if truth == "uncertain"
    ]
    if doubtful:
        cells.append(f"uncertain {sum(t == g for t, g in doubtful)} of {len(doubtful)}")
    return cells


def mistakes(
    reports: Sequence[Labelled], said: Sequence[Mapping[str, Any]], questions: Sequence[Question]
) -> list[str]:
    """What the rules got wrong, for a set that may be looked at."""
    known = {q.id for q in questions}
    found: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for number, (r, answers) in enumerate(zip(reports, said, strict=True)):
        for question in sorted(known & (r.truth.keys() | (answers.keys() & r.asked))):
            wanted, got = r.truth.get(question), answers.get(question)
            if not agrees(wanted, got):
                key = f"{question}: want {wanted}, got {got}"
                found[key] += 1
                shown.setdefault(key, f"report {number}")
    return [f"{n:4d}  {key}  ({shown[key]})" for key, n in found.most_common()]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="synthetic", dest="name")
    parser.add_argument("--patients", type=int, default=300, help="of the synthetic set")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic set")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--half", choices=["", "first", "second"], default="", help="of blind sets")
    parser.add_argument("--engine", type=Path, help="YAML with a chat engine's settings")
    parser.add_argument("--each", action="store_true", help="a row for every question")
    parser.add_argument("--mistakes", action="store_true", help="only for sets no longer blind")
    options = parser.parse_args()
    sets = {
        "synthetic": lambda: synthetic(options.patients, options.seed),
        "abdomen": lambda: blind("abdomen", options.half),
        "chest": lambda: blind("chest", options.half),
        "both": lambda: blind("abdomen", options.half) + blind("chest", options.half),
        "abdomen2": lambda: blind("abdomen2", options.half),
        "chest2": lambda: blind("chest2", options.half),
        "both2": lambda: blind("abdomen2", options.half) + blind("chest2", options.half),
        "chexpert": lambda: chexpert(options.data / "text" / "chexpert_labeler_samples"),
    }
    if options.name not in sets:
        parser.error(f"no set {options.name!r}: want one of {', '.join(sets)}")
    reports, questions = sets[options.name](), load_questions()
    readings, skipped = read_all(reports, questions, options.engine)
    words = sum(len(r.text.split()) for r in reports) / len(reports)
    answers = sum(len(r.truth) for r in reports)
    missing = sorted({q for r in reports for q in r.truth} - {q.id for q in questions})
    lines = [
        f"set {options.name}: {len(reports)} reports of {words:.0f} words, {answers} answers",
        f"rules {RuleReader(questions).version}, {len(questions)} questions",
        *(f"no question for {q}" for q in missing),
        *report(reports, questions, readings, each=options.each),
        *(f"skipped: {peer}: {why}" for peer, why in skipped.items()),
    ]
    if options.mistakes:
        lines += mistakes(reports, readings["rules"][0], questions)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
