"""Classes that arrive in three tasks: what is forgotten with and without replay.

Run: ``python -m benchmarks.continual FOLDER [--steps 400] [--seeds 0 1 2] [--methods full none]``.

Each task has cases of its own, labelled with its own classes alone; one flagship is fine-tuned from
task to task (`training.rounds.flagship`, one round a task) and tested after each on held-out cases
with all labels. Told are the DSC of each task's classes after each task, and the drop: the DSC of a
task's classes right after it minus that after the last task, mean over the earlier tasks. The first
task is trained once a seed, for all methods. Figures lie in ``FOLDER/<method>_<seed>.json``: a
finished run is not done again, an interrupted one goes on from its checkpoint. Data: openkbp_ct
under VOXCURATE_DATA (default ``../shared/data``).

Methods: ``none`` (no replay), ``full`` (all earlier cases, ScaleMAI's), ``linear``, ``reservoir``,
``dynamic``, ``selective`` (a memory of ``--size`` cases), ``distill`` (no replay, but the old model
speaks of the old classes), ``full+distill`` and so on, and ``joint``: in place of the last
task, one training anew on all cases with as many steps as the three had (a mark to reach).
"""

import argparse
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.continual_data import (
    OPENKBP_TASKS,
    Subject,
    Tasks,
    context,
    open_world,
    openkbp,
)
from benchmarks.label_errors.workspaces import check, copy
from training.config import FlagshipConfig, GridConfig, ReplayConfig, TrainingConfig
from training.rounds import flagship
from training.rounds.models import of_round
from voxcurate.catalog import Label, Model, Scan
from voxcurate.config import build
from voxcurate.nifti import read_nifti
from voxcurate.stage import StageContext
from voxcurate.workspace import write_text

METHODS = ("none", "full", "linear", "dynamic", "selective", "distill", "full+distill")
OVERLAP = 0.25  # of the windows in prediction
Score = dict[str, float]  # class -> mean DSC over the test cases


@dataclass(frozen=True)
class Study:
    """What is run.

    Attributes:
        tasks: the classes of each task, in their order of arrival.
        training: of every task; a method changes replay and distillation only.
        size: cases in a limited memory.
        distill: weight of the old model's word, where it has one.
        network: shipped, by name.
    """

    tasks: Tasks
    training: TrainingConfig
    size: int = 8
    distill: float = 1.0
    network: str = "unet_small"

    def config(self, method: str) -> FlagshipConfig:
        """The flagship's configuration of a method from the second task on."""
        memory, _, more = method.partition("+")
        wants_distill = "distill" in (memory, more)
        training = self.training.model_copy(
            update={"distill": self.distill if wants_distill else 0.0}
        )
        replay = memory not in ("none", "distill")
        kind = memory if replay and memory != "joint" else "full"
        return FlagshipConfig(
            network=self.network,
            training=training,
            replay=build(ReplayConfig, {"memory": kind, "size": self.size}),
            without=() if replay else ("replay",),
        )


def run_method(
    folder: Path, study: Study, method: str, seed: int, base: StageContext, cases: list[list[str]]
) -> dict[str, Any]:
    """All tasks with one method and seed; what is done already is read.

    Args:
        folder: of the figures and workspaces.
        base: of the workspace with all cases.
        cases: training cases of each task.

    Returns:
        ``after``: the DSC by class after each task; ``drops``: by earlier task; ``drop``: their
        mean; ``seconds`` of training.
    """
    path = folder / f"{method}_{seed}.json"
    settings = {"study": _plain(study), "method": method, "seed": seed}
    found = json.loads(path.read_text()) if path.is_file() else {}
    if found.get("settings") != settings:
        found = {"settings": settings, "after": [], "seconds": 0.0}
    first = _first(folder, study, seed, base, cases[0])
    if not found["after"]:
        found["after"].append(first)
    place = folder / f"seed{seed}" / method
    if not (place / "copied").exists():
        copy(folder / f"seed{seed}" / "first", place)
        (place / "copied").touch()
    _share_cache(place, folder)
    tested = sorted(base.cases("test"))
    for task in range(len(found["after"]), len(study.tasks)):
        begin = perf_counter()
        everything = method == "joint" and task == len(study.tasks) - 1
        own = [c for some in cases for c in some] if everything else cases[task]
        config = study.config(method)
        if everything:
            steps = len(study.tasks) * study.training.steps
            training = config.training.model_copy(update={"steps": steps})
            config = config.model_copy(update={"training": training, "warm_start": False})
        model = _trained(place, study.tasks[task], task + 1, seed, [*own, *tested], config)
        found["seconds"] += round(perf_counter() - begin, 1)
        found["after"].append(evaluate(place, model))
        write_text(path, json.dumps(found, indent=1) + "\n")
    found["drops"] = drops(found["after"], study.tasks)
    found["drop"] = float(np.mean(found["drops"]))
    write_text(path, json.dumps(found, indent=1) + "\n")
    return dict(found)


