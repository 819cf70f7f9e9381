"""The ledger items of ingest, and what is kept of each: adopted files, labels, a plain result."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.ingest.files import marks_of
from agent.ingest.records import Case
from agent.ingest.worker import IngestedScan
from cleaning.standardise.config import StandardiseConfig
from voxcurate.catalog import Scan, WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.ids import content_id, keyed
from voxcurate.labels import adopt_mask
from voxcurate.ledger import Item
from voxcurate.workspace import Workspace, adopt_file

STAGE = "ingest"
CHANGED = (
    "differs from what was ingested under this id before (a changed file or setting); a scan is "
    "never replaced: give the new data another source name"
)


def case_items(
    cases: Sequence[Case],
    with_report: frozenset[str],
    workspace: Workspace,
    standard: StandardiseConfig,
    key: bytes,
) -> list[Item]:
    """An item for each case; its inputs are sizes, times and what it uses of the description."""
    items = []
    for case in cases:
        payload = payload_of(case, workspace.scratch, standard)
        payload["has_report"] = case.case_id in with_report
        items.append(Item(case.case_id, inputs=_inputs(case, payload, key), payload=payload))
    return items


def payload_of(case: Case, scratch: Path, standard: StandardiseConfig) -> dict[str, Any]:
    """What the worker gets: plain data, absolute paths, no identifier but the paths themselves."""
    source = case.source
    maps = {c for mask in case.source.masks if mask.is_map for c in _classes(mask.labels)}
    is_dicom = source.layout == "dicom"
    anywhere = is_dicom or any(not mask.is_map for mask in source.masks)
    elsewhere = [c for c in source.complete if c not in maps]
    return {
        "case_id": case.case_id,
        "files": list(case.files),
        "is_dicom": is_dicom,
        "modality": case.modality,
        "hu_offset": source.hu_offset,
        "standardise": standard.model_dump(mode="json"),
        "masks": [
            {
                "role": mask.role,
                "path": mask.path,
                "class_id": mask.class_id,
                "labels": {str(v): list(c) for v, c in mask.labels.items()},
                "is_segmentation": mask.is_segmentation,
                "tells": [*mask.classes, *(() if mask.is_map else elsewhere)],
            }
            for mask in case.masks
        ],
        "complete": list(source.complete),
        "maskable": [c for c in source.complete if anywhere or c in maps],
        "scratch": str(scratch),
        "error": case.error,
        "patient": case.patient,
        "facts": dict(case.facts),
        "gold": source.gold,
        "source": source.name,
        "licence": source.licence,
    }


def _classes(labels: Mapping[int, str | tuple[str, ...]]) -> list[str]:
    return [c for named in labels.values() for c in ((named,) if isinstance(named, str) else named)]


def _inputs(case: Case, payload: Mapping[str, Any], key: bytes) -> list[Any]:
    paths = [*case.files, *(mask.path for mask in case.masks)]
    used = {
        name: payload[name]
        for name in (
            *("modality", "hu_offset", "standardise", "complete", "maskable"),
            *("gold", "facts", "has_report"),
        )
    }
    masks = [
        (mask["role"], mask["class_id"], mask["labels"], mask["tells"]) for mask in payload["masks"]
    ]
    names = keyed("\n".join(os.path.relpath(path, case.root) for path in paths), key, 32)
    return [marks_of(case.root, paths), names, used, masks]


def adopt(writer: Writer, workspace: Workspace, item: Item, made: IngestedScan) -> dict[str, Any]:
    """Move a case's files into place and add its labels; the scan's own row comes when splits are
    known.

    Returns:
        the ledger's result; ``linked`` is false until the scan is in the catalog.
    """
    payload = item.payload
    case_id: str = payload["case_id"]
    old = writer.rows(Scan, case_id=case_id)
    if old and (old[0].sha256 != made.sha256 or old[0].affine != made.affine):
        _note_problems(writer, case_id, {_role(made): CHANGED})
        return {"problems": {_role(made): CHANGED}, "linked": True}
    path = workspace.scan_path(case_id)
    adopt_file(Path(made.temporary), path)
    labels = {}
    for part in made.labels:
        label = adopt_mask(
            writer,
            workspace,
            part.mask,
            case_id=case_id,
            class_id=part.class_id,
            origin="original",
            round_number=0,
            known=part.known,
            facts={"source": payload["source"]} | _resampled(part.resampled),
        )
        labels[part.class_id] = label.label_id
    _note_problems(writer, case_id, made.problems)
    return {
        "scan": {
            "case_id": case_id,
            "source": payload["source"],
            "patient": payload["patient"],
            "modality": made.modality,
            "path": workspace.relative(path),
            "sha256": made.sha256,
            "shape": made.shape,
            "spacing": made.spacing,
            "affine": made.affine,
            "licence": payload["licence"],
            "facts": {**payload["facts"], **made.facts},
            "fingerprint": made.fingerprint,
            "complete": made.complete,
        },
        "labels": labels,
        "present": sorted(part.class_id for part in made.labels if part.mask.voxels),
        "gold": payload["gold"],
        "has_report": payload["has_report"],
        "problems": made.problems,
        "linked": False,
    }


def _resampled(how: str) -> dict[str, Any]:
    return {"resampled": how} if how else {}


def _role(made: IngestedScan) -> str:
    return "ct" if made.modality == "CT" else "scan"


def _note_problems(writer: Writer, case_id: str, problems: Mapping[str, str]) -> None:
    """A failed ledger line for each mask that was left out; lines of mended ones are closed."""
    mark = content_id(STAGE, case_id, problems)
    for line in writer.rows(WorkItem, round=0, stage=STAGE, subject=case_id, status="failed"):
        if line.variant and (line.variant not in problems or line.fingerprint != mark):
            writer.put(replace(line, status="quarantined"))
    for role, error in problems.items():
        writer.put(WorkItem(0, STAGE, case_id, role, mark, "failed", error=error, updated=now()))
