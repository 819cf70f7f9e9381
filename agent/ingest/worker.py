"""The work on one case: read the scan and its masks, check that they fit, write them standardised.

Pure: plain data in, plain data and scratch files out.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.ingest.masks import (
    Bools,
    binary,
    count_values,
    known_part,
    segments,
    split_map,
    unnamed_values,
    whole_numbers,
)
from cleaning.deid.face import deface, find_face
from cleaning.duplicates.hashing import fingerprint
from cleaning.standardise.config import StandardiseConfig
from cleaning.standardise.masks import KNOWN, fit, onto
from cleaning.standardise.scan import standardise
from voxcurate.errors import CurationError, GeometryError, VolumeReadError
from voxcurate.geometry import reorient
from voxcurate.ids import file_sha256
from voxcurate.labels import MaskFile, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.readers import read_volume
from voxcurate.volume import Volume

SECOND = "a second mask of the class; the first one counts"
LOST = "nothing of it lies on the cropped or resampled scan; left out"


@dataclass(frozen=True)
class IngestedLabel:
    """One class of a scan, as its source draws it; `known` where the source leaves voxels open.

    `resampled` says from which other grid it came, if it did.
    """

    class_id: str
    mask: MaskFile
    known: MaskFile | None = None
    resampled: str = ""


@dataclass(frozen=True)
class IngestedScan:
    """What a worker made of a case.

    Attributes:
        temporary: the standardised scan in the scratch folder.
        labels: the classes that are there, and, with empty masks, those that are declared complete
            and absent: "not there".
        complete: the declared classes about which this case's files could speak.
        problems: role of a mask -> why it was left out.
        facts: whether the scan shows a face (``face``: present or possible) and whether that was
            taken off (``defaced``); ``native``: shape and affine of the source's grid in RAS+ axis
            order where the scan got another.
    """

    temporary: str
    sha256: str
    shape: list[int]
    spacing: list[float]
    affine: list[list[float]]
    modality: str
    fingerprint: dict[str, Any]
    labels: list[IngestedLabel] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def ingest_case(payload: Mapping[str, Any]) -> IngestedScan:
    """Read, check and standardise one case.

    A scan that cannot be used fails the case. A mask that cannot be used is left out and named in
    `problems`: the scan is worth having without it, and its classes stay unknown.

    Args:
        payload: what `agent.ingest.items.payload_of` makes.

    Raises:
        VolumeReadError: the scan cannot be read.
    """
    if payload["error"]:
        raise VolumeReadError(payload["error"])
    raw = _read_scan(payload)
    config = StandardiseConfig.model_validate(payload["standardise"])
    scan = standardise(raw, payload["modality"], hu_offset=payload["hu_offset"], config=config)
    face = find_face(scan).surface if payload["modality"] == "CT" else ""
    is_defaced = config.deface and face == "present"
    scan = deface(scan)[0] if is_defaced else scan
    drawn = _Drawn(payload["case_id"], Path(payload["scratch"]), scan, reorient(raw))
    for mask in payload["masks"]:
        _read_mask(mask, raw, drawn)
    told = _told(payload, drawn)
    for class_id in payload["complete"]:
        if class_id in told and class_id not in drawn.labels and class_id not in drawn.lost:
            drawn.add(class_id, np.zeros(drawn.native.shape, dtype=bool), empty=True)
    temporary = drawn.scratch / f"{drawn.case_id}_ct.{os.getpid()}.nii.gz"
    write_nifti(temporary, scan)
    return IngestedScan(
        temporary=str(temporary),
        sha256=file_sha256(temporary),
        shape=list(scan.shape),
        spacing=[round(s, 6) for s in scan.spacing],
        affine=scan.affine.tolist(),
        modality=payload["modality"],
        fingerprint=fingerprint(scan, payload["modality"]).as_dict(),
        labels=[drawn.labels[class_id] for class_id in sorted(drawn.labels)],
        complete=sorted(set(payload["complete"]) & told & set(drawn.labels)),
        problems=drawn.problems,
        facts={
            **({"face": face} if face in ("present", "possible") else {}),
            **({"defaced": True} if is_defaced else {}),
            **_native(drawn.native, scan),
        },
    )


@dataclass
class _Drawn:
    """Masks of a case, each written as soon as it is known: many classes need no more memory.

    They come on the voxels of `native` and are kept on those of `scan`.
    """

    case_id: str
    scratch: Path
    scan: Volume
    native: Volume
    labels: dict[str, IngestedLabel] = field(default_factory=dict)
    known: dict[str, Bools] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def add(self, class_id: str, mask: Bools, *, empty: bool = False, resampled: str = "") -> None:
        """Keep a class; an empty mask only where it is meant to say "not there"."""
        if class_id in self.labels:
            self.problems[f"mask {class_id}"] = SECOND
            return
        known = self.known.get(class_id)
        mask = mask if known is None else mask & known
        if not (empty or mask.any()) or (known is not None and not known.any()):
            return
        is_drawn = bool(mask.any())
        mask = onto(mask, self.native, self.scan)
        if is_drawn and not mask.any():
            self.problems[f"mask {class_id}"] = LOST
            self.lost.add(class_id)
            return
        name = f"{self.case_id}_{class_id}"
        affine, part = self.scan.affine, None
        if known is not None:
            known = onto(known, self.native, self.scan, enough=KNOWN)
            mask = mask & known
            part = write_mask(self.scratch, f"{name}_known", known, affine)
        self.labels[class_id] = IngestedLabel(
            class_id, write_mask(self.scratch, name, mask, affine), part, resampled
        )


def _native(native: Volume, scan: Volume) -> dict[str, Any]:
    if native.shape == scan.shape and np.array_equal(native.affine, scan.affine):
        return {}
    return {"native": {"shape": list(native.shape), "affine": native.affine.tolist()}}


def _read_scan(payload: Mapping[str, Any]) -> Volume:
    files = [Path(path) for path in payload["files"]]
    role = "ct" if payload["modality"] == "CT" else "scan"
    try:
        return read_volume(files if payload["is_dicom"] else files[0], role=role)
    except GeometryError as error:
        raise VolumeReadError(f"{role}: {error}") from None


def _read_mask(mask: Mapping[str, Any], raw: Volume, drawn: _Drawn) -> None:
    role = mask["role"]
    if mask["is_segmentation"]:
        _read_segmentation(mask, raw, drawn)
        return
    try:
        fitted, resampled = fit(read_volume(Path(mask["path"]), role=role), raw)
        if mask["class_id"]:
            drawn.add(mask["class_id"], binary(fitted.array), resampled=resampled)
            return
        array = whole_numbers(fitted.array)
    except CurationError as error:
        drawn.problems[role] = str(error).removeprefix(f"{role}: ")
        return
    labels = {int(value): classes for value, classes in mask["labels"].items()}
    present = count_values(array)
    known = known_part(array, labels, present)
    if known is not None:
        drawn.known.update({c: known for c in mask["tells"] if c not in drawn.labels})
    for class_id, inside in split_map(array, labels, present):
        drawn.add(class_id, inside, resampled=resampled)
    wrong = unnamed_values(labels, present)
    if wrong:
        drawn.problems[role] = wrong


def _read_segmentation(mask: Mapping[str, Any], raw: Volume, drawn: _Drawn) -> None:
    labels = {int(value): classes for value, classes in mask["labels"].items()}
    try:
        found, unnamed = segments(Path(mask["path"]), raw, labels)
    except CurationError as error:
        drawn.problems[mask["role"]] = str(error)
        return
    for class_id, inside in found.items():
        drawn.add(class_id, reorient(Volume(inside, raw.affine)).array)
    if unnamed:
        drawn.problems[mask["role"]] = (
            f"no class for segment {', '.join(map(str, unnamed))}; say under `masks: classes:` "
            "which of ours its label is; the named segments were taken"
        )


def _told(payload: Mapping[str, Any], drawn: _Drawn) -> set[str]:
    """Declared classes about which this case's files speak: a broken or missing mask tells nothing.

    A class that no mask of the source could hold, though it is declared complete, is told by the
    declaration alone.
    """
    told = set(payload["complete"]) - set(payload["maskable"])
    for mask in payload["masks"]:
        if mask["role"] not in drawn.problems:
            told.update(mask["tells"])
    for mask in payload["masks"]:
        if mask["role"] in drawn.problems and mask["class_id"]:
            told.discard(mask["class_id"])
    return told | set(drawn.labels)
