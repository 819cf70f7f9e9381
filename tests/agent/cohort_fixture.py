"""One small cohort, and workspaces fabricated from its truth, for the tests of cohort and score."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from agent.cohort import generate_cohort
from agent.cohort.layouts import UNET_CLASSES
from agent.cohort.tissues import CLASSES
from voxcurate.catalog import (
    Assembly,
    Catalog,
    Decision,
    FindingRow,
    Label,
    Measure,
    Model,
    Report,
    Scan,
)
from voxcurate.catalog.records import Origin
from voxcurate.ids import case_id
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

PATIENTS = 5
SEED = 3
MODELS = {"zoo": "m-zoo", "flagship": "m-flagship"}
_made: list[Path] = []


def shared_cohort(factory: pytest.TempPathFactory) -> Path:
    """The cohort of these tests, made once a session; nobody writes to it."""
    if not _made:
        out = factory.mktemp("cohort")
        generate_cohort(out, patients=PATIENTS, seed=SEED)
        _made.append(out)
    return _made[0]


def read_truth(cohort: Path) -> dict[str, Any]:
    """``truth.json``."""
    data: dict[str, Any] = json.loads((cohort / "truth" / "truth.json").read_text())
    return data


def true_masks(cohort: Path, entry: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The true mask of every class of a scan, and the affine."""
    with np.load(cohort / "truth" / entry["masks"]) as stored:
        organs, tumor, affine = stored["organs"], stored["tumor"], stored["affine"]
    values = read_truth(cohort)["organ_values"]
    masks = {name: organs == value for name, value in values.items()}
    masks["pancreatic_tumor"] = tumor
    return masks, affine


def drawn_mask(cohort: Path, entry: dict[str, Any], name: str) -> np.ndarray:
    """The label of a class as its source holds it; no file is an empty mask."""
    source = cohort / "cohort" / entry["source"]
    if entry["source"] == "unetdemo":
        labels = np.asarray(nib.load(source / "labelsTr" / f"{entry['name']}.nii.gz").dataobj)
        return np.asarray(labels == UNET_CLASSES.index(name) + 1)
    folder = source / "masks" / entry["key"]
    if entry["source"] == "atlasdemo":
        folder = source / entry["name"] / "segmentations"
    path = folder / f"{name}.nii.gz"
    if not path.exists():
        return np.zeros(entry["shape"][:3], bool)
    return np.asarray(nib.load(path).dataobj) > 0


def fabricate(
    cohort: Path,
    root: Path,
    *,
    ingest: Callable[[dict[str, Any]], bool] = lambda entry: not entry["corruption"],
    perfect: bool = False,
    flawed_pseudo: bool = False,
) -> Path:
    """A workspace as a pipeline could have left it: ingested only, or after one round.

    `perfect`: everything is as the truth has it; with `flawed_pseudo` the pseudo labels are the
    drawn ones, and attention is their true error. Every patient of odd number is in the test split.
    """
    workspace = Workspace.create(root, key_file="private.key")
    truth = read_truth(cohort)
    catalog = Catalog(workspace.catalog_url)
    key = workspace.key()
    cases = {(s["source"], s["key"]): case_id(s["source"], s["key"], key) for s in truth["scans"]}
    groups = {
        cases[tuple(pair["second"])]: cases[tuple(pair["first"])] for pair in truth["duplicates"]
    }
    with catalog.write() as writer:
        for entry in filter(ingest, truth["scans"]):
            case = cases[entry["source"], entry["key"]]
            masks, affine = true_masks(cohort, entry)
            writer.add(_scan(entry, case, groups.get(case, case), affine, perfect))
            for name in entry["labels"]:
                drawn = drawn_mask(cohort, entry, name)
                _add_label(writer, workspace, case, name, drawn, affine, "original", 0)
                if perfect:
                    pseudo = drawn if flawed_pseudo else masks[name]
                    made = _add_label(writer, workspace, case, name, pseudo, affine, "pseudo", 1)
                    if entry["person"] % 2 == 0:
                        writer.point(Assembly(1, case, name, made, "pseudo"))
                    _suspect(writer, case, name, bool(entry["labels"][name]["error"]))
                    error = float((pseudo ^ masks[name]).sum() * np.prod(entry["spacing_mm"]))
                    writer.put(Measure(1, "fuse", case, name, "", "attention_mm3", error))
            if perfect:
                total = sum(
                    m.value
                    for m in writer.rows(Measure, case_id=case, name="attention_mm3")
                    if m.value
                )
                writer.put(Measure(1, "fuse", case, "", "", "attention_mm3", total))
                _predict(workspace, case, masks, affine)
        if perfect:
            for role, model in MODELS.items():
                writer.add(
                    Model(model, 1, model, "unet", "", "", list(CLASSES), [], facts={"role": role})
                )
            for said in truth["reports"]:
                _read(writer, cases[said["source"], said["key"]], said)
    catalog.close()
    return root


