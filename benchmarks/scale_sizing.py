"""Hours and disk of a round by scans and GPUs: the arithmetic behind docs/sizing.md.

``seconds`` are of one item on one device; what is assumed can be given. Each row says how many
items it has, where its seconds come from, and what runs beside what.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.scale_costs import MEASURED

SECONDS, BYTES = MEASURED["seconds"], MEASURED["bytes_per_scan"]
MEASURED_VOXELS = 128**3
MEASURED_MODELS = 252 / 60  # predictions of a scan in the measured rounds
LINE = 800  # bytes of the catalog for a prediction with 24 volumes (simulate)
HOUR = 3600.0


@dataclass(frozen=True)
class Row:
    """One stage: items of a scan, seconds of an item, and on what they run."""

    stage: str
    per_scan: float
    seconds: float
    on: str  # gpu, cores, driver
    source: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables as Markdown."""
    asked = _parser().parse_args(arguments)
    lines = [*_costs(asked), "", *_hours(asked), "", *_disk(asked)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="benchmarks.scale sizing", description=__doc__)
    add = parser.add_argument
    add("--scans", type=int, action="append", help="default: 1,000, 25,362 and 1,000,000")
    add("--gpus", type=int, action="append", help="default: 1, 8 and 64")
    add("--models", type=int, default=19)
    add("--classes", type=int, default=24)
    add("--voxels", type=float, default=512 * 512 * 300, help="of a scan")
    add("--gpu-seconds", type=float, default=20.0, help="of a prediction; assumed")
    add("--train-hours", type=float, default=48.0, help="of the flagship on 8 GPUs; assumed")
    add("--cores", type=int, default=12, help="beside each GPU; assumed")
    add("--overhead", type=float, default=0.17, help="over the ideal; see simulate")
    add("--driver-ms", type=float, default=0.5, help="of an item in the driver; see simulate")
    add("--bytes-per-voxel", type=float, default=1.0, help="of a compressed scan; see the page")
    return parser


def rows(asked: Namespace) -> list[Row]:
    """The stages of a round."""
    larger = asked.voxels / MEASURED_VOXELS
    many = asked.classes / 7 * larger
    cpu = f"measured on 128^3 voxels and 7 classes, x {larger:.1f} voxels"
    classes = f"{cpu} x {asked.classes}/7 classes"
    return [
        Row("ingest", 1, SECONDS["ingest"] * larger, "cores", cpu),
        Row("clean", 1, SECONDS["clean"] * larger, "cores", cpu),
        Row("predict", asked.models, asked.gpu_seconds, "gpu", "assumed (--gpu-seconds)"),
        Row(
            "fuse, attention",
            1,
            SECONDS["fuse"] * many * asked.models / 3,
            "cores",
            f"{classes} x {asked.models}/3 models",
        ),
        Row("detect", 1, SECONDS["detect"] * many, "cores", classes),
        Row("judge", 1, SECONDS["judge"] * many, "cores", classes),
        Row("evaluate", 0.2, SECONDS["evaluate"] * many, "cores", f"{classes}; the test split"),
        Row("driver", asked.models + 5, asked.driver_ms / 1e3, "driver", "measured (simulate)"),
    ]


def hours(row: Row, scans: int, gpus: int, asked: Namespace) -> float:
    """Hours of one stage alone."""
    beside = {"gpu": gpus, "cores": gpus * asked.cores, "driver": 1}[row.on]
    over = 1.0 if row.on == "driver" else 1.0 + asked.overhead
    return float(scans * row.per_scan * row.seconds * over / beside / HOUR)


def training_hours(gpus: int, asked: Namespace) -> float:
    """Of the flagship: its steps are a budget, whatever the number of scans; 8 GPUs at most."""
    return float(asked.train_hours * 8 / min(8, gpus))


def total_hours(scans: int, gpus: int, asked: Namespace) -> float:
    """Of a round: stages one after the other; the driver works beside them."""
    each = {row.stage: hours(row, scans, gpus, asked) for row in rows(asked)}
    driver = each.pop("driver")
    return max(sum(each.values()), driver) + training_hours(gpus, asked)


def disk_gb(scans: int, asked: Namespace) -> dict[str, float]:
    """Of a workspace after one round, by folder."""
    larger = asked.voxels / MEASURED_VOXELS
    surface = larger ** (2 / 3)  # masks compress to their surfaces
    per_scan = {
        "scans": asked.voxels * asked.bytes_per_voxel,
        "labels": BYTES["labels"] * surface * asked.classes / 7,
        "predictions": BYTES["predictions"] / MEASURED_MODELS * asked.models * surface
        * asked.classes / 7,
        "attention": BYTES["attention"] * surface * asked.classes / 7,
        "catalog": BYTES["catalog"] * asked.classes / 7 + LINE * asked.models,
    }  # fmt: skip
    return {name: scans * size / 1e9 for name, size in per_scan.items()}


def _sizes(asked: Namespace) -> tuple[list[int], list[int]]:
    return asked.scans or [1000, 25_362, 1_000_000], asked.gpus or [1, 8, 64]


def _costs(asked: Namespace) -> Iterator[str]:
    yield "| stage | items a scan | seconds an item | on | from |"
    yield "|---|---|---|---|---|"
    for row in rows(asked):
        yield f"| {row.stage} | {row.per_scan:g} | {row.seconds:.3g} | {row.on} | {row.source} |"
    hours_ = f"{asked.train_hours:g} h on 8 GPUs"
    yield f"| train | | {hours_} | gpu | assumed (--train-hours) |"


def _hours(asked: Namespace) -> Iterator[str]:
    sizes, gpus = _sizes(asked)
    yield (
        "| scans | GPUs | predict h (assumed) | cores h (measured, scaled) | driver h (measured) "
        "| train h (assumed) | round h | days | assumed |"
    )
    yield "|---" * 9 + "|"
    for scans in sizes:
        for n in gpus:
            each = {row: hours(row, scans, n, asked) for row in rows(asked)}
            by = {on: sum(h for r, h in each.items() if r.on == on) for on in ("gpu", "cores")}
            driver = sum(h for row, h in each.items() if row.on == "driver")
            total, train = total_hours(scans, n, asked), training_hours(n, asked)
            guess = (by["gpu"] + train) / total
            yield (
                f"| {scans:,} | {n} | {by['gpu']:,.1f} | {by['cores']:,.1f} | {driver:,.2f} "
                f"| {train:,.0f} | {total:,.0f} | {total / 24:,.1f} | {guess:.0%} |"
            )


def _disk(asked: Namespace) -> Iterator[str]:
    sizes, _ = _sizes(asked)
    names = list(disk_gb(1, asked))
    yield f"| scans | {' | '.join(f'{name} GB' for name in names)} | all TB |"
    yield "|---" * (len(names) + 2) + "|"
    for scans in sizes:
        found = disk_gb(scans, asked)
        cells = " | ".join(f"{found[name]:,.0f}" for name in names)
        yield f"| {scans:,} | {cells} | {sum(found.values()) / 1e3:,.2f} |"
