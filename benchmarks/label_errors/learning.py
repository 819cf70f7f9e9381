"""Do the committee's weights get better by what people decide? ``python -m
benchmarks.label_errors.learning``.

Labels of one half of the patients are made wrong (`benchmarks.label_errors`), by several seeds; the
product fuses, detects and judges, and mends nothing, so that all it asks about would go to people.
A simulated person who knows the truth answers each of these items: is the candidate clearly nearer
to the truth, is the label wrong? N such answers on one half of these patients are learned from, and
probabilities held against the answers on the other half; then the halves change places. Once with
the weights as written, once with learned ones, once with what the product would use. Part of the
answers that are learned from can be wrong (``--mistakes``).
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agent.cohort.label_errors import dsc
from benchmarks.label_errors.arms import GROUPS, settings
from benchmarks.label_errors.planting import Truth, choose, half_of
from benchmarks.label_errors.scoring import auroc
from benchmarks.label_errors.workspaces import base, check, context, copy, plant
from labeling.config import LabelingConfig
from labeling.expert import detect, judge
from labeling.expert.committee import PRIORS
from labeling.expert.learning import Calibration, Case, calibration, fit, learn, written
from labeling.fusion import fuse
from voxcurate.catalog import Decision, Label
from voxcurate.labels import read_mask
from voxcurate.stage import StageContext

SIZES = (20, 40, 80, 160)
CLEARLY = 0.05  # of Dice: a person sees that much
RIGHT = 0.95  # Dice with the truth of a label that a person leaves as it is
ARMS = (("gross", 0.05), ("finer", 0.2))


@dataclass(frozen=True)
class Item:
    """One item of the queue and a person's answers to it; None where there is none."""

    seed: int
    case_id: str
    class_id: str
    votes: dict[str, dict[str, float]]
    answers: dict[str, bool | None]


def items(
    folder: Path,
    truth: Truth,
    clean: Path,
    config: LabelingConfig,
    seed: int,
    group: str,
    rate: float,
) -> list[Item]:
    """The queue of one corrupted workspace, answered; kept in a file beside it."""
    place = folder / f"learn_{group}_{100 * rate:g}_s{seed}"
    told = folder / f"{place.name}.json"
    if told.exists():
        return [Item(**plain) for plain in json.loads(told.read_text())]
    copy(clean, place)
    cases = frozenset(truth.labels)
    plant(context(place), choose(truth, rate, seed, GROUPS[group]))
    ctx = context(place, cases=cases)
    for stage in (fuse, detect, judge):
        check(stage.run(ctx, config))
    found = [_answered(ctx, truth, seed, d) for d in _judged(ctx)]
    told.write_text(json.dumps([asdict(x) for x in found if x is not None]) + "\n")
    return [x for x in found if x is not None]


def _judged(ctx: StageContext) -> list[Decision]:
    rows = ctx.catalog.rows(Decision, round=ctx.round, stage="judge")
    return [d for d in rows if "committee" in d.evidence and d.verdict == "to_review"]


def _answered(ctx: StageContext, truth: Truth, seed: int, d: Decision) -> Item | None:
    if d.class_id not in truth.labels[d.case_id]:
        return None  # nobody drew it: the truth is unknown
    shape = tuple(truth.scans[d.case_id].shape)
    fused = ctx.catalog.rows(Label, case_id=d.case_id, class_id=d.class_id, origin="pseudo")
    candidate = d.other_label or (fused[0].label_id if fused else "")
    wanted = [i for i in (d.label_id, candidate) if i]
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=wanted)}
    right = truth.mask(d.case_id, d.class_id)
    scores = {
        i: dsc(read_mask(ctx.workspace.root, x.path, shape), right) for i, x in labels.items()
    }
    own, other = scores[d.label_id], scores.get(candidate)
    better = None
    if other is not None and abs(other - own) >= CLEARLY:
        better = other > own
    return Item(
        seed, d.case_id, d.class_id, d.evidence["committee"]["votes"],
        {"better": better, "wrong": own < RIGHT},
    )  # fmt: skip


def cases_of(found: Sequence[Item], head: str) -> list[Case]:
    """The items that answer a question."""
    return [
        Case(x.votes[head], bool(x.answers[head]), x.case_id)
        for x in found
        if head in x.votes and x.answers[head] is not None
    ]


def is_taught(item: Item) -> bool:
    """Whether a patient is one of those whose items are learned from."""
    return hashlib.sha256(f"learn/{item.case_id}".encode()).digest()[0] % 2 == 0


