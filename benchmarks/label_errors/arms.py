"""One corrupted data set after the other: plant, detect, score, mend."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.cohort.label_errors import Severity
from benchmarks.label_errors.detectors import SoftVoxels, score_labels
from benchmarks.label_errors.mending import Outcome, mend_rounds, predicted_dice
from benchmarks.label_errors.planting import Planted, Truth, choose
from benchmarks.label_errors.scoring import Row
from benchmarks.label_errors.workspaces import base, check, context, copy, plant, retrain
from labeling.config import FuseConfig, JudgeConfig, LabelingConfig
from labeling.expert import detect
from labeling.expert.detect import results_of
from labeling.fusion import fuse

MENDING = ("pseudo", "judged", "original")
GROUPS: dict[str, tuple[Severity, ...]] = {"gross": ("gross",), "finer": ("moderate", "subtle")}


@dataclass(frozen=True)
class Arm:
    """A corrupted data set: what is planted, and whether the networks were trained on it."""

    group: str
    rate: float
    seed: int
    trained: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        percent = f"{100 * self.rate:g}".replace(".", "_")
        return f"{'trained_' if self.trained else ''}{self.group}_{percent}_s{self.seed}"


@dataclass(frozen=True)
class Measured:
    """What came out of an arm."""

    arm: Arm
    errors: list[Planted]
    rows: list[Row]
    outcomes: list[Outcome] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def settings(models: tuple[str, ...] = ()) -> LabelingConfig:
    """The product's defaults, with originals mended too: the copies' errors are planted."""
    return LabelingConfig(judge=JudgeConfig(auto_mend=MENDING), fuse=FuseConfig(models=models))


def measure(
    folder: Path,
    predicted: Path,
    arms: Sequence[Arm],
    *,
    rounds: Callable[[Arm], int],
    cases: int = 0,
    effort: float = 1.0,
    models: tuple[str, ...] = (),
) -> Iterator[Measured]:
    """Each arm in turn.

    Args:
        folder: for copies of the workspace; networks trained on corrupted labels stay there.
        predicted: as `benchmarks.attention_quality` leaves it.
        arms: what is wanted.
        rounds: of mending, for an arm; 0: detection only.
        cases: the first so many only (for a quick look); 0: all.
        effort: times the usual training steps.
        models: names of the models that count; the scans that they predict are measured. Empty:
            all of them.
    """
    config = settings(models)
    clean = folder / "_".join(["base", *models])
    ctx = base(clean, predicted, config)
    wanted = [scan.case_id for scan in ctx.scans("train", "validation")][: cases or None]
    truth = Truth(ctx, wanted)
    dice = predicted_dice({c: r for c, r in results_of(ctx, "detect").items() if c in wanted})
    soft = SoftVoxels(models)
    for arm in arms:
        place = folder / arm.name
        if arm.trained:
            only = _trained(place, predicted, truth, arm, effort, models)
            source, place = place, folder / f"{arm.name}_run"
            copy(source, place)
        else:
            errors = choose(truth, arm.rate, arm.seed, GROUPS[arm.group])
            only = [error for error, _ in errors]
            copy(clean, place)
            plant(context(place), errors)
        own = context(place, cases=frozenset(wanted) if cases else frozenset())
        check(fuse.run(own, config))
        check(detect.run(own, config))
        planted = {(e.case_id, e.class_id): e for e in only}
        scored = score_labels(own, config, SoftVoxels(models) if arm.trained else soft, arm.seed)
        rows = []
        seen = {case for case, r in results_of(own, "detect").items() if _is_seen(r)}
        for one in (x for x in scored if x.case_id in seen.intersection(wanted)):
            error = planted.get((one.case_id, one.class_id))
            kind, severity = (error.kind, error.severity) if error else ("", "")
            rows.append(Row(arm.rate, arm.seed, one.case_id, one.class_id, kind, severity,
                            dict(one.scores)))  # fmt: skip
        n = rounds(arm)
        outcomes = mend_rounds(own, config, truth, only, dice, n) if n else []
        outcomes = [x for x in outcomes if x.case_id in seen]
        yield Measured(arm, only, rows, outcomes)


def _trained(
    place: Path, predicted: Path, truth: Truth, arm: Arm, effort: float, models: tuple[str, ...]
) -> list[Planted]:
    """Make a workspace with networks of wrong labels, once; which labels are wrong."""
    told = place / "errors.json"
    if not told.exists():
        errors = choose(truth, arm.rate, arm.seed, GROUPS[arm.group])
        copy(predicted, place, learned=False)
        plant(context(place), errors)
        told.write_text(json.dumps([error.plain() for error, _ in errors]) + "\n")
    retrain(context(place), effort, models)
    return [Planted(**plain) for plain in json.loads(told.read_text())]


def _is_seen(result: Mapping[str, Any]) -> bool:
    """Whether a case has predictions."""
    return any(row["comparison"]["n_models"] for row in result["rows"])