def drops(after: Sequence[Score], tasks: Tasks) -> list[float]:
    """For each task but the last: mean DSC of its classes right after it minus after the last."""
    return [
        task_mean(after[n], tasks[n]) - task_mean(after[-1], tasks[n])
        for n in range(len(tasks) - 1)
    ]


def task_mean(scores: Score, classes: Iterable[str]) -> float:
    """Mean DSC of a task's classes; NaN before they have arrived."""
    values = [scores[c] for c in classes if c in scores]
    return float(np.mean(values)) if values else float("nan")


def evaluate(folder: Path, model: Model) -> Score:
    """Mean DSC of each class over the test cases on which it is drawn."""
    ctx = context(folder)
    predictor = _predictor(ctx, model)
    labels = {
        (row.case_id, row.class_id): row.path
        for row in ctx.catalog.rows(Label, case_id=list(ctx.cases("test")))
    }
    values: dict[str, list[float]] = {c: [] for c in model.classes}
    for scan in ctx.catalog.rows(Scan, split="test"):
        volume = read_nifti(ctx.workspace.root / scan.path)
        for class_id, told in predictor.predict(volume, scan.case_id):
            path = labels.get((scan.case_id, class_id))
            if path:
                truth = read_nifti(ctx.workspace.root / path).array > 0
                inside = told.array >= 128
                both = 2.0 * (truth[told.box] & inside).sum()
                values[class_id].append(float(both / (truth.sum() + inside.sum())))
    ctx.catalog.close()
    return {c: round(float(np.mean(v)), 5) for c, v in values.items() if v}


def show(found: Mapping[tuple[str, int], Mapping[str, Any]], tasks: Tasks) -> Table:
    """Methods as rows, means over the seeds."""
    table = Table(title="DSC of each task's classes, after it and after the last task")
    table.add_column("method")
    for n in range(len(tasks)):
        table.add_column(f"task {n + 1}: after it", justify="right")
        if n + 1 < len(tasks):
            table.add_column(f"task {n + 1}: at the end", justify="right")
    table.add_column("drop", justify="right")
    table.add_column("mean at the end", justify="right")
    table.add_column("s", justify="right")
    for method in dict.fromkeys(method for method, _ in found):
        runs = [run for (name, _), run in found.items() if name == method]
        cells = []
        for n, classes in enumerate(tasks):
            times = (n, len(tasks) - 1) if n + 1 < len(tasks) else (n,)
            cells += [_mean(task_mean(r["after"][t], classes) for r in runs) for t in times]
        cells.append(_mean((run["drop"] for run in runs), sign=True))
        every = [c for task in tasks for c in task]
        cells.append(_mean(task_mean(run["after"][-1], every) for run in runs))
        cells.append(f"{np.mean([run['seconds'] for run in runs]):.0f}")
        table.add_row(f"{method} ({len(runs)})", *cells)
    return table


def run_study(
    folder: Path,
    study: Study,
    subjects: Iterable[Subject],
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    n_test: int,
    console: Console,
) -> dict[tuple[str, int], dict[str, Any]]:
    """Every method and seed; tells after each."""
    base, cases, tested = open_world(folder / "base", subjects, study.tasks, n_test)
    sizes = ", ".join(str(len(c)) for c in cases)
    console.print(f"training cases by task: {sizes}; test cases: {len(tested)}")
    found = {}
    for seed in seeds:
        for method in methods:
            found[method, seed] = run_method(folder, study, method, seed, base, cases)
            console.print(f"{method}, seed {seed}: drop {found[method, seed]['drop']:+.4f}")
    base.catalog.close()
    console.print(show(found, study.tasks))
    return found


