"""A workspace whose scans have livers, tumours, reports and a model that finds too much."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling.roc.reports import Asked
from tests.conftest import ellipsoid, oblique_affine
from voxcurate.catalog import Assembly, Catalog, FindingRow, Label, Model, Scan, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.nifti import write_nifti
from voxcurate.predictions import Prediction, probability_box, write_prediction
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

SHAPE = (33, 27, 21)
AFFINE = oblique_affine((3.0, 3.5, 4.0), (0.05, -0.04, 0.06))
CLASS = "liver_tumor"
LIVER = ellipsoid(SHAPE, (16, 13, 10), (13, 10, 8))
TUMOUR = ellipsoid(SHAPE, (12, 12, 9), (3, 3, 2))
FALSE = ellipsoid(SHAPE, (22, 14, 11), (2, 2, 2))
OUTSIDE = ellipsoid(SHAPE, (31, 2, 2), (1, 1, 1))
NOTHING = np.zeros(SHAPE, bool)
ASKED = {CLASS: Asked(("liver_tumour", "liver_metastasis"), ("liver_lesion", "liver_tumour"))}


@dataclass(frozen=True)
class Plan:
    """One scan: what people drew (None: nothing, not even an empty mask), what the model says, what
    the report says."""

    drawn: Any = None
    found: tuple[tuple[Any, float], ...] = ()
    said: str = ""
    origin: str = "original"
    split: str = "train"


PLANS = (
    Plan(TUMOUR, ((TUMOUR, 0.9), (FALSE, 0.4)), "yes"),
    Plan(TUMOUR, ((TUMOUR, 0.6),), "yes"),
    Plan(NOTHING, ((FALSE, 0.8), (OUTSIDE, 0.9)), "no"),
    Plan(None, ((FALSE, 0.7),), "no"),  # 3: the report removes it
    Plan(None, ((TUMOUR, 0.95), (FALSE, 0.65)), "yes"),  # 4: two candidates for people
    Plan(None, ((FALSE, 0.2),), "yes"),  # 5: named, not found
    Plan(None, ((TUMOUR, 0.7),), ""),  # 6: no report
    Plan(NOTHING, (), "yes"),  # 7: drawn as empty, the report says yes
    Plan(FALSE, ((FALSE, 0.9),), "no"),  # 8: a person's tumour that the report denies
    Plan(TUMOUR, ((TUMOUR, 0.3),), "yes", split="test"),  # 9: takes no part
)


def build(root, plans=PLANS, classes=("liver", CLASS)):
    """The workspace after fusion of round 1; pseudo labels where nobody has drawn."""
    ctx = opened(Workspace.create(root, key_file="key").root, classes)
    workspace, catalog = ctx.workspace, ctx.catalog
    hu = np.where(LIVER, 110, -90).astype(np.int16)
    with catalog.write() as writer:
        writer.add(Model("net", 1, "net", "unet", "", "sha", list(classes), []))
    for n, plan in enumerate(plans):
        case_id = f"src_case{n:02d}"
        path = workspace.scan_path(case_id)
        write_nifti(path, Volume(hu, AFFINE))
        spacing = [3.0, 3.5, 4.0]
        scan = Scan(
            case_id, "src", f"p{n}", f"g{n}", plan.split, "CT", workspace.relative(path), f"sha{n}",
            list(SHAPE), spacing, AFFINE.tolist(),
        )  # fmt: skip
        with catalog.write() as writer:
            writer.add(scan)
            add(writer, workspace, case_id, "liver", LIVER, "original", 0)
            if plan.drawn is not None:
                add(writer, workspace, case_id, CLASS, plan.drawn, plan.origin, 0)
            if plan.said:
                writer.put(finding(case_id, plan.said))
        _predict(ctx, case_id, plan)
        if plan.drawn is None and plan.split != "test":
            _fuse(ctx, case_id, plan)
    return ctx


def opened(root, classes=("liver", CLASS)):
    """The context of round 1 of a workspace."""
    workspace = Workspace.find(root)
    return StageContext(
        workspace, Catalog(workspace.catalog_url), load_vocabulary(), 1, 0, tuple(classes),
        executor_config=ExecutorConfig(kind="serial"), quiet=True,
    )  # fmt: skip


def finding(case_id, value, question="liver_tumour", report="r", **more):
    """What a report says; its sentence must not leave the workspace."""
    fields = {
        "number": None, "unit": "", "choice": "", "sentence": f"SENTENCE {value}",
        "section": "findings", "confidence": 0.9, "reader": "rules", "round": 1, **more,
    }  # fmt: skip
    return FindingRow(f"{report}_{case_id}", question, case_id, value, **fields)


def add(writer, workspace, case_id, class_id, mask, origin, number):
    file = write_mask(workspace.scratch, f"{case_id}_{class_id}_{origin}", mask, AFFINE)
    label = adopt_mask(
        writer, workspace, file, case_id=case_id, class_id=class_id, origin=origin,
        round_number=number,
    )  # fmt: skip
    if not number:
        writer.point(Assembly(0, case_id, class_id, label.label_id, origin))
    return label


def _predict(ctx, case_id, plan):
    array = np.zeros(SHAPE, np.float32)
    for mask, value in plan.found:
        array[mask] = value
    boxes = {CLASS: probability_box(array), "liver": probability_box(LIVER.astype(np.float32))}
    path = ctx.workspace.prediction_path(1, "net", case_id)
    write_prediction(path, Prediction(boxes, SHAPE, AFFINE, "net", True))
    result = {"path": ctx.workspace.relative(path), "out_of_fold": True}
    with ctx.catalog.write() as writer:
        writer.put(WorkItem(1, "predict", case_id, "net", f"f{case_id}", "done", result=result))


def _fuse(ctx, case_id, plan):
    mask = NOTHING.copy()
    for part, value in plan.found:
        mask |= part & (value > 0.5)
    with ctx.catalog.write() as writer:
        label = add(writer, ctx.workspace, case_id, CLASS, mask, "pseudo", 1)
        made = {"labels": {CLASS: label.label_id}}
        writer.put(WorkItem(1, "fuse", case_id, "", f"u{case_id}", "done", result=made))


def labels(ctx, n):
    """The versions of a scan's tumour, oldest first."""
    rows = ctx.catalog.rows(Label, case_id=f"src_case{n:02d}", class_id=CLASS)
    return sorted(rows, key=lambda x: (x.round, x.origin != "pseudo"))
