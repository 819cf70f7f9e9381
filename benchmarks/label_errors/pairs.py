"""Does the judge pick the better of two? ``python -m benchmarks.label_errors.pairs``.

Every drawn structure of a half of the patients stands beside a wrong copy of itself, one for each
kind and severity of error; a judge without a network (``--judge anatomy`` or ``committee``) is
asked which fits. What is usual it has learned from the other half; around the structure lie the
true masks of the scan's other structures, and it has the models' out-of-fold probabilities, as in a
round. Which of the two comes first is drawn; a tie counts half. Also told: how many decisions a
second (context and body frame made once a case, as in a round) and where the time goes.
"""

import argparse
import cProfile
import hashlib
import json
import pstats
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.cohort.label_errors import KINDS, severities
from benchmarks.label_errors.arms import settings
from benchmarks.label_errors.planting import Mask, Truth, draw, half_of
from benchmarks.label_errors.scoring import share
from benchmarks.label_errors.workspaces import base
from labeling.body import body_frame
from labeling.config import LabelingConfig
from labeling.expert.case import CaseJudge, JudgedCase, judge_of
from labeling.expert.detect import results_of, usable
from labeling.expert.features import hu_median
from labeling.expert.support import supports
from labeling.expert.suspicion import weigh
from labeling.predicted import Predictions
from labeling.rules import CaseFacts, load_anatomy
from labeling.structures import Structure
from voxcurate.nifti import read_nifti
from voxcurate.predictions import open_prediction
from voxcurate.protocols import Verdict
from voxcurate.stage import StageContext
from voxcurate.volume import Volume

WANTED = {"gross": 0.95, "subtle": 0.85}
WANTED_PER_S = 20
SEVERITIES = ("gross", "moderate", "subtle")
PROFILED = 20
PARTS = {"features": "features", "check": "rules", "step": "probabilities", "of": "boxes",
         "hu_median": "HU", "in_view": "field of view"}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The judge's answer to one pair: 1 right, 0 wrong, 0.5 a tie."""

    case_id: str
    class_id: str
    kind: str
    severity: str
    dsc: float
    right: float


@dataclass
class Clock:
    """How long the judge took for how many decisions, and by which functions."""

    seconds: float = 0.0
    n: int = 0
    profile: cProfile.Profile = field(default_factory=cProfile.Profile)
    profiled: int = 0

    def verdict(self, decide: Callable[[], Verdict]) -> Verdict:
        """A verdict, and its time; every `PROFILED`th is taken a second time under the profiler."""
        start = time.perf_counter()
        found = decide()
        self.seconds += time.perf_counter() - start
        self.n += 1
        if self.n % PROFILED == 0:
            self.profile.runcall(decide)
            self.profiled += 1
        return found

    def parts(self) -> dict[str, float]:
        """Part of the judge to its share of the time, the rest under "other"."""
        if not self.profiled:
            return {}
        stats = pstats.Stats(self.profile).stats  # type: ignore[attr-defined]  # not in its stub
        spent = {name: row[3] for (_, _, name), row in stats.items() if name in PARTS}
        total = max(row[3] for row in stats.values())
        shares = {PARTS[name]: round(s / total, 3) for name, s in spent.items()}
        return {**shares, "other": round(1.0 - sum(shares.values()), 3)}


def ask(
    ctx: StageContext,
    config: LabelingConfig,
    truth: Truth,
    half: str,
    per_case: int,
    seed: int,
    clock: Clock,
) -> Iterator[Answer]:
    """All pairs of a half.

    Args:
        per_case: kinds and severities asked of each structure, at random; 0: all.
        clock: told the time of each decision.
    """
    results = results_of(ctx, "detect")
    others = {c: r for c, r in results.items() if half_of(c) != half}
    suspicions, usual = weigh(ctx, config, others)
    list(suspicions)  # some versions learn as they go
    anatomy = load_anatomy(ctx.vocabulary, config.rules.anatomy, config.rules.weights)
    predictions = Predictions(ctx, config)
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
        lines = usable(predictions.of([case]).get(case, []))[0]
        opened = [open_prediction(ctx.workspace.root / line.result["path"]) for line in lines]
        known = supports(opened, own)
        hu = {c: hu_median(s, volume.array) for c, s in own.items()}
        middle = body_frame(volume.array, volume.affine).middle
        for name in sorted(own):
            around = {c: s for c, s in own.items() if c != name}
            facts = CaseFacts({c: x for c, x in hu.items() if c != name}, middle)
            judge = judge_of(
                JudgedCase(
                    ctx.vocabulary, anatomy, config.judge, usual, around, facts, known,
                    modality=scan.modality,
                )
            )  # fmt: skip
            asked = rng.permutation(len(ways))[: per_case or None]
            for kind, severity in (ways[int(n)] for n in sorted(asked)):
                wrong = draw(truth, case, name, kind, severity, seed)
                if wrong is None:
                    continue
                is_first = _is_first(case, name, kind, severity)

                masks = [truth.mask(case, name), wrong.mask]
                decide = partial(_decide, judge, volume, name, masks if is_first else masks[::-1])
                choice = clock.verdict(decide).choice
                right = 0.5 if choice is None else float((choice == 0) == is_first)
                yield Answer(case, name, kind, severity, wrong.dsc, right)


