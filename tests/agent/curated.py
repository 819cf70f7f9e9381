"""A workspace as two rounds leave it, filled by hand through the catalog: for report and export."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from tests.conftest import ellipsoid, oblique_affine
from voxcurate.catalog import (
    Assembly,
    Catalog,
    Decision,
    FindingRow,
    Label,
    Measure,
    Model,
    Reading,
    Report,
    Round,
    Scan,
    WorkItem,
    Writer,
)
from voxcurate.catalog.records import Split
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.ids import file_sha256
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

SPLITS: tuple[Split, ...] = ("train", "train", "train", "validation", "test")
FLAGSHIP = {1: "flag1", 2: "flag2"}


@dataclass(frozen=True)
class Case:
    """A volume with its true masks."""

    case_id: str
    source: str
    volume: Volume
    masks: Mapping[str, Any]


def phantoms(n: int) -> list[Case]:
    """Oblique bodies with a liver, spleen and pancreas of slightly different sizes."""
    shape, affine = (23, 19, 14), oblique_affine()
    rng = np.random.default_rng(3)
    cases = []
    for i in range(n):
        grow = float(rng.uniform(0.85, 1.2))
        body = ellipsoid(shape, (11, 9, 6.5), (10, 8, 9))
        masks = {
            "liver": ellipsoid(shape, (15, 9, 7), (4 * grow, 4, 3 * grow)),
            "spleen": ellipsoid(shape, (5, 8, 8), (2 * grow, 2.5, 2)),
            "pancreas": ellipsoid(shape, (10, 12, 5), (3, 1.4 * grow, 1.3)),
        }
        hu = np.where(body, -90, -1000) + rng.integers(-15, 15, shape)
        for mask, value in zip(masks.values(), (110, 120, 90), strict=True):
            hu[mask] = value
        source = "alpha" if i % 2 else "beta"
        volume = Volume(hu.astype(np.int16), affine)
        cases.append(Case(f"{source}_{i:04d}", source, volume, masks))
    return cases


def fill(root: Path, cases: Sequence[Case]) -> StageContext:
    """Two rounds over these cases; the last three are rejected, suspect and a duplicate."""
    workspace = Workspace.create(root, key_file="key")
    catalog = Catalog(workspace.catalog_url)
    classes = tuple(sorted({c for case in cases for c in case.masks}))
    context = StageContext(
        workspace,
        catalog,
        load_vocabulary(),
        round=2,
        classes=classes,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )
    scans = [_scan(workspace, case, i, len(cases)) for i, case in enumerate(cases)]
    with catalog.write() as writer:
        for scan in scans:
            writer.put(scan)
    for i, (case, scan) in enumerate(zip(cases, scans, strict=True)):
        with catalog.write() as writer:
            _label(writer, workspace, case, scan, i)
    with catalog.write() as writer:
        for scan in scans[-3:]:
            proof = {"distance": 3, "ncc": 0.998, "kept": scans[0].case_id}
            writer.decide(
                Decision(
                    "", 1, "clean", scan.case_id, "", "", scan.status, scan.status_reason, "check",
                    evidence=proof if scan.status == "duplicate" else {},
                )
            )  # fmt: skip
        _bookkeeping(writer, scans, classes)
        _measures(writer, scans, classes)
    _files(workspace, cases, scans)
    return context


def _scan(workspace: Workspace, case: Case, i: int, n: int) -> Scan:
    path = workspace.scan_path(case.case_id)
    write_nifti(path, case.volume)
    status, reason = {
        n - 3: ("rejected", "63 % of the voxels are zero"),
        n - 2: ("suspect", "slice distance varies by 12 %"),
        n - 1: ("duplicate", "same patient and series as another scan"),
    }.get(i, ("ok", ""))
    return Scan(
        case_id=case.case_id,
        source=case.source,
        patient=f"patient{i if i < n - 1 else 0:04d}",
        duplicate_group=f"group{i if i < n - 1 else 0:04d}",
        split=SPLITS[i % 5] if i < n - 1 else "train",
        modality="CT",
        path=workspace.relative(path),
        sha256=file_sha256(path),
        shape=list(case.volume.shape),
        spacing=list(case.volume.spacing),
        affine=case.volume.affine.tolist(),
        licence="CC BY 4.0" if case.source == "alpha" else "unknown",
        facts={"sex": "F" if i % 2 else "M", "age": 93 if i == 0 else 40 + i, "nested": {"no": 1}},
        complete=["spleen"],
        status=status,  # type: ignore[arg-type]
        status_reason=reason,
    )


def _label(writer: Writer, workspace: Workspace, case: Case, scan: Scan, i: int) -> None:
    for j, (class_id, mask) in enumerate(sorted(case.masks.items())):
        annotated = scan.split == "test" or (i + j) % 3 != 0
        if annotated:
            absent = class_id == "spleen" and i == 2
            drawn = np.zeros_like(mask) if absent else mask
            first = _add(writer, workspace, scan, class_id, drawn, "original", 0, gold=i == 2)
            _point(writer, first, 0, "original")
            continue
        if scan.status in {"rejected", "duplicate"}:
            continue
        swollen = ndimage.binary_dilation(mask) if (i + j) % 2 else np.roll(mask, 2, axis=2)
        pseudo = _add(writer, workspace, scan, class_id, swollen, "pseudo", 1, model_id="zoo1")
        _point(writer, pseudo, 1, "pseudo")
        if (i + j) % 4 == 0:
            new = _add(writer, workspace, scan, class_id, mask, "judged", 2, parent=pseudo.label_id)
            _decide(writer, pseudo, "judge", "replace", "shape fits the trusted livers", new)
            _point(writer, new, 2, "judged")
        elif (i + j) % 4 == 1:
            other = _add(writer, workspace, scan, class_id, mask, "judged", 2, model_id="zoo1")
            _decide(writer, pseudo, "review", "queued", "touches the border; DSC 0.41", other)
        elif (i + j) % 4 == 2 and i > 2:
            new = _add(
                writer, workspace, scan, class_id, mask, "revised", 2, parent=pseudo.label_id
            )
            _decide(writer, pseudo, "review", "queued", "models disagree", new)
            _decide(writer, pseudo, "review", "revised", "redrawn at the hilum", new, "reader one")
            _point(writer, new, 2, "human")


def _add(
    writer: Writer,
    workspace: Workspace,
    scan: Scan,
    class_id: str,
    mask: Any,
    origin: str,
    number: int,
    **more: Any,
) -> Label:
    name = f"{scan.case_id}_{class_id}_{origin}"
    file = write_mask(workspace.scratch, name, mask, np.asarray(scan.affine))
    return adopt_mask(
        writer,
        workspace,
        file,
        case_id=scan.case_id,
        class_id=class_id,
        origin=origin,
        round_number=number,
        **more,
    )


def _point(writer: Writer, label: Label, number: int, trust: str) -> None:
    writer.point(Assembly(number, label.case_id, label.class_id, label.label_id, trust))


def _decide(
    writer: Writer,
    label: Label,
    stage: str,
    verdict: str,
    reason: str,
    other: Label | None = None,
    actor: str = "shape judge 1",
) -> None:
    writer.decide(
        Decision(
            "",
            2,
            stage,
            label.case_id,
            label.class_id,
            label.label_id,
            verdict,
            reason,
            actor,
            other_label=other.label_id if other else "",
            evidence={"margin": 0.8},
            created="2026-11-21T08:00:00+00:00" if verdict != "revised" else "2026-11-21T09:00:00",
        )
    )


def _bookkeeping(writer: Writer, scans: Sequence[Scan], classes: Sequence[str]) -> None:
    for number in (1, 2):
        writer.put(
            Round(
                number,
                "done",
                {
                    "need": "Abdominal organs in portal-venous CT, <b>pancreas</b> first",
                    "labeling": {"priority": {"rule": "top", "fraction": 0.1}},
                },
                {"voxcurate": "0.1.0", "torch": "2.13.0"},
                7,
                f"2026-11-2{number}T07:00:00+00:00",
                f"2026-11-2{number}T07:48:10+00:00",
                facts={"classes": list(classes)},
            )
        )
        cases = [s.case_id for s in scans if s.split == "train" and s.status == "ok"]
        for name, role in ((FLAGSHIP[number], "flagship"), (f"zoo{number}", "zoo")):
            writer.put(
                Model(
                    name,
                    number,
                    f"{role}-{number}",
                    "SegResNet",
                    f"models/{number}/{name}",
                    "ab" * 32,
                    list(classes),
                    cases,
                    "Apache-2.0",
                    {"role": role},
                )
            )
        for stage, seconds in (
            ("clean", 3.0),
            ("predict", 61.0),
            ("detect", 14.0),
            ("train", 600.0),
        ):
            writer.put(Measure(number, stage, "", "", "", "wall_s", seconds))
            for i, scan in enumerate(scans):
                is_bad = stage == "predict" and i == 1
                writer.put(
                    WorkItem(
                        number,
                        stage,
                        scan.case_id,
                        "zoo1" if stage == "predict" else "",
                        f"{stage}{i}",
                        "failed" if is_bad else "done",
                        2 if is_bad else 1,
                        "the process that worked on it died" if is_bad else "",
                        seconds / len(scans),
                        300.0 + i,
                        {},
                        f"2026-11-21T07:{10 + len(stage)}:00+00:00",
                    )
                )
    writer.put(
        WorkItem(0, "ingest", "alpha_broken", "", "f", "failed", 1, "ct: truncated", updated="x")
    )
    writer.put(Report("loose", "", "", "alpha", ""))
    writer.put(Reading("loose", "x", "rules 1", "unreadable", 2, 0, "no words in it"))
    for i, scan in enumerate(scans):
        value = ("yes", "no", "uncertain")[i % 3]
        report = f"report{i}"
        common: dict[str, Any] = {
            "report_id": report,
            "case_id": scan.case_id,
            "section": "findings",
        }
        rest: dict[str, Any] = {"confidence": 0.9, "reader": "rules 1", "round": 2}
        writer.put(Report(report, scan.case_id, scan.patient, scan.source, "There is a lesion."))
        writer.put(Reading(report, "x", "rules 1", "read", 2, 2))
        writer.put(
            FindingRow(
                **common, question="liver_lesion", value=value, number=None, unit="", choice="",
                sentence="There is a lesion.", **rest
            )
        )  # fmt: skip
        writer.put(
            FindingRow(
                **common, question="lesion_size", value="number", number=10.0 + i, unit="mm",
                choice="", sentence="It measures more.", **rest
            )
        )  # fmt: skip


def _measures(writer: Writer, scans: Sequence[Scan], classes: Sequence[str]) -> None:
    rng = np.random.default_rng(11)
    for number in (1, 2):
        for scan in scans:
            if scan.status not in {"ok", "suspect"}:
                continue
            total = 0.0
            for class_id in classes:
                size = float(rng.lognormal(6.5, 1.4))
                total += size
                key: dict[str, Any] = {
                    "round": number,
                    "case_id": scan.case_id,
                    "class_id": class_id,
                }
                writer.put(
                    Measure(**key, stage="detect", model_id="", name="attention_mm3", value=size)
                )
                writer.put(
                    Measure(
                        **key,
                        stage="detect",
                        model_id="",
                        name="error_probability",
                        value=min(1.0, size / 3000),
                    )
                )
                for model, bonus in ((FLAGSHIP[number], 0.04), (f"zoo{number}", 0.0)):
                    dsc = float(np.clip(0.74 + 0.04 * number + bonus + rng.normal(0, 0.05), 0, 1))
                    for name, value in (("dsc", dsc), ("nsd", min(1.0, dsc + 0.06))):
                        writer.put(
                            Measure(
                                **key,
                                stage="evaluate",
                                model_id=model,
                                name=name,
                                value=value,
                                facts={
                                    "split": scan.split,
                                    "implementation": "voxcurate.metrics 1",
                                },
                            )
                        )
            facts = {"map": f"attention/{scan.case_id}.nii.gz"}
            writer.put(
                Measure(number, "detect", scan.case_id, "", "", "attention_mm3", total, facts)
            )


def _files(workspace: Workspace, cases: Sequence[Case], scans: Sequence[Scan]) -> None:
    folder = workspace.round_path(2, "training")
    folder.mkdir(parents=True)
    workspace.round_path(2, "config.yaml").write_text("seed: 7\n")
    for model in ("flag2", "zoo2"):
        lines = [
            json.dumps({"step": s, "loss": 1.5 / (1 + s / 40), "lr": 0.01 * (1 - s / 200)})
            for s in range(0, 200, 5)
        ]
        (folder / f"{model}.jsonl").write_text("\n".join([*lines, '{"step": 2']))
    for case, scan in zip(cases, scans, strict=True):
        first = next(iter(case.masks.values()))
        rim = ndimage.binary_dilation(first) ^ first
        path = workspace.root / "attention" / f"{scan.case_id}.nii.gz"
        write_nifti(path, case.volume.with_array(np.asarray(rim, np.uint8) * 64))
        if scan.split == "test" and scan.status == "ok":
            boxes = {
                c: probability_box(np.roll(m, 1, axis=2).astype(np.float32))
                for c, m in case.masks.items()
            }
            prediction = Prediction(boxes, case.volume.shape, case.volume.affine, "flag2", True)
            write_prediction(workspace.prediction_path(2, "flag2", case.case_id), prediction)
