"""Small records for tests."""

from typing import Any

from voxcurate.catalog import Decision, Label, Scan


def a_scan(**changes: Any) -> Scan:
    values: dict[str, Any] = {
        "case_id": "a_case",
        "source": "a",
        "patient": "p1",
        "duplicate_group": "g1",
        "split": "train",
        "modality": "CT",
        "path": "scans/a_case/ct.nii.gz",
        "sha256": "0" * 64,
        "shape": [7, 5, 3],
        "spacing": [1.0, 2.0, 3.0],
        "affine": [[1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1.0]],
    }
    return Scan(**{**values, **changes})


def a_label(**changes: Any) -> Label:
    values: dict[str, Any] = {
        "label_id": "l1",
        "case_id": "a_case",
        "class_id": "liver",
        "origin": "original",
        "parent": "",
        "model_id": "",
        "round": 0,
        "path": "",
        "known_path": "",
        "sha256": "0" * 64,
        "ml": 0.0,
        "voxels": 0,
    }
    return Label(**{**values, **changes})


def a_decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "decision_id": "",
        "round": 1,
        "stage": "review",
        "case_id": "a_case",
        "class_id": "liver",
        "label_id": "l1",
        "verdict": "confirm",
        "reason": "looked at, unchanged",
        "actor": "human:r1",
    }
    return Decision(**{**values, **changes})
