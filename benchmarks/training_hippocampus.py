"""Full-data training on the hippocampus MR of the Medical Segmentation Decathlon, on a CPU.

Run: ``python -m benchmarks.training_hippocampus --folder F`` (30 minutes on two quiet cores;
killed, the same command goes on). 30 of the 130 cases, fixed by a hash of names, are held out and
touched once, at the end; the rest trains by the functions of ``voxcurate train``, as they plan it.
Prints the mean foreground Dice (mean of both classes, and of their union) with a bootstrap interval
over the cases. nnU-Net's full-data mark is 0.895. Exit status 1 below 0.87.

Choices are made with ``--development``: the held-out part is then a fourth of the training part.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxcurate.ids import content_id

GOAL, MARK = 0.87, 0.895
N_HELD_OUT, N_DEVELOPMENT = 30, 25
CLASSES = ("anterior_hippocampus", "posterior_hippocampus")
SOURCE = "msd_hippocampus_mr"


def main() -> int:
    """Train, predict, print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / SOURCE
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--network", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--development", action="store_true")
    given = parser.parse_args()
    start = time.perf_counter()
    train, test = split(names(given.data), development=given.development)
    for part, cases in (("train", train), ("test", test)):
        link(given.data, given.folder / part, cases)
    trained = fit(given.folder, given)
    scores = score(given.folder, test)
    result = {
        "held_out": "development" if given.development else "test",
        "training_cases": len(train),
        **summarise(scores, given.seed),
        "goal": GOAL,
        "nnunet": MARK,
        "steps": trained.plan["steps"],
        "plan": trained.plan["reasons"],
        "seconds_of_this_call": round(time.perf_counter() - start),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(result["foreground_dice"]["mean"] < GOAL)


def names(data: Path) -> list[str]:
    """The cases that have an image and a label."""
    ending = ".nii.gz"
    found = [path.name.removesuffix(ending) for path in (data / "images").glob(f"*{ending}")]
    return sorted(name for name in found if (data / "labels" / f"{name}{ending}").is_file())


def split(cases: Sequence[str], *, development: bool) -> tuple[list[str], list[str]]:
    """Training and held-out cases, by a hash of the name, whatever the order."""
    ordered = sorted(cases, key=lambda name: content_id("hippocampus", name))
    test, rest = ordered[:N_HELD_OUT], ordered[N_HELD_OUT:]
    if development:
        test, rest = rest[:N_DEVELOPMENT], rest[N_DEVELOPMENT:]
    return sorted(rest), sorted(test)


def link(data: Path, folder: Path, cases: Sequence[str]) -> None:
    """A folder with links to some cases."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name in cases:
            place = folder / kind / f"{name}.nii.gz"
            if not place.exists():
                place.symlink_to((data / kind / place.name).resolve())


def fit(folder: Path, given: argparse.Namespace) -> Any:
    """The model, by the functions of ``voxcurate train``; nothing of the test part is there."""
    from agent.training import train_folder
    from agent.training_job import How

    how = How(
        out=folder / "bundle",
        source=SOURCE,
        name="hippocampus",
        network=given.network,
        steps=given.steps,
        minutes=0.0 if given.steps else given.minutes,
        hold_out=0.0,
        seed=given.seed,
        settings=tuple(given.settings),
    )
    return train_folder(folder / "train", how)


def score(folder: Path, cases: Sequence[str]) -> dict[str, dict[str, float]]:
    """Dice by case, of each class and of both together."""
    from agent.predicting import Alone, predict_alone
    from voxcurate.metrics import dsc
    from voxcurate.nifti import read_nifti

    how = Alone([str(folder / "bundle")], folder / "predicted", is_flat=True, label_map=True)
    done = predict_alone([folder / "test" / "images"], how)
    if done.failed:
        raise SystemExit(f"{len(done.failed)} cases failed: {next(iter(done.failed.values()))}")
    numbers = json.loads((folder / "predicted" / "labels.json").read_text())["labels"]
    found = {}
    for name in cases:
        truth = read_nifti(folder / "test" / "labels" / f"{name}.nii.gz").array
        (path,) = (folder / "predicted").glob(f"*{name}.nii.gz")
        mine = read_nifti(path).array
        values = {
            class_id: dsc(mine == numbers[class_id], truth == n)
            for n, class_id in enumerate(CLASSES, start=1)
        }
        values["foreground_dice"] = float(np.mean(list(values.values())))
        values["union_dice"] = dsc(mine > 0, truth > 0)
        found[name] = values
    return found


def summarise(scores: Mapping[str, Mapping[str, float]], seed: int) -> dict[str, Any]:
    """Means and bootstrap intervals over the cases."""
    from voxcurate.intervals import mean_interval

    result: dict[str, Any] = {"held_out_cases": len(scores)}
    for name in ("foreground_dice", "union_dice", *CLASSES):
        table = {name: {case: values[name] for case, values in scores.items()}}
        found = mean_interval(table, {}, seed=seed)
        assert found is not None
        bounds = [None if b is None else round(b, 4) for b in (found.low, found.high)]
        result[name] = {"mean": round(found.mean, 4), "interval": bounds}
    return result


if __name__ == "__main__":
    raise SystemExit(main())
