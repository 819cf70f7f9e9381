"""The cases of a source: each scan with its masks, its patient and what is known of it.

Here the identifiers are still at hand. What leaves towards the workers and the catalog is a case
id, a patient's keyed hash, and facts; the rest goes to the private map alone.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from agent.ingest.dicom_cases import dicom_cases
from agent.ingest.identities import storable
from agent.ingest.patients import link_patients
from agent.ingest.records import Case, MaskInput, id_of
from voxcurate.classes import Vocabulary
from voxcurate.errors import SourceError
from voxcurate.identifiers import Identifiers
from voxcurate.layouts import is_volume, our_class
from voxcurate.sources import BACKGROUND, IGNORE, MaskSource, Pattern, SourceConfig

OWN = "workspace's classes.yaml (without a workspace: the file of --own-classes)"


def find_cases(
    source: SourceConfig, root: Path, files: Sequence[str], vocabulary: Vocabulary, key: bytes
) -> list[Case]:
    """All cases of a source, in the order of their ids, with patients and masks linked.

    Raises:
        SourceError: no file fits, two cases get one id, a class name is unknown, or the patients
            table does not fit.
    """
    if source.layout == "dicom":
        found = dicom_cases(source, root, files, vocabulary, key)
    else:
        found = _file_cases(source, root, files, key) if source.scans else []
    if not found and (source.scans or source.layout == "dicom"):
        wanted = source.scans or "DICOM images"
        raise SourceError(f"source {source.name}: no file in the folder fits the scans: {wanted}")
    found = _link_masks(source, root, files, found, vocabulary)
    found = link_patients(source, root, found, key)
    found.sort(key=lambda case: case.case_id)
    for one, other in pairwise(found):
        if one.case_id == other.case_id:
            raise SourceError(f"source {source.name}: two scans get the id {one.case_id}")
    return found


def _file_cases(source: SourceConfig, root: Path, files: Sequence[str], key: bytes) -> list[Case]:
    volumes = [path for path in files if is_volume(path)]
    found = dict(Pattern(source.scans).select(volumes))
    for mask in source.masks:  # "{case}.nii.gz" also fits "x_seg.nii.gz", which is no scan
        for own, fields in list(found.items()):
            for path, _ in Pattern(mask.path).fill(fields).select(volumes):
                if path != own:
                    found.pop(path, None)
    return [
        Case(
            case_id=id_of(source, storable(path), fields, key),
            source=source,
            root=root,
            path=path,
            fields=fields,
            files=(os.fspath(root / path),),
            modality=source.modality,
            known=told_by_name(source, fields),
        )
        for path, fields in found.items()
    ]


def told_by_name(source: SourceConfig, fields: Mapping[str, str]) -> Identifiers:
    """A hospital's file names often hold a number or a name; public ones are no secret."""
    if source.ids == "public":
        return Identifiers()
    words = [storable(value) for value in fields.values() if _may_identify(value)]
    return Identifiers(ids=tuple(dict.fromkeys(words)))


def _may_identify(name: str) -> bool:
    letters = [word for word in re.split(r"[\W\d_]+", name) if len(word) > 2]
    n_digits = sum(char.isdigit() for char in name)
    return n_digits >= 4 or len(letters) >= 2


def _link_masks(
    source: SourceConfig,
    root: Path,
    files: Sequence[str],
    cases: list[Case],
    vocabulary: Vocabulary,
) -> list[Case]:
    _check_classes(source, vocabulary)
    volumes = [path for path in files if is_volume(path)]
    unknown: set[str] = set()
    linked = []
    n_maps = sum(mask.is_map for mask in source.masks)
    for case in cases:
        masks = list(case.masks)
        for number, mask in enumerate(source.masks, start=1):
            role = "label map" if n_maps == 1 else f"label map {number}"
            for path, fields in Pattern(mask.path).fill(case.fields).select(volumes):
                absolute = os.fspath(root / path)
                if absolute in case.files:
                    continue
                if mask.is_map:
                    masks.append(MaskInput(role, absolute, labels=_labels(mask)))
                    continue
                class_id = mask.classes.get(fields["class"]) or our_class(
                    fields["class"], vocabulary
                )
                if class_id is None:
                    unknown.add(fields["class"])
                elif class_id != BACKGROUND:
                    masks.append(MaskInput(f"mask {class_id}", absolute, class_id))
        linked.append(replace(case, masks=tuple(masks)))
    if unknown:
        raise SourceError(
            f"source {source.name}: no class is called {', '.join(sorted(unknown))}; say under "
            "`masks: classes:` which of ours each is (background: pass over), or add it to the "
            f"{OWN}"
        )
    return linked


def _labels(mask: MaskSource) -> dict[int, tuple[str, ...]]:
    return {value: mask.classes_of(value) or () for value in mask.labels}


def _check_classes(source: SourceConfig, vocabulary: Vocabulary) -> None:
    named = set(source.complete)
    for number, mask in enumerate(source.masks, start=1):
        if mask.is_map and not mask.labels:
            raise SourceError(
                f"source {source.name}: mask pattern {number} is a label map without `labels:`; "
                "say which value is which class"
            )
        for value in mask.labels:
            named.update(mask.classes_of(value) or ())
        named.update(mask.classes.values())
    unknown = sorted(name for name in named - {BACKGROUND, IGNORE} if name not in vocabulary)
    if unknown:
        near = [f"{name} (ours: {ours})" if (ours := vocabulary.resolve(name)) else name
                for name in unknown]  # fmt: skip
        raise SourceError(
            f"source {source.name}: not in the vocabulary: {', '.join(near)}; "
            f"use our class ids, or add the class to the {OWN}"
        )
