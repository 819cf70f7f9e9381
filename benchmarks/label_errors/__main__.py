"""How well are wrong labels found and mended? ``python -m benchmarks.label_errors``.

Labels of real head-and-neck CTs are made wrong in known ways (`agent.cohort.label_errors`), at
rates and seeds; then the product's own stages look at them: fuse, detect, judge, assemble, and
again on the mended labels. Beside its suspicion stand other detectors on the same labels
(`benchmarks.label_errors.detectors`). Predictions are out of fold, from
`benchmarks.attention_quality --folder PREDICTED` (made on first use: 25 minutes of processor time):
networks that were trained on uncorrupted labels, which is kinder than life; ``--trained`` trains
them on the corrupted ones (as long again for each rate and seed). ``--synthetic N`` takes synthetic
abdominal CTs of N patients and made-up predictions instead (`benchmarks.label_errors.synthetic`).
Work on the even patients;
``--half odd`` is for reporting. Exit status 1 if gross errors at 5 % are not found and mended as
asked for.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.attention_quality_cohort import open_cohort, train_and_predict
from benchmarks.label_errors.arms import GROUPS, Arm, measure
from benchmarks.label_errors.synthetic import build
from benchmarks.label_errors.tables import AT_RATE, evaluate, reached, show

RATES = "0.02,0.05,0.1,0.2"


def main(arguments: list[str] | None = None) -> int:
    """Plant, detect, mend, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_errors", description=__doc__)
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "openkbp_ct"
    parser.add_argument("--data", type=Path, default=default, help="folder with the scans")
    parser.add_argument("--source", default="openkbp", help="description of the folder")
    parser.add_argument("--predicted", type=Path, required=True, help="folder with predictions")
    parser.add_argument("--folder", type=Path, required=True, help="keeps copies and networks")
    parser.add_argument("--synthetic", type=int, default=0, help="patients; 0: real scans")
    parser.add_argument("--rates", default=str(AT_RATE), help=f"share of wrong labels: {RATES}")
    parser.add_argument("--seeds", type=int, default=1, help="corruption seeds, from 0")
    parser.add_argument("--groups", default="gross", help=f"of severities: {','.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=2, help="of mending; 0: detection only")
    parser.add_argument("--mend-rates", default=str(AT_RATE), help="rates that are mended too")
    parser.add_argument("--cases", type=int, default=0, help="the first so many scans only")
    parser.add_argument("--trained", action="store_true", help="networks of the corrupted labels")
    parser.add_argument("--effort", type=float, default=1.0, help="times the usual training steps")
    parser.add_argument("--models", default="", help="only these: unet_small_fold0,...")
    parser.add_argument("--half", choices=("even", "odd", "all"), default="even")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    given = parser.parse_args(arguments)
    if given.synthetic and not given.predicted.exists():
        build(given.predicted, given.synthetic)
    elif not (given.predicted / "workspace" / "predictions").is_dir():
        train_and_predict(open_cohort(given.predicted, given.data, given.source), given.effort)
    arms = [
        Arm(group, float(rate), seed, given.trained)
        for group in given.groups.split(",")
        for rate in given.rates.split(",")
        for seed in range(given.seeds)
    ]
    mended = {float(rate) for rate in given.mend_rates.split(",") if rate}
    progress = Console(stderr=True)
    measured = []
    for one in measure(
        given.folder, given.predicted, arms, cases=given.cases, effort=given.effort,
        models=tuple(name for name in given.models.split(",") if name),
        rounds=lambda arm: given.rounds if arm.rate in mended else 0,
    ):  # fmt: skip
        measured.append(one)
        progress.print(f"{len(measured)} of {len(arms)}: {one.arm.name}")
    found = evaluate(measured, given.half)
    show(found, Console(width=190))
    wanted = reached(found)
    for what, done in wanted.items():
        Console().print(f"{what}: {'reached' if done else 'not reached'}")
    if given.json:
        raw = [one.plain() for one in measured]
        given.json.write_text(json.dumps({"figures": found, "measured": raw}) + "\n")
    return int(not all(wanted.values()))


if __name__ == "__main__":
    sys.exit(main())
