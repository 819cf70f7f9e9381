"""``voxcurate staging stage``: a folder of masks in, T stages out."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.cli.options import Layout
from voxcurate.atomic import make_folder, write_text
from voxcurate.case_files import CaseFiles
from voxcurate.errors import CurationError

if TYPE_CHECKING:
    from training.staging.config import StagingConfig
    from voxcurate.volume import Volume

VERSION = "1"
CASE_FILE, PICTURE = "staging.json", "contact.png"
STAGES = ("T1", "T2", "T3", "T4")


@dataclass(frozen=True)
class StageJob:
    """What was asked: see ``voxcurate staging stage --help``."""

    folder: Path
    config: "StagingConfig"
    scans: Path | None = None
    truth: Path | None = None
    out: Path | None = None
    labels: Path | None = None
    layout: Layout = "auto"


def stage_folder(job: StageJob) -> dict[str, Any]:
    """Stage all cases of a folder; those done before with the same input are taken over.

    Raises:
        ConfigError: a wrong table or option.
        SourceError: a folder with nothing in it.
    """
    from agent.prediction_folders import cases_of
    from labeling.output_folder import check_apart
    from labeling.rules.files import find_scans
    from training.staging.marks import read_stages
    from voxcurate.classes import load_vocabulary
    from voxcurate.progress import progress

    vocabulary = load_vocabulary()
    cases = cases_of(job.folder, vocabulary, job.labels, job.layout, "masks")
    if job.out is not None:
        check_apart(job.out, cases.values())
    scans = {} if job.scans is None else find_scans(job.scans, cases)
    truth = {} if job.truth is None else read_stages(job.truth)
    found: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    reused = 0
    with progress("staging", len(cases)) as bar:
        for case, files in cases.items():
            try:
                found[case], was_there = _case(case, files, scans.get(case), job)
                reused += was_there
            except CurationError as error:
                failed[case] = str(error)
            bar.advance(note=case)
    told: dict[str, Any] = {
        "cases": found,
        "failed": failed,
        "reused": reused,
        "counts": _counts(found),
        "settings": job.config.model_dump(mode="json"),
        "use": "research only",
    }
    if truth:
        told["against_truth"] = _against(found, truth)
    if job.out is not None:
        _write_stages(job.out, told, job.config)
    return told


def masks_of(files: CaseFiles, wanted: Sequence[str]) -> "dict[str, Volume]":
    """The wanted classes of a case as whole masks; of a label map that names a class which does
    not occur, an empty mask."""
    from labeling.rules.files import read_case
    from voxcurate.volume import Volume

    if files.label_map is not None:
        own = replace(files, names={n: c for n, c in files.names.items() if c in wanted})
        if files.names and not own.names:
            return {}
    else:
        own = replace(files, masks={c: p for c, p in files.masks.items() if c in wanted})
    found = {c: Volume(s.full(), s.affine) for c, s in read_case(own).items() if c in wanted}
    named = [c for c in own.names.values() if c not in found] if files.label_map else []
    if named and not found:
        from voxcurate.nifti import read_nifti

        whole = read_nifti(files.label_map)  # type: ignore[arg-type]
        return {c: whole.with_array(np.zeros(whole.shape, bool)) for c in named}
    if named:
        like = next(iter(found.values()))
        found |= {c: like.with_array(np.zeros(like.shape, bool)) for c in named}
    return found


def _case(
    case: str, files: CaseFiles, scan: Path | None, job: StageJob
) -> tuple[dict[str, Any], bool]:
    """One case: what was found, and whether that was done before."""
    from labeling.output_folder import claim, read_case_file
    from training.staging.plots import plot_staging
    from training.staging.stage import stage_case
    from voxcurate.ids import content_id

    config = job.config
    key = ""
    if job.out is not None:
        behind = [] if scan is None else [scan.stat().st_size, scan.stat().st_mtime_ns]
        key = content_id(VERSION, files.state(), config.model_dump(mode="json"), behind)
        before = read_case_file(job.out / case / CASE_FILE)
        if before is not None and before.get("fingerprint") == key:
            return {k: v for k, v in before.items() if k not in ("fingerprint", "files")}, True
    vessels = [c for vessel in config.vessels for c in vessel.classes]
    masks = masks_of(files, [*config.tumour, *vessels, *config.ends_in])
    staging = stage_case(masks, config)
    told = staging.plain()
    if job.out is not None:
        folder = job.out / case
        make_folder(folder)
        claim(folder, CASE_FILE, [PICTURE])
        behind_it = _scan(scan, masks)
        drawn = [PICTURE] if plot_staging(folder / PICTURE, staging, case, behind_it) else []
        text = json.dumps({"fingerprint": key, "files": drawn, **told}, indent=1)
        write_text(folder / CASE_FILE, text + "\n")
    return told, False


def _scan(path: Path | None, masks: "Mapping[str, Volume]") -> "Volume | None":
    from labeling.rules.files import read_scan
    from labeling.structures import Structure

    if path is None or not masks:
        return None
    name, first = next(iter(masks.items()))
    return read_scan({name: Structure.of(name, first.array, first.affine)}, path)


def _counts(found: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    labels = [told["label"] for told in found.values()]
    return {label: labels.count(label) for label in sorted(set(labels))}


def _against(found: Mapping[str, Mapping[str, Any]], truth: Mapping[str, str]) -> dict[str, Any]:
    """Accuracy of the stage, the lower bound taken as the stage; and of the certain ones alone."""
    from training.staging.confusion import confusion_of

    called = {c: _plain_stage(told["stage"]) for c, told in found.items() if c in truth}
    wanted = {c: _plain_stage(stage) for c, stage in truth.items()}
    certain = {c: s for c, s in called.items() if not found[c]["at_least"]}
    return {
        **confusion_of(wanted, called, STAGES).plain(),
        "certain_only": confusion_of(wanted, certain, STAGES).plain(),
        "without_case": sorted(set(truth) - set(found)),
    }


def _plain_stage(stage: str) -> str:
    """``T1`` of ``T1c``; ``none`` without a tumour."""
    return "none" if stage == "no tumour" else stage[:2].upper()


def _write_stages(out: Path, told: Mapping[str, Any], config: "StagingConfig") -> None:
    names = [vessel.name for vessel in config.vessels]
    head = ["case", "stage", "at_least", "size_mm", "feret_mm", "axial_mm", "sphere_mm", "lesions"]
    head += [part for name in names for part in (f"{name}_degrees", f"{name}_state")]
    rows = []
    for case, one in told["cases"].items():
        first = one["lesions"][0] if one["lesions"] else {}
        by_name = {v["vessel"]: v for v in one["vessels"]}
        row = [case, one["stage"], one["at_least"], one["size_mm"]]
        row += [first.get(k) for k in ("feret_mm", "axial_mm", "sphere_mm")]
        row.append(len(one["lesions"]))
        for name in names:
            vessel = by_name.get(name, {})
            row += [vessel.get("degrees"), vessel.get("state")]
        found = one["resectability"]
        rows.append([*row, found["label"] if found else "", "; ".join(one["reasons"])])
    write_table(out / "staging.csv", [*head, "resectability", "reasons"], rows)
    write_text(out / "staging.json", json.dumps(told, indent=1) + "\n")


def write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A CSV; undefined cells are empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    make_folder(path.parent)
    write_text(path, stream.getvalue())