def _decide(judge: CaseJudge, volume: Volume, name: str, masks: Sequence[Mask]) -> Verdict:
    pair = [Structure.of(name, mask, volume.affine) for mask in masks]
    return judge.judge_all(volume, {name: pair})[name]


def _is_first(*words: str) -> bool:
    return hashlib.sha256("/".join(words).encode()).digest()[0] % 2 == 0


def evaluate(answers: Sequence[Answer]) -> dict[str, Any]:
    """Shares of right answers by severity, and by severity and kind or class, and the confusion
    table: right, wrong and tie by kind and class."""
    found: dict[str, Any] = {}
    for severity in SEVERITIES:
        own = [a for a in answers if a.severity == severity]
        found[severity] = {
            "all": _right(own),
            "by_kind": _split(own, lambda a: a.kind),
            "by_class": _split(own, lambda a: a.class_id),
            "confusion": confusion(own),
        }
    return found


def confusion(answers: Sequence[Answer]) -> dict[str, dict[str, list[int]]]:
    """Kind to class to how many answers were right, wrong and a tie."""
    found: dict[str, dict[str, list[int]]] = {}
    for a in sorted(answers, key=lambda a: (a.kind, a.class_id)):
        cell = found.setdefault(a.kind, {}).setdefault(a.class_id, [0, 0, 0])
        cell[2 if a.right == 0.5 else 0 if a.right else 1] += 1
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


def show_confusion(found: Mapping[str, Any], severity: str, console: Console) -> None:
    """Right / wrong / tie, a row for each kind, a column for each class."""
    rows = found[severity]["confusion"]
    classes = sorted({c for row in rows.values() for c in row})
    table = Table("", title=f"{severity}: right / wrong / tie")
    for name in classes:
        table.add_column(name, justify="right")
    for kind, row in rows.items():
        table.add_row(kind, *(" / ".join(map(str, row[c])) if c in row else "" for c in classes))
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Ask, count, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_errors.pairs", description=__doc__
    )
    parser.add_argument("--predicted", type=Path, required=True, help="folder with predictions")
    parser.add_argument("--folder", type=Path, required=True, help="keeps a copy of it")
    parser.add_argument("--judge", choices=("anatomy", "committee"), default="anatomy")
    parser.add_argument("--half", choices=("even", "odd"), default="even")
    parser.add_argument("--cases", type=int, default=0, help="the first so many scans only")
    parser.add_argument("--per-case", type=int, default=0, help="errors of each structure; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args(arguments)
    config = settings()
    judge = config.judge.model_copy(update={"name": given.judge})
    config = config.model_copy(update={"judge": judge})
    ctx = base(given.folder / "base", given.predicted, config)
    truth = Truth(ctx)
    if given.cases:
        for case in list(truth.labels)[given.cases :]:
            del truth.labels[case]
    start, clock = time.perf_counter(), Clock()
    answers = list(ask(ctx, config, truth, given.half, given.per_case, given.seed, clock))
    found = evaluate(answers)
    console = Console(width=190)
    show(found, console)
    for severity in ("gross", "subtle"):
        show_confusion(found, severity, console)
    seconds = time.perf_counter() - start
    console.print(f"{len(answers)} pairs, {seconds:.0f} s with drawing them, {given.half} half")
    per_s, shares = round(clock.n / max(clock.seconds, 1e-9), 1), clock.parts()
    parts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    console.print(
        f"judge {given.judge}: {per_s} decisions a second, want {WANTED_PER_S}; of the time {parts}"
    )
    if given.json:
        raw = [asdict(a) for a in answers]
        told = {"figures": found, "per_s": per_s, "time": shares, "answers": raw}
        given.json.write_text(json.dumps(told) + "\n")
    wanted = {s: found[s]["all"].get("share", 0.0) >= least for s, least in WANTED.items()}
    return int(not all(wanted.values()))


if __name__ == "__main__":
    sys.exit(main())
