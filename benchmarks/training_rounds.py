"""What two rounds are worth: flagship against its first round, cold starts and a plain MONAI U-Net.

Run: ``python -m benchmarks.training_rounds --folder F [--list] [--only NAME]``. Every finished
piece leaves ``F/<piece>.json`` and is not done again; a killed one goes on from its ledger and
checkpoint (the plain U-Net's begins anew). Prints Markdown tables of what is there so far. Of the
hippocampus: ``--data DATA/msd_hippocampus_mr --source msd_hippocampus_mr --patch 40 56 40 --spacing
1 1 1``. ``--cohort 36`` makes and takes a synthetic cohort, with lesions and scans without labels.

The labels of the training patients are made as labels in the wild are: a share is wrong
(`agent.cohort.label_errors`), a share is missing; a few patients stay right and are marked gold.
Then the product's own rounds run (`agent.rounds`), nobody looking, original labels open to mending.
Test labels are left alone and only score. The split is ingest's, by a keyed hash of the patient,
the same for all seeds; the seed decides errors, gaps, gold patients and networks.

All models of the comparison take equally many optimiser steps from random weights: cold-start
networks and the plain U-Net on the labels as they came, flagships on those that a round assembled.
A cold-start network leaves out a fold of the patients, as it must. ``tuned`` is what the product
does unless told otherwise: the second round goes on from the first one's weights, so it has had
twice the steps; it stands apart. Ablations train round 2's flagship again, without one part, and
with a fifth of synthetic tumours, which are off unless asked for.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from agent.cohort import generate_cohort
from benchmarks.training_rounds_tables import ablation_table, comparison_table
from benchmarks.training_rounds_world import World
from voxcurate.workspace import write_text

ABLATIONS = ("mix", "synthetic", "selective", "anneal", "replay", "text")
NO_ORGAN = {"synthetic": "n/a: these scans have no organ to grow tumours in"}
NOT_HERE = {"replay": "n/a: both rounds are of the same patients, so nothing is left to remember"}
# in trainings: a round trains four networks, the next one; prediction and mending come on top
TRAININGS = {"round1": 7.0, "round2": 2.0, "plain": 1.1, "tuned": 1.2, "without": 1.2, "with": 1.2}


@dataclass(frozen=True)
class Settings:
    """Sizes; the defaults are those of the table in docs/LOG.md."""

    steps: int = 400
    batch: int = 2
    patch: tuple[int, int, int] = (64, 48, 64)
    spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)
    network: str = "unet_small"
    zoo: tuple[str, ...] = ("unet_small", "dynunet_small", "segresnet_small")
    wrong: float = 0.15
    missing: float = 0.2
    gold: float = 0.17
    training_minutes: float = 3.5
    device: str = "auto"


def pieces(seeds: int, not_here: Mapping[str, str] | None = None) -> list[str]:
    """All pieces in their order: later ones of a seed want its rounds."""
    left_out = NO_ORGAN | NOT_HERE if not_here is None else not_here
    added = [f"s0_with_{part}" for part in NO_ORGAN if part not in left_out]
    found = []
    for seed in range(seeds):
        found += [f"s{seed}_{kind}" for kind in ("plain", "round1", "round2", "tuned")]
    return found + [f"s0_without_{part}" for part in ABLATIONS if part not in left_out] + added


def minutes(piece: str, settings: Settings) -> float:
    """About how long a piece takes on two quiet cores, predictions included."""
    return TRAININGS[piece.split("_")[1]] * settings.training_minutes


def do(piece: str, world: World) -> dict[str, Any]:
    """Run one piece: scores of its models by name."""
    kind, _, part = piece.split("_", 1)[1].partition("_")
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "plain": world.plain,
        "round1": lambda: world.round(1),
        "round2": lambda: world.round(2),
        "tuned": lambda: world.again(warm_start=True),
        "without": lambda: world.again(without=(part,)),
        "with": lambda: world.again(share_of=part),
    }
    return steps[kind]()


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """Run what is left, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "openkbp_ct"
    parser.add_argument("--folder", type=Path, required=True, help="keeps workspaces and results")
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--source", default="openkbp", help="description of the data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[], help="this piece; again for more")
    parser.add_argument("--list", action="store_true", help="what is left, with estimated minutes")
    parser.add_argument("--steps", type=int, default=0, help="another number of optimiser steps")
    parser.add_argument("--patch", type=int, nargs=3, default=Settings.patch)
    parser.add_argument("--spacing", type=float, nargs=3, default=Settings.spacing_mm, help="mm")
    parser.add_argument("--cohort", type=int, default=0, help="patients of a synthetic cohort")
    given = parser.parse_args(arguments)
    not_here = NOT_HERE if given.cohort else NO_ORGAN | NOT_HERE
    if given.cohort:
        given.data, given.source = given.folder / "cohort" / "cohort", ""
        if not given.list and not (given.folder / "cohort" / "truth").is_dir():
            generate_cohort(given.folder / "cohort", patients=given.cohort, seed=0)
    sizes = settings or Settings(
        steps=given.steps or Settings.steps,
        patch=tuple(given.patch),
        spacing_mm=tuple(given.spacing),
    )
    names = pieces(given.seeds, not_here)
    todo = given.only or names
    unknown = sorted(set(todo) - set(names))
    if unknown:
        parser.error(f"no piece {', '.join(unknown)}; there are: {', '.join(names)}")
    left = [piece for piece in todo if not _path(given.folder, piece).is_file()]
    if given.list:
        lines = [f"{piece}: about {minutes(piece, sizes):.0f} min" for piece in left]
        total = sum(minutes(piece, sizes) for piece in left)
        sys.stdout.write("\n".join([*lines, f"left: {total:.0f} min"]) + "\n")
        return 0
    for piece in left:
        seed = int(piece.split("_")[0][1:])
        sys.stderr.write(f"{piece}: about {minutes(piece, sizes):.0f} min\n")
        start = perf_counter()
        world = World(given.folder, given.data, given.source, seed, sizes)
        try:
            found = do(piece, world)
        finally:
            world.close()
        told = {"piece": piece, "seconds": round(perf_counter() - start), **found}
        write_text(_path(given.folder, piece), json.dumps(told, indent=1) + "\n")
    done = read(given.folder, names)
    sys.stdout.write(comparison_table(done) + "\n\n" + ablation_table(done, not_here) + "\n")
    return 0


def read(folder: Path, names: Sequence[str]) -> Mapping[str, Any]:
    """The finished pieces."""
    paths = {name: _path(folder, name) for name in names}
    return {name: json.loads(p.read_text()) for name, p in paths.items() if p.is_file()}


def _path(folder: Path, piece: str) -> Path:
    return folder / f"{piece}.json"


if __name__ == "__main__":
    raise SystemExit(main())