def score(log_odds: Sequence[float], answers: Sequence[bool], first: int) -> dict[str, Any]:
    """Calibration and ranking; ranks within each half, whose weights differ (`first`: the cases of
    the first one)."""
    z, right = np.array(log_odds), np.array(answers)
    chances = 1 / (1 + np.exp(-np.clip(z, -50, 50)))
    found: Calibration = calibration([float(p) for p in chances], answers)
    parts = [slice(0, first), slice(first, None)]
    ranks = np.mean([auroc(z[p], right[p].astype(float), np.ones(len(z[p]))) for p in parts])
    agreed = float(np.mean((z > 0) == right))
    return {**found.plain(), "auroc": round(float(ranks), 4), "agreed": round(agreed, 4)}


def curve(
    found: Sequence[Item], head: str, *, draws: int, mistakes: float, seed: int
) -> dict[str, Any]:
    """By number of answers: the written weights, learned ones, and what the product would use (the
    learned ones if they do better on held-out patients); always on patients not learned from.

    Args:
        found: items of all seeds.
        head: the question.
        draws: of the answers that are learned from; figures are means over them.
        mistakes: share of answers that are wrong.
        seed: of the draws.
    """
    halves = [cases_of([x for x in found if is_taught(x) == side], head) for side in (False, True)]
    tested = [*halves[0], *halves[1]]
    answers, prior = [c.answer for c in tested], PRIORS[head]
    start = written(prior)
    first = len(halves[0])
    as_written = score([start.log_odds(c.votes) for c in tested], answers, first)
    rows: dict[str, Any] = {"written": as_written}
    rng = np.random.default_rng([seed, 11])
    least = min(len(half) for half in halves)
    for n in (*[size for size in SIZES if size < least], least):
        scores: dict[str, list[dict[str, Any]]] = {"learned": [], "used": []}
        for _ in range(draws):
            odds: dict[str, list[float]] = {"learned": [], "used": []}
            for taught, test in ((1, 0), (0, 1)):
                chosen = _taught(halves[taught], n, mistakes, rng)
                used = learn(chosen, prior, minimum=min(n, 30), minimum_each=5).weights
                for kind, weights in (("learned", fit(chosen, prior)), ("used", used)):
                    odds[kind] += [weights.log_odds(c.votes) for c in halves[test]]
            for kind, z in odds.items():
                scores[kind].append(score(z, answers, first))
        for kind, own in scores.items():
            keys = ("brier", "log_loss", "ece", "auroc", "agreed")
            means = {k: round(float(np.mean([s[k] for s in own])), 4) for k in keys}
            rows[f"{kind} from {n}"] = {"n": len(tested), **means}
    rows["weights"] = dict(fit(tested, prior).values)
    return rows


def _taught(cases: Sequence[Case], n: int, mistakes: float, rng: np.random.Generator) -> list[Case]:
    """So many cases at random, some answered wrongly."""
    chosen = [cases[int(k)] for k in rng.permutation(len(cases))[:n]]
    wrong = rng.random(n) < mistakes
    return [Case(c.votes, c.answer != bool(w), c.group) for c, w in zip(chosen, wrong, strict=True)]


def show(head: str, rows: dict[str, Any], console: Console) -> None:
    """A table."""
    keys = ("n", "brier", "log_loss", "ece", "auroc", "agreed")
    table = Table("", *keys, title=f"is {'the candidate better' if head == 'better' else head}?")
    for name, row in rows.items():
        if name != "weights":
            table.add_row(name, *(str(row[k]) for k in keys))
    console.print(table)
    console.print(f"weights: {rows['weights']}")


def main(arguments: list[str] | None = None) -> int:
    """Plant, judge, answer, learn, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_errors.learning", description=__doc__
    )
    parser.add_argument("--predicted", type=Path, required=True, help="folder with predictions")
    parser.add_argument("--folder", type=Path, required=True, help="keeps copies")
    parser.add_argument("--half", choices=("even", "odd"), default="even")
    parser.add_argument("--seeds", type=int, default=4, help="corruption seeds, from 0")
    parser.add_argument("--draws", type=int, default=20, help="of the answers learned from")
    parser.add_argument("--mistakes", type=float, default=0.0, help="share of wrong answers")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args(arguments)
    config = settings()
    config = config.model_copy(update={"judge": config.judge.model_copy(update={"auto_mend": ()})})
    ctx = base(given.folder / "base", given.predicted, config)
    truth = Truth(ctx)
    for case in [c for c in truth.labels if half_of(c) != given.half]:
        del truth.labels[case]
    found = [
        item
        for group, rate in ARMS
        for seed in range(given.seeds)
        for item in items(given.folder, truth, given.folder / "base", config, seed, group, rate)
    ]
    console = Console(width=150)
    figures = {}
    for head in PRIORS:
        figures[head] = curve(found, head, draws=given.draws, mistakes=given.mistakes, seed=0)
        show(head, figures[head], console)
    if given.json:
        given.json.write_text(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