def _scan(entry: dict[str, Any], case: str, group: str, affine: np.ndarray, perfect: bool) -> Scan:
    damaged = bool(entry["corruption"])
    return Scan(
        case_id=case,
        source=entry["source"],
        patient=f"p{entry['person']}",
        duplicate_group=group if perfect else "",
        split="test" if entry["person"] % 2 else "train",
        modality="CT",
        path=f"scans/{case}/ct.nii.gz",
        sha256="0",
        shape=list(entry["shape"][:3]),
        spacing=list(entry["spacing_mm"]),
        affine=affine.tolist(),
        status="rejected" if damaged and perfect else "ok",
    )


def _add_label(
    writer: Any,
    workspace: Workspace,
    case: str,
    name: str,
    mask: np.ndarray,
    affine: np.ndarray,
    origin: Origin,
    round_number: int,
) -> str:
    label_id = f"{case}-{name}-{origin}"
    path = workspace.label_path(case, name, label_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, Volume(mask.astype(np.uint8), affine))
    n_voxels = int(mask.sum())
    writer.add(
        Label(
            label_id=label_id,
            case_id=case,
            class_id=name,
            origin=origin,
            parent="",
            model_id="",
            round=round_number,
            path=workspace.relative(path),
            known_path="",
            sha256="0",
            ml=0.0,
            voxels=n_voxels,
        )
    )
    return label_id


def _predict(
    workspace: Workspace, case: str, masks: dict[str, np.ndarray], affine: np.ndarray
) -> None:
    """The flagship predicts the truth, the zoo's model the truth moved by three voxels."""
    for role, model in MODELS.items():
        shift = 0 if role == "flagship" else 3
        boxes = {
            name: probability_box(np.roll(mask, shift, 0).astype(np.float32))
            for name, mask in masks.items()
        }
        path = workspace.prediction_path(1, model, case)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_prediction(path, Prediction(boxes, masks["liver"].shape, affine, model, True))


def _suspect(writer: Any, case: str, name: str, wrong: bool) -> None:
    for measure, value in (("error_probability", float(wrong)), ("tot_dsc", 1.0)):
        writer.put(Measure(1, "detect", case, name, "", measure, value))
    if wrong:
        writer.decide(Decision("", 1, "detect", case, name, "", "suspect_label", "", "test"))


def _read(writer: Any, case: str, said: dict[str, Any]) -> None:
    report = f"r-{case}"
    writer.add(Report(report, case, "p", said["source"], "scrubbed text"))
    for question, value in said["answers"].items():
        number = value if isinstance(value, float) else None
        choice = value if question == "contrast_phase" else ""
        writer.put(
            FindingRow(
                report_id=report,
                question=question,
                case_id=case,
                value=str(value) if number is None else "number",
                number=number,
                unit="mm" if number is not None else "",
                choice=str(choice),
                sentence="",
                section="",
                confidence=1.0,
                reader="test",
                round=1,
            )
        )
