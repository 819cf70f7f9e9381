"""Does the judge pick the better of two? ``python -m benchmarks.label_errors.pairs``.

Every drawn structure of a half of the patients stands beside a wrong copy of itself, one for each
kind and severity of error; the product's judge (`labeling.config.JudgeConfig.name`) is asked which
fits. What is usual it has learned from the other half; around the structure lie the true masks of
the scan's other structures. Which of the two comes first is drawn; a tie counts half.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.cohort.label_errors import KINDS, severities
from benchmarks.label_errors.arms import settings
from benchmarks.label_errors.planting import Truth, draw, half_of
from benchmarks.label_errors.scoring import share
from benchmarks.label_errors.workspaces import base
from labeling.body import body_frame
from labeling.config import LabelingConfig
from labeling.expert.detect import results_of
from labeling.expert.features import hu_median
from labeling.expert.suspicion import weigh
from labeling.rules import CaseFacts, load_anatomy
from labeling.structures import Structure
from voxcurate.protocols import LABEL_JUDGES, load
from voxcurate.stage import StageContext

WANTED = {"gross": 0.95, "subtle": 0.85}


@dataclass(frozen=True)
class Answer:
    """The judge's answer to one pair: 1 right, 0 wrong, 0.5 a tie."""

    case_id: str
    class_id: str
    kind: str
    severity: str
    dsc: float
    right: float


def ask(
    ctx: StageContext, config: LabelingConfig, truth: Truth, half: str, per_case: int, seed: int
) -> Iterator[Answer]:
    """All pairs of a half.

    Args:
        per_case: kinds and severities asked of each structure, at random; 0: all.
    """
    from voxcurate.nifti import read_nifti

    results = results_of(ctx, "detect")
    others = {c: r for c, r in results.items() if half_of(c) != half}
    suspicions, usual = weigh(ctx, config, others)
    list(suspicions)  # some versions learn as they go
    anatomy = load_anatomy(ctx.vocabulary, config.rules.anatomy, config.rules.weights)
    kind_of_judge = load(LABEL_JUDGES, config.judge.name)
    rng = np.random.default_rng([seed, 3])
    ways = [(k, s) for k in KINDS for s in severities(k) if k != "false_positive"]
    for case in sorted(c for c in truth.labels if half_of(c) == half):
        scan = truth.scans[case]
        volume = read_nifti(ctx.workspace.root / scan.path)
        own = {
            c: Structure.of(c, truth.mask(case, c), volume.affine)
            for c, label in truth.labels[case].items()
            if label.voxels
        }
        hu = {c: hu_median(s, volume.array) for c, s in own.items()}
        middle = body_frame(volume.array, volume.affine).middle
        for name in sorted(own):
            around = {c: s for c, s in own.items() if c != name}
            facts = CaseFacts({c: x for c, x in hu.items() if c != name}, middle)
            judge = kind_of_judge(usual, anatomy, config.judge, context=around, facts=facts)
            asked = rng.permutation(len(ways))[: per_case or None]
            for kind, severity in (ways[int(n)] for n in sorted(asked)):
                wrong = draw(truth, case, name, kind, severity, seed)
                if wrong is None:
                    continue
                rival = Structure.of(name, wrong.mask, volume.affine)
                is_first = _is_first(case, name, kind, severity)
                pair = [own[name], rival] if is_first else [rival, own[name]]
                choice = judge.compare(volume, name, pair).choice
                right = 0.5 if choice is None else float((choice == 0) == is_first)
                yield Answer(case, name, kind, severity, wrong.dsc, right)


def _is_first(*words: str) -> bool:
    return hashlib.sha256("/".join(words).encode()).digest()[0] % 2 == 0


def evaluate(answers: Sequence[Answer]) -> dict[str, Any]:
    """Shares of right answers by severity, and by severity and kind or class."""
    found: dict[str, Any] = {}
    for severity in ("gross", "moderate", "subtle"):
        own = [a for a in answers if a.severity == severity]
        found[severity] = {
            "all": _right(own),
            "by_kind": _split(own, lambda a: a.kind),
            "by_class": _split(own, lambda a: a.class_id),
        }
    return found


def _split(answers: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, Any]:
    names = sorted({key(a) for a in answers})
    return {name: _right([a for a in answers if key(a) == name]) for name in names}


def _right(answers: Sequence[Answer]) -> dict[str, Any]:
    """Share of right answers, ties half, with counts and interval over patients."""
    if not answers:
        return {"n": 0}
    twice = [float(x) for a in answers for x in (a.right > 0.25, a.right > 0.75)]
    cases = [a.case_id for a in answers for _ in range(2)]
    figure = share([bool(x) for x in twice], cases)
    ties = sum(a.right == 0.5 for a in answers)
    return {
        "n": len(answers),
        "ties": ties,
        "share": figure["share"],
        "share_95": figure["share_95"],
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """A table: kinds and classes by severity."""
    table = Table("", title="the judge's right answers, ties half (n; ties)")
    for severity in found:
        table.add_column(severity, justify="right")
    rows = {"all": [f["all"] for f in found.values()]}
    for part in ("by_kind", "by_class"):
        for name in sorted({n for f in found.values() for n in f[part]}):
            rows[name] = [f[part].get(name, {"n": 0}) for f in found.values()]
    for name, cells in rows.items():
        table.add_row(name, *(_cell(cell) for cell in cells))
    console.print(table)


def _cell(figure: Mapping[str, Any]) -> str:
    if not figure["n"]:
        return ""
    low, high = figure["share_95"]
    return f"{figure['share']:.3f} ({low:.2f} to {high:.2f}; {figure['n']}; {figure['ties']})"


def main(arguments: list[str] | None = None) -> int:
    """Ask, count, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_errors.pairs", description=__doc__
    )
    parser.add_argument("--predicted", type=Path, required=True, help="folder with predictions")
    parser.add_argument("--folder", type=Path, required=True, help="keeps a copy of it")
    parser.add_argument("--half", choices=("even", "odd"), default="even")
    parser.add_argument("--cases", type=int, default=0, help="the first so many scans only")
    parser.add_argument("--per-case", type=int, default=0, help="errors of each structure; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args(arguments)
    config = settings()
    ctx = base(given.folder / "base", given.predicted, config)
    truth = Truth(ctx)
    if given.cases:
        for case in list(truth.labels)[given.cases :]:
            del truth.labels[case]
    start = time.perf_counter()
    answers = list(ask(ctx, config, truth, given.half, given.per_case, given.seed))
    found = evaluate(answers)
    show(found, Console(width=150))
    seconds = time.perf_counter() - start
    Console().print(f"{len(answers)} pairs, {seconds:.0f} s with drawing them, {given.half} half")
    if given.json:
        raw = [asdict(a) for a in answers]
        given.json.write_text(json.dumps({"figures": found, "answers": raw}) + "\n")
    wanted = {s: found[s]["all"].get("share", 0.0) >= least for s, least in WANTED.items()}
    return int(not all(wanted.values()))


if __name__ == "__main__":
    sys.exit(main())