def _first(
    folder: Path, study: Study, seed: int, base: StageContext, cases: Sequence[str]
) -> Score:
    """The first task of a seed, trained and tested once for all methods."""
    place = folder / f"seed{seed}" / "first"
    path = place / "first.json"
    settings = _plain(study)
    if path.is_file():
        stored = json.loads(path.read_text())
        if stored["settings"] == settings:
            return dict(stored["after"])
    if not (place / "copied").exists():
        copy(folder / "base", place)
        (place / "copied").touch()
    _share_cache(place, folder)
    everything = [*cases, *base.cases("test")]
    model = _trained(place, study.tasks[0], 1, seed, everything, study.config("full"))
    after = evaluate(place, model)
    write_text(path, json.dumps({"settings": settings, "after": after}) + "\n")
    return after


def _trained(
    folder: Path,
    classes: Sequence[str],
    number: int,
    seed: int,
    cases: Iterable[str],
    config: FlagshipConfig,
) -> Model:
    from dataclasses import replace

    ctx = replace(context(folder, number, cases), classes=tuple(classes), seed=seed)
    check(flagship.run(ctx, config))
    (model,) = of_round(ctx, "flagship")
    ctx.catalog.close()
    return model


def _predictor(ctx: StageContext, model: Model) -> Any:
    from training.predictors.bundle import BundlePredictor
    from training.predictors.spec import BundleSpec, ZooModel

    spec = BundleSpec(name=model.name, licence=model.licence, weights=model.path, overlap=OVERLAP)
    zoo = ZooModel(spec, ctx.workspace.root / model.path)
    return BundlePredictor(zoo, ctx.vocabulary, scratch=ctx.workspace.scratch)


def _share_cache(place: Path, folder: Path) -> None:
    """Prepared cases are the same for all: one cache."""
    shared = (folder / "cache").resolve()
    shared.mkdir(parents=True, exist_ok=True)
    own = place / "workspace" / "cache"
    if not own.is_symlink():
        shutil.rmtree(own, ignore_errors=True)
        own.symlink_to(shared)


def _plain(study: Study) -> dict[str, Any]:
    return {
        "tasks": [list(task) for task in study.tasks],
        "training": study.training.model_dump(mode="json"),
        "size": study.size,
        "distill": study.distill,
        "network": study.network,
    }


def _mean(values: Iterable[float], *, sign: bool = False) -> str:
    some = np.array(list(values))
    text = f"{some.mean():+.3f}" if sign else f"{some.mean():.3f}"
    return f"{text} ± {some.std(ddof=1):.3f}" if some.size > 1 else text


def main() -> None:
    """Read the arguments, run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of figures and workspaces")
    parser.add_argument("--steps", type=int, default=400, help="of each task")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--size", type=int, default=8, help="cases in a limited memory")
    parser.add_argument("--replay", type=float, default=0.5, help="share of the mix")
    parser.add_argument("--test", type=int, default=10, help="test cases")
    arguments = parser.parse_args()
    data = Path(os.environ.get("VOXCURATE_DATA", "../shared/data"))
    replay = arguments.replay
    training = build(
        TrainingConfig,
        {
            "steps": arguments.steps,
            "patch": (48, 40, 48),
            "grid": GridConfig(spacing_mm=(4.0, 4.0, 4.0)).model_dump(),
            "mix": {
                "labelled": 0.7 * (1 - replay),
                "selective": 0.3 * (1 - replay),
                "replay": replay,
            },
            "anneal": {"share": 0.0, "on": "none"},
            "log_every": 50,
        },
    )
    study = Study(OPENKBP_TASKS, training, size=arguments.size)
    run_study(
        arguments.folder, study, openkbp(data / "openkbp_ct"), arguments.methods, arguments.seeds,
        n_test=arguments.test, console=Console(width=180),
    )  # fmt: skip


if __name__ == "__main__":
    main()
