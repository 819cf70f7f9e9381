"""Duplicates in a large catalog: time and memory of cleaning when little or nothing is new.

``python -m benchmarks.duplicate_catalog --data ../shared/data --scans 25000``: a catalog of so many
scans (fingerprints of real ones, a quarter of each code's bits and all places drawn anew, so that
no two are copies), then the search for duplicates in processes of their own: the first time, again
with nothing new, and with ten new scans. Prints seconds of processor time and peak memory as JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.duplicates import PATTERNS
from cleaning import stage
from cleaning.config import CleaningConfig
from cleaning.duplicates.hashing import ScanFingerprint, fingerprint
from cleaning.duplicates.landmarks import Landmarks
from voxcurate.catalog import Catalog, Scan
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.nifti import read_nifti
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

BATCH = 500
N_NEW = 10


def main() -> int:
    """Print figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scans", type=int, default=25_000)
    parser.add_argument("--clean", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.clean:
        sys.stdout.write(json.dumps(measured(given.clean)))
        return 0
    with TemporaryDirectory() as scratch:
        os.environ["XDG_CONFIG_HOME"] = f"{scratch}/config"
        marks = [fingerprint(read_nifti(path)) for path in _files(given.data)]
        root = Path(scratch) / "w"
        workspace = Workspace.create(root)
        catalog = Catalog(workspace.catalog_url)
        result: dict[str, Any] = {"scans": given.scans}
        add(catalog, marks, range(given.scans))
        result["first"] = in_process(root)
        result["nothing new"] = in_process(root)
        add(catalog, marks, range(given.scans, given.scans + N_NEW))
        result[f"{N_NEW} new"] = in_process(root)
        catalog.close()
        size = sum(p.stat().st_size for p in root.glob("catalog*"))
        result["catalog_mb"] = round(size / 1e6)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def in_process(root: Path) -> Any:
    """What a fresh process measures."""
    command = [sys.executable, "-m", "benchmarks.duplicate_catalog", "--clean", str(root)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def measured(root: Path) -> dict[str, Any]:
    """Seconds and peak memory of the search for duplicates."""
    workspace = Workspace.find(root)
    catalog = Catalog(workspace.catalog_url)
    context = StageContext(
        workspace,
        catalog,
        load_vocabulary(),
        round=1,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    wall, cpu = time.perf_counter(), time.process_time()
    done = stage.run(context, CleaningConfig(), only=["duplicates"])
    result = {
        "seconds": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "memory_before_mb": before_mb,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **done.counts,
    }
    catalog.close()
    return result


def add(catalog: Catalog, marks: Sequence[ScanFingerprint], numbers: range) -> None:
    """Scans with these numbers, as ingest leaves them."""
    for start in range(numbers.start, numbers.stop, BATCH):
        part = range(start, min(start + BATCH, numbers.stop))
        with catalog.write() as writer:
            writer.put_all(list(_scans(marks, part)))


def _scans(marks: Sequence[ScanFingerprint], numbers: range) -> Iterator[Scan]:
    for n in numbers:
        rng = np.random.default_rng(n)
        old = marks[n % len(marks)]
        bits = np.unpackbits(old.landmarks.codes, axis=1)
        anew = (rng.random(bits.shape) < 0.25) & (rng.random(bits.shape) < 0.5)
        places = rng.uniform(0, 400, old.landmarks.places_mm.shape).astype(np.float32)
        codes = np.packbits(bits ^ anew, axis=1)
        mark = replace(
            old,
            pixels=f"{n:064x}",
            landmarks=Landmarks(places, codes, old.landmarks.cube_mm),
            whole=rng.integers(0, 256, 32, np.uint8),
            body=rng.integers(0, 256, 32, np.uint8),
        )
        case = f"case_{n:08d}"
        yield Scan(
            case,
            "source",
            f"p_{n}",
            case,
            "train",
            "CT",
            f"scans/{case}/ct.nii.gz",
            f"{n:064x}",
            [128, 128, 128],
            [3.0, 3.0, 3.0],
            np.eye(4).tolist(),
            fingerprint=mark.as_dict(),
        )


def _files(data: Path | None) -> list[Path]:
    if data is None:
        raise SystemExit("want --data")
    return sorted(path for pattern in PATTERNS for path in data.glob(pattern))[::4]


if __name__ == "__main__":
    raise SystemExit(main())
