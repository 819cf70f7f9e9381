"""What the de-identification of DICOM files leaves, keeps, and how fast it is.

Run: ``python -m benchmarks.deid_dicom [--seeds 3] [--data ../shared/data] [--files 400]``. In every
kind of place (`benchmarks.deid.places`) the patient's own name and id and a stranger's name, an id
and a date that stand nowhere else are planted, a file per kind and seed; what is left is looked for
by a search of its own. The plain dicom-anonymizer, with the same table, runs on the same files.
Prints JSON; exit 1 if anything is left or lost.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import UID

from benchmarks.deid.attributes import every_attribute
from benchmarks.deid.base import encoded, slice_of
from benchmarks.deid.people import Person, person
from benchmarks.deid.places import PLACES, Place
from benchmarks.deid.search import everything_in, forms_of_day, forms_of_name, left
from cleaning.deid.config import DeidConfig
from cleaning.deid.folder import Outcome, deidentify_folder
from cleaning.deid.instance import Deidentifier, Origin
from voxcurate.dicom import find_series, read_series

KEY = hashlib.sha256(b"benchmark").digest()
GEOMETRY = (
    "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "SliceThickness", "RescaleSlope", "RescaleIntercept", "PatientSex", "PatientSize",
    "PatientWeight", "KVP", "Modality", "Manufacturer", "BodyPartExamined", "InstanceNumber",
    "SeriesNumber", "PatientPosition", "PhotometricInterpretation", "BitsStored",
)  # fmt: skip
# type 1 of the CT image object: must be there and not empty
REQUIRED = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "Modality", "ImageType", "PixelData", "Rows", "Columns", "PixelSpacing", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "ImagePositionPatient", "ImageOrientationPatient",
    "PatientIdentityRemoved", "DeidentificationMethodCodeSequence",
)  # fmt: skip
# type 2: must be there
PRESENT = ("PatientName", "PatientID", "PatientSex", "StudyDate", "StudyTime", "StudyID",
           "AccessionNumber")  # fmt: skip


def main() -> int:
    """Print what is left, kept and how fast; exit 1 if something is left or lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="real data too: ../shared/data")
    parser.add_argument("--files", type=int, default=400, help="slices to time; 0: none")
    parser.add_argument("--once", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.once:
        source, out = given.once
        deidentify_folder(source, out, DeidConfig(), KEY, workers=1, quiet=True)
        return 0
    with tempfile.TemporaryDirectory() as name:
        result: dict[str, Any] = {"places": planted(Path(name), given.seeds)}
        result["attributes"] = attributes()
        result["kept"] = kept(Path(name))
        result["stable"] = stable(Path(name))
        if given.files:
            result["speed"] = speed(Path(name), given.files)
        if given.data:
            result["real"] = real(given.data, Path(name))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    good = not result["places"]["left"] and not result["kept"]["lost"] and result["stable"]
    return int(not good or bool(result.get("real", {}).get("lost")))


def _written(outcome: Outcome) -> list[tuple[Path, str]]:
    """Source and written file of those that were written."""
    return [(path, name) for path, name in outcome.places.values() if name]


def planted(root: Path, seeds: int) -> dict[str, Any]:
    """Plant, de-identify, search: per kind of place what is left, and of the plain tool's."""
    source = root / "planted"
    cases: dict[str, tuple[Place, Person, Path]] = {}
    for seed in range(seeds):
        for number, place in enumerate(PLACES):
            who = person(seed, place.kind)
            folder = source / f"{seed}" / f"{number:03d}"
            path = folder / (f"{who.last}_{who.number}.dcm" if number % 7 == 0 else "image.dcm")
            folder.mkdir(parents=True)
            ds = slice_of(who, study=f"{seed}", series=f"{seed}/{place.kind}", number=1)
            path.write_bytes(place.file(ds, who))
            cases[f"{seed}/{place.kind}"] = (place, who, path)
    outcome = deidentify_folder(source, root / "clean", DeidConfig(), KEY, workers=1, quiet=True)
    written = {path: root / "clean" / name for path, name in _written(outcome)}
    remains: Counter[str] = Counter()
    plain_remains: Counter[str] = Counter()
    blocked: Counter[str] = Counter()
    not_written: Counter[str] = Counter()
    held: Counter[str] = Counter()
    failures = _not_released(outcome)
    for place, who, path in cases.values():
        if path in written:
            found = written[path]
            content = everything_in(found) + os.fsencode(found.relative_to(root / "clean"))
            remains[place.kind] += _left(content, who)
        else:
            not_written[place.kind] += 1
            held[place.kind] += not place.risky
        other = _plain(path, root / "plain.dcm")
        plain_remains[place.kind] += other is None or _left(other, who)
        blocked[place.kind] += other is None
    return {
        "kinds": len(PLACES),
        "planted files": len(cases),
        "left": sum(remains.values()),
        "left by kind": {kind: n for kind, n in remains.items() if n},
        "risky, not written": sorted(k for k in not_written if not held[k]),
        "held back though not risky": {k: n for k, n in held.items() if n},
        "why": failures,
        "plain dicom-anonymizer: files with something left": sum(plain_remains.values())
        - sum(blocked.values()),
        "plain dicom-anonymizer: kinds with something left": sum(
            plain_remains[k] > blocked[k] for k in plain_remains
        ),
        "plain dicom-anonymizer: files not written": sum(blocked.values()),
        "table": {
            place.kind: f"planted {seeds}, left {remains[place.kind]}, plain tool left "
            f"{plain_remains[place.kind] - blocked[place.kind]}"
            + (", not written" if not_written[place.kind] else "")
            for place in PLACES
        },
    }


def _not_released(outcome: Outcome) -> dict[str, int]:
    found: Counter[str] = Counter()
    for case in outcome.cases:
        found.update(f"leak: {leak['kind']} in {leak['where']}" for leak in case["leaks"])
        found.update(f"refused: {one['reason']}" for one in case["refused"])
        found.update(f"risky: {one['reason']}" for one in case["risky"])
        found.update([f"failed: {case['error']}"] if case.get("error") else [])
    return dict(found)


def _left(content: bytes, who: Person) -> bool:
    return any(left(content, needles) for needles in _needles(who))


def _needles(who: Person) -> Iterator[Iterator[bytes]]:
    for name in (who.last, who.stranger):
        yield forms_of_name(name)
    for number in (who.number, who.patient_id):
        yield (form for form in (number.encode(), number.encode("utf-16-le")))
    for day in (who.day, who.born):
        yield forms_of_day(day)


def _plain(path: Path, out: Path) -> bytes | None:
    """What dicom-anonymizer makes of a file with the same table; None if it fails."""
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file, initialize_actions

    out.unlink(missing_ok=True)
    try:
        anonymize_dicom_file(
            str(path), str(out), base_rules_gen=lambda: initialize_actions("dicomfields_2026c")
        )
        return everything_in(out)
    except Exception:  # noqa: BLE001 - another's tool: whatever it raises counts as a failure
        return None


def attributes() -> dict[str, Any]:
    """Every attribute of the standard with a word of its own: those whose word is left."""
    result = {}
    tool = Deidentifier(DeidConfig(keep_risky=True), KEY)
    for nested in (False, True):
        data, words = every_attribute(nested=nested)
        content = b"".join(tool.run(data, Origin("p", "s", "e", "i")).content).lower()
        found = [words[word] for word in words if word.lower().encode() in content]
        result["nested" if nested else "at the top"] = {"planted": len(words), "left": found}
    return result


def kept(root: Path) -> dict[str, Any]:
    """Two studies of a patient, a series each: what must be the same afterwards."""
    source, out = root / "studies", root / "studies clean"
    who = person(99, "kept")
    for study in ("first", "first later"):
        for number in range(1, 9):
            ds = slice_of(who, study=study, series="a", number=number)
            _write(source / study / f"{number}.dcm", encoded(ds))
    outcome = deidentify_folder(source, out, DeidConfig(), KEY, workers=1, quiet=True)
    lost: list[str] = []
    days: dict[str, date] = {}
    for path, name in _written(outcome):
        old, new = pydicom.dcmread(path), pydicom.dcmread(out / name)
        lost += [w for w in GEOMETRY if old[w].value != new[w].value]
        lost += ["pixels"] * (old.PixelData != new.PixelData)
        lost += ["age"] * (new.PatientAge != "061Y")
        lost += [f"type 1: {w}" for w in REQUIRED if w not in new or new[w].value in (None, "")]
        lost += [f"type 2: {w}" for w in PRESENT if w not in new]
        lost += ["UID form"] * (not UID(new.SOPInstanceUID).is_valid)
        lost += ["time of day"] * (old.AcquisitionTime != new.AcquisitionTime)
        days[path.parent.name] = pydicom.valuerep.DA(new.StudyDate)
    if (days["first later"] - days["first"]).days != 90:
        lost.append("interval between studies")
    before, after = find_series(source), find_series(out)
    pairs = {s.study_date: s for s in after}
    for series in before:
        moved = next(s for day, s in pairs.items() if len(s.files) == len(series.files))
        a, b = read_series(series), read_series(moved)
        if not np.array_equal(a.array, b.array) or not np.allclose(a.affine, b.affine):
            lost.append("volume in HU")
    if len(after) != 2 or len({s.patient_id for s in after}) != 1:
        lost.append("series of one patient")
    return {"files": len(_written(outcome)), "lost": sorted(set(lost))}


def stable(root: Path) -> bool:
    """Two further processes write the same bytes as this one did."""
    digests = [_digest(root / "clean")]
    for again in ("again", "once more"):
        given = [str(root / "planted"), str(root / again)]
        command = [sys.executable, "-m", "benchmarks.deid_dicom", "--once", *given]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "random"})
        digests.append(_digest(root / again))
    return len(set(digests)) == 1


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.dcm")):
        found.update(os.fsencode(path.relative_to(folder)) + path.read_bytes())
    return found.hexdigest()


