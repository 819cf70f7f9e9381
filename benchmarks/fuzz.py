"""Damaged DICOM and NIfTI files by the thousand: each must get a verdict, none may crash, hang or
blow up memory.

Run: ``python -m benchmarks.fuzz --files 2000``. Each file is a small valid one with one to three
mutations drawn from a fixed seed. Printed: verdicts by kind of mutation, processes that died,
time-outs, unexpected exceptions, the largest memory and the longest time of a file. Exit status 1
if any process died, ran out of time, raised, or took more memory than allowed.
"""

import argparse
import gzip
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz_dicom import DICOM
from benchmarks.fuzz_mutations import ANY, NIFTI, PACKED_AS_IT_IS
from cleaning.check.config import CheckConfig
from voxcurate.executors import LocalExecutor
from voxcurate.protocols import Task

TIME_LIMIT_S = 60.0
MEMORY_MB = 1500
MOST_PEAK_MB = 1200.0
EXAMINE = "cleaning.check.examine:examine"


@dataclass(frozen=True)
class Seed:
    """A valid file: its bytes, the ending of its name, and where its interesting fields lie."""

    name: str
    content: bytes
    suffix: str


def main() -> int:
    """Print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), given.files, given.seed, workers=given.workers)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(bool(found["failures"]))


def fuzz(folder: Path, n_files: int, seed: int, *, workers: int = 2) -> dict[str, Any]:
    """Write mutated files into a folder and check each in a worker."""
    kinds: dict[str, str] = {}
    tasks = []
    config = CheckConfig(time_limit_s=TIME_LIMIT_S, memory_mb=MEMORY_MB, max_gib=1.0)
    for n, (kind, suffix, content) in enumerate(mutants(n_files, seed)):
        path = folder / f"{n:05d}{suffix}"
        path.write_bytes(content)
        kinds[str(n)] = kind
        tasks.append(Task(str(n), _payload(path, config)))
    executor = LocalExecutor(workers=workers, time_limit_s=TIME_LIMIT_S, retries=0)
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    failures, peak, slowest = [], 0.0, 0.0
    for outcome in executor.run(EXAMINE, tasks):
        kind = kinds[outcome.key]
        peak, slowest = max(peak, outcome.peak_mb), max(slowest, outcome.seconds)
        if outcome.ok:
            verdicts[kind][outcome.value["check"]["verdict"]] += 1
            reasons.update(r["code"] for r in outcome.value["check"]["reasons"])
        if not outcome.ok or outcome.peak_mb > MOST_PEAK_MB:
            why = outcome.error_kind or f"{outcome.peak_mb:.0f} MB"
            failures.append([outcome.key, kind, why, outcome.error])
    return {
        "files": n_files,
        "seed": seed,
        "verdicts": {kind: dict(counts) for kind, counts in sorted(verdicts.items())},
        "total": dict(sum(verdicts.values(), Counter())),
        "reasons": dict(reasons.most_common()),
        "failures": failures,
        "peak_mb": round(peak),
        "slowest_s": round(slowest, 2),
    }


def _payload(path: Path, config: CheckConfig) -> dict[str, Any]:
    item = {"files": [str(path)]} if path.suffix == ".dcm" else {"path": str(path)}
    return {**item, "modality": "CT", "config": config.model_dump(), "memory": config.memory_mb}


def mutants(n: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Kind, name ending and bytes of mutated files; the same for the same seed."""
    seeds = seed_files()
    by_type = {
        "nifti": [s for s in seeds if ".nii" in s.suffix],
        "dicom": [s for s in seeds if s.suffix == ".dcm"],
    }
    mutators = {"nifti": {**ANY, **NIFTI}, "dicom": {**ANY, **DICOM}}
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        kind = ("nifti", "dicom")[number % 2]
        base = by_type[kind][int(rng.integers(len(by_type[kind])))]
        names = list(mutators[kind])
        name = names[(number // 2) % len(names)]
        content = base.content
        packed = base.suffix == ".nii.gz" and name not in PACKED_AS_IT_IS
        if packed:
            content = gzip.decompress(content)
        content = mutators[kind][name](content, rng)
        for _ in range(int(rng.integers(0, 3)) * int(rng.random() < 0.3)):
            other = names[int(rng.integers(len(names)))]
            if not {"bomb", "deflate bomb"} & {name, other} and other not in PACKED_AS_IT_IS:
                content = mutators[kind][other](content, rng)
        if packed:
            content = gzip.compress(content, 1, mtime=0)
        yield f"{kind} {name}", base.suffix, content[: 64 << 20]


def seed_files() -> list[Seed]:
    """Small valid files of every kind that we read; pydicom brings some compressed ones."""
    return [*_nifti_seeds(), *_dicom_seeds()]


def _nifti_seeds() -> list[Seed]:
    import nibabel as nib

    rng = np.random.default_rng(0)
    image = np.full((14, 12, 10), -1000.0) + rng.normal(0, 8, (14, 12, 10))
    image[3:11, 3:9, 1:9] = 40
    affine = np.diag([4.0, 5.0, 6.0, 1.0])
    affine[:3, 3] = (-20, 10, 5)
    found = []
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for dtype in (np.int16, np.float32, np.uint8):
            data = kind(image.astype(dtype), affine).to_bytes()
            name = f"{kind.__name__} {np.dtype(dtype).name}"
            found.append(Seed(name, data, ".nii"))
            found.append(Seed(name + " gz", gzip.compress(data, 6, mtime=0), ".nii.gz"))
    return [*found, Seed("ours", _ours(image.astype(np.int16), affine), ".nii.gz")]


def _ours(image: Any, affine: Any) -> bytes:
    from voxcurate.nifti import write_nifti
    from voxcurate.volume import Volume

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.nii.gz"
        write_nifti(path, Volume(image, affine))
        return path.read_bytes()


def _dicom_seeds() -> list[Seed]:
    from pydicom.data import get_testdata_file
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

    found = [
        Seed("plain", _slice_bytes(ExplicitVRLittleEndian), ".dcm"),
        Seed("implicit", _slice_bytes(ImplicitVRLittleEndian), ".dcm"),
        Seed("rle", _slice_bytes(RLELossless), ".dcm"),
    ]
    for name in ("CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "image_dfl.dcm",
                 "liver_1frame.dcm", "J2K_pixelrep_mismatch.dcm"):  # fmt: skip
        path = get_testdata_file(name, download=False)
        if path is not None:
            found.append(Seed(name, Path(str(path)).read_bytes(), ".dcm"))
    return found


def _slice_bytes(syntax: Any) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax if syntax != RLELossless else ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID("1.2.3.4.1")
    data.SeriesInstanceUID, data.StudyInstanceUID, data.Modality = "1.2.3.4", "1.2.3", "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns, data.SamplesPerPixel = 24, 20, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelSpacing, data.SliceThickness = [2.0, 2.0], 3.0
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    image = np.random.default_rng(1).integers(0, 2000, (24, 20)).astype(np.uint16)
    data.PixelData = image.tobytes()
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    stream = BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