def speed(root: Path, n_files: int) -> dict[str, float]:
    """Files per second on one core: written, searched, on disk; the plain tool's beside it."""
    result = {}
    for side in (128, 512):
        source = root / f"speed {side}"
        who = person(7, "speed")
        for number in range(n_files):
            ds = slice_of(who, study="s", series=f"{number // 100}", number=number, side=side)
            block = ds.private_block(0x0029, "HOSPITAL", create=True)
            for element in range(40):
                block.add_new(element, "LO", f"value {element}")
            _write(source / f"{number}.dcm", encoded(ds))
        start, used = time.perf_counter(), time.process_time()
        deidentify_folder(source, root / f"fast {side}", DeidConfig(), KEY, workers=1, quiet=True)
        result[f"{side} x {side}"] = round(n_files / (time.perf_counter() - start), 1)
        result[f"{side} x {side}, per second of this process"] = round(
            n_files / (time.process_time() - used), 1
        )
        some = sorted(source.iterdir())[: max(1, n_files // 8)]
        start = time.perf_counter()
        for path in some:
            _plain(path, root / "plain.dcm")
        plain = len(some) / (time.perf_counter() - start)
        result[f"{side} x {side}, plain dicom-anonymizer (no search)"] = round(plain, 1)
    return result


def real(data: Path, root: Path) -> dict[str, Any]:
    """Public files: everything is written, read again as before, and segmentations still find
    their series."""
    out, lost, n_links = root / "real", [], 0
    risky_too = DeidConfig(keep_risky=True)
    outcome = deidentify_folder(data, out, risky_too, KEY, workers=1, quiet=True)
    new_of = {path: out / name for path, name in _written(outcome)}
    series_of: dict[str, str] = {}
    for path, new in new_of.items():
        a = pydicom.dcmread(path, stop_before_pixels=True)
        b = pydicom.dcmread(new, stop_before_pixels=True)
        if a.get("SeriesInstanceUID"):
            series_of[str(a.SeriesInstanceUID)] = str(b.SeriesInstanceUID)
    for path, new in new_of.items():
        a, b = pydicom.dcmread(path), pydicom.dcmread(new)
        if a.get("PixelData") != b.get("PixelData"):
            lost.append("pixels")
        for one, other in zip(
            a.get("ReferencedSeriesSequence") or [],
            b.get("ReferencedSeriesSequence") or [],
            strict=True,
        ):
            there = series_of.get(str(one.SeriesInstanceUID))
            n_links += there is not None
            if there is not None and there != str(other.SeriesInstanceUID):
                lost.append("reference to a series")
    for series in find_series(data):
        if not all(path in new_of for path in series.files) or not series.series_uid:
            continue
        found = find_series(new_of[series.files[0]].parent)
        lost += ["series"] * (len(found) != 1)
        try:
            before = read_series(series)
        except Exception:  # noqa: BLE001 - not a volume before: nothing to compare
            continue
        after = read_series(found[0])
        if not np.array_equal(before.array, after.array) or not np.allclose(
            before.affine, after.affine
        ):
            lost.append("volume in HU")
    return {
        "files": outcome.n_files, "written": len(new_of), "references followed": n_links,
        "lost": lost, "not released": _not_released(outcome),
    }  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    raise SystemExit(main())
